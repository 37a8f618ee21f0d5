package ref

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// A template stands in place of a key as it is, without the %XX of a URL.
const (
	templateOpen  = "${"
	templateClose = '}'
)

// setTemplate reads TEMPLATE[#VERSION].
func (r *Ref) setTemplate(text string) error {
	end := strings.LastIndexByte(text, templateClose)
	template, version := text, ""
	if i := strings.IndexByte(text[end+1:], '#'); i >= 0 {
		template, version = text[:end+1+i], text[end+1+i+1:]
	}
	r.Template = template
	if version == "" && len(template) == len(text) {
		return nil
	}
	if err := r.setVersion(version); err != nil {
		return fmt.Errorf("the version after the second #: %v", err)
	}
	return nil
}

// printable is a template on one line.
func printable(template string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, template)
}

// errOpen is a template that has no end.
var errOpen = errors.New("${ is not closed by }")

// cutAction splits behind the action of a template that text begins with, as
// text/template would: a brace in a string or a character is none.
func cutAction(text string) (action, rest string, err error) {
	for i := len(templateOpen); i < len(text); i++ {
		switch c := text[i]; c {
		case templateClose:
			return text[:i+1], text[i+1:], nil
		case '"', '\'', '`':
			for i++; i < len(text) && text[i] != c; i++ {
				if text[i] == '\\' && c != '`' {
					i++
				}
			}
		}
	}
	return "", "", errOpen
}
