package env

import (
	"slices"
	"strings"
	"testing"

	"vaultexec/internal/ref"
)

func TestRenamed(t *testing.T) {
	source := ref.Source{Path: "kv/app"}
	below := ref.Source{Path: "kv/all", Below: true}
	v := vault{"kv/app": `{"user":"u","pass":"p","null":null,"n":7}`, "kv/all/*": `{"a":{"user":"u1","x":"1"},"b":{"user":"u2"}}`}
	byPath := func(path, field string) []string { return []string{path[len("kv/all/"):] + "_" + field} }
	names := func(_, field string) []string {
		switch field {
		case "user":
			return []string{"A_USER", "B_USER"}
		case "n":
			return nil
		}
		return []string{strings.ToUpper(field)}
	}
	for _, tt := range []struct {
		what  string
		s     Sources
		want  []string
		wrong []string // class and text
	}{
		{"names", Sources{Renamed: []Renamed{{ref.Ref{Source: source}, "f:1", names}}}, []string{"A_USER=u", "B_USER=u", "PASS=p"}, nil},
		{"a literal is a conflict", Sources{Inherited: []string{"PASS=x"}, Renamed: []Renamed{{ref.Ref{Source: source}, "f:1", names}}}, nil,
			[]string{"conflict", "variable PASS comes from the inherited variable and from f:1: leave it out with except=, rename it with prefix=, choose with --on-conflict keep or overwrite, or set it with --env PASS=REF"}},
		{"the later wins", Sources{OnConflict: ConflictOverwrite, Inherited: []string{"PASS=x"}, Secrets: []ref.Ref{{Source: source, Only: []string{"n"}}},
			Renamed: []Renamed{{ref.Ref{Source: source}, "f:1", names}, {ref.Ref{Source: source}, "f:2", func(_, f string) []string { return []string{"PASS"}[:strings.Count(f, "user")] }}}},
			[]string{"A_USER=u", "B_USER=u", "PASS=u", "n=7"}, nil},
		{"below a path", Sources{Renamed: []Renamed{{ref.Ref{Source: below, Except: []string{"a/x"}}, "f:1", byPath}}}, []string{"a_user=u1", "b_user=u2"}, nil},
		{"a conflict below a path", Sources{Renamed: []Renamed{{ref.Ref{Source: below, Only: []string{"user"}}, "f:1", func(_, f string) []string { return []string{f} }}}}, nil,
			[]string{"conflict", "variable user comes from f:1 (kv/all/a) and from f:1 (kv/all/b): leave it out with except=, rename it with prefix=, choose with --on-conflict keep or overwrite, or set it with --env user=REF"}},
		{"missing", Sources{Renamed: []Renamed{{ref.Ref{Source: ref.Source{Path: "kv/none"}}, "f:1", names}}}, nil, []string{"missing", "f:1: kv/none is missing: correct it, or add optional to the reference"}},
		{"missing and optional", Sources{Renamed: []Renamed{{ref.Ref{Source: ref.Source{Path: "kv/none"}, Optional: true}, "f:1", names}}}, []string{}, nil},
		{"two fields, one name", Sources{Renamed: []Renamed{{ref.Ref{Source: source}, "f:1", func(string, string) []string { return []string{"X"} }}}}, nil,
			[]string{"conflict", `f:1: the fields "n" and "pass" both become X: give one of them another name`, `f:1: the fields "n" and "user" both become X: give one of them another name`}},
		{"no name", Sources{Renamed: []Renamed{{ref.Ref{Source: source, Only: []string{"user"}}, "f:1", func(string, string) []string { return []string{"a-b"} }}}}, nil,
			[]string{"not_representable", `f:1: the field "user" becomes "a-b", which is no variable's name: name it with key and format, or leave it out with except`}},
		{"reserved", Sources{Renamed: []Renamed{{ref.Ref{Source: source, Only: []string{"user"}}, "f:1", func(string, string) []string { return []string{"PATH"} }}}}, nil,
			[]string{"config", "f:1: PATH decides which programs or libraries run, so no secret sets it by itself: leave it out with except=, or set it with --env PATH=REF"}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			p, err := NewPlanner(tt.s)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Plan(v.fetch(t))
			if tt.wrong != nil {
				checkError(t, err, tt.wrong[0], tt.wrong[1:]...)
			} else if err != nil || !slices.Equal(got.Environ, tt.want) {
				t.Errorf("%q, %v, want %q", got.Environ, err, tt.want)
			}
		})
	}
}

// What a configuration file sets outright wins over everything.
func TestCustom(t *testing.T) {
	p, err := NewPlanner(Sources{Inherited: []string{"A=1", "B=2", "C=vault:kv/app#user"}, Custom: []string{"A=x", "C=y=z", "D="}, Pristine: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Refs()) != 0 {
		t.Errorf("%v is fetched for nothing", p.Refs())
	}
	if got, err := p.Plan(nil); err != nil || !slices.Equal(got.Environ, []string{"A=x", "C=y=z", "D="}) {
		t.Errorf("%q, %v", got.Environ, err)
	}
	// Nor is there a conflict to settle.
	p, err = NewPlanner(Sources{Custom: []string{"A=x"}, Inherited: []string{"A=1"}, Secrets: []ref.Ref{{Source: ref.Source{Path: "kv/app"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Plan(vault{"kv/app": `{"A":"2"}`}.fetch(t)); err != nil || !slices.Equal(got.Environ, []string{"A=x"}) {
		t.Errorf("%q, %v", got.Environ, err)
	}
	_, err = NewPlanner(Sources{Custom: []string{"A"}})
	checkError(t, err, "config", `a variable of the configuration is NAME=VALUE, and there is one without =`)
}
