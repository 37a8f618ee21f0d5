package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const canary = "canary-hunter2"

func TestP7NothingPrintsAValue(t *testing.T) {
	v := Of(canary)
	fields := Fields{"password": v}
	type wrapped struct {
		V Value
		v Value
		p *Value
	}
	w := wrapped{v, v, &v}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		fmt.Fprintf(&out, verb+verb+verb+verb+"\n", v, &v, fields, w)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("m", "v", v, "p", &v, "fields", fields, "w", w)
	}
	for _, x := range []any{v, &v, fields, w} {
		b, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	fmt.Fprintln(&out, fmt.Errorf("wrapped: %w", fmt.Errorf("%v", v)))
	func() {
		defer func() { fmt.Fprintln(&out, recover()) }()
		panic(fields)
	}()
	if strings.Contains(out.String(), canary) || strings.Contains(out.String(), fmt.Sprintf("%x", canary)) {
		t.Errorf("the value was printed:\n%s", out.String())
	}
}

func TestText(t *testing.T) {
	tests := []struct{ json, want string }{
		{`"plain"`, "plain"},
		{`""`, ""},
		{`null`, ""},
		{`true`, "true"},
		{`false`, "false"},
		{`9007199254740993`, "9007199254740993"},
		{`1.10`, "1.10"},
		{`1e400`, "1e400"},
		{`["a",1,null]`, `["a",1,null]`},
		{`{"b":"<&>","a":{"c":12345678901234567890}}`, `{"a":{"c":12345678901234567890},"b":"<&>"}`},
	}
	for _, tt := range tests {
		dec := json.NewDecoder(strings.NewReader(tt.json))
		dec.UseNumber()
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if got := Of(v).Text(); got != tt.want {
			t.Errorf("Text of %s = %q, want %q", tt.json, got, tt.want)
		}
		if got, want := Of(v).IsNull(), tt.json == "null"; got != want {
			t.Errorf("IsNull of %s = %v", tt.json, got)
		}
	}
}
