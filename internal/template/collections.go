package template

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	text "text/template"
)

// collectionFunctions work on lists and maps.
func collectionFunctions() text.FuncMap {
	return text.FuncMap{
		"in":       in,
		"contains": func(v, list any) bool { return in(list, v) },
		"containsAll": func(want []any, list any) bool {
			return !slices.ContainsFunc(want, func(v any) bool { return !in(list, v) })
		},
		"containsAny": func(want []any, list any) bool {
			return slices.ContainsFunc(want, func(v any) bool { return in(list, v) })
		},
		"containsNone": func(want []any, list any) bool {
			return !slices.ContainsFunc(want, func(v any) bool { return in(list, v) })
		},
		"containsNotAll": func(want []any, list any) bool {
			return slices.ContainsFunc(want, func(v any) bool { return !in(list, v) })
		},
		"explodeMap": explodeMap,
		"mergeMap": func(into, from map[string]any) (map[string]any, error) {
			return merge("mergeMap", into, from, false)
		},
		"mergeMapWithOverride": func(into, from map[string]any) (map[string]any, error) {
			return merge("mergeMapWithOverride", into, from, true)
		},
	}
}

// in tells whether a list has an element, or a text a part.
func in(list, v any) bool {
	l, w := reflect.ValueOf(list), reflect.ValueOf(v)
	if !l.IsValid() || !w.IsValid() {
		return false
	}
	switch l.Kind() {
	case reflect.String:
		return w.Type() == l.Type() && strings.Contains(l.String(), w.String())
	case reflect.Array, reflect.Slice:
		for i := range l.Len() {
			if e := reflect.ValueOf(l.Index(i).Interface()); e.IsValid() && same(e, w) {
				return true
			}
		}
	}
	return false
}

func same(a, b reflect.Value) bool {
	switch {
	case a.CanInt() && b.CanInt():
		return a.Int() == b.Int()
	case a.CanFloat() && b.CanFloat():
		return a.Float() == b.Float()
	case a.Kind() == reflect.String && a.Type() == b.Type():
		return a.String() == b.String()
	}
	return false
}

// explodeMap makes nested maps of keys with slashes.
func explodeMap(flat map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for _, path := range slices.Sorted(maps.Keys(flat)) {
		nest := out
		elements := strings.Split(path, "/")
		if len(elements) > maxNested {
			return nil, failf("explodeMap: a key has more than %d slashes", maxNested-1)
		}
		for _, e := range elements[:len(elements)-1] {
			inner, ok := nest[e].(map[string]any)
			if _, there := nest[e]; there && !ok {
				return nil, failf("explodeMap: one key is below another that has a value itself")
			}
			if !ok {
				inner = map[string]any{}
				nest[e] = inner
			}
			nest = inner
		}
		if last := elements[len(elements)-1]; last != "" {
			if err := nestable("explodeMap", nest, flat[path]); err != nil { // a map of flat may be one of these
				return nil, err
			}
			nest[last] = flat[path]
		}
	}
	return out, nil
}

// merge puts what the one map has into the other, also into the maps within, and
// gives that. A value that is there stays, unless it is empty or to be overridden.
func merge(function string, into, from map[string]any, override bool) (map[string]any, error) {
	if into == nil && from != nil {
		into = map[string]any{}
	}
	for k, v := range from {
		var err error
		there, isMap := into[k].(map[string]any)
		inner, bothMaps := v.(map[string]any)
		_, has := into[k]
		switch {
		case isMap && bothMaps:
			into[k], err = merge(function, there, inner, override)
		case override, v != nil && (!has || isEmpty(into[k])):
			err = nestable(function, into, v)
			into[k] = v
		}
		if err != nil {
			return nil, err
		}
	}
	return into, nil
}

// isEmpty is what text/template takes for false.
func isEmpty(v any) bool {
	truth, _ := text.IsTrue(v)
	return !truth
}

// maxLoop is how many numbers all loops of an execution can have: a slip must
// not keep a start from coming to its end.
const maxLoop = 1 << 20

// loop gives the numbers from the first to before the second, from 0 where there
// is one. It can be ranged over once, as that of consul-template, which has a
// goroutine behind it that stays where a range breaks off.
func (e *execution) loop(limits ...any) (<-chan int64, error) {
	if len(limits) != 1 && len(limits) != 2 {
		return nil, failf("loop: takes one or two numbers, not %d", len(limits))
	}
	var bounds [2]int64
	for i, l := range limits {
		n, err := wholeNumber("loop", l)
		if err != nil {
			return nil, err
		}
		bounds[2-len(limits)+i] = n
	}
	next, end := bounds[0], max(bounds[0], bounds[1])
	if err := e.count("loop", uint64(end)-uint64(next)); err != nil {
		return nil, err
	}
	numbers := make(chan int64, end-next)
	for ; next < end; next++ {
		numbers <- next
	}
	close(numbers)
	return numbers, nil
}

// count notes that a function is to give so many numbers.
func (e *execution) count(function string, n uint64) error {
	if e.loops += n; e.loops > maxLoop || n > maxLoop {
		return failf("%s: all loops together have more than %d numbers", function, maxLoop)
	}
	return nil
}

func wholeNumber(function string, v any) (int64, error) {
	switch r := reflect.ValueOf(v); {
	case !r.IsValid():
	case r.CanInt():
		return r.Int(), nil
	case r.CanUint():
		return int64(r.Uint()), nil
	case r.Kind() == reflect.String:
		return parseInt(r.String())
	}
	return 0, failf("%s: an argument is no whole number", function)
}

// scratch is the notes of one execution: {{ scratch.Set "name" value }}.
type scratch struct{ values map[string]any }

func (s *scratch) Key(name string) bool { _, ok := s.values[name]; return ok }
func (s *scratch) Get(name string) any  { return s.values[name] }

// Set and those below give empty text, because a template writes what a method
// gives.
func (s *scratch) Set(name string, v any) string {
	if s.values == nil {
		s.values = map[string]any{}
	}
	s.values[name] = v
	return ""
}

// SetX sets what is not set.
func (s *scratch) SetX(name string, v any) string {
	if !s.Key(name) {
		s.Set(name, v)
	}
	return ""
}

// MapSet sets a key of the map that has the name.
func (s *scratch) MapSet(name, key string, v any) (string, error) {
	return s.mapSet(name, key, v, true)
}

// MapSetX does that where the key is not set.
func (s *scratch) MapSetX(name, key string, v any) (string, error) {
	return s.mapSet(name, key, v, false)
}

func (s *scratch) mapSet(name, key string, v any, override bool) (string, error) {
	s.SetX(name, map[string]any{})
	m, ok := s.values[name].(map[string]any)
	if !ok {
		return "", failf("scratch: what is set by the name is no map")
	}
	if _, there := m[key]; there && !override {
		return "", nil
	}
	if err := nestable("scratch", m, v); err != nil {
		return "", err
	}
	m[key] = v
	return "", nil
}

// MapValues are the values of the map that has the name, by key.
func (s *scratch) MapValues(name string) []any {
	m, _ := s.values[name].(map[string]any)
	var values []any
	for _, key := range slices.Sorted(maps.Keys(m)) {
		values = append(values, m[key])
	}
	return values
}
