package template

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// otherWords are what YAML 1.1 reads as a truth value, null or a number.
const otherWords = `y Y yes Yes YES true True TRUE on On ON n N no No NO false False FALSE off Off OFF ~ null Null NULL
	.nan .NaN .NAN .inf .Inf .INF +.inf +.Inf +.INF -.inf -.Inf -.INF`

// isYAMLText tells whether a text without quotes is read as that text.
func isYAMLText(s string) bool {
	switch {
	case s == "" || slices.Contains(strings.Fields(otherWords), s):
		return false
	case s[0] == '.':
		_, err := strconv.ParseFloat(s, 64)
		return err != nil
	case strings.ContainsRune("+-0123456789", rune(s[0])):
		return !isYAMLNumber(s) && !isYAMLTime(s) && !isBase60(s)
	}
	return true
}

func isYAMLNumber(s string) bool {
	s = strings.ReplaceAll(s, "_", "")
	_, signed := strconv.ParseInt(s, 0, 64)
	_, unsigned := strconv.ParseUint(s, 0, 64)
	if signed == nil || unsigned == nil {
		return true
	}
	if digits, ok := strings.CutPrefix(s, "0b"); ok {
		_, err := strconv.ParseInt(digits, 2, 64)
		return err == nil
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil && strings.Trim(s, "+-.0123456789eE") == "" // neither inf nor hexadecimal
}

// isBase60 tells whether a text is a number like 12:30:45.5, as YAML 1.1 has them.
func isBase60(s string) bool {
	const digits = "0123456789"
	parts := strings.Split(strings.TrimPrefix(strings.TrimPrefix(s, "+"), "-"), ":")
	if first := parts[0]; len(parts) < 2 || first == "" || first[0] == '_' || strings.Trim(first, digits+"_") != "" {
		return false
	}
	last := len(parts) - 1
	whole, fraction, _ := strings.Cut(parts[last], ".")
	parts[last] = whole
	return strings.Trim(fraction, digits+"_") == "" && !slices.ContainsFunc(parts[1:], func(p string) bool {
		return p == "" || len(p) > 2 || len(p) == 2 && p[0] > '5' || strings.Trim(p, digits) != ""
	})
}

func isYAMLTime(s string) bool {
	for _, layout := range []string{"2006-1-2T15:4:5.999999999Z07:00", "2006-1-2t15:4:5.999999999Z07:00", "2006-1-2 15:4:5.999999999", "2006-1-2"} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}

// traits are what there is in a text that some styles cannot have.
type traits struct {
	lines, special, indicator     bool
	beginsBlank, endsBlank        bool // with a space
	beginsBreak, endsBreak        bool
	spaceAfterBreak, breakAfterSp bool
}

func (s scalar) traits() traits {
	var t traits
	text := s.text
	t.indicator = strings.HasPrefix(text, "---") || strings.HasPrefix(text, "...")
	blankBefore, last := true, ' '
	for i, r := range text {
		rest := text[i+utf8.RuneLen(r):]
		blankAfter := rest == "" || rest[0] == ' ' || rest[0] == '\t'
		switch {
		case i == 0 && strings.ContainsRune("#,[]{}&*!|>'\"%@`", r),
			i == 0 && (r == '?' || r == '-') && blankAfter,
			r == ':' && blankAfter,
			r == '#' && blankBefore:
			t.indicator = true
		}
		t.special = t.special || !isPrintable(r)
		switch {
		case r == ' ':
			t.beginsBlank = t.beginsBlank || i == 0
			t.endsBlank = rest == ""
			t.spaceAfterBreak = t.spaceAfterBreak || i > 0 && isBreak(last)
		case isBreak(r):
			t.lines = true
			t.beginsBreak = t.beginsBreak || i == 0
			t.endsBreak = rest == ""
			t.breakAfterSp = t.breakAfterSp || i > 0 && last == ' '
		}
		blankBefore = r == ' ' || r == '\t' || isBreak(r) || r == 0
		last = r
	}
	return t
}

// isPrintable leaves out what is beyond 16 bits, too, as the library does.
func isPrintable(r rune) bool {
	return r == '\n' || r >= ' ' && r <= '~' || r >= 0xa0 && r <= 0xfffd && r != 0xfeff
}

func isBreak(r rune) bool {
	return r == '\n' || r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029
}

// final is the style in which a scalar can be written.
func (s scalar) final(key bool) style {
	t, style := s.traits(), s.style
	if key && t.lines {
		style = doubleQuoted
	}
	if style == plainStyle && (t.beginsBlank || t.beginsBreak || t.endsBlank || t.endsBreak || t.spaceAfterBreak || t.breakAfterSp || t.special || t.lines || t.indicator) {
		style = singleQuoted
	}
	if style == singleQuoted && (t.spaceAfterBreak || t.breakAfterSp || t.special) {
		style = doubleQuoted
	}
	if style == literal && (t.endsBlank || t.breakAfterSp || t.special || key) {
		style = doubleQuoted
	}
	return style
}

// scalar writes a text; key tells that it has to stay on its line.
func (w *yamlWriter) scalar(s scalar, indent int, key bool) {
	style := s.final(key)
	if s.tag != "" {
		w.token(s.tag, true, false, false)
	}
	switch style {
	case plainStyle:
		w.token("", true, w.whitespace, true)
		w.folded(s.text, indent, key, false)
	case singleQuoted:
		w.token("'", true, false, false)
		w.folded(s.text, indent, key, true)
		w.token("'", false, false, false)
	case doubleQuoted:
		w.token(`"`, true, false, false)
		w.escaped(s.text, indent, key)
		w.token(`"`, false, false, false)
	case literal:
		w.literal(s.text, indent)
		return
	}
	w.whitespace, w.indention = false, false
}

// width is after which column a text is folded at its next single space.
const width = 80

func (w *yamlWriter) folded(s string, indent int, key, quoted bool) {
	spaces, breaks := false, false
	for i, r := range s {
		rest := s[i+utf8.RuneLen(r):]
		switch {
		case r == ' ':
			if !key && !spaces && w.column > width && !strings.HasPrefix(rest, " ") && (!quoted || i > 0 && rest != "") {
				w.indent(indent)
			} else {
				w.put(" ")
			}
			spaces = true
			continue
		case isBreak(r): // of Unicode: there is no \n in a text that is folded
			w.b.WriteRune(r)
			w.column, w.indention, breaks = 0, true, true
			continue
		case breaks:
			w.indent(indent)
		}
		if r == '\'' && quoted {
			w.put("'")
		}
		w.put(string(r))
		w.indention, spaces, breaks = false, false, false
	}
}

func (w *yamlWriter) escaped(s string, indent int, key bool) {
	all := strings.HasPrefix(s, "\ufeff") // the library escapes what follows a byte order mark, too
	spaces := false
	for i, r := range s {
		rest := s[i+utf8.RuneLen(r):]
		switch {
		case all || !isPrintable(r) || isBreak(r) || r == '"' || r == '\\':
			w.put(`\` + escape(r))
			spaces = false
		case r != ' ':
			w.put(string(r))
			spaces = false
		case !key && !spaces && w.column > width && i > 0 && rest != "":
			w.indent(indent)
			if rest[0] == ' ' {
				w.put(`\`)
			}
			spaces = true
		default:
			w.put(" ")
			spaces = true
		}
	}
}

// escape is what stands behind the backslash, as short as YAML has it.
func escape(r rune) string {
	const short, letters = "\x00\a\b\t\n\v\f\r\x1b\"\\\u0085\u00a0\u2028\u2029", `0abtnvfre"\N_LP`
	switch i := slices.Index([]rune(short), r); {
	case i >= 0:
		return letters[i : i+1]
	case r <= 0xff:
		return fmt.Sprintf("x%02X", r)
	case r <= 0xffff:
		return fmt.Sprintf("u%04X", r)
	}
	return fmt.Sprintf("U%08X", r)
}

// literal writes lines as they are, below a |.
func (w *yamlWriter) literal(s string, indent int) {
	w.token("|", true, false, false)
	if first, _ := utf8.DecodeRuneInString(s); first == ' ' || isBreak(first) {
		w.put(strconv.Itoa(step))
	}
	last, size := utf8.DecodeLastRuneInString(s)
	before, _ := utf8.DecodeLastRuneInString(s[:len(s)-size])
	switch {
	case !isBreak(last):
		w.put("-")
	case size == len(s) || isBreak(before):
		w.put("+")
	}
	w.lineBreak()
	w.whitespace, w.indention = true, true
	breaks := true
	for _, r := range s {
		switch {
		case r == '\n':
			w.lineBreak()
		case isBreak(r):
			w.b.WriteRune(r)
			w.column = 0
		default:
			if breaks {
				w.indent(indent)
			}
			w.put(string(r))
		}
		breaks = isBreak(r)
		w.indention = breaks
	}
}
