// Package from reads secrets that others have put into files: the Agent
// Injector, the CSI driver, kubelet for a Kubernetes Secret, systemd, a person.
// It makes of a file or a directory what Vault would have sent, fields with
// values, and it says when they change.
//
// Parsers are pure, one format each. Nothing that a file says is ever expanded
// or run. What a file holds in a form that could be read in two ways is an error
// and not a guess. No error contains a value: files, lines and names of fields
// are fine to print.
package from

import (
	"fmt"
	"slices"
	"strings"

	"vaultexec/internal/nearest"
	"vaultexec/internal/secret"
)

// Format is how a file holds its fields.
type Format string

const (
	Auto       Format = ""           // by the file's name, then by its content
	Export     Format = "export"     // assignments as sh reads them, with export or without
	Dotenv     Format = "dotenv"     // the same
	Map        Format = "map"        // the Agent Injector's default template: key: value
	JSON       Format = "json"       // one object
	YAML       Format = "yaml"       // one map
	Properties Format = "properties" // of java.util.Properties
	Raw        Format = "raw"        // one value, whose name is the file's
)

// parser is that of a format but Auto and Raw. No map: package initialization
// is part of every container's start.
func (f Format) parser() func(text string) (secret.Fields, *syntaxError) {
	switch f {
	case Export, Dotenv:
		return parseShell
	case Map:
		return parseMap
	case JSON:
		return parseJSON
	case YAML:
		return parseYAML
	case Properties:
		return parseProperties
	}
	panic("BUG: format " + string(f) + " has no parser")
}

// Formats are those that can be asked for.
func Formats() []string {
	return []string{string(Export), string(Dotenv), string(Map), string(JSON), string(YAML), string(Properties), string(Raw)}
}

// CheckFormat tells whether there is such a format.
func CheckFormat(name string) error {
	if name == "" || slices.Contains(Formats(), name) {
		return nil
	}
	hint := ""
	if near := nearest.To(name, Formats()); len(near) > 0 {
		hint = ": did you mean " + near[0] + "?"
	}
	return fmt.Errorf("format=%s is none of %s%s", name, strings.Join(Formats(), ", "), hint)
}

// syntaxError is what a parser cannot read, without a value in it.
type syntaxError struct {
	line int // from 1
	text string
}

func syntax(line int, format string, args ...any) *syntaxError {
	return &syntaxError{line, fmt.Sprintf(format, args...)}
}

// The classes of what this package finds wrong.
const (
	ClassMalformed = "malformed"  // a file that cannot be read in its format
	ClassMissing   = "missing"    // nothing there, or nothing in it
	ClassIO        = "unreadable" // the file system refused
)

// Error is why there is nothing to be had of a file: one sentence, with the
// place and what to do.
type Error struct {
	class, text string
	reference   string // of the place that it is about
}

func (e *Error) Error() string { return e.text }

// Class is one of the Class constants.
func (e *Error) Class() string { return e.class }

// lasts tells what passes with waiting from what does not.
func (e *Error) lasts() bool { return e.class != ClassMissing }

func malformed(file string, e *syntaxError, note string) *Error {
	return &Error{class: ClassMalformed, text: fmt.Sprintf("%s:%d: %s%s", file, e.line, e.text, note)}
}

// byContent is added to what is wrong with a file whose format nobody named.
func byContent(f Format) string {
	return fmt.Sprintf(" (by its content this is %s; ?format= behind the path says what it is)", f)
}

// Parse reads the text of a file that has the name in messages. Auto is settled
// by name and text, and the format that was used is returned for the next time:
// another value must not make another format of the same file. Raw is what
// Auto comes to where no format is recognized.
func Parse(file string, f Format, text string) (secret.Fields, Format, *Error) {
	note := ""
	if f == Auto {
		f = byName(file)
	}
	if f == Auto {
		recognized, err := recognize(text)
		if err != nil {
			return nil, Auto, malformed(file, err, "")
		}
		f, note = recognized, byContent(recognized)
	}
	if f == Raw {
		return nil, Raw, nil
	}
	if strings.HasPrefix(text, byteOrderMark) {
		return nil, f, malformed(file, syntax(1, "the file begins with a byte order mark: save it as UTF-8 without one"), "")
	}
	fields, err := f.parser()(text)
	if err != nil {
		return nil, f, malformed(file, err, note)
	}
	return fields, f, nil
}

const byteOrderMark = "\ufeff"

// rawValue is a file that is one value: byte for byte, but a line alone does not
// keep its end, which is an editor's or echo's and no part of a password.
func rawValue(text string) secret.Value {
	if line, ended := strings.CutSuffix(text, "\n"); ended && !strings.Contains(line, "\n") {
		text = strings.TrimSuffix(line, "\r")
	}
	return secret.Of(text)
}

// lineAt is the number of the line that an offset is on.
func lineAt(text string, offset int) int {
	return 1 + strings.Count(text[:min(max(offset, 0), len(text))], "\n")
}
