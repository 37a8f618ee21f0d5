package template

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// TestPeer renders what consul-template and sprig rendered (v0.41.1, v3.3.0): for
// each template the file has what they wrote, or that they failed. What they write
// is put into it by
//
//	go -C integration/servers/vault run ./peer -update
//
// and without -update compared with it, which an integration test does. Left out is
// where we differ on purpose: what they panic at, TOML that is none, base64 errors as
// output, ligatures and ß as the first letter of a title, and what makes them count
// for ever. Its times were written where it is UTC.
func TestPeer(t *testing.T) {
	defer func(local *time.Location) { time.Local = local }(time.Local)
	time.Local = time.UTC
	content, err := os.ReadFile("testdata/peer.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Template string
		Want     string
		Fails    bool
	}
	if err := json.Unmarshal(content, &cases); err != nil {
		t.Fatal(err)
	}
	sprig := sprigFunctions()
	maps.Copy(sprig, (&execution{}).numberFunctions())
	for name := range sprig {
		if !strings.Contains(string(content), name+" ") {
			t.Errorf("no template of the file calls %s", name)
		}
	}
	for _, c := range cases {
		got, err := render(t, c.Template)
		switch {
		case c.Fails && err == nil:
			t.Errorf("%s\ngives %q, the peer fails", c.Template, got)
		case !c.Fails && err != nil:
			t.Errorf("%s\nfails: %v\npeer  %q", c.Template, err, c.Want)
		case got != c.Want:
			t.Errorf("%s\ngives %q\npeer  %q", c.Template, got, c.Want)
		}
	}
}

// peerSecrets are those that the templates of the file read: path -> data.
func peerSecrets(t *testing.T) (secrets map[string]json.RawMessage) {
	t.Helper()
	content, err := os.ReadFile("testdata/peer_secrets.json")
	if err == nil {
		err = json.Unmarshal(content, &secrets)
	}
	if err != nil {
		t.Fatal(err)
	}
	return secrets
}

func render(t *testing.T, source string) (string, error) {
	t.Helper()
	secrets := map[ref.Source]secret.Fields{}
	for path, text := range peerSecrets(t) {
		secrets[whole(path)] = answer(t, string(text))
	}
	template, err := Parse(source, Options{Place: "test"})
	if err != nil {
		return "", err
	}
	r, err := template.Execute(Data{Secrets: secrets, Env: environment})
	return r.Text, err
}

// whole is the source of the function secret for a path.
func whole(path string) ref.Source { return ref.Source{Path: path, View: ref.WholeAnswer} }

// answer is Vault's to a read that gave this data.
func answer(t *testing.T, data string) secret.Fields {
	t.Helper()
	return secret.Fields{
		"request_id": secret.Of("req"), "lease_id": secret.Of("lease"), "lease_duration": secret.Of(json.Number("60")),
		"renewable": secret.Of(true), "data": secret.Of(decode(t, data)),
	}
}

func decode(t *testing.T, text string) (v any) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func environment(name string) (string, bool) {
	v, ok := map[string]string{"SET": "value", "EMPTY": ""}[name]
	return v, ok
}
