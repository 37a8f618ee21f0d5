package ref

import (
	"fmt"
	"path"
	"strings"
)

// CheckGlob tells whether a pattern of names is well formed. Patterns are
// those of path.Match: * and ? and [a-z].
func CheckGlob(pattern string) error {
	if _, err := path.Match(pattern, ""); err != nil {
		return fmt.Errorf("pattern %q is malformed: a [ is not closed, or it ends in a backslash", pattern)
	}
	return nil
}

// Match tells whether a name matches any of the patterns, which CheckGlob has
// passed.
func Match(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, _ := path.Match(p, name); ok {
			return true
		}
	}
	return false
}

// Selects tells whether a whole secret's reference takes the field.
func (r Ref) Selects(field string) bool {
	return (len(r.Only) == 0 || Match(r.Only, field)) && !Match(r.Except, field)
}

// SelectsBelow tells whether a reference to all secrets below a path takes the
// field of the secret with the name there. A pattern is compared with the field
// and with NAME/FIELD, so that one with a slash chooses among the secrets.
func (r Ref) SelectsBelow(name, field string) bool {
	full := name + "/" + field
	taken := len(r.Only) == 0 || Match(r.Only, field) || Match(r.Only, full)
	return taken && !Match(r.Except, field) && !Match(r.Except, full)
}

// Misses are the names in Only, the patterns left out, that no field there is
// has: a pattern may match nothing, a name that does is a slip.
func (r Ref) Misses(there func(name string) bool) []string {
	var missing []string
	for _, name := range r.Only {
		if !strings.ContainsAny(name, `*?[\`) && !there(name) {
			missing = append(missing, name)
		}
	}
	return missing
}
