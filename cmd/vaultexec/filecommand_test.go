package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// blockConfig is a configuration file, its Vault and the files of its templates.
func blockConfig(t *testing.T, text string) (environ []string, file, dir string) {
	t.Helper()
	_, environ = verbsVault(t)
	dir = t.TempDir()
	file = filepath.Join(t.TempDir(), "agent.hcl")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	return environ, file, dir
}

// Template blocks make files and variables side by side; a command is run once
// its file is there, before the application is.
func TestTemplateBlocks(t *testing.T) {
	environ, file, dir := blockConfig(t, `
env_template "USER" { contents = "{{ with secret \"kv/app\" }}{{ .Data.data.user }}{{ end }}" }
template {
	contents    = "{{ with secret \"kv/data/app\" }}{{ .Data.data.password }} {{ .Data.data.none }}{{ end }}"
	destination = "DIR/a"
	command     = "cat DIR/a > DIR/copy; echo told"
}
exec { command = ["sh", "-c", "cat DIR/copy; echo; echo $USER; stat -c %a DIR/a"] }
`)
	got := vaultexec(t, environ, "--config", file)
	if want := (result{0, "it's a canary <no value>\napp\n644\n", "told\n"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, err := os.Stat(dir + "/a"); err == nil {
		t.Error("the file is still there")
	}
	if got := vaultexec(t, environ, "render", "--config", file); got != (result{0, "", "told\n"}) {
		t.Errorf("render: %+v", got)
	}
	if got := vaultexec(t, environ, "render", "--config", file); got != (result{0, "", ""}) {
		t.Errorf("render, with nothing new: %+v", got)
	}
	if got := vaultexec(t, environ, "env", "--config", file); got != (result{0, "export USER='app'\n", ""}) {
		t.Errorf("env: %+v", got)
	}
}

// A command that fails is a warning, or the end of the start.
func TestTemplateBlockCommandFails(t *testing.T) {
	for _, tt := range []struct{ command, why string }{
		{`["false"]`, "the command failed (exit status 1): correct it, or end it in || true where a failure is no harm"},
		{`["no-such-program"]`, `the command cannot be run: `},
		{`"exec sleep 600"`, "the command did not end within 100ms and was killed: give it more with timeout, or let it end"},
	} {
		for _, fails := range []string{"false", "true"} {
			begin := time.Now()
			environ, file, dir := blockConfig(t, `
template_config { exit_on_retry_failure = `+fails+` }
template {
	contents    = "{{ with secret \"kv/app\" }}{{ .Data.data.user }}{{ end }}"
	destination = "DIR/a"
	exec {
		command = `+tt.command+`
		timeout = "100ms"
	}
}`)
			got := vaultexec(t, environ, "--config", file, "--", "cat", dir+"/a")
			why := file + ":3: template " + dir + "/a: " + tt.why
			if fails == "true" && (got.code != 125 || got.stdout != "" || !strings.HasPrefix(got.stderr, "vaultexec: template: "+why)) {
				t.Errorf("%s: %+v", tt.command, got)
			}
			if fails == "false" && (got.code != 0 || got.stdout != "app" || !strings.Contains(got.stderr, why)) {
				t.Errorf("%s: %+v", tt.command, got)
			}
			if _, err := os.Stat(dir + "/a"); err == nil || time.Since(begin) > 5*time.Minute {
				t.Errorf("%s: the file is still there, after %s", tt.command, time.Since(begin))
			}
		}
	}
}

// A command that the startup timeout ends, or that was not run for it, is the end
// of the start: nothing starts as if it had been.
func TestP1CommandsWithinTheStartup(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "c.hcl")
	text := fmt.Sprintf(`
template { contents = "1" destination = %q exec { command = ["sh", "-c", "sleep 600"] timeout = "5m" } }
template { contents = "2" destination = %q exec { command = ["touch", %q] } }
`, dir+"/1", dir+"/2", dir+"/ran")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"render"}, {"--mode", "supervise"}, {"--mode", "exec"}} {
		args = append(args, "--config", config, "--startup-timeout", "2s")
		if args[0] != "render" {
			args = append(args, "--", "touch", dir+"/started")
		}
		if got := vaultexec(t, nil, args...); got.code != 125 || !strings.Contains(got.stderr, "timeout") {
			t.Errorf("%s: %+v", args, got)
		}
	}
	for _, name := range []string{"ran", "started", "1", "2"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("there is %s", name)
		}
	}
}
