package template

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Error is a template that cannot be parsed or executed. It shows no value.
type Error struct {
	text string
	key  string // that there is not, if it is that
	line string // of the template; empty: that is not known
}

func (e *Error) Error() string { return e.text }

// MissingKey is the key that a map does not have; empty if something else is wrong.
func (e *Error) MissingKey() string { return e.key }

// Line is where in the template it is, from 1; empty if that is not known.
func (e *Error) Line() string { return e.line }

// Class is how the failure is sorted for whoever reads it by machine.
func (*Error) Class() string { return "template" }

// failure is an error of a function that is fit to be printed.
type failure struct{ text string }

func (f *failure) Error() string { return f.text }

func failf(format string, args ...any) error { return &failure{fmt.Sprintf(format, args...)} }

// parseError says what text/template has to say of a source, which is the
// user's own text.
func (o Options) parseError(err error) error {
	text := strings.TrimPrefix(err.Error(), "template: template:")
	if line, rest, ok := strings.Cut(text, ": "); ok && isNumber(line) {
		return &Error{text: fmt.Sprintf("%s, line %s of the template: %s", o.Place, line, rest), line: line}
	}
	return &Error{text: fmt.Sprintf("%s: the template cannot be parsed: %s", o.Place, text)}
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// executeError keeps of an error its place and what is known to be harmless:
// text/template puts values into some of its texts, and what functions say is
// anything.
func (o Options) executeError(err error) error {
	text := err.Error()
	line, where := "", ""
	if rest, ok := strings.CutPrefix(text, "template: "); ok {
		if parts := strings.SplitN(rest, ":", 3); len(parts) == 3 && isNumber(parts[1]) {
			line, where = parts[1], ", line "+parts[1]+" of the template"
		}
	}
	why, key := "it cannot be executed there: its functions do not take such values", ""
	var own *failure
	if errors.As(err, &own) {
		why = own.text
	} else if m := regexp.MustCompile(missingKey).FindString(text); m != "" {
		key = strings.TrimPrefix(m, "map has no entry for key ")
		why = fmt.Sprintf("there is no key %s: correct it, or guard it with {{ if index ... }}", key)
	} else if m := regexp.MustCompile(ofToken).FindStringSubmatch(text); m != nil {
		why = fmt.Sprintf(".%s is not there: .Auth and .WrapInfo hold tokens, which no template is handed; a sink writes the token of vaultexec's login to a file, and another one is for the command to ask for", m[1])
	} else {
		for _, known := range harmless {
			if m := regexp.MustCompile(known).FindString(text); m != "" {
				why = m
			}
		}
	}
	return &Error{fmt.Sprintf("%s%s: %s", o.Place, where, why), key, line}
}

// Compiled when there is an error: compiling costs, and package init is in front
// of every container.
const missingKey = `map has no entry for key "(?:[^"\\]|\\.)*"$`

// ofToken is where a template wants something of Auth or WrapInfo.
const ofToken = `can't evaluate field (\w+) in type \*template\.withheld$`

// harmless are the ends of the errors of text/template that name fields,
// functions and types, and nothing else.
var harmless = []string{
	`nil data; no entry for key "[A-Za-z0-9_]*"$`,
	`nil pointer evaluating [\w.*\[\]{} ]+$`,
	`can't evaluate field \w+ in type [\w.*\[\]{} ]+$`,
	`wrong number of args for \w+: want [a-z0-9 -]+ got \d+$`,
	`exceeded maximum template depth \(\d+\)$`,
	`template "(?:[^"\\]|\\.)*" not defined$`,
	`wrong type for value; expected [\w.*\[\]{} ]+; got [\w.*\[\]{} ]+$`,
}
