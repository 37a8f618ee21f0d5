package template

import (
	"encoding/json"
	"reflect"
	text "text/template"
)

// mathFunctions take the second operand first, so that the first can be piped
// in: {{ 3 | subtract 1 }} is 2.
func mathFunctions() text.FuncMap {
	return text.FuncMap{
		"add":      binary("add", sum[int64], sum[uint64], sum[float64]),
		"subtract": binary("subtract", difference[int64], difference[uint64], difference[float64]),
		"multiply": binary("multiply", product[int64], product[uint64], product[float64]),
		"divide":   binary("divide", quotient[int64], quotient[uint64], quotient[float64]),
		"modulo":   binary("modulo", remainder[int64], remainder[uint64], nil),
		"minimum":  choice("minimum", true),
		"maximum":  choice("maximum", false),
	}
}

type numbers interface{ int64 | uint64 | float64 }

func sum[N numbers](a, b N) N                   { return a + b }
func difference[N numbers](a, b N) N            { return a - b }
func product[N numbers](a, b N) N               { return a * b }
func quotient[N numbers](a, b N) N              { return a / b }
func remainder[N int64 | uint64](a, b N) N      { return a % b }
func compare[N numbers](less bool, a, b N) bool { return less && a < b || !less && a > b }

// binary makes a function of whole numbers, of those without a sign where both
// are, and of others where there is one.
func binary(name string, whole func(a, b int64) int64, unsigned func(a, b uint64) uint64, real func(a, b float64) float64) func(b, a any) (any, error) {
	return func(b, a any) (any, error) {
		x, y := number(a), number(b)
		switch {
		case x == nil || y == nil:
			return nil, failf("%s: an argument is no number", name)
		case (x.isReal || y.isReal) && real == nil:
			return nil, failf("%s: takes whole numbers", name)
		case x.isReal || y.isReal:
			return real(x.real, y.real), nil
		case y.int == 0 && (name == "divide" || name == "modulo"):
			return nil, failf("%s: by zero", name)
		case x.isUnsigned && y.isUnsigned:
			return unsigned(uint64(x.int), uint64(y.int)), nil
		}
		return whole(x.int, y.int), nil
	}
}

// choice makes a function that gives one of its operands, of the type that it has.
func choice(name string, less bool) func(b, a any) (any, error) {
	return func(b, a any) (any, error) {
		x, y := number(a), number(b)
		if x == nil || y == nil {
			return nil, failf("%s: an argument is no number", name)
		}
		first := compare(less, x.int, y.int)
		switch {
		case x.isReal || y.isReal:
			first = compare(less, x.real, y.real)
		case x.isUnsigned && y.isUnsigned:
			first = compare(less, uint64(x.int), uint64(y.int))
		}
		if first {
			return x.value(), nil
		}
		return y.value(), nil
	}
}

// numeric is a number of any type of Go.
type numeric struct {
	isReal, isUnsigned bool
	int                int64 // where it is not real; of an unsigned one the bits
	real               float64
}

func (n *numeric) value() any {
	switch {
	case n.isReal:
		return n.real
	case n.isUnsigned:
		return uint64(n.int)
	}
	return n.int
}

// number reads one, or gives nil.
func number(v any) *numeric {
	if n, ok := v.(json.Number); ok { // as Vault sent it
		if i, err := n.Int64(); err == nil {
			return &numeric{int: i, real: float64(i)}
		}
		f, err := n.Float64()
		if err != nil {
			return nil
		}
		return &numeric{isReal: true, real: f}
	}
	switch r := reflect.ValueOf(v); {
	case !r.IsValid():
	case r.CanInt():
		return &numeric{int: r.Int(), real: float64(r.Int())}
	case r.CanUint():
		return &numeric{isUnsigned: true, int: int64(r.Uint()), real: float64(r.Uint())}
	case r.CanFloat():
		return &numeric{isReal: true, real: r.Float()}
	}
	return nil
}
