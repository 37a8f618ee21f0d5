package template

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// toYAML writes YAML byte for byte as consul-template's library does
// (gopkg.in/yaml.v2): blocks, lists not indented in a map, long text folded at
// its 80th column. Written by hand because every YAML library costs each start
// 0.1 ms or more before main.
func toYAML(v any) (string, error) {
	d := document{"toYAML", compareNumbered, strings.ToLower}
	plain, err := d.plain(v)
	if err != nil {
		return "", err
	}
	w := yamlWriter{whitespace: true, indention: true}
	w.node(plain, -1, false)
	return strings.TrimSpace(w.b.String()), nil
}

func isLetter(r rune) bool { return unicode.IsLetter(r) }

// afterNumber tells whether a text ends in digits of which one is not 0.
func afterNumber(s []rune) bool {
	for i := len(s) - 1; i >= 0 && unicode.IsDigit(s[i]); i-- {
		if s[i] != '0' {
			return true
		}
	}
	return false
}

// numberAt reads digits on from an index and gives their number and their end.
func numberAt(s []rune, i int, start int64) (n int64, end int) {
	for n, end = start, i; end < len(s) && unicode.IsDigit(s[end]); end++ {
		n = n*10 + int64(s[end]-'0')
	}
	return n, end
}

// yamlWriter writes tokens and knows where on the line it is.
type yamlWriter struct {
	b          strings.Builder
	column     int
	whitespace bool // a blank or the start of a line was last
	indention  bool // there is nothing but blanks, dashes and the like on the line
}

// step is by how much a level is indented.
const step = 2

func (w *yamlWriter) put(s string) {
	w.b.WriteString(s)
	w.column += utf8.RuneCountInString(s)
}

func (w *yamlWriter) lineBreak() { w.b.WriteByte('\n'); w.column = 0 }

// indent goes to a column of a new line, or of this one where that can be.
func (w *yamlWriter) indent(column int) {
	column = max(column, 0)
	if !w.indention || w.column > column || w.column == column && !w.whitespace {
		w.lineBreak()
	}
	w.put(strings.Repeat(" ", max(0, column-w.column)))
	w.whitespace, w.indention = true, true
}

// token writes one that begins with a blank where separate says so.
func (w *yamlWriter) token(s string, separate, whitespace, indention bool) {
	if separate && !w.whitespace {
		w.put(" ")
	}
	w.put(s)
	w.whitespace = whitespace
	w.indention = w.indention && indention
}

// node writes a value; indent is that of what it is in, -1 for the root.
func (w *yamlWriter) node(v any, indent int, inMap bool) {
	deeper := max(indent+step, 0)
	switch x := v.(type) {
	case object:
		if len(x) == 0 {
			w.token("{}", true, false, false)
		}
		if indent < 0 {
			deeper = 0
		}
		for _, e := range x {
			w.entry(e, deeper)
		}
	case []any:
		switch {
		case len(x) == 0:
			w.token("[]", true, false, false)
		case indent < 0:
			deeper = 0
		case inMap && !w.indention: // its dashes are below the key
			deeper = indent
		}
		for _, e := range x {
			w.indent(deeper)
			w.token("-", true, false, true)
			w.node(e, deeper, false)
		}
	default:
		if indent < 0 {
			deeper = step
		}
		w.scalar(scalarOf(v), deeper, false)
	}
}

// longestKey is how long a key can be that is not written with ? and : lines.
const longestKey = 128

func (w *yamlWriter) entry(e entry, indent int) {
	key := textScalar(e.key)
	w.indent(indent)
	if !key.traits().lines && len(key.tag)+len(key.text) <= longestKey {
		w.scalar(key, indent+step, true)
		w.token(":", false, false, false)
	} else {
		w.token("?", true, false, true)
		w.scalar(key, indent+step, false)
		w.indent(indent)
		w.token(":", true, false, true)
	}
	w.node(e.value, indent, true)
}

// scalar is a text with the style that it would have by its meaning alone.
type scalar struct {
	text, tag string
	style     style
}

type style int

const (
	plainStyle style = iota
	singleQuoted
	doubleQuoted
	literal
)

func scalarOf(v any) scalar {
	switch x := v.(type) {
	case nil:
		return scalar{text: "null"}
	case bool:
		return scalar{text: strconv.FormatBool(x)}
	case int64:
		return scalar{text: strconv.FormatInt(x, 10)}
	case uint64:
		return scalar{text: strconv.FormatUint(x, 10)}
	case float64:
		return scalar{text: yamlFloat(x)}
	case json.Number:
		return textScalar(x.String())
	}
	return textScalar(v.(string))
}

func yamlFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return ".inf"
	case math.IsInf(f, -1):
		return "-.inf"
	case math.IsNaN(f):
		return ".nan"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func textScalar(s string) scalar {
	switch {
	case !utf8.ValidString(s):
		encoded := base64.StdEncoding.EncodeToString([]byte(s))
		const line = 70
		if len(encoded) < line {
			return scalar{encoded, "!!binary", plainStyle}
		}
		var lines strings.Builder
		for i := 0; i < len(encoded); i += line {
			lines.WriteString(encoded[i:min(i+line, len(encoded))] + "\n")
		}
		return scalar{lines.String(), "!!binary", literal}
	case strings.Contains(s, "\n"):
		return scalar{text: s, style: literal}
	case isYAMLText(s):
		return scalar{text: s}
	}
	return scalar{text: s, style: doubleQuoted}
}
