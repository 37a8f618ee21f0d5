package yaml

import (
	"math"
	"strconv"
	"strings"
)

// Value is what a node stands for to a parser of YAML 1.1 that knows no types but
// its own: map[any]any, []any, string, int, int64, uint64, float64, bool, nil. A key
// that is there twice has its last value.
func (n *Node) Value() any {
	switch {
	case n == nil:
		return nil
	case n.Kind == List:
		list := make([]any, 0, len(n.Items))
		for _, item := range n.Items {
			list = append(list, item.Value())
		}
		return list
	case n.Kind == Map:
		m := make(map[any]any, len(n.Items))
		for i, key := range n.Keys {
			m[key.Value()] = n.Items[i].Value()
		}
		return m
	case !n.Plain:
		return n.Text
	}
	return resolve(n.Text)
}

// resolve is what a plain scalar stands for (YAML 1.1, types bool, null, int and
// float; times stay what is written).
func resolve(s string) any {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil
	case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return true
	case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return false
	case ".nan", ".NaN", ".NAN":
		return math.NaN()
	case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF":
		return math.Inf(1)
	case "-.inf", "-.Inf", "-.INF":
		return math.Inf(-1)
	}
	if strings.IndexByte("+-.0123456789", s[0]) < 0 {
		return s
	}
	if s[0] == '.' {
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return f
		}
		return s
	}
	if v := number(strings.ReplaceAll(s, "_", "")); v != nil {
		return v
	}
	return s
}

func number(s string) any {
	if i, err := strconv.ParseInt(s, 0, 64); err == nil {
		return int(i)
	}
	if u, err := strconv.ParseUint(s, 0, 64); err == nil {
		return u
	}
	if isFloat(s) {
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return f
		}
	}
	negative := strings.HasPrefix(s, "-0b")
	if digits, ok := strings.CutPrefix(strings.TrimPrefix(s, "-"), "0b"); ok {
		if negative {
			digits = "-" + digits
		}
		if i, err := strconv.ParseInt(digits, 2, 64); err == nil {
			return int(i)
		}
		if u, err := strconv.ParseUint(digits, 2, 64); err == nil {
			return u
		}
	}
	return nil
}

// isFloat tells whether a text is [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
func isFloat(s string) bool {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		s = s[1:]
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exponent := s[i+1:]
		if exponent != "" && (exponent[0] == '-' || exponent[0] == '+') {
			exponent = exponent[1:]
		}
		if !isDigits(exponent) {
			return false
		}
		s = s[:i]
	}
	whole, fraction, point := strings.Cut(s, ".")
	if whole == "" {
		return point && isDigits(fraction)
	}
	return isDigits(whole) && (fraction == "" || isDigits(fraction))
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
