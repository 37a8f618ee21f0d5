package env

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// encodeYAML writes block YAML that 1.1 and 1.2 parsers read alike. It is
// written by hand since a YAML library costs more before main than all the rest
// of this package: 150 to 300 us of package init, of go.yaml.in/yaml v3.0.6
// and v4.0.0. Only the writer is needed, and it has little to decide: all text
// is double-quoted, so nothing is ever taken for a number, a date or a yes.
func encodeYAML(c content) (string, error) {
	if err := checkText(c, "YAML"); err != nil {
		return "", err
	}
	var w yamlWriter
	w.node(c.tree(), "")
	return strings.TrimPrefix(w.String(), " "), nil
}

// yamlWriter leaves the cursor at the end of what it wrote, the line ended.
type yamlWriter struct{ strings.Builder }

// node writes a value after a ':', a '-' or at the very beginning; indent is
// that of the lines that follow.
func (w *yamlWriter) node(v any, indent string) {
	switch x := v.(type) {
	case map[string]any:
		if len(x) > 0 {
			w.mapping(x, indent)
			return
		}
	case []any:
		if len(x) > 0 {
			w.sequence(x, indent)
			return
		}
	}
	w.WriteString(" " + yamlScalar(v) + "\n")
}

func (w *yamlWriter) mapping(m map[string]any, indent string) {
	w.newline()
	for _, k := range slices.Sorted(maps.Keys(m)) {
		w.WriteString(indent + yamlKey(k))
		if len(yamlKey(k)) > maxSimpleKey {
			w.WriteString("\n" + indent)
		}
		w.WriteString(":")
		w.node(m[k], indent+"  ")
	}
}

func (w *yamlWriter) sequence(list []any, indent string) {
	w.newline()
	for _, e := range list {
		w.WriteString(indent + "-")
		w.node(e, indent+"  ")
	}
}

// newline ends the line of the ':' or '-' before a collection.
func (w *yamlWriter) newline() {
	if w.Len() > 0 {
		w.WriteString("\n")
	}
}

// maxSimpleKey is the length up to which libyaml writes a key without the
// question mark; parsers take 1024 (YAML 1.2.2, 7.4.2).
const maxSimpleKey = 128

func yamlKey(k string) string {
	quoted := k
	if !isPlainKey(k) {
		quoted = yamlQuote(k)
	}
	if len(quoted) > maxSimpleKey {
		return "? " + quoted
	}
	return quoted
}

// isPlainKey tells whether a key means itself without quotes: a portable name
// that YAML 1.1 does not read as a truth value or as null.
func isPlainKey(k string) bool {
	if !isPortable(k) || k[0] == '_' {
		return false
	}
	switch strings.ToLower(k) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	return true
}

func yamlScalar(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprint(x)
	case json.Number:
		return yamlNumber(x.String())
	case string:
		return yamlQuote(x)
	case map[string]any:
		return "{}"
	case []any:
		return "[]"
	}
	panic(fmt.Sprintf("BUG: a secret holds a %T, which is not JSON", v))
}

// yamlNumber keeps all digits of a JSON number. YAML 1.1 reads a number with
// an exponent as one only if it has a point and a sign: 1e5 becomes 1.0e+5.
func yamlNumber(n string) string {
	mantissa, exponent, found := strings.Cut(strings.ToLower(n), "e")
	if !found {
		return n
	}
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	if exponent[0] != '+' && exponent[0] != '-' {
		exponent = "+" + exponent
	}
	return mantissa + "e" + exponent
}

// yamlQuote writes a double-quoted scalar on one line (YAML 1.2.2, 7.3.1).
// What YAML does not count as printable (5.1), what one of its versions takes
// for a line break, and the byte order mark are escaped. Characters outside
// the basic plane stand for themselves: unlike JSON's, YAML's \u takes no
// surrogates.
func yamlQuote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x20, 0x7f <= r && r <= 0x9f, r == 0x2028, r == 0x2029, r == 0xfeff, r == 0xfffe, r == 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
