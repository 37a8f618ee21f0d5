package template

import (
	"slices"
	"testing"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

func TestMissingIsAllThatOnePassCanKnow(t *testing.T) {
	names := ref.Source{Path: "kv", View: ref.Names}
	issue := ref.Source{Path: "pki/issue/web", Body: `{"common_name":"a.b"}`}
	for _, c := range []struct {
		name, source string
		have         map[ref.Source]secret.Fields
		missing      []ref.Source
		text         string
	}{
		{"none", `plain`, nil, nil, "plain"},
		{"in order, each once", `{{ with secret "kv/b" }}{{ .Data.x }}{{ end }}{{ secret "kv/a" }}{{ secret "kv/b" }}`,
			nil, []ref.Source{whole("kv/b"), whole("kv/a")}, ""},
		{"with one that is missing, else", `{{ with secret "kv/b" }}{{ secret "kv/never" }}{{ else }}{{ secret "kv/else" }}{{ end }}`,
			nil, []ref.Source{whole("kv/b"), whole("kv/else")}, ""},
		{"an error behind it is of what is missing", `{{ (secret "kv/b").Data.x.y }}`, nil, []ref.Source{whole("kv/b")}, ""},
		{"names first", `{{ range secrets "kv/" }}{{ with secret (printf "kv/%s" .) }}{{ .Data.k }},{{ end }}{{ end }}`,
			nil, []ref.Source{names}, ""},
		{"then all of them", `{{ range secrets "kv/" }}{{ with secret (printf "kv/%s" .) }}{{ .Data.k }},{{ end }}{{ end }}`,
			map[ref.Source]secret.Fields{names: {"keys": secret.Of([]any{"a", "b"})}}, []ref.Source{whole("kv/a"), whole("kv/b")}, ""},
		{"then the text", `{{ range secrets "kv/" }}{{ with secret (printf "kv/%s" .) }}{{ .Data.k }},{{ end }}{{ end }}`,
			map[ref.Source]secret.Fields{names: {"keys": secret.Of([]any{"a", "b"})}, whole("kv/a"): answer(t, `{"k": 1}`), whole("kv/b"): answer(t, `{"k": 2}`)}, nil, "1,2,"},
		{"a write", `{{ secret "pki/issue/web" "common_name=a.b" " ttl = 1h " "" }}`, nil,
			[]ref.Source{{Path: "pki/issue/web", Body: `{"common_name":"a.b","ttl":"1h"}`, View: ref.WholeAnswer}}, ""},
		{"a version", `{{ secret "kv/a?version=3" }}`, nil, []ref.Source{{Path: "kv/a", Version: 3, View: ref.WholeAnswer}}, ""},
		{"a certificate", `{{ pkiCert "pki/issue/web" "common_name=a.b" }}`, nil, []ref.Source{issue}, ""},
		{"a certificate that is there", `{{ with pkiCert "pki/issue/web" "common_name=a.b" }}{{ .Cert }}{{ .Key }}{{ .CA }}{{ .CAChain }}{{ end }}`,
			map[ref.Source]secret.Fields{issue: {"certificate": secret.Of("C\n\n"), "private_key": secret.Of("K"), "issuing_ca": secret.Of("A")}}, nil, "C\nK\nA\n[A\n]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			template, err := Parse(c.source, Options{Place: "test"})
			if err != nil {
				t.Fatal(err)
			}
			r, err := template.Execute(Data{Secrets: c.have})
			if err != nil {
				t.Fatal(err)
			}
			var missing []ref.Source
			for _, m := range r.Missing {
				missing = append(missing, m.Source)
			}
			if !slices.Equal(missing, c.missing) || r.Text != c.text {
				t.Errorf("missing %v, text %q; want %v, %q", missing, r.Text, c.missing, c.text)
			}
		})
	}
}

// TestInjectorDefaults renders the templates that the Agent Injector makes of
// annotations, for both versions of KV.
func TestInjectorDefaults(t *testing.T) {
	const (
		v1   = "kv/app"
		v2   = "kv/data/app"
		text = `{{ range $k, $v := .Data }}{{ $k }}: {{ $v }}` + "\n{{ end }}"
		json = `{{ .Data | toJSON }}` + "\n"
	)
	for _, c := range []struct{ path, inner, want string }{
		{v1, text, "big: 12345678901234567890\nlist: [a b 3]\nnested: map[a:map[b:c] n:1]\nnone: <no value>\non: true\n" +
			"password: p<a>&ss\nport: 5432\nratio: 0.5\nuser: alice\n"},
		{v2, text, "data: map[password:q port:5432 user:bob]\nmetadata: map[deletion_time: destroyed:false version:3]\n"},
		{v1, json, `{"big":12345678901234567890,"list":["a","b",3],"nested":{"a":{"b":"c"},"n":1},"none":null,"on":true,` +
			`"password":"p\u003ca\u003e\u0026ss","port":5432,"ratio":0.5,"user":"alice"}` + "\n"},
		{v2, json, `{"data":{"password":"q","port":5432,"user":"bob"},"metadata":{"deletion_time":"","destroyed":false,"version":3}}` + "\n"},
		{v2, `{{ range $k, $v := .Data.data }}{{ $k }}: {{ $v }}` + "\n{{ end }}", "password: q\nport: 5432\nuser: bob\n"},
		{v2, `{{ .Data.data | toJSON }}` + "\n", `{"password":"q","port":5432,"user":"bob"}` + "\n"},
	} {
		source := `{{ with secret "` + c.path + `" }}` + c.inner + `{{ end }}`
		if got, err := render(t, source); err != nil || got != c.want {
			t.Errorf("%s\ngives %q, %v\nwant  %q", source, got, err, c.want)
		}
	}
}

// TestSnapshotStays: what a template does to a secret ends with its execution.
func TestSnapshotStays(t *testing.T) {
	template, err := Parse(`{{ $d := (secret "kv/app").Data }}{{ $_ := sprig_set $d.nested "n" "changed" }}{{ $d.nested.n }}{{ $_ := mergeMap $d (sprig_dict "new" 1) }}{{ (secret "kv/app").Data.new }}`, Options{Place: "test"})
	if err != nil {
		t.Fatal(err)
	}
	data := Data{Secrets: map[ref.Source]secret.Fields{whole("kv/app"): answer(t, `{"nested": {"n": 1}}`)}}
	if r, err := template.Execute(data); err != nil || r.Text != "changed1" {
		t.Errorf("%q, %v", r.Text, err)
	}
	if text := data.Secrets[whole("kv/app")]["data"].Text(); text != `{"nested":{"n":1}}` {
		t.Errorf("the snapshot became %s", text)
	}
}
