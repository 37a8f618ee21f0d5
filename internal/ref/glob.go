package ref

import (
	"fmt"
	"path"
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
