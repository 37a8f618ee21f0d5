package template

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
)

// entry is one key of an object.
type entry struct {
	key   string
	value any
}

// object is a map or a struct in the order that it is written in; nil: it is nil.
type object []entry

// document makes plain data of Go values: nil, bool, int64, uint64, float64,
// string, []any and object. A json.Number that is too large for a float stays.
type document struct {
	function string
	compare  func(a, b string) int    // the order of the keys of maps
	field    func(name string) string // the key for the field of a struct
}

func (d document) plain(v any) (any, error) {
	if n, ok := v.(json.Number); ok {
		if i, err := n.Int64(); err == nil {
			return i, nil
		}
		if f, err := n.Float64(); err == nil {
			return f, nil
		}
		return n, nil
	}
	r := reflect.ValueOf(v)
	switch {
	case !r.IsValid():
		return nil, nil
	case r.CanInt():
		return r.Int(), nil
	case r.CanUint():
		return r.Uint(), nil
	case r.CanFloat():
		return r.Float(), nil
	}
	switch r.Kind() {
	case reflect.Bool:
		return r.Bool(), nil
	case reflect.String:
		return r.String(), nil
	case reflect.Pointer:
		if r.IsNil() {
			return nil, nil
		}
		return d.plain(r.Elem().Interface())
	case reflect.Slice, reflect.Array:
		return d.list(r)
	case reflect.Map:
		return d.ofMap(r)
	case reflect.Struct:
		return d.ofStruct(r)
	}
	return nil, failf("%s: the value is nothing that can be written so", d.function)
}

func (d document) list(r reflect.Value) (any, error) {
	if r.Kind() == reflect.Slice && r.IsNil() {
		return []any(nil), nil
	}
	list := make([]any, r.Len())
	for i := range list {
		var err error
		if list[i], err = d.plain(r.Index(i).Interface()); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (d document) ofMap(r reflect.Value) (any, error) {
	if r.IsNil() {
		return object(nil), nil
	}
	if r.Type().Key().Kind() != reflect.String {
		return nil, failf("%s: a map has keys that are not text", d.function)
	}
	o := object{}
	for i := r.MapRange(); i.Next(); {
		v, err := d.plain(i.Value().Interface())
		if err != nil {
			return nil, err
		}
		o = append(o, entry{i.Key().String(), v})
	}
	slices.SortFunc(o, func(a, b entry) int { return d.compare(a.key, b.key) })
	return o, nil
}

func (d document) ofStruct(r reflect.Value) (any, error) {
	o := object{}
	for i := range r.NumField() {
		f := r.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		v, err := d.plain(r.Field(i).Interface())
		if err != nil {
			return nil, err
		}
		o = append(o, entry{d.field(f.Name), v})
	}
	return o, nil
}

// compareNumbered is the order of the keys of YAML: letters last, and digits by
// the number they make, so that a2 is before a10.
func compareNumbered(a, b string) int {
	x, y := []rune(a), []rune(b)
	for i := range min(len(x), len(y)) {
		if x[i] == y[i] {
			continue
		}
		switch l, m := isLetter(x[i]), isLetter(y[i]); {
		case l && m:
			return cmp.Compare(x[i], y[i])
		case l:
			return 1
		case m:
			return -1
		}
		start := int64(0)
		if (x[i] == '0' || y[i] == '0') && afterNumber(x[:i]) {
			start = 1 // a zero within a number counts as a digit
		}
		n, end := numberAt(x, i, start)
		m, last := numberAt(y, i, start)
		return cmp.Or(cmp.Compare(n, m), cmp.Compare(end, last), cmp.Compare(x[i], y[i]))
	}
	return cmp.Compare(len(x), len(y))
}
