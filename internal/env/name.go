package env

import (
	"errors"
	"strings"
	"unicode"

	"vaultexec/internal/ref"
)

// checkName judges a name that a user gave. The kernel and libc take anything
// without = and NUL; blanks and control characters are always a slip.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case strings.Contains(name, "="):
		return errors.New("the name has an = in it")
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return errors.New("the name has a blank or a control character in it")
	}
	return nil
}

// isPortable tells whether every shell takes the name: [A-Za-z_][A-Za-z0-9_]*
// (POSIX.1-2024, Base Definitions 3.216).
func isPortable(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c == '_' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if !letter && (i == 0 || c < '0' || '9' < c) {
			return false
		}
	}
	return name != ""
}

// naming makes the names of variables from those of fields.
type naming struct {
	prefix string
	upper  bool
	own    bool // upper is the reference's word: --case has no say
}

// naming is what a reference says of names, and the settings where it says
// nothing.
func (s *Sources) naming(r ref.Ref) naming {
	n := naming{prefix: s.Prefix, upper: s.Case == ref.CaseUpper, own: r.Case != ref.CaseDefault}
	if r.Prefix != nil {
		n.prefix = *r.Prefix
	}
	if r.Case != ref.CaseDefault {
		n.upper = r.Case == ref.CaseUpper
	}
	return n
}

// ownNaming is what a reference itself says of names: in a file whose names
// are not those of variables the settings have no say.
func ownNaming(r ref.Ref) naming {
	n := naming{upper: r.Case == ref.CaseUpper, own: true}
	if r.Prefix != nil {
		n.prefix = *r.Prefix
	}
	return n
}

// name works on bytes: a letter outside ASCII becomes as many _ as it has bytes.
func (n naming) name(field string) string {
	name := n.prefix + field
	if !n.upper {
		return name
	}
	b := []byte(name)
	for i, c := range b {
		switch {
		case 'a' <= c && c <= 'z':
			b[i] = c - 'a' + 'A'
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		default:
			b[i] = '_'
		}
	}
	if len(b) > 0 && '0' <= b[0] && b[0] <= '9' {
		return "_" + string(b)
	}
	return string(b)
}
