package ref

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseValue(t *testing.T) {
	r := func(path, key string) *Ref { return &Ref{Source: Source{Path: path}, Key: key} }
	w := &Ref{Source: Source{Path: "pki/issue/a", Body: `{"a":"}"}`}, Key: "k"}
	tests := []struct {
		value string
		want  []Segment
	}{
		{"", nil},
		{"plain", nil},
		{"vault:8200", nil},
		{"vault:v1:abc==", nil},
		{"hashicorp/vault:1.21", nil},
		{"x vault:kv/a#k", nil},
		{"${HOME}/#", nil},
		{"$vault:kv/a#k", nil},
		{"vault:kv/a#k", []Segment{{Ref: r("kv/a", "k")}}},
		{"vault:kv/a#k#2", []Segment{{Ref: &Ref{Source: Source{Path: "kv/a", Version: 2}, Key: "k"}}}},
		{"${vault:kv/a#k}", []Segment{{Ref: r("kv/a", "k")}}},
		{"a${vault:kv/a#k}b${vault:kv/b#l}${vault:kv/c#m}d", []Segment{
			{Literal: "a"}, {Ref: r("kv/a", "k")}, {Literal: "b"}, {Ref: r("kv/b", "l")}, {Ref: r("kv/c", "m")}, {Literal: "d"},
		}},
		{`>>vault:pki/issue/a#k#{"a":"}"}`, []Segment{{Ref: w}}},
		{`a${>>vault:pki/issue/a#k#{"a": "}"}}b${vault:kv/a#k}`, []Segment{{Literal: "a"}, {Ref: w}, {Literal: "b"}, {Ref: r("kv/a", "k")}}},
		{"vault:kv/a#${.k | f}", []Segment{{Ref: &Ref{Source: Source{Path: "kv/a"}, Template: "${.k | f}"}}}},
		{"a${vault:kv/a#x${.k | f `}` \"\\\"}\" '}'}y${.l}}b${vault:kv/a#k}", []Segment{
			{Literal: "a"}, {Ref: &Ref{Source: Source{Path: "kv/a"}, Template: "x${.k | f `}` \"\\\"}\" '}'}y${.l}"}}, {Literal: "b"}, {Ref: r("kv/a", "k")}}},
		{`${>>vault:pki/issue/a#${.k}#{"a": "}"}}${HOME}`, []Segment{{Ref: &Ref{Source: w.Source, Template: "${.k}"}}, {Literal: "${HOME}"}}},
		{"bao:kv/a#k", []Segment{{Ref: r("kv/a", "k")}}},
		{"bao:8200", nil},
		{"bao:login", []Segment{{Ref: &Ref{Source: Source{Login: true}, Key: TokenKey}}}},
		{`>>bao:pki/issue/a#k#{"a":"}"}`, []Segment{{Ref: w}}},
		{`a${bao:kv/a#k}b${>>bao:pki/issue/a#k#{"a": "}"}}${vault:kv/b#l}`, []Segment{
			{Literal: "a"}, {Ref: r("kv/a", "k")}, {Literal: "b"}, {Ref: w}, {Ref: r("kv/b", "l")}}},
		{"}${vault:kv/a#k%7D}}$", []Segment{{Literal: "}"}, {Ref: r("kv/a", "k}")}, {Literal: "}$"}}},
	}
	for _, tt := range tests {
		got, err := ParseValue(tt.value)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("ParseValue(%q) = %v, %v, want %v", tt.value, got, err, tt.want)
		}
	}
}

func TestParseValueErrors(t *testing.T) {
	for value, want := range map[string]string{
		"vault:kv#k":                            "the path has no slash: write MOUNT/PATH, as for vault kv get",
		"vault:kv/a?mode=1#k":                   "parameter mode has no meaning here",
		"${>>vault:pki/issue/a#k#{\"a\":\"}\"}": "${>>vault: is not closed by }",
		">>vault:pki/issue/a#k#{" + canary:      "what is to be written is not one JSON object, as in >>PATH#KEY#{\"name\": \"value\"}",
		canary + "${vault:kv/a#k":               "${vault: is not closed by }",
		canary + "${bao:kv/a#k":                 "${bao: is not closed by }",
		canary + "${vault:kv/a#${.k}":           "${vault: is not closed by }",
		canary + "${vault:kv/a#${.k":            "${vault: is not closed by }",
		canary + "${vault:kv/a}":                "one variable takes one key: add #KEY",
		"${vault:kv/a?default=" + canary + "}":  "one variable takes one key: add #KEY",
	} {
		got, err := ParseValue(value)
		if err == nil || err.Error() != want || got != nil {
			t.Errorf("ParseValue(%q) = %v, %v, want %s", value, got, err, want)
		}
	}
}

// FuzzParseValue holds that nothing of a value is lost: written again, what
// was understood parses to the same.
func FuzzParseValue(f *testing.F) {
	for _, s := range append(realReferences(f), seeds...) {
		f.Add(s)
		f.Add("vault:" + s)
		f.Add("bao:" + s)
		f.Add("a${vault:" + s + "}b${vault:kv/a#k}")
	}
	f.Fuzz(func(t *testing.T, value string) {
		segments, err := ParseValue(value)
		if err != nil || segments == nil {
			return
		}
		var b strings.Builder
		for _, s := range segments {
			if (s.Ref == nil) == (s.Literal == "") {
				t.Fatalf("ParseValue(%q) has a segment that is both or neither", value)
			}
			b.WriteString(s.Literal)
			if s.Ref != nil {
				inner := "vault:" + strings.TrimPrefix(text(*s.Ref), "vault:")
				if written, ok := strings.CutPrefix(inner, "vault:>>"); ok {
					inner = ">>vault:" + written
				}
				if s.Ref.Inner != nil {
					inner = valsScheme + text(*s.Ref) + "+" // which ends it, whatever is before
				}
				if len(segments) > 1 {
					inner = "${" + inner + "}"
				}
				b.WriteString(inner)
			}
		}
		again, err := ParseValue(b.String())
		if err != nil || !reflect.DeepEqual(again, segments) {
			t.Errorf("ParseValue(%q) differs from ParseValue(%q): %v", value, b.String(), err)
		}
	})
}
