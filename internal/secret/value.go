// Package secret has the one type in which secret values travel through
// vaultexec. It cannot be printed: every way that Go has of turning a value
// into text gives a placeholder. Whoever needs what is inside has to say so
// with Text or Any, and those calls are few and easy to find.
package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
)

// Placeholder stands wherever a secret would have been printed.
const Placeholder = "[redacted]"

// Fields is what one secret holds: field name -> value.
type Fields map[string]Value

// Same tells whether the fields have the same names and values.
func (f Fields) Same(other Fields) bool {
	if len(f) != len(other) {
		return false
	}
	for name, v := range f {
		w, ok := other[name]
		if !ok || v.IsNull() != w.IsNull() || v.Text() != w.Text() {
			return false
		}
	}
	return true
}

// Value is one field of a secret: text, a number, a boolean, null, a list or
// a map, as Vault's JSON has it. The zero Value is null.
//
// The value is kept inside a function, because fmt does not call the methods
// of what it finds in an unexported field, it prints the memory: of a function
// there is only an address to print.
type Value struct{ reveal func() any }

// Of wraps a value decoded from JSON with json.Decoder.UseNumber: nil,
// string, bool, json.Number, []any or map[string]any.
func Of(v any) Value {
	if v == nil {
		return Value{}
	}
	return Value{func() any { return v }}
}

// IsNull tells null from empty text.
func (v Value) IsNull() bool { return v.reveal == nil }

// Any reveals the value as it was decoded, for formats that have structure.
func (v Value) Any() any {
	if v.reveal == nil {
		return nil
	}
	return v.reveal()
}

// Text reveals the value as text: a scalar as it was written (numbers keep
// all their digits), a list or a map as compact JSON with sorted keys, null
// as nothing.
func (v Value) Text() string {
	any := v.Any()
	switch x := any.(type) {
	case nil:
		return ""
	case string:
		return x
	case json.Number:
		return x.String()
	case bool:
		if x {
			return "true"
		}
		return "false"
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // the value is for a program, not for a page
	if err := enc.Encode(any); err != nil {
		panic(fmt.Sprintf("BUG: secret.Value holds a %T, which is not JSON", any))
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// The rest is how Go prints things; none of it reveals.

func (Value) String() string               { return Placeholder }
func (Value) GoString() string             { return Placeholder }
func (Value) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(Placeholder)) }
func (Value) LogValue() slog.Value         { return slog.StringValue(Placeholder) }
func (Value) MarshalText() ([]byte, error) { return []byte(Placeholder), nil }
func (Value) MarshalJSON() ([]byte, error) { return []byte(`"` + Placeholder + `"`), nil }
func (Value) MarshalYAML() (any, error)    { return Placeholder, nil }
