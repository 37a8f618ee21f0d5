package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestLoadConfigMap has the layout of a Kubernetes volume: the files are links
// into ..data, which is a link to a directory with a date.
func TestLoadConfigMap(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "..2026_11_24/b.hcl", `vault { address = "b" } template { contents = "b" destination = "b" } splay = "2s"`)
	write(t, dir, "..2026_11_24/a.json", `{"vault": {"address": "a", "namespace": "a"}, "template": [{"source": "/etc/app/page.tmpl", "destination": "a"}], "splay": "1s", "exit_after_auth": true, "exec": {"command": "app"}}`)
	write(t, dir, "..2026_11_24/page.tmpl", `{{ not configuration }}`)
	write(t, dir, "old.conf", `not = "read"`)
	write(t, dir, ".hidden.hcl", `not = "looked at"`)
	if err := os.Mkdir(filepath.Join(dir, "sub.hcl"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"..data": "..2026_11_24", "a.json": "..data/a.json", "b.hcl": "..data/b.hcl", "page.tmpl": "..data/page.tmpl"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load([]string{dir}, testOptions)
	if err != nil {
		t.Fatal(err)
	}
	// A block replaces the earlier one whole, templates add up.
	if c.Vault.Address.Value != "b" || c.Vault.Namespace.IsSet() || c.Vault.Address.Place != filepath.Join(dir, "b.hcl")+":1" {
		t.Errorf("%+v", c.Vault)
	}
	if len(c.Templates) != 2 || c.Templates[0].Destination.Value != "a" || !c.ExitAfterAuth.Value || c.Exec.Command.Value[0] != "app" {
		t.Errorf("%+v", c)
	}
	// envconsul would have read these; the template's source is named.
	if want := (Note{dir, "old.conf, sub.hcl: not read, because of a directory only its own .hcl and .json files are: name it with a --config of its own, or remove it"}); len(c.Notes) != 1 || c.Notes[0] != want {
		t.Errorf("%v, want %v", c.Notes, want)
	}
	if len(c.Flags) != 1 || c.Flags[0].Values[0] != "2s" {
		t.Errorf("%+v", c.Flags)
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	empty := t.TempDir()
	a := write(t, dir, "a.hcl", `env_template "A" { contents = "x" } nope = 1`)
	b := write(t, dir, "b.hcl", `env_template "A" { contents = "y" }`)
	big := write(t, empty, "big", strings.Repeat("#", maxFile+1))
	for _, tt := range []struct {
		paths []string
		want  string
	}{
		{[]string{filepath.Join(dir, "none")}, filepath.Join(dir, "none") + " cannot be read: no such file or directory"},
		{[]string{empty}, empty + " has no .hcl and no .json file in it"},
		{[]string{big}, big + " cannot be read: it has more than the 1048576 bytes that such a file can have: name another, or make it smaller"},
		{[]string{a, b}, a + ":1: there is no key \"nope\"\n" + b + `:1: env_template "A" is there already, in ` + a + ":1: remove one"},
	} {
		if _, err := Load(tt.paths, testOptions); err == nil || err.Error() != tt.want {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
	}
}

// TestDeep: neither language's nesting is a way to bring the program down.
func TestDeep(t *testing.T) {
	for _, text := range []string{
		"{\"a\":" + strings.Repeat("[", maxFile/2),
		"a = " + strings.Repeat("[", maxFile/2),
		strings.Repeat("a {", maxFile/4),
		"a = " + strings.Repeat("[", maxDepth),
	} {
		if _, err := Parse("f", []byte(text), testOptions); err == nil {
			t.Error("nonsense is taken")
		}
	}
}
