package template

import (
	"regexp"
	text "text/template"
)

// sprigRegex are sprig's functions of regular expressions: the expression, the
// text, and what replaces or how many.
func sprigRegex() text.FuncMap {
	replace := func(function string, by func(*regexp.Regexp, string, string) string) func(re, s, to string) (string, error) {
		return func(re, s, to string) (string, error) { return regexReplace(function, re, s, to, by) }
	}
	match := func(re, s string) (bool, error) {
		compiled, err := compile("sprig_mustRegexMatch", re)
		return err == nil && compiled.MatchString(s), err
	}
	return text.FuncMap{
		"sprig_regexMatch": func(re, s string) (bool, error) { // what is no expression matches nothing
			matches, _ := match(re, s)
			return matches, patternFits("sprig_regexMatch", re)
		},
		"sprig_mustRegexMatch": match,
		"sprig_regexFind": func(re, s string) (string, error) {
			compiled, err := compile("sprig_regexFind", re)
			if err != nil {
				return "", err
			}
			return compiled.FindString(s), nil
		},
		"sprig_regexFindAll": func(re, s string, n int) ([]string, error) {
			return regexList("sprig_regexFindAll", re, s, n, (*regexp.Regexp).FindAllString)
		},
		"sprig_regexSplit": func(re, s string, n int) ([]string, error) {
			return regexList("sprig_regexSplit", re, s, n, (*regexp.Regexp).Split)
		},
		"sprig_regexReplaceAll":        replace("sprig_regexReplaceAll", (*regexp.Regexp).ReplaceAllString),
		"sprig_regexReplaceAllLiteral": replace("sprig_regexReplaceAllLiteral", (*regexp.Regexp).ReplaceAllLiteralString),
		"sprig_regexQuoteMeta":         regexp.QuoteMeta,
	}
}

func regexReplace(function, re, s, to string, by func(*regexp.Regexp, string, string) string) (string, error) {
	compiled, err := compile(function, re)
	if err == nil {
		err = fits(function, len(s)+1, len(to))
	}
	if err != nil {
		return "", err
	}
	return by(compiled, s, to), nil
}

// regexList gives at most n texts, all where n is negative.
func regexList(function, re, s string, n int, by func(*regexp.Regexp, string, int) []string) ([]string, error) {
	compiled, err := compile(function, re)
	if err != nil {
		return nil, err
	}
	if n < 0 || n > maxLoop {
		n = maxLoop + 1
	}
	list := by(compiled, s, n)
	return list, short(function, len(list))
}
