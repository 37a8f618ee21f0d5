package from

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"vaultexec/internal/secret"
)

// parseYAML reads the YAML that secrets are kept in, one flat map: plain and
// quoted scalars on one line, | blocks, and lists and maps in the form of JSON.
// All else is an error with its line. A whole library costs each start 150 to
// 300 us before main (see internal/env, encodeYAML), with --from or without.
//
// What is read means the same in YAML 1.1 and 1.2, and to everybody's parser: a
// plain scalar is the text that is written there, 0777 and yes and 1e3 too, but
// for null, ~ and nothing at all, which are null.
func parseYAML(text string) (secret.Fields, *syntaxError) {
	if line, what := notPrintable(text); what != "" {
		return nil, syntax(line, "there is %s, which YAML does not have: write it as an escape between double quotes", what)
	}
	y := yaml{fields: secret.Fields{}}
	for line := range strings.SplitSeq(text, "\n") {
		y.lines = append(y.lines, strings.TrimSuffix(line, "\r"))
	}
	for y.at < len(y.lines) && !y.ended {
		if err := y.entry(); err != nil {
			return nil, err
		}
	}
	if y.started && len(y.fields) == 0 {
		return nil, syntax(1, "there is no name: value line in this YAML")
	}
	return y.fields, nil
}

type yaml struct {
	lines   []string
	at      int // of the next line
	fields  secret.Fields
	started bool // there was a ---
	ended   bool // there was a ...
}

// notPrintable finds what YAML 1.2.2, 5.1 leaves out, and what one of its
// versions takes for the end of a line and the other does not.
func notPrintable(text string) (line int, what string) {
	if i := validPrefix(text); i < len(text) {
		return lineAt(text, i), "a byte that is not UTF-8"
	}
	for i, r := range text {
		switch {
		case r == '\r' && !strings.HasPrefix(text[i+1:], "\n"):
			return lineAt(text, i), "a carriage return inside of a line"
		case r < 0x20 && r != '\t' && r != '\n' && r != '\r', 0x7f <= r && r <= 0x9f, r == 0x2028, r == 0x2029,
			r == 0xfeff, r == 0xfffe, r == 0xffff:
			return lineAt(text, i), "a control character"
		}
	}
	return 0, ""
}

// wrong is an error about the line that was read last.
func (y *yaml) wrong(format string, args ...any) *syntaxError { return syntax(y.at, format, args...) }

// entry reads one line, and the block below it.
func (y *yaml) entry() *syntaxError {
	line := y.lines[y.at]
	y.at++
	trimmed := strings.TrimLeft(line, " ")
	switch {
	case trimmed == "", trimmed[0] == '#':
		return nil
	case trimmed[0] == '\t':
		return y.wrong("this line begins with a tab, and YAML is indented with blanks")
	case isDocumentStart(line):
		if y.started || len(y.fields) > 0 {
			return y.wrong("a second YAML document begins here, and one file is one")
		}
		y.started = true
		if rest := strings.TrimSpace(line[3:]); rest != "" && rest[0] != '#' {
			return y.wrong("put what follows the --- on a line of its own")
		}
		return nil
	case line == "..." || strings.HasPrefix(line, "... "):
		y.ended = true
		return y.nothingFollows()
	case trimmed != line:
		return y.wrong("this line is indented: only a flat map can be read, name: value, with | for text of several lines; write lists and maps as JSON behind the colon")
	case line == "-" || strings.HasPrefix(line, "- "):
		return y.wrong("this is a list, and only a map has names for variables")
	}
	name, rest, err := y.key(line)
	if err != nil {
		return err
	}
	if _, twice := y.fields[name]; twice {
		return y.wrong("the field %q is there twice", name)
	}
	value, err := y.value(strings.Trim(rest, " \t"))
	if err != nil {
		return err
	}
	y.fields[name] = value
	return nil
}

func isDocumentStart(line string) bool {
	return line == "---" || strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "---\t")
}

func (y *yaml) nothingFollows() *syntaxError {
	for i, line := range y.lines[y.at:] {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return syntax(y.at+i+1, "something follows the end of the YAML document")
		}
	}
	return nil
}

// indicators begin something else than a plain scalar (YAML 1.2.2, 5.3).
const indicators = "?:,[]{}#&*!|>'\"%@`-"

// plainBegins tells whether a text can be a plain scalar by its beginning.
func plainBegins(s string) bool {
	if strings.IndexByte("-?:", s[0]) >= 0 {
		return len(s) > 1 && s[1] != ' ' && s[1] != '\t'
	}
	return strings.IndexByte(indicators, s[0]) < 0
}

// maxKey is how long a key on one line with its value can be (7.4.2).
const maxKey = 1024

// key takes the name off a line.
func (y *yaml) key(line string) (name, rest string, err *syntaxError) {
	switch {
	case line[0] == '\'' || line[0] == '"':
		if name, rest, err = y.quoted(line); err != nil {
			return "", "", err
		}
		rest = strings.TrimLeft(rest, " \t")
		if !strings.HasPrefix(rest, ":") {
			return "", "", y.wrong("there is no colon behind the name")
		}
		rest = rest[1:]
	case !plainBegins(line):
		return "", "", y.wrong("a name does not begin with %q: put it in quotes, and leave out anchors, tags and directives", line[0])
	default:
		i := colon(line)
		if i < 0 {
			return "", "", y.wrong("this is no name: value line")
		}
		name, rest = strings.TrimRight(line[:i], " \t"), line[i+1:]
		if commented(name) {
			return "", "", y.wrong("this is no name: value line")
		}
	}
	if len(line)-len(rest) > maxKey || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", "", y.wrong("there is no blank behind the colon, or the name is too long")
	}
	if name == "<<" {
		return "", "", y.wrong("merging another map with << is not read here: write its fields")
	}
	return name, rest, nil
}

// colon is where a plain name ends.
func colon(line string) int {
	for i := range len(line) {
		if line[i] == ':' && (i+1 == len(line) || line[i+1] == ' ' || line[i+1] == '\t') {
			return i
		}
	}
	return -1
}

// commented tells whether a comment begins in a plain text.
func commented(s string) bool { return strings.Contains(s, " #") || strings.Contains(s, "\t#") }

// value reads what is behind the colon.
func (y *yaml) value(s string) (secret.Value, *syntaxError) {
	if s == "" || s[0] == '#' {
		return secret.Value{}, nil // nested values are indented, and say so themselves
	}
	switch s[0] {
	case '\'', '"':
		text, rest, err := y.quoted(s)
		if err == nil && !isComment(rest) {
			err = y.wrong("something follows the closing quote")
		}
		return secret.Of(text), err
	case '|':
		return y.block(s[1:])
	case '>':
		return secret.Value{}, y.wrong("text that is folded with > is not read here: use | or double quotes")
	case '{', '[':
		return y.inJSON(s)
	case '&', '*', '!':
		return secret.Value{}, y.wrong("anchors, aliases and tags are not read here: put the value in quotes if the %q is part of it", s[0])
	}
	if !plainBegins(s) {
		return secret.Value{}, y.wrong("a value that begins with %q needs quotes", s[0])
	}
	for _, mark := range []string{" #", "\t#"} {
		s, _, _ = strings.Cut(s, mark)
	}
	s = strings.TrimRight(s, " \t")
	if colon(s) >= 0 {
		return secret.Value{}, y.wrong("a value with a colon and a blank in it needs quotes")
	}
	switch s {
	case "null", "Null", "NULL", "~":
		return secret.Value{}, nil
	}
	return secret.Of(s), nil
}

// isComment tells whether nothing but a comment is left of a line.
func isComment(rest string) bool {
	trimmed := strings.TrimLeft(rest, " \t")
	return trimmed == "" || trimmed[0] == '#' && trimmed != rest
}

// inJSON reads a list or a map that is JSON too.
func (y *yaml) inJSON(s string) (secret.Value, *syntaxError) {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil || !isComment(s[dec.InputOffset():]) {
		return secret.Value{}, y.wrong("a list or a map is read on one line and as JSON, with double quotes around each text; put quotes around a value that only begins with %q", s[0])
	}
	return secret.Of(v), nil
}

// block reads the text below a |, whose first line says how far all of it is
// indented (8.1).
func (y *yaml) block(header string) (secret.Value, *syntaxError) {
	chomp := byte(0)
	if header != "" && (header[0] == '-' || header[0] == '+') {
		chomp, header = header[0], header[1:]
	}
	if !isComment(header) {
		return secret.Value{}, y.wrong("behind the | there can be - or +, and nothing else is read here")
	}
	begun := y.at
	var lines []string
	indent := 0
	for ; y.at < len(y.lines); y.at++ {
		line := y.lines[y.at]
		text := strings.TrimLeft(line, " ")
		own := len(line) - len(text)
		tab := strings.HasPrefix(text, "\t")
		if text == "" && (indent == 0 || own <= indent) {
			lines = append(lines, "")
			continue
		}
		if own == 0 && !tab {
			break
		}
		if indent == 0 && !tab {
			indent = own
		}
		if own < indent || indent == 0 {
			y.at++
			return secret.Value{}, y.wrong("this line is indented less than the text that it would belong to, or with a tab")
		}
		lines = append(lines, line[indent:])
	}
	return y.chomped(lines, begun, indent, chomp)
}

// chomped ends the text of a block as its header says: with one line break, with
// all that there are (+) or with none (-). What follows the last line break of
// the file is no line if it is empty, and has no line break if it is one.
func (y *yaml) chomped(lines []string, begun, indent int, chomp byte) (secret.Value, *syntaxError) {
	for i, line := range y.lines[begun : begun+len(lines)] {
		text := strings.TrimLeft(line, " ")
		if text == "" && len(line) > indent {
			return secret.Value{}, syntax(begun+i+1, "a blank line at the beginning of a text is indented further than the text: leave its blanks out")
		} else if text != "" {
			break
		}
	}
	text := strings.Join(lines, "\n")
	if y.at < len(y.lines) && len(lines) > 0 {
		text += "\n"
	}
	trimmed := strings.TrimRight(text, "\n")
	switch {
	case trimmed == "" && chomp != '+', chomp == '-':
		text = trimmed
	case chomp != '+' && text != trimmed:
		text = trimmed + "\n"
	}
	return secret.Of(text), nil
}

// quoted reads a scalar in quotes at the beginning of a text, all on one line.
func (y *yaml) quoted(s string) (text, rest string, err *syntaxError) {
	if s[0] == '"' {
		return y.doubleQuoted(s[1:])
	}
	var b strings.Builder
	for rest = s[1:]; ; {
		part, after, closed := strings.Cut(rest, "'")
		if !closed {
			return "", "", y.unclosed()
		}
		b.WriteString(part)
		if !strings.HasPrefix(after, "'") {
			return b.String(), after, nil
		}
		b.WriteByte('\'')
		rest = after[1:]
	}
}

func (y *yaml) unclosed() *syntaxError {
	return y.wrong("the quote is not closed on its line: use | for text of several lines, or \\n between double quotes")
}

// escape is what a backslash makes of one letter (5.7).
func escape(c byte) (plain string, ok bool) {
	const letters, meanings = "0abt\tnvfre \"\\", "\x00\a\b\t\t\n\v\f\r\x1b \"\\"
	if i := strings.IndexByte(letters, c); i >= 0 {
		return meanings[i : i+1], true
	}
	switch c {
	case 'N':
		return "\u0085", true
	case '_':
		return "\u00a0", true
	case 'L':
		return "\u2028", true
	case 'P':
		return "\u2029", true
	}
	return "", false
}

func (y *yaml) doubleQuoted(s string) (text, rest string, err *syntaxError) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], nil
		case c != '\\':
			b.WriteByte(c)
		case i+1 == len(s):
			return "", "", y.unclosed()
		default:
			i++
			if plain, ok := escape(s[i]); ok {
				b.WriteString(plain)
				continue
			}
			digits := 0
			if kind := strings.IndexByte("xuU", s[i]); kind >= 0 {
				digits = 2 << kind
			}
			r, ok := hexadecimal(s[i+1:], digits)
			if !ok {
				return "", "", y.wrong("there is no such escape between double quotes: write \\\\ for the backslash itself")
			}
			b.WriteRune(r)
			i += digits
		}
	}
	return "", "", y.unclosed()
}

// hexadecimal reads a character's number.
func hexadecimal(s string, digits int) (r rune, ok bool) {
	if digits == 0 || len(s) < digits {
		return 0, false
	}
	n := int64(0)
	for _, c := range []byte(s[:digits]) {
		d := strings.IndexByte("0123456789abcdef", c|0x20)
		if d < 0 || c < '0' {
			return 0, false
		}
		n = n<<4 | int64(d)
	}
	return rune(n), n <= utf8.MaxRune && utf8.ValidRune(rune(n))
}
