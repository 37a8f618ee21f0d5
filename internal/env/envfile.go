package env

import (
	"fmt"
	"log/slog"
	"strings"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
	"vaultexec/internal/smallfile"
)

// EnvFile is one --env-file: variables with literal values and with references.
type EnvFile struct {
	Path string

	entries []fileEntry
}

func (EnvFile) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(secret.Placeholder)) }
func (EnvFile) LogValue() slog.Value       { return slog.StringValue(secret.Placeholder) }

// fileEntry is a variable of a file.
type fileEntry struct {
	name, value string
	place       string // FILE:LINE
}

// maxEnvFile is what a ConfigMap can hold at most.
const maxEnvFile = 1 << 20

// ReadEnvFile reads a file of NAME=VALUE lines, with export before them or not.
// Nothing in it is expanded or run. Programs that read such files do not agree on
// all of it; what they take in two ways is an error here. No error repeats a
// value.
func ReadEnvFile(file string) (EnvFile, error) {
	text, err := smallfile.Read(file, maxEnvFile)
	if err != nil {
		return EnvFile{}, finding(ClassConfig, "--env-file %v", err)
	}
	return parseEnvFile(file, text)
}

func parseEnvFile(file, text string) (EnvFile, error) {
	var rep report
	f := EnvFile{Path: file}
	first := map[string]string{} // name -> place
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.Trim(line, " \t\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		place := fmt.Sprintf("%s:%d", file, number)
		entry, why := parseEntry(line)
		entry.place = place
		switch other, twice := first[entry.name]; {
		case why != "":
			rep.addf(ClassConfig, "%s: %s", place, why)
			continue
		case twice:
			rep.addf(ClassConflict, "%s: %s is set before, at %s: remove one", place, entry.name, other)
			continue
		}
		first[entry.name] = place
		f.entries = append(f.entries, entry)
	}
	return f, rep.err()
}

// parseEntry reads a line. why is what is wrong with it.
func parseEntry(line string) (e fileEntry, why string) {
	if rest, ok := strings.CutPrefix(line, "export"); ok && strings.TrimLeft(rest, " \t") != rest {
		line = strings.TrimLeft(rest, " \t")
	}
	name, value, ok := strings.Cut(line, "=")
	if !ok { // not repeated: it may be the rest of a value
		return e, "there is no = in it: a line is NAME=VALUE, and a value does not go on in the next one"
	}
	if name = strings.TrimRight(name, " \t"); !isPortable(name) {
		return e, "what stands before the = is no name, which is letters, digits and _ and begins with no digit"
	}
	e.name = name
	switch value = strings.TrimLeft(value, " \t"); {
	case strings.ContainsRune(value, 0):
		return e, "the value has a NUL byte in it, which no environment can hold"
	case strings.HasPrefix(value, "'"):
		e.value, why = singleQuoted(value[1:])
	case strings.HasPrefix(value, `"`):
		e.value, why = doubleQuoted(value[1:])
	case strings.Contains(value, " #"), strings.Contains(value, "\t#"), strings.HasPrefix(value, "#"):
		return e, "a # behind a blank is a comment to some programs and part of the value to others: put the value in quotes, or the comment on a line of its own"
	default:
		e.value = value
	}
	return e, why
}

// singleQuoted reads what is literal, to the quote that ends the line.
func singleQuoted(text string) (value, why string) {
	value, rest, closed := strings.Cut(text, "'")
	if !closed {
		return "", notClosed
	}
	return value, afterQuotes(rest)
}

// doubleQuoted reads what has a meaning in backslashes alone: \n, \r, \t, and what
// is literal behind one.
func doubleQuoted(text string) (value, why string) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return b.String(), afterQuotes(text[i+1:])
		case '\\':
			i++
			meaning := -1
			if i < len(text) {
				meaning = strings.IndexByte(`nrt\"$`+"`", text[i])
			}
			if meaning < 0 {
				return "", `a backslash between double quotes stands before n, r, t, \, ", $ or a backquote: write \\ for the sign itself, or use single quotes`
			}
			b.WriteByte("\n\r\t\\\"$`"[meaning])
		default:
			b.WriteByte(c)
		}
	}
	return "", notClosed
}

const notClosed = "the quote is not closed on the same line: write line breaks as \\n between double quotes"

// afterQuotes allows a comment behind what is quoted.
func afterQuotes(rest string) (why string) {
	trimmed := strings.TrimLeft(rest, " \t")
	if trimmed == "" || trimmed[0] == '#' && trimmed != rest {
		return ""
	}
	return "something follows the closing quote: put all of the value between the quotes"
}

// assigned is a variable of an --env-file that has been checked.
type assigned struct {
	reference
	literal string // where it has no references
}

// readAssigned checks the variables of every --env-file, of which a later one
// wins. They are stronger than what is inherited, as --env is, which in turn beats
// them.
func readAssigned(s *Sources, rep *report) []assigned {
	var list []assigned
	at := map[string]int{} // name -> index in list
	for _, f := range s.EnvFiles {
		for _, e := range f.entries {
			place := fmt.Sprintf("variable %s (%s)", e.name, e.place)
			segments, err := s.references(e.value)
			if err != nil {
				rep.addf(ClassConfig, "%s: %v", place, err)
				continue
			}
			checkKeys(place, segments, rep)
			if segments == nil && isVaults(e.name) && !ref.Match(s.Pass, e.name) {
				rep.addf(ClassConfig, "%s: it is a setting of vaultexec or of Vault's client, and a file sets variables of the command alone: set it in vaultexec's own environment, or hand it to the command with --pass %s", place, e.name)
				continue
			}
			a := assigned{reference{e.name, place, segments}, e.value}
			if i, ok := at[e.name]; ok {
				list[i] = a
				continue
			}
			at[e.name] = len(list)
			list = append(list, a)
		}
	}
	return list
}

// certain tells whether the variable is made whatever is fetched.
func (a assigned) certain() bool {
	for _, s := range a.segments {
		if s.Ref != nil && s.Ref.Optional {
			return false
		}
	}
	return true
}

// assign offers the variables of the files.
func (p *Planner) assign(l lookup, offered map[string]candidate) {
	for _, a := range p.assigned {
		value, complete := a.literal, true
		if a.segments != nil {
			value, complete = a.join(l)
		}
		if complete {
			offered[a.name] = candidate{name: a.name, value: value, place: a.place}
		}
	}
}
