package yaml

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxKey is how long a key on one line with its value can be (YAML 1.2.2, 7.4.2).
const maxKey = 1024

// cutKey takes the key off a line, if it begins with one.
func (r *reader) cutKey(s string) (key *Node, rest string, isKey bool, err error) {
	key = &Node{Line: r.number()}
	switch {
	case s[0] == '\t':
		return nil, "", false, wrong(r.number(), "this line begins with a tab, and YAML is indented with blanks")
	case s[0] == '"' || s[0] == '\'':
		if key.Text, rest, err = quoted(s, r.number()); err != nil {
			return nil, "", false, err
		}
		rest = strings.TrimLeft(rest, " \t")
		if !strings.HasPrefix(rest, ":") {
			return nil, "", false, nil // a value
		}
		rest = rest[1:]
	case !beginsPlain(s):
		return nil, "", false, nil
	default:
		i := colon(s)
		if i < 0 {
			return nil, "", false, nil
		}
		key.Text, key.Plain, rest = strings.TrimRight(s[:i], " \t"), true, s[i+1:]
		if commentAt(key.Text) >= 0 {
			return nil, "", false, nil
		}
	}
	if len(s)-len(rest) > maxKey {
		return nil, "", false, wrong(r.number(), "the key is longer than %d bytes", maxKey)
	}
	if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return nil, "", false, wrong(r.number(), "there is no blank behind the colon")
	}
	return key, rest, true, nil
}

// colon is where a plain key ends.
func colon(s string) int {
	for i := range len(s) {
		if s[i] == ':' && (i+1 == len(s) || s[i+1] == ' ' || s[i+1] == '\t') {
			return i
		}
	}
	return -1
}

// commentAt is where a comment begins in a plain text, or -1.
func commentAt(s string) int {
	for i := 1; i < len(s); i++ {
		if s[i] == '#' && (s[i-1] == ' ' || s[i-1] == '\t') {
			return i - 1
		}
	}
	return -1
}

// beginsPlain tells whether a text can be a plain scalar by its beginning (5.3).
func beginsPlain(s string) bool {
	if strings.IndexByte("-?:", s[0]) >= 0 {
		return len(s) > 1 && s[1] != ' ' && s[1] != '\t'
	}
	return strings.IndexByte(",[]{}#&*!|>'\"%@`", s[0]) < 0
}

// value reads a scalar, or what is in braces or brackets, from the rest of the line
// at hand. Lines that belong to it are indented further than parent.
func (r *reader) value(s string, parent int) (*Node, error) {
	number := r.number()
	switch s[0] {
	case '"', '\'':
		text, rest, err := quoted(s, number)
		if err != nil {
			return nil, err
		}
		r.at++
		if !isComment(rest) || rest != "" && rest[0] == '#' {
			return nil, wrong(number, "something follows the closing quote")
		}
		return &Node{Line: number, Text: text}, r.notFurther(parent)
	case '|', '>':
		return r.block(s, parent)
	case '{', '[':
		return r.flow(s, parent)
	case '&', '*':
		return nil, wrong(number, "anchors and aliases are not read here: write the value itself, or put quotes around a text")
	case '!':
		return nil, wrong(number, "tags are not read here: leave it out, or put quotes around a text")
	}
	if !beginsPlain(s) {
		return nil, wrong(number, "a text that begins with %q has to be in quotes", s[0])
	}
	if i := commentAt(s); i >= 0 {
		s = s[:i]
	}
	s = strings.TrimRight(s, " \t")
	if colon(s) >= 0 {
		return nil, wrong(number, "there is a colon with a blank behind it in the value: put the value in quotes")
	}
	r.at++
	return &Node{Line: number, Text: s, Plain: true}, r.notFurther(parent)
}

// quoted reads a quoted text that ends on its line.
func quoted(s string, number int) (text, rest string, err error) {
	if s[0] == '"' {
		return doubleQuoted(s, number)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] != '\'':
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == '\'':
			b.WriteByte('\'')
			i++
		default:
			return b.String(), s[i+1:], nil
		}
	}
	return "", "", wrong(number, "the quote is not closed on its line: write line breaks as \\n between double quotes")
}

// escapes maps the character behind a backslash -> what it stands for (5.7).
func escape(c byte) (text string, ok bool) {
	const simple, meaning = "0abt\tnvfre \"\\", "\x00\a\b\t\t\n\v\f\r\x1b \"\\"
	if i := strings.IndexByte(simple, c); i >= 0 {
		return meaning[i : i+1], true
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

func doubleQuoted(s string, number int) (text, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			i++
			if i == len(s) {
				break
			}
			if text, ok := escape(s[i]); ok {
				b.WriteString(text)
				continue
			}
			n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
			if n == 0 || i+n >= len(s) {
				return "", "", wrong(number, "there is no such escape: write \\\\ for a backslash")
			}
			code, err := strconv.ParseUint(s[i+1:i+1+n], 16, 32)
			if err != nil || code > utf8.MaxRune || !utf8.ValidRune(rune(code)) {
				return "", "", wrong(number, "the escape is not the number of a character")
			}
			b.WriteRune(rune(code))
			i += n
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", wrong(number, "the quote is not closed on its line: write line breaks as \\n between double quotes")
}
