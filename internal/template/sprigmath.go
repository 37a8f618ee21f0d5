package template

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	text "text/template"
)

// sprigMath are sprig's functions of numbers; what is none counts as 0. until,
// untilStep and seq are of the execution, which counts what they give.
func sprigMath() text.FuncMap {
	return text.FuncMap{
		"sprig_int":       func(v any) int { return int(integer(v)) },
		"sprig_int64":     integer,
		"sprig_float64":   real64,
		"sprig_atoi":      func(s string) int { n, _ := strconv.Atoi(s); return n },
		"sprig_toDecimal": func(v any) int64 { return octal(fmt.Sprint(v)) },
		"sprig_add":       func(list ...any) int64 { return fold(integer, sum[int64])(0, list...) },
		"sprig_add1":      func(v any) int64 { return integer(v) + 1 },
		"sprig_sub":       func(a, b any) int64 { return integer(a) - integer(b) },
		"sprig_mul":       fold(integer, product[int64]),
		"sprig_div":       func(a, b any) (int64, error) { return divided("sprig_div", a, b, quotient[int64]) },
		"sprig_mod":       func(a, b any) (int64, error) { return divided("sprig_mod", a, b, remainder[int64]) },
		"sprig_max":       fold(integer, func(a, b int64) int64 { return max(a, b) }),
		"sprig_min":       fold(integer, func(a, b int64) int64 { return min(a, b) }),
		"sprig_maxf":      fold(real64, math.Max),
		"sprig_minf":      fold(real64, math.Min),
		"sprig_floor":     func(v any) float64 { return math.Floor(real64(v)) },
		"sprig_ceil":      func(v any) float64 { return math.Ceil(real64(v)) },
		"sprig_round":     round,

		"sprig_addf":  func(list ...any) (float64, error) { return decimal("sprig_addf", (*big.Rat).Add)(0, list...) },
		"sprig_add1f": func(v any) (float64, error) { return decimal("sprig_add1f", (*big.Rat).Add)(v, 1) },
		"sprig_subf":  decimal("sprig_subf", (*big.Rat).Sub),
		"sprig_mulf":  decimal("sprig_mulf", (*big.Rat).Mul),
		"sprig_divf":  decimal("sprig_divf", divide16),
	}
}

// integer is a number, or 0. Text may have the prefixes that Go has: "010" is 8.
func integer(v any) int64 {
	switch x := v.(type) {
	case bool:
		if x {
			return 1
		}
		return 0
	case json.Number:
		v = x.String()
	}
	if s, ok := v.(string); ok {
		if whole, zeros, _ := strings.Cut(s, "."); zeros != "" && strings.Trim(zeros, "0") == "" {
			s = whole
		}
		n, err := strconv.ParseInt(s, 0, 64)
		if err != nil {
			return 0
		}
		return n
	}
	n := number(v)
	switch {
	case n == nil:
		return 0
	case n.isReal:
		return int64(n.real)
	}
	return n.int
}

// fold is a function of any number of numbers that f does to two; read makes
// them of values.
func fold[N int64 | float64](read func(v any) N, f func(a, b N) N) func(first any, rest ...any) N {
	return func(first any, rest ...any) N {
		n := read(first)
		for _, v := range rest {
			n = f(n, read(v))
		}
		return n
	}
}

func octal(s string) int64 {
	n, err := strconv.ParseInt(s, 8, 64)
	if err != nil {
		return 0
	}
	return n
}

func divided(function string, a, b any, f func(a, b int64) int64) (int64, error) {
	if integer(b) == 0 {
		return 0, failf("%s: by zero", function)
	}
	return f(integer(a), integer(b)), nil
}

// real64 is a number, or 0.
func real64(v any) float64 {
	switch x := v.(type) {
	case bool:
		return float64(integer(x))
	case string:
		v = json.Number(x)
	}
	if n, ok := v.(json.Number); ok {
		f, err := strconv.ParseFloat(string(n), 64)
		if err != nil {
			return 0
		}
		return f
	}
	if n := number(v); n != nil {
		return n.real
	}
	return 0
}

// round is to so many places; what the rest has to be to go up is 0.5, or said.
func round(v any, places int, up ...float64) float64 {
	limit := .5
	if len(up) > 0 {
		limit = up[0]
	}
	scale := math.Pow(10, float64(places))
	scaled := scale * real64(v)
	if _, rest := math.Modf(scaled); rest >= limit {
		return math.Ceil(scaled) / scale
	}
	return math.Floor(scaled) / scale
}

// decimal makes a function that reckons with the digits that numbers are written
// with: 0.1 + 0.2 is 0.3.
func decimal(function string, f func(z, a, b *big.Rat) *big.Rat) func(first any, rest ...any) (float64, error) {
	return func(first any, rest ...any) (float64, error) {
		n, err := rational(function, first)
		for _, v := range rest {
			if err != nil {
				return 0, err
			}
			var b *big.Rat
			if b, err = rational(function, v); err == nil {
				if n = f(n, n, b); n == nil {
					return 0, failf("%s: by zero", function)
				}
			}
		}
		if err != nil {
			return 0, err
		}
		result, _ := n.Float64()
		return result, nil
	}
}

func rational(function string, v any) (*big.Rat, error) {
	n, ok := new(big.Rat).SetString(strconv.FormatFloat(real64(v), 'g', -1, 64))
	if !ok {
		return nil, failf("%s: an argument is infinite, or no number", function)
	}
	return n, nil
}

// divide16 keeps 16 digits behind the point, rounded away from zero at a half.
func divide16(z, a, b *big.Rat) *big.Rat {
	if b.Sign() == 0 {
		return nil
	}
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(16), nil))
	half := big.NewRat(1, 2)
	z.Mul(z.Quo(a, b), scale)
	sign := z.Sign()
	z.Add(z.Abs(z), half)
	digits := new(big.Int).Quo(z.Num(), z.Denom())
	return z.Quo(z.SetInt(digits.Mul(digits, big.NewInt(int64(sign)))), scale)
}

// numberFunctions give numbers that the execution counts, as loop's.
func (e *execution) numberFunctions() text.FuncMap {
	return text.FuncMap{
		"sprig_until": func(end int) ([]int, error) {
			if end < 0 {
				return e.steps("sprig_until", 0, end, -1)
			}
			return e.steps("sprig_until", 0, end, 1)
		},
		"sprig_untilStep": func(start, end, step int) ([]int, error) { return e.steps("sprig_untilStep", start, end, step) },
		"sprig_seq":       e.seq,
	}
}

// steps are numbers from start to before end; none where step goes elsewhere.
func (e *execution) steps(function string, start, end, step int) ([]int, error) {
	var distance, stride uint64
	switch {
	case start < end && step > 0:
		distance, stride = uint64(end)-uint64(start), uint64(step)
	case start > end && step < 0:
		distance, stride = uint64(start)-uint64(end), -uint64(step)
	default:
		return []int{}, nil
	}
	n := (distance-1)/stride + 1
	if err := e.count(function, n); err != nil {
		return nil, err
	}
	list := make([]int, n)
	for i := range list {
		list[i] = start + i*step
	}
	return list, nil
}

// seq is as the program seq: END, START END or START STEP END, END included.
func (e *execution) seq(args ...int) (string, error) {
	start, step, end, unit := 1, 0, 0, 1
	switch len(args) {
	case 1:
		end = args[0]
	case 2:
		start, end = args[0], args[1]
	case 3:
		start, step, end = args[0], args[1], args[2]
	default:
		return "", nil
	}
	if end < start {
		unit = -1
	}
	switch {
	case len(args) < 3:
		step = unit
	case unit < 0 && step > 0:
		return "", nil
	}
	list, err := e.steps("sprig_seq", start, end+unit, step)
	return strings.Trim(fmt.Sprint(list), "[]"), err
}
