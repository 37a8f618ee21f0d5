package template

import (
	"cmp"
	"reflect"
	"slices"
	text "text/template"
)

// sprigLists are sprig's functions of lists. None but sortAlpha changes the list
// that it is given.
func sprigLists() text.FuncMap {
	return text.FuncMap{
		"sprig_list":    func(list ...any) ([]any, error) { return list, nestable("sprig_list", nil, list...) },
		"sprig_first":   func(list any) (any, error) { return elementOf("sprig_first", list, func(int) int { return 0 }) },
		"sprig_last":    func(list any) (any, error) { return elementOf("sprig_last", list, func(n int) int { return n - 1 }) },
		"sprig_has":     sprigHas,
		"sprig_rest":    func(list any) ([]any, error) { return part("sprig_rest", list, 1, 0) },
		"sprig_initial": func(list any) ([]any, error) { return part("sprig_initial", list, 0, 1) },
		"sprig_append": func(list, v any) ([]any, error) {
			all, err := elements("sprig_append", list, 1)
			return append(all, v), cmp.Or(err, nestable("sprig_append", nil, v))
		},
		"sprig_prepend": func(list, v any) ([]any, error) {
			all, err := elements("sprig_prepend", list, 1)
			return append([]any{v}, all...), cmp.Or(err, nestable("sprig_prepend", nil, v))
		},
		"sprig_concat": concat,
		"sprig_reverse": func(list any) ([]any, error) {
			all, err := elements("sprig_reverse", list, 0)
			slices.Reverse(all)
			return all, err
		},
		"sprig_compact": func(list any) ([]any, error) {
			all, err := elements("sprig_compact", list, 0)
			return slices.DeleteFunc(all, isEmpty), err
		},
		"sprig_uniq":    uniq,
		"sprig_without": without,
		"sprig_slice":   slice,
		"sprig_chunk":   chunk,
	}
}

// elements is a copy of a list, which is to become so much longer.
func elements(function string, list any, more int) ([]any, error) {
	r := reflect.ValueOf(list)
	if r.Kind() != reflect.Slice && r.Kind() != reflect.Array {
		return nil, failf("%s: takes a list", function)
	}
	if err := short(function, r.Len()+more); err != nil {
		return nil, err
	}
	all := make([]any, r.Len(), r.Len()+more)
	for i := range all {
		all[i] = r.Index(i).Interface()
	}
	return all, nil
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

// part leaves out so many elements at the ends; an empty list gives nil.
func part(function string, list any, first, last int) ([]any, error) {
	all, err := elements(function, list, 0)
	if len(all) == 0 {
		return nil, err
	}
	return all[first : len(all)-last], nil
}

func concat(lists ...any) (any, error) {
	var all []any
	for _, list := range lists {
		more, err := elements("sprig_concat", list, len(all))
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// maxCompared is how many times uniq compares lists and maps: what that takes grows
// with the square of their number.
const maxCompared = 1 << 20

// uniq keeps the first of elements that are the same.
func uniq(list any) ([]any, error) {
	all, err := elements("sprig_uniq", list, 0)
	kept, seen, others, compared := []any{}, map[any]bool{}, []any{}, 0
	for _, v := range all {
		if isScalar(v) {
			if !seen[v] {
				seen[v], kept = true, append(kept, v)
			}
			continue
		}
		if compared += len(others); compared > maxCompared {
			return nil, failf("sprig_uniq: the list has too many different lists and maps")
		}
		if !hasElement(others, v) {
			others, kept = append(others, v), append(kept, v)
		}
	}
	return kept, err
}

// isScalar tells what == compares as reflect.DeepEqual does.
func isScalar(v any) bool {
	kind := reflect.ValueOf(v).Kind()
	return kind <= reflect.Complex128 || kind == reflect.String
}

func without(list any, omitted ...any) ([]any, error) {
	all, err := elements("sprig_without", list, 0)
	return slices.DeleteFunc(all, func(v any) bool { return hasElement(omitted, v) }), err
}

func hasElement(list []any, v any) bool {
	return slices.ContainsFunc(list, func(e any) bool { return reflect.DeepEqual(v, e) })
}

// slice is a list from one index to before another, by default all; it has the
// type of the list.
func slice(list any, indices ...any) (any, error) {
	r := reflect.ValueOf(list)
	switch {
	case r.Kind() != reflect.Slice:
		return nil, failf("sprig_slice: takes a list")
	case r.Len() == 0:
		return nil, nil
	}
	start, end := 0, r.Len()
	if len(indices) > 0 {
		start = int(integer(indices[0]))
	}
	if len(indices) > 1 {
		end = int(integer(indices[1]))
	}
	if start < 0 || start > end || end > r.Len() {
		return nil, failf("sprig_slice: the list has no such part")
	}
	return r.Slice(start, end).Interface(), nil
}

// chunk makes lists of so many elements, the last one may have fewer.
func chunk(size int, list any) ([][]any, error) {
	all, err := elements("sprig_chunk", list, 0)
	switch {
	case err != nil:
		return nil, err
	case size < 1:
		return nil, failf("sprig_chunk: takes a number from 1 up")
	}
	if err := nestable("sprig_chunk", nil, all); err != nil {
		return nil, err
	}
	return slices.AppendSeq([][]any{}, slices.Chunk(all, size)), nil
}
