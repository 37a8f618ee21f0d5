package template

import (
	"slices"
	"strconv"
	"strings"
	text "text/template"
	"unicode"
)

// sprigText are sprig's functions of text. What is cut and counted is bytes, as
// there.
func sprigText() text.FuncMap {
	same := func(s string) string { return s }
	single := func(s string) string { return "'" + s + "'" }
	return text.FuncMap{
		"sprig_upper":      strings.ToUpper,
		"sprig_lower":      strings.ToLower,
		"sprig_title":      sprigTitle,
		"sprig_untitle":    untitle,
		"sprig_swapcase":   swapCase,
		"sprig_camelcase":  pascalCase,
		"sprig_snakecase":  func(s string) (string, error) { return identifier("sprig_snakecase", s, '_') },
		"sprig_kebabcase":  func(s string) (string, error) { return identifier("sprig_kebabcase", s, '-') },
		"sprig_initials":   initials,
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
		"sprig_abbrev":     func(width int, s string) string { return abbreviate(0, width, s) },
		"sprig_abbrevboth": abbreviate,
		"sprig_quote":      func(list ...any) string { return quoteAll(list, strconv.Quote) },
		"sprig_squote":     func(list ...any) string { return quoteAll(list, single) },
		"sprig_cat":        func(list ...any) string { return quoteAll(list, same) },
		"sprig_indent":     sprigIndent,
		"sprig_nindent":    nindent,
		"sprig_wrap":       func(width int, s string) (string, error) { return wrap("sprig_wrap", width, "\n", s, false) },
		"sprig_wrapWith":   func(width int, sep, s string) (string, error) { return wrap("sprig_wrapWith", width, sep, s, true) },
		"sprig_join":       sprigJoin,
		"sprig_split":      func(sep, s string) (map[string]string, error) { return splitNumbered("sprig_split", sep, -1, s) },
		"sprig_splitn": func(sep string, n int, s string) (map[string]string, error) {
			return splitNumbered("sprig_splitn", sep, n, s)
		},
		"sprig_splitList": func(sep, s string) []string { return strings.Split(s, sep) },
		"sprig_sortAlpha": sortAlpha,
		"sprig_plural":    plural,
	}
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

func nindent(n int, s string) (string, error) {
	indented, err := sprigIndent(n, s)
	return "\n" + indented, err
}

func sprigJoin(sep string, list any) (string, error) {
	texts := textsOf(list)
	length := 0
	for _, t := range texts {
		length += len(sep) + len(t)
		if err := fits("sprig_join", 1, length); err != nil {
			return "", err
		}
	}
	return strings.Join(texts, sep), nil
}

// splitNumbered has the parts as _0, _1, ...: {{ (split "/" "a/b")._0 }}.
func splitNumbered(function, sep string, n int, s string) (map[string]string, error) {
	if n < 0 || n > maxLoop {
		n = maxLoop + 1
	}
	parts := strings.SplitN(s, sep, n)
	m := make(map[string]string, len(parts))
	for i, part := range parts {
		m["_"+strconv.Itoa(i)] = part
	}
	return m, short(function, len(parts))
}

func sortAlpha(list any) []string {
	if list == nil {
		return []string{textOf(nil)}
	}
	texts := textsOf(list)
	slices.Sort(texts)
	return texts
}

func plural(one, many string, count int) string {
	if count == 1 {
		return one
	}
	return many
}

// abbreviate keeps width bytes, dots for what is left out among them: of the end,
// and of the beginning up to offset where that is worth it.
func abbreviate(offset, width int, s string) string {
	kept := width - len("...")
	if width < 4 || offset > 0 && width < 7 || len(s) <= width {
		return s
	}
	offset = min(offset, len(s)-kept)
	switch {
	case offset <= 4:
		return s[:kept] + "..."
	case offset+kept < len(s):
		return "..." + abbreviate(0, kept, s[offset:])
	}
	return "..." + s[len(s)-kept:]
}

// wrap breaks lines at blanks, so that they have at most width bytes. A word that
// is longer is broken too, or has a line of its own.
func wrap(function string, width int, sep, s string, breaks bool) (string, error) {
	if sep == "" {
		sep = "\n"
	}
	width = max(width, 1)
	var b strings.Builder
	for len(s) > width {
		if s[0] == ' ' {
			s = s[1:]
			continue
		}
		end, next := strings.LastIndexByte(s[:width+1], ' '), 0
		switch {
		case end >= 0:
			next = end + 1
		case breaks:
			end, next = width, width
		default:
			if end = strings.IndexByte(s[width:], ' '); end < 0 {
				return b.String() + s, nil
			}
			end += width
			next = end + 1
		}
		if err := fits(function, 1, b.Len()+end+len(sep)); err != nil {
			return "", err
		}
		b.WriteString(s[:end])
		b.WriteString(sep)
		s = s[next:]
	}
	return b.String() + s, nil
}
