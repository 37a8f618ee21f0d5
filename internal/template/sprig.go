package template

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	text "text/template"
	"unicode"
	"unicode/utf8"
)

// sprigFunctions are those of github.com/Masterminds/sprig under the names that
// consul-template has for them and with sprig's argument order. The library itself
// costs every start some milliseconds before main (the regular expressions of its
// version comparison), templates or not.
func sprigFunctions() text.FuncMap {
	all := text.FuncMap{}
	for _, some := range []text.FuncMap{sprigText(), sprigRegex(), sprigEncoding(), sprigTypes(), sprigDicts(), sprigLists(), sprigMath(), sprigTime()} {
		maps.Copy(all, some)
	}
	for name, of := range sprigAliases() {
		all["sprig_"+name] = all["sprig_"+of]
	}
	for _, name := range sprigTwins() {
		r, size := utf8.DecodeRuneInString(name)
		all["sprig_must"+string(unicode.ToUpper(r))+name[size:]] = all["sprig_"+name]
	}
	return all
}

// sprigAliases maps names that mean the same -> the function.
func sprigAliases() map[string]string {
	return map[string]string{
		"trimall": "trimAll", "biggest": "max", "tuple": "list", "push": "append",
		"date_in_zone": "dateInZone", "date_modify": "dateModify", "must_date_modify": "mustDateModify",
		"osBase": "base", "osDir": "dir", "osClean": "clean", "osExt": "ext", "osIsAbs": "isAbs",
	}
}

// sprigTwins are the functions whose must... does the same. In sprig the one
// panics where the other gives an error, and both end the template.
func sprigTwins() []string {
	return []string{
		"append", "push", "prepend", "first", "last", "rest", "initial", "reverse", "uniq", "without", "has", "slice", "chunk", "compact",
		"toJson", "toPrettyJson", "toRawJson", "deepCopy", "merge", "mergeOverwrite",
		"regexFind", "regexFindAll", "regexReplaceAll", "regexReplaceAllLiteral", "regexSplit",
	}
}

// sprigTypes tell what a value is, or choose one.
func sprigTypes() text.FuncMap {
	typeOf := func(v any) string { return fmt.Sprintf("%T", v) }
	kindOf := func(v any) string { return reflect.ValueOf(v).Kind().String() }
	return text.FuncMap{
		"sprig_hello":      func() string { return "Hello!" },
		"sprig_default":    func(fallback any, given ...any) any { return orElse(fallback, given) },
		"sprig_empty":      isEmpty,
		"sprig_coalesce":   coalesce,
		"sprig_all":        func(list ...any) bool { return !slices.ContainsFunc(list, isEmpty) },
		"sprig_any":        func(list ...any) bool { return coalesce(list...) != nil },
		"sprig_ternary":    func(yes, no any, truth bool) any { return map[bool]any{true: yes, false: no}[truth] },
		"sprig_fail":       func(string) (string, error) { return "", failf("sprig_fail: the template says that it cannot go on") },
		"sprig_typeOf":     typeOf,
		"sprig_typeIs":     func(name string, v any) bool { return typeOf(v) == name },
		"sprig_typeIsLike": func(name string, v any) bool { return typeOf(v) == name || typeOf(v) == "*"+name },
		"sprig_kindOf":     kindOf,
		"sprig_kindIs":     func(name string, v any) bool { return kindOf(v) == name },
		"sprig_deepEqual":  reflect.DeepEqual,
		"sprig_toString":   textOf,
		"sprig_toStrings":  textsOf,
	}
}

// coalesce is the first of a list that is not empty, or nil.
func coalesce(list ...any) any {
	for _, v := range list {
		if !isEmpty(v) {
			return v
		}
	}
	return nil
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

// textsOf are the elements of a list as text, without those that are nil. A list
// of text is given as it is, so that sortAlpha sorts it in place, as in sprig.
func textsOf(list any) []string {
	if texts, ok := list.([]string); ok {
		return texts
	}
	r := reflect.ValueOf(list)
	switch {
	case !r.IsValid():
		return []string{}
	case r.Kind() != reflect.Slice && r.Kind() != reflect.Array:
		return []string{textOf(list)}
	}
	texts := make([]string, 0, r.Len())
	for i := range r.Len() {
		if e := r.Index(i).Interface(); e != nil {
			texts = append(texts, textOf(e))
		}
	}
	return texts
}

// orElse is the first of a list that is there and not empty, else fallback.
func orElse(fallback any, given []any) any {
	if len(given) == 0 || isEmpty(given[0]) {
		return fallback
	}
	return given[0]
}
