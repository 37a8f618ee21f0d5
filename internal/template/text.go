package template

import (
	"regexp"
	"strconv"
	"strings"
	text "text/template"
	"time"
	"unicode"
)

// textFunctions work on text. As in consul-template the text itself comes last,
// so that it can be piped in.
func textFunctions() text.FuncMap {
	return text.FuncMap{
		"indent": indent,
		"join": func(sep string, list []string) (string, error) {
			return strings.Join(list, sep), fits("join", len(list), len(sep))
		},
		"trim":       func(cutset, s string) string { return strings.Trim(s, cutset) },
		"trimPrefix": func(prefix, s string) string { return strings.TrimPrefix(s, prefix) },
		"trimSuffix": func(suffix, s string) string { return strings.TrimSuffix(s, suffix) },
		"trimSpace":  strings.TrimSpace,
		"toLower":    strings.ToLower,
		"toUpper":    strings.ToUpper,
		"toTitle":    toTitle,
		"replaceAll": func(from, to, s string) (string, error) { return replaceAll("replaceAll", from, to, s) },
		"regexMatch": func(re, s string) (bool, error) {
			compiled, err := compile("regexMatch", re)
			return err == nil && compiled.MatchString(s), err
		},
		"regexReplaceAll": func(re, to, s string) (string, error) {
			compiled, err := compile("regexReplaceAll", re)
			if err == nil {
				err = fits("regexReplaceAll", len(s)+1, len(to))
			}
			if err != nil {
				return "", err
			}
			return compiled.ReplaceAllString(s, to), nil
		},
		"split":      split,
		"splitToMap": splitToMap,
		"timestamp":  timestamp,
		"parseBool": func(s string) (bool, error) {
			v, err := strconv.ParseBool(s)
			return v, unparsed("parseBool", s, err)
		},
		"parseFloat": func(s string) (float64, error) {
			v, err := strconv.ParseFloat(s, 64)
			return v, unparsed("parseFloat", s, err)
		},
		"parseInt": parseInt,
		"parseUint": func(s string) (uint64, error) {
			v, err := strconv.ParseUint(s, 10, 64)
			return v, unparsed("parseUint", s, err)
		},
	}
}

// unparsed is why a text is not what it is to be read as; empty text is zero.
func unparsed(function, s string, err error) error {
	if err == nil || s == "" {
		return nil
	}
	return failf("%s: the text cannot be read as that", function)
}

func parseInt(s string) (int64, error) {
	v, err := strconv.ParseInt(s, 10, 64)
	return v, unparsed("parseInt", s, err)
}

// indent begins each line that is not empty with blanks.
func indent(blanks int, s string) (string, error) {
	if blanks < 0 {
		return "", failf("indent: takes a number from 0 up")
	}
	if err := fits("indent", 1+strings.Count(s, "\n"), blanks); err != nil {
		return "", err
	}
	var b strings.Builder
	for line := range strings.Lines(s) {
		if line != "\n" {
			b.WriteString(strings.Repeat(" ", blanks))
		}
		b.WriteString(line)
	}
	return b.String(), nil
}

func replaceAll(function, from, to, s string) (string, error) {
	if err := fits(function, strings.Count(s, from), len(to)); err != nil {
		return "", err
	}
	return strings.ReplaceAll(s, from, to), nil
}

// toTitle makes the first letter of each word large and leaves the others. Words
// end as Unicode has it: not at an apostrophe, a full stop or a colon between
// letters.
func toTitle(s string) string {
	runes, titled := []rune(s), false
	for i, r := range runes {
		switch {
		case unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r):
			if !titled {
				runes[i] = unicode.ToTitle(r)
			}
			titled = true
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r), unicode.Is(unicode.Cf, r), r == '_':
		case strings.ContainsRune(".:'·’‘", r) && i > 0 && i+1 < len(runes) && isWord(runes[i-1]) && isWord(runes[i+1]):
		default:
			titled = false
		}
	}
	return string(runes)
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }

func compile(function, re string) (*regexp.Regexp, error) {
	if err := patternFits(function, re); err != nil {
		return nil, err
	}
	compiled, err := regexp.Compile(re)
	if err != nil {
		return nil, failf("%s: the first argument is no regular expression", function)
	}
	return compiled, nil
}

func split(sep, s string) []string {
	if s = strings.TrimSpace(s); s == "" {
		return []string{}
	}
	return strings.Split(s, sep)
}

// splitToMap splits twice; what has no second separator is left out.
func splitToMap(sep, inner, s string) map[string]string {
	m := map[string]string{}
	for _, part := range split(sep, s) {
		if k, v, ok := strings.Cut(part, inner); ok {
			m[k] = v
		}
	}
	return m
}

// timestamp is the time in UTC: RFC 3339, seconds (unix), or by a layout of
// package time.
func timestamp(layout ...string) (string, error) {
	now := time.Now().UTC()
	switch {
	case len(layout) > 1:
		return "", failf("timestamp: takes at most one layout")
	case len(layout) == 0:
		return now.Format(time.RFC3339), nil
	case layout[0] == "unix":
		return strconv.FormatInt(now.Unix(), 10), nil
	}
	return now.Format(layout[0]), nil
}
