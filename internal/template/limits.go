package template

import (
	"fmt"
	"strings"
	text "text/template"
)

// maxText is how long the output, and each text that a function makes, can be: a
// slip must not fill memory.
const maxText = 16 << 20

// limited is output that ends with an error where it becomes too long.
type limited struct{ strings.Builder }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxText {
		return 0, failf("the output is longer than %d bytes", maxText)
	}
	return l.Builder.Write(p)
}

// fits gives an error for a text of so many parts of such a length that is too long.
func fits(function string, parts, length int) error {
	if parts > 0 && length > maxText/parts {
		return failf("%s: the text becomes longer than %d bytes", function, maxText)
	}
	return nil
}

// short gives an error for a list that is too long.
func short(function string, length int) error {
	if length > maxLoop {
		return failf("%s: the list has more than %d elements", function, maxLoop)
	}
	return nil
}

// maxPattern is how long a regular expression can be: how long one takes grows
// with its length times that of the text.
const maxPattern = 4096

func patternFits(function, re string) error {
	if len(re) > maxPattern {
		return failf("%s: the regular expression is longer than %d bytes", function, maxPattern)
	}
	return nil
}

// printFunctions stand in for those of text/template, which have no limit.
func printFunctions() text.FuncMap {
	check := func(function, s string) (string, error) { return s, fits(function, 1, len(s)) }
	return text.FuncMap{
		"print":   func(args ...any) (string, error) { return check("print", fmt.Sprint(args...)) },
		"println": func(args ...any) (string, error) { return check("println", fmt.Sprintln(args...)) },
		"printf": func(format string, args ...any) (string, error) {
			return check("printf", fmt.Sprintf(format, args...))
		},
	}
}
