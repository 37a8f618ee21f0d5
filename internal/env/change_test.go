package env

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

func fieldsOf(pairs ...string) secret.Fields {
	fields := secret.Fields{}
	for i := 0; i < len(pairs); i += 2 {
		fields[pairs[i]] = secret.Of(pairs[i+1])
	}
	return fields
}

// What changed is decided by what a reference takes, not by its secret.
func TestChangedReferences(t *testing.T) {
	parse := func(text string, use ref.Use) ref.Ref {
		r, err := ref.Parse(text, use)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	planner, err := NewPlanner(Sources{
		Secrets:   []ref.Ref{parse("kv/a?only=user", ref.Secret)},
		Variables: []Variable{{"P", parse("kv/a#password", ref.Variable)}, {"B", parse("kv/b?optional#x", ref.Variable)}, {"T", parse("kv/c#${ .x }", ref.Variable)}},
		Templates: []Template{
			{Place: "t", Name: "X", Text: `{{ with secret "kv/c" }}{{ .Data.data.x }}{{ end }}`},
			{Place: "u", Name: "Y", Text: `{{ with secret "kv/c" }}{{ .Data.data.y }}{{ end }}`, OnChange: "none"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	a, b, c, answer := ref.Source{Path: "kv/a"}, ref.Source{Path: "kv/b"}, ref.Source{Path: "kv/c"}, ref.Source{Path: "kv/c", View: ref.WholeAnswer}
	base := map[ref.Source]secret.Fields{a: fieldsOf("user", "u", "password", "p", "note", "n")}
	ofC := func(x, y string) map[ref.Source]secret.Fields {
		return map[ref.Source]secret.Fields{a: base[a], c: fieldsOf("x", x, "y", y), answer: fields(t, fmt.Sprintf(`{"data":{"data":{"x":%q,"y":%q}}}`, x, y))}
	}
	for name, tt := range map[string]struct {
		after map[ref.Source]secret.Fields
		want  string
	}{
		"what one template renders":   {ofC("1", "3"), "kv/c none"},
		"what the others render":      {ofC("2", "2"), "kv/c#${ .x } ,kv/c "},
		"what all of them render":     {ofC("2", "3"), "kv/c#${ .x } ,kv/c ,kv/c none"},
		"nothing of what they render": {ofC("1", "2"), ""},
	} {
		var got []string
		for _, r := range planner.Changed(ofC("1", "2"), tt.after) {
			got = append(got, r.String()+" "+r.OnChange)
		}
		if strings.Join(got, ",") != tt.want {
			t.Errorf("%s: changed %q, want %q", name, got, tt.want)
		}
	}
	for _, tt := range []struct {
		name  string
		after map[ref.Source]secret.Fields
		want  string
	}{
		{"nothing", base, ""},
		{"a field that nobody takes", map[ref.Source]secret.Fields{a: fieldsOf("user", "u", "password", "p", "note", "other")}, ""},
		{"one key", map[ref.Source]secret.Fields{a: fieldsOf("user", "u", "password", "q", "note", "n")}, "kv/a#password"},
		{"a field of a whole secret", map[ref.Source]secret.Fields{a: fieldsOf("user", "v", "password", "p", "note", "n")}, "kv/a"},
		{"a field that goes", map[ref.Source]secret.Fields{a: fieldsOf("password", "p", "note", "n")}, "kv/a"},
		{"a secret that comes", map[ref.Source]secret.Fields{a: base[a], b: fieldsOf("x", "")}, "kv/b#x"},
	} {
		var got []string
		for _, r := range planner.Changed(base, tt.after) {
			got = append(got, r.String())
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: changed %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestPlansCompare(t *testing.T) {
	file := func(dest, text string) PlannedFile {
		return PlannedFile{Dest: dest, Content: secret.Of(text), Mode: 0o400, UID: -1, GID: -1}
	}
	one := Plan{Environ: []string{"A=1"}, Output: Output{Files: []PlannedFile{file("/f", "x"), file("/g", "y")}}}
	two := Plan{Environ: []string{"A=1"}, Output: Output{Files: []PlannedFile{file("/f", "x"), file("/g", "z")}}}
	if !one.Same(one) || one.Same(two) || one.Same(Plan{Environ: []string{"A=2"}, Output: one.Output}) {
		t.Error("Same does not compare environment and content")
	}
	if since := two.Since(one).Files; len(since) != 1 || since[0].Dest != "/g" {
		t.Errorf("%d files since, want /g alone", len(since))
	}
}

// After a second Write of some of the files, one Remove removes all of them.
func TestWrittenFollows(t *testing.T) {
	dir := t.TempDir()
	at := func(name, text string) PlannedFile {
		return PlannedFile{Dest: filepath.Join(dir, "sub", name), Content: secret.Of(text), Mode: 0o400, UID: -1, GID: -1}
	}
	first, err := writeFiles([]PlannedFile{at("a", "1"), at("b", "1")})
	if err != nil {
		t.Fatal(err)
	}
	second, err := writeFiles([]PlannedFile{at("b", "2")})
	if err != nil {
		t.Fatal(err)
	}
	first.Follow(second)
	if err := first.Remove(); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
