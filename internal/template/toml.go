package template

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// toTOML writes TOML byte for byte as consul-template's library does
// (github.com/BurntSushi/toml): plain values of a table first, then the tables in
// it, indented by their depth; what is null is left out.
func toTOML(v any) (string, error) {
	d := document{"toTOML", strings.Compare, func(name string) string { return name }}
	plain, err := d.plain(v)
	if err != nil {
		return "", err
	}
	var w tomlWriter
	switch o, isTable := plain.(object); {
	case plain == nil || isTables(plain):
		return "", failf("toTOML: the value has no form in TOML: it takes a map")
	case isTable:
		err = w.table(o, nil)
	default:
		err = w.value(plain)
	}
	return strings.TrimSpace(w.String()), err
}

type tomlWriter struct{ strings.Builder }

// isTables tells whether a value is a list of tables only, which is written as
// [[such]].
func isTables(v any) bool {
	list, _ := v.([]any)
	return len(list) > 0 && !slices.ContainsFunc(list, func(e any) bool { o, ok := e.(object); return !ok || o == nil })
}

func isNull(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case object:
		return x == nil
	case []any:
		return x == nil
	}
	return false
}

// split gives the entries that are written as KEY = VALUE and those that are
// tables.
func (o object) split() (direct, tables object) {
	for _, e := range o {
		_, isTable := e.value.(object)
		switch {
		case isNull(e.value):
		case isTable || isTables(e.value):
			tables = append(tables, e)
		default:
			direct = append(direct, e)
		}
	}
	return direct, tables
}

// table writes what is in one; path is its name, by quoted parts.
func (w *tomlWriter) table(o object, path []string) error {
	indent := strings.Repeat("  ", len(path))
	direct, tables := o.split()
	for _, e := range direct {
		w.WriteString(indent + tomlKey(e.key) + " = ")
		if err := w.value(e.value); err != nil {
			return err
		}
		w.WriteByte('\n')
	}
	for _, e := range tables {
		below := append(slices.Clone(path), tomlKey(e.key))
		name := strings.Join(below, ".")
		o, isTable := e.value.(object)
		if isTable {
			if len(path) == 0 {
				w.blankLine()
			}
			fmt.Fprintf(w, "%s[%s]\n", indent, name)
			if err := w.table(o, below); err != nil {
				return err
			}
			continue
		}
		for _, one := range e.value.([]any) {
			w.blankLine()
			fmt.Fprintf(w, "%s[[%s]]\n", indent, name)
			if err := w.table(one.(object), below); err != nil {
				return err
			}
		}
	}
	return nil
}

// blankLine is in front of a table unless that is the first thing.
func (w *tomlWriter) blankLine() {
	if w.Len() > 0 {
		w.WriteByte('\n')
	}
}

// value writes one that is behind a key or in a list.
func (w *tomlWriter) value(v any) error {
	switch x := v.(type) {
	case bool:
		w.WriteString(strconv.FormatBool(x))
	case int64:
		w.WriteString(strconv.FormatInt(x, 10))
	case uint64:
		w.WriteString(strconv.FormatUint(x, 10))
	case float64:
		w.WriteString(tomlFloat(x))
	case string:
		w.WriteString(tomlQuote(x))
	case []any:
		return w.list(x)
	case object:
		return w.inline(x)
	default:
		return failf("toTOML: a number is too large")
	}
	return nil
}

func (w *tomlWriter) list(list []any) error {
	w.WriteByte('[')
	for i, e := range list {
		if isNull(e) {
			return failf("toTOML: a list has null in it, which TOML has not")
		}
		if i > 0 {
			w.WriteString(", ")
		}
		if err := w.value(e); err != nil {
			return err
		}
	}
	w.WriteByte(']')
	return nil
}

// inline writes a table that is within a list of other things.
func (w *tomlWriter) inline(o object) error {
	direct, tables := o.split()
	w.WriteByte('{')
	for i, e := range append(direct, tables...) {
		if i > 0 {
			w.WriteString(", ")
		}
		w.WriteString(tomlKey(e.key) + " = ")
		if err := w.value(e.value); err != nil {
			return err
		}
	}
	w.WriteByte('}')
	return nil
}

func tomlFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func tomlKey(key string) string {
	if key == "" || strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return tomlQuote(key)
	}
	return key
}

func tomlQuote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) { // bytes, because what is not UTF-8 is left as it is
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(rune(c)))
		case c < ' ' && strings.IndexByte("\b\t\n\f\r", c) >= 0:
			b.WriteByte('\\')
			b.WriteByte("btnfr"[strings.IndexByte("\b\t\n\f\r", c)])
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
