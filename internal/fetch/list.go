package fetch

import (
	"context"
	"net/http"
)

// list names what is below a directory, those that have something below
// themselves with a slash at the end. Without the permission, or with any
// other trouble, it names nothing: it is for hints only.
func (c *Client) list(ctx context.Context, dir location) []string {
	var a *answer
	f := c.attempt(ctx, dir.namespace, c.fetching(dir, &a))
	if f != nil || a.status != http.StatusOK {
		return nil
	}
	keys, _ := a.data["keys"].([]any)
	var names []string
	for _, k := range keys {
		if name, ok := k.(string); ok {
			names = append(names, name)
		}
	}
	return names
}
