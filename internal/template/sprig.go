package template

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	text "text/template"
	"unicode"
)

// sprigFunctions are those of github.com/Masterminds/sprig that configuration
// files use, under the names that consul-template has for them and with sprig's
// argument order. The library itself costs every start some milliseconds before
// main (the regular expressions of its version comparison), templates or not.
func sprigFunctions() text.FuncMap {
	return text.FuncMap{
		"sprig_upper":      strings.ToUpper,
		"sprig_lower":      strings.ToLower,
		"sprig_title":      sprigTitle,
		"sprig_trim":       strings.TrimSpace,
		"sprig_trimAll":    func(cutset, s string) string { return strings.Trim(s, cutset) },
		"sprig_trimPrefix": func(prefix, s string) string { return strings.TrimPrefix(s, prefix) },
		"sprig_trimSuffix": func(suffix, s string) string { return strings.TrimSuffix(s, suffix) },
		"sprig_replace":    func(from, to, s string) (string, error) { return replaceAll("sprig_replace", from, to, s) },
		"sprig_contains":   func(part, s string) bool { return strings.Contains(s, part) },
		"sprig_hasPrefix":  func(prefix, s string) bool { return strings.HasPrefix(s, prefix) },
		"sprig_hasSuffix":  func(suffix, s string) bool { return strings.HasSuffix(s, suffix) },
		"sprig_repeat":     sprigRepeat,
		"sprig_nospace":    sprigNoSpace,
		"sprig_trunc":      truncate,
		"sprig_substr":     substring,
		"sprig_quote":      func(list ...any) string { return quoteAll(list, strconv.Quote) },
		"sprig_squote":     func(list ...any) string { return quoteAll(list, func(s string) string { return "'" + s + "'" }) },
		"sprig_cat":        func(list ...any) string { return quoteAll(list, func(s string) string { return s }) },
		"sprig_indent":     sprigIndent,
		"sprig_nindent": func(n int, s string) (string, error) {
			indented, err := sprigIndent(n, s)
			return "\n" + indented, err
		},
		"sprig_join": func(sep string, list any) (string, error) {
			texts := textsOf(list)
			return strings.Join(texts, sep), fits("sprig_join", len(texts), len(sep))
		},
		"sprig_splitList": func(sep, s string) []string { return strings.Split(s, sep) },
		"sprig_sortAlpha": func(list any) []string { return slices.Sorted(slices.Values(textsOf(list))) },
		"sprig_toString":  textOf,
		"sprig_toStrings": textsOf,

		"sprig_b64enc":    func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"sprig_b64dec":    func(s string) (string, error) { return decode64("sprig_b64dec", base64.StdEncoding, s) },
		"sprig_sha256sum": encodingFunctions()["sha256Hex"],
		"sprig_sha1sum":   func(s string) string { sum := sha1.Sum([]byte(s)); return hex.EncodeToString(sum[:]) },
		"sprig_toJson":    func(v any) (string, error) { return encodeJSON("sprig_toJson", v, true, "") },
		"sprig_toPrettyJson": func(v any) (string, error) {
			return encodeJSON("sprig_toPrettyJson", v, true, "  ")
		},
		"sprig_toRawJson": func(v any) (string, error) { return encodeJSON("sprig_toRawJson", v, false, "") },
		"sprig_fromJson":  func(s string) any { v, _ := decodeJSON(s); return v },

		"sprig_default":  func(fallback any, given ...any) any { return orElse(fallback, given) },
		"sprig_empty":    isEmpty,
		"sprig_coalesce": func(list ...any) any { return orElse(nil, slices.DeleteFunc(list, isEmpty)) },
		"sprig_ternary":  func(yes, no any, truth bool) any { return map[bool]any{true: yes, false: no}[truth] },
		"sprig_fail":     func(string) (string, error) { return "", failf("sprig_fail: the template says that it cannot go on") },
		"sprig_kindOf":   func(v any) string { return fmt.Sprint(reflect.ValueOf(v).Kind()) },

		"sprig_dict":   dict,
		"sprig_get":    sprigGet,
		"sprig_set":    func(m map[string]any, key string, v any) map[string]any { m[key] = v; return m },
		"sprig_hasKey": func(m map[string]any, key string) bool { _, ok := m[key]; return ok },
		"sprig_keys":   sprigKeys,
		"sprig_values": func(m map[string]any) []any { return (&scratch{map[string]any{"": m}}).MapValues("") },
		"sprig_pick": func(m map[string]any, keys ...string) map[string]any {
			return filter(m, func(k string) bool { return slices.Contains(keys, k) })
		},
		"sprig_omit": func(m map[string]any, keys ...string) map[string]any {
			return filter(m, func(k string) bool { return !slices.Contains(keys, k) })
		},
		"sprig_merge":          sprigMerge(false),
		"sprig_mergeOverwrite": sprigMerge(true),
		"sprig_list":           func(list ...any) []any { return list },
		"sprig_first":          func(list any) (any, error) { return elementOf("sprig_first", list, func(int) int { return 0 }) },
		"sprig_last":           func(list any) (any, error) { return elementOf("sprig_last", list, func(n int) int { return n - 1 }) },
		"sprig_has":            sprigHas,

		"sprig_int":   func(v any) int { return int(integer(v)) },
		"sprig_int64": integer,
		"sprig_add":   func(list ...any) int64 { return fold(sum[int64])(0, list...) },
		"sprig_sub":   func(a, b any) int64 { return integer(a) - integer(b) },
		"sprig_mul":   fold(product[int64]),
		"sprig_max":   fold(func(a, b int64) int64 { return max(a, b) }),
		"sprig_min":   fold(func(a, b int64) int64 { return min(a, b) }),
	}
}

// textOf is a value as text.
func textOf(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case []byte:
		return string(x)
	}
	return fmt.Sprint(v)
}

func textsOf(list any) []string {
	r := reflect.ValueOf(list)
	switch {
	case !r.IsValid():
		return nil
	case r.Kind() != reflect.Slice && r.Kind() != reflect.Array:
		return []string{textOf(list)}
	}
	var texts []string
	for i := range r.Len() {
		if e := r.Index(i).Interface(); e != nil {
			texts = append(texts, textOf(e))
		}
	}
	return texts
}

func quoteAll(list []any, quote func(string) string) string {
	var out []string
	for _, v := range list {
		if v != nil {
			out = append(out, quote(textOf(v)))
		}
	}
	return strings.Join(out, " ")
}

func sprigIndent(n int, s string) (string, error) {
	if n < 0 {
		return "", failf("sprig_indent: takes a number from 0 up")
	}
	if err := fits("sprig_indent", 1+strings.Count(s, "\n"), n); err != nil {
		return "", err
	}
	blanks := strings.Repeat(" ", n)
	return blanks + strings.ReplaceAll(s, "\n", "\n"+blanks), nil
}

func sprigRepeat(n int, s string) (string, error) {
	if n < 0 {
		return "", failf("sprig_repeat: takes a number from 0 up")
	}
	if err := fits("sprig_repeat", n, len(s)); err != nil {
		return "", err
	}
	return strings.Repeat(s, n), nil
}

// sprigTitle takes every letter behind what is no letter, digit or _ for the
// first of a word, as strings.Title does.
func sprigTitle(s string) string {
	first := true
	return strings.Map(func(r rune) rune {
		begins := first
		first = !(unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_') && (r <= unicode.MaxASCII || unicode.IsSpace(r))
		if begins {
			return unicode.ToTitle(r)
		}
		return r
	}, s)
}

// sprigNoSpace leaves out white space. As in sprig each byte is taken for a
// character, where there is any.
func sprigNoSpace(s string) string {
	var b strings.Builder
	n := 0
	for i := range len(s) {
		if r := rune(s[i]); !unicode.IsSpace(r) {
			b.WriteRune(r)
			n++
		}
	}
	if n == len(s) {
		return s
	}
	return b.String()
}

// truncate keeps so many bytes, of the end where the number is negative.
func truncate(n int, s string) string {
	switch {
	case n < 0 && len(s)+n > 0:
		return s[len(s)+n:]
	case n >= 0 && len(s) > n:
		return s[:n]
	}
	return s
}

func substring(start, end int, s string) (string, error) {
	switch {
	case start < 0:
		start = 0
	case end < 0 || end > len(s):
		end = len(s)
	}
	if end < start || end > len(s) {
		return "", failf("sprig_substr: the text is not so long")
	}
	return s[start:end], nil
}

// orElse is the first of a list that is there and not empty, else fallback.
func orElse(fallback any, given []any) any {
	if len(given) == 0 || isEmpty(given[0]) {
		return fallback
	}
	return given[0]
}

func dict(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		var v any = ""
		if i+1 < len(pairs) {
			v = pairs[i+1]
		}
		m[textOf(pairs[i])] = v
	}
	return m
}

func filter(m map[string]any, keep func(string) bool) map[string]any {
	out := maps.Clone(m)
	maps.DeleteFunc(out, func(k string, _ any) bool { return !keep(k) })
	return out
}

func sprigGet(m map[string]any, key string) any {
	if v, ok := m[key]; ok {
		return v
	}
	return ""
}

// sprigKeys are sorted, so that the output is the same each time.
func sprigKeys(list ...map[string]any) []string {
	keys := []string{}
	for _, m := range list {
		keys = append(keys, slices.Sorted(maps.Keys(m))...)
	}
	return keys
}

func sprigMerge(override bool) func(into map[string]any, list ...map[string]any) map[string]any {
	return func(into map[string]any, list ...map[string]any) map[string]any {
		for _, from := range list {
			into = merge(into, from, override)
		}
		return into
	}
}

func elementOf(function string, list any, index func(length int) int) (any, error) {
	switch r := reflect.ValueOf(list); {
	case r.Kind() != reflect.Slice && r.Kind() != reflect.Array:
		return nil, failf("%s: takes a list", function)
	case r.Len() == 0:
		return nil, nil
	default:
		return r.Index(index(r.Len())).Interface(), nil
	}
}

func sprigHas(v, list any) (bool, error) {
	r := reflect.ValueOf(list)
	switch {
	case !r.IsValid():
		return false, nil
	case r.Kind() != reflect.Slice && r.Kind() != reflect.Array:
		return false, failf("sprig_has: takes a list")
	}
	for i := range r.Len() {
		if reflect.DeepEqual(v, r.Index(i).Interface()) {
			return true, nil
		}
	}
	return false, nil
}

// integer is a number, or 0. Text may have the prefixes that Go has: "010" is 8.
func integer(v any) int64 {
	switch x := v.(type) {
	case bool:
		if x {
			return 1
		}
		return 0
	case json.Number:
		v = x.String()
	}
	if s, ok := v.(string); ok {
		if whole, zeros, _ := strings.Cut(s, "."); zeros != "" && strings.Trim(zeros, "0") == "" {
			s = whole
		}
		n, err := strconv.ParseInt(s, 0, 64)
		if err != nil {
			return 0
		}
		return n
	}
	n := number(v)
	switch {
	case n == nil:
		return 0
	case n.isReal:
		return int64(n.real)
	}
	return n.int
}

func fold(f func(a, b int64) int64) func(first any, rest ...any) int64 {
	return func(first any, rest ...any) int64 {
		n := integer(first)
		for _, v := range rest {
			n = f(n, integer(v))
		}
		return n
	}
}
