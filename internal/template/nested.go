package template

import "reflect"

// maxNested is how deep the maps and lists that a template makes can be within one
// another. Whoever prints a value goes down into it: a map that was put into
// itself would end the process with its stack, which cannot be recovered from.
const maxNested = 1000

// nestable gives an error for a value that a function cannot put into a map: one
// that has this map in it, is too deep, or has too many values, those counted
// again that are there twice. As every function that puts something into a map or
// a list asks, no value that it is asked about is without an end. into is nil
// where that is new and nothing can have it yet.
func nestable(function string, into map[string]any, values ...any) error {
	w := nesting{function: function, into: into, left: maxLoop}
	for _, v := range values {
		if err := w.descend(v, 1); err != nil {
			return err
		}
	}
	return nil
}

type nesting struct {
	function string
	into     map[string]any
	left     int // values that there can still be
}

func (w *nesting) descend(v any, depth int) error {
	if w.left--; w.left < 0 {
		return failf("%s: maps and lists within one another have more than %d values", w.function, maxLoop)
	}
	if depth > maxNested {
		return failf("%s: maps and lists are more than %d deep within one another", w.function, maxNested)
	}
	switch x := v.(type) {
	case map[string]any:
		if w.into != nil && reflect.ValueOf(x).UnsafePointer() == reflect.ValueOf(w.into).UnsafePointer() {
			return failf("%s: the map would be within itself: put a copy of it there (sprig_deepCopy)", w.function)
		}
		for _, e := range x {
			if err := w.descend(e, depth+1); err != nil {
				return err
			}
		}
	case []any:
		return w.all(x, depth+1)
	case [][]any:
		for _, list := range x {
			if err := w.all(list, depth+2); err != nil {
				return err
			}
		}
	case *Secret:
		return w.descend(x.Data, depth+1)
	}
	return nil
}

func (w *nesting) all(list []any, depth int) error {
	for _, e := range list {
		if err := w.descend(e, depth); err != nil {
			return err
		}
	}
	return nil
}
