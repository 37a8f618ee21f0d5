package template

import (
	"maps"
	"reflect"
	"slices"
	text "text/template"
)

// sprigDicts are sprig's functions of maps. set, unset and merge change the map
// that they are given.
func sprigDicts() text.FuncMap {
	type dictionary = map[string]any
	return text.FuncMap{
		"sprig_dict":   dict,
		"sprig_get":    sprigGet,
		"sprig_set":    sprigSet,
		"sprig_unset":  func(m dictionary, key string) dictionary { delete(m, key); return m },
		"sprig_hasKey": func(m dictionary, key string) bool { _, ok := m[key]; return ok },
		"sprig_keys":   sprigKeys,
		"sprig_values": func(m dictionary) []any { return append([]any{}, (&scratch{dictionary{"": m}}).MapValues("")...) },
		"sprig_pluck":  pluck,
		"sprig_pick": func(m dictionary, keys ...string) dictionary {
			return filter(m, func(k string) bool { return slices.Contains(keys, k) })
		},
		"sprig_omit": func(m dictionary, keys ...string) dictionary {
			return filter(m, func(k string) bool { return !slices.Contains(keys, k) })
		},
		"sprig_merge":          sprigMerge("sprig_merge", false),
		"sprig_mergeOverwrite": sprigMerge("sprig_mergeOverwrite", true),
		"sprig_dig":            dig,
		"sprig_deepCopy":       deepCopy,
	}
}

func sprigSet(m map[string]any, key string, v any) (map[string]any, error) {
	if err := nestable("sprig_set", m, v); err != nil {
		return nil, err
	}
	m[key] = v
	return m, nil
}

func dict(pairs ...any) (map[string]any, error) {
	if err := nestable("sprig_dict", nil, pairs...); err != nil {
		return nil, err
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		var v any = ""
		if i+1 < len(pairs) {
			v = pairs[i+1]
		}
		m[textOf(pairs[i])] = v
	}
	return m, nil
}

func filter(m map[string]any, keep func(string) bool) map[string]any {
	out := map[string]any{}
	maps.Copy(out, m)
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

func sprigMerge(function string, override bool) func(into map[string]any, list ...map[string]any) (map[string]any, error) {
	return func(into map[string]any, list ...map[string]any) (merged map[string]any, err error) {
		merged = into
		for _, from := range list {
			if merged, err = merge(function, merged, from, override); err != nil {
				return nil, err
			}
		}
		return merged, nil
	}
}

// pluck gives the values that maps have for a key.
func pluck(key string, list ...map[string]any) []any {
	values := []any{}
	for _, m := range list {
		if v, ok := m[key]; ok {
			values = append(values, v)
		}
	}
	return values
}

// dig follows keys through the map that comes last; what is not there is the value
// before it.
func dig(args ...any) (any, error) {
	if len(args) < 3 {
		return nil, failf("sprig_dig: takes at least a key, a default and a map")
	}
	v, fallback := args[len(args)-1], args[len(args)-2]
	for _, arg := range args[:len(args)-2] {
		m, ok := v.(map[string]any)
		key, isText := arg.(string)
		if !ok || !isText {
			return nil, failf("sprig_dig: a key is no text, or what is to have it is no map")
		}
		if v, ok = m[key]; !ok {
			return fallback, nil
		}
	}
	return v, nil
}

// deepCopy copies a value with the maps and lists in it.
func deepCopy(v any) (any, error) {
	if v == nil {
		return nil, failf("sprig_deepCopy: there is no value")
	}
	c := copier{left: maxLoop}
	out := c.copy(reflect.ValueOf(v), 0)
	if c.left < 0 {
		return nil, failf("sprig_deepCopy: the value has more than %d elements, or is more than %d deep", maxLoop, copierDepth)
	}
	return out.Interface(), nil
}

type copier struct{ left int } // values it may copy; below 0: there are more

// copierDepth is how deep maps and lists can be within one another to be copied.
// It is more than maxNested: what was put into a map that is in others counts there
// only.
const copierDepth = 10000

func (c *copier) copy(r reflect.Value, depth int) reflect.Value {
	if c.left--; depth > copierDepth {
		c.left = -1
	}
	if c.left < 0 {
		return r
	}
	switch r.Kind() {
	case reflect.Interface:
		if !r.IsNil() {
			return c.copy(r.Elem(), depth+1)
		}
	case reflect.Map:
		m := reflect.MakeMapWithSize(r.Type(), r.Len())
		for i := r.MapRange(); i.Next(); {
			m.SetMapIndex(i.Key(), c.copy(i.Value(), depth+1))
		}
		return m
	case reflect.Slice:
		list := reflect.MakeSlice(r.Type(), r.Len(), r.Len())
		for i := range r.Len() {
			list.Index(i).Set(c.copy(r.Index(i), depth+1))
		}
		return list
	}
	return r
}
