package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What templates ask for is found by executing them, in as many rounds as it
// takes, and read once.
func TestTemplates(t *testing.T) {
	vault, environ := verbsVault(t)
	vault.Put("kv/names", `{"list": "app,other"}`)
	vault.Put("kv/other", `{"password": "another canary"}`)
	vault.MountKV("old/", 1)
	vault.Put("old/x", `{"a": 1}`)
	vault.Allow("token", "*", "read")
	dir := t.TempDir()
	src := filepath.Join(dir, "src.tmpl")
	text := `{{ with secret "kv/data/names" }}{{ range split "," .Data.data.list }}{{ with secret (printf "kv/%s" .) }}{{ .Data.data.password }} v{{ .Data.metadata.version }}
{{ end }}{{ end }}{{ end }}{{ with secret "old/x" }}{{ .Data.a }}{{ end }} {{ env "INHERITED" }}`
	if err := os.WriteFile(src, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	dest := filepath.Join(dir, "dest")
	got := vaultexec(t, environ, "--once", "--template", src+":"+dest+"?mode=0440", "--env", "P=kv/app#password",
		"--env-template", `URL=pg://{{ with secret "kv/app" }}{{ .Data.data.user }}{{ end }}@db`, "--", "sh", "-c", `cat "$1"; echo; echo "$URL"; stat -c %a "$1"`, "sh", dest)
	want := "it's a canary v1\nanother canary v1\n1 x\npg://app@db\n440\n"
	if got.code != 0 || got.stdout != want || got.stderr != "" {
		t.Errorf("%+v, want %q", got, want)
	}
	if n := vault.Count("GET kv/data/app"); n != 1 {
		t.Errorf("the secret was read %d times", n)
	}
	if _, err := os.Stat(dest); err == nil {
		t.Error("the file is still there")
	}
}

func TestP12Templates(t *testing.T) {
	_, environ := verbsVault(t)
	dir := t.TempDir()
	file := func(text string) string {
		f, err := os.CreateTemp(dir, "t")
		if err == nil {
			_, err = f.WriteString(text)
		}
		if err != nil {
			t.Fatal(err)
		}
		return f.Name()
	}
	missing, broken := file("\n{{ with secret \"kv/app\" }}{{ .Data.data.none }}{{ end }}"), file("{{ if }}")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--template", "x"}, "vaultexec: usage: --template takes SRC:DEST, a template and the file that it makes, not \"x\"\n"},
		{[]string{"--template", dir + "/none:/d"}, "vaultexec: config: --template: the template " + dir + "/none cannot be read: no such file or directory\n"},
		{[]string{"--template", missing + ":/d?colour=red"}, "vaultexec: usage: --template " + missing + ": unknown parameter \"colour\": there are left, missing, mode, on_change, owner, right, sandbox\n"},
		{[]string{"--template", broken + ":" + dir + "/d"}, "vaultexec: config: --template " + broken + ", line 1 of the template: missing value for if\n"},
		{[]string{"--template", missing + ":" + dir + "/d"}, "vaultexec: template: --template " + missing + ", line 2 of the template: there is no key \"none\": correct it, or guard it with {{ if index ... }}\n"},
		{[]string{"--env-template", "A"}, "vaultexec: usage: --env-template takes NAME=TEMPLATE or NAME=@FILE, and there is no = in what was given\n"},
		{[]string{"--env-template", "A={{ key \"x\" }}"}, "vaultexec: template: --env-template A, line 1 of the template: key: it reads from Consul or Nomad, and vaultexec knows Vault only\n"},
		{[]string{"--env-template", "A=x", "--env", "A=kv/app#user"}, "vaultexec: conflict: --env-template A and --env A both make variable A: remove one\n"},
		{[]string{"--env-template", `A={{ with secret "kv/none" }}{{ end }}`}, "vaultexec: not_found: 1 reference cannot be resolved with the token of VAULT_TOKEN:\n"},
	} {
		got := vaultexec(t, environ, append(tt.args, "--", "true")...)
		if got.code != 125 || !strings.HasPrefix(got.stderr, tt.want) || strings.Contains(got.stderr, "canary") {
			t.Errorf("%q: %+v, want %q", tt.args, got, tt.want)
		}
	}
}
