//go:build linux

package integration

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// agentConfig is a configuration that Vault Agent and vaultexec are to read alike.
// DIR in it stands for a directory of each of them.
type agentConfig struct {
	vault string // address
	token string // file
	text  string
}

// newAgentConfig is one that reads as root: the agent wants to look its token up.
func newAgentConfig(t *testing.T, text string) agentConfig {
	t.Helper()
	v := sharedVault(t)
	return agentConfig{v.Address, secretFile(t, "token", v.Token), text}
}

// in writes the configuration for a directory.
func (c agentConfig) in(t *testing.T, dir string) string {
	t.Helper()
	text := fmt.Sprintf("vault {\n address = %q\n}\nauto_auth {\n method \"token_file\" {\n config = {\n token_file_path = %q\n}\n}\n}\n", c.vault, c.token)
	return configFile(t, "agent.hcl", text+strings.ReplaceAll(c.text, "DIR", dir))
}

// byAgent has the real Vault Agent do what the configuration says, to its end.
func (c agentConfig) byAgent(t *testing.T, dir string) {
	t.Helper()
	runAgent(t, c.in(t, dir))
}

// runAgent runs the real Vault Agent to its end.
func runAgent(t *testing.T, config string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	if out, err := agentCommand(ctx, t, config).CombinedOutput(); err != nil {
		t.Fatalf("vault agent: %v\n%s", err, hidden(string(out)))
	}
}

// agentCommand is the real Vault Agent, which ends with ctx.
func agentCommand(ctx context.Context, t *testing.T, config string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, shared.bin.Vault, "agent", "-config="+config)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	return cmd
}

// tree is what there is in a directory: path -> mode, owner and content.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := ""
		if info.Mode().IsRegular() {
			text = readText(t, path)
		}
		owner := info.Sys().(*syscall.Stat_t)
		found[strings.TrimPrefix(path, dir+"/")] = fmt.Sprintf("%v %d:%d %q", info.Mode(), owner.Uid, owner.Gid, text)
		return nil
	})
	mustDo(t, err)
	return found
}

// sameTrees compares what the agent and vaultexec have made.
func sameTrees(t *testing.T, want, got map[string]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for path, text := range want {
		if got[path] != text {
			t.Errorf("%s is\n%s, the agent's is\n%s", path, hidden(got[path]), hidden(text))
		}
	}
	for path := range got {
		if _, there := want[path]; !there {
			t.Errorf("%s is not the agent's", path)
		}
	}
}

// The files of a configuration are those that the real agent makes of it: their
// bytes, modes and places, the directories, backups and what commands do.
func TestAgentTemplates(t *testing.T) {
	t.Parallel()
	kv1, kv2 := kvMount(t, 1), kvMount(t, 2)
	for _, kv := range []*kv{kv1, kv2} {
		kv.put(t, "app", fields{"user": "alice", "password": canary(t, "password"), "port": 5432, "list": []string{"a", "b"}, "<>&": "<>&"})
	}
	source := writeFile(t, filepath.Join(t.TempDir(), "source.ctmpl"), `[[ with secret "`+kv2.path("app")+`" ]][[ .Data.data.user ]][[ end ]]`)
	text := fmt.Sprintf(`
exit_after_auth = true
template_config {
  exit_on_retry_failure         = true
  static_secret_render_interval = "5m"
  max_connections_per_host      = 10
}
template {
  destination = "DIR/new/dir/kv1"
  contents    = "{{ with secret \"%[1]s\" }}{{ range $k, $v := .Data }}{{ $k }}={{ $v }}\n{{ end }}{{ .LeaseDuration }}{{ end }}"
}
template {
  destination = "DIR/kv2"
  perms       = "0440"
  contents    = <<EOT
{{- with secret "%[2]s" -}}
${NAME} {{ .Data.data.password }} {{ .Data.metadata.version }} {{ .Data.data.none }}
{{ .Data.data | toJSON }}
{{- end }}
EOT
}
template {
  destination     = "DIR/delimiters"
  source          = "%[3]s"
  left_delimiter  = "[["
  right_delimiter = "]]"
  perms           = 0600
}
template {
  destination          = "DIR/there"
  contents             = "{{ with secret \"%[2]s\" }}{{ .Data.data.user }}{{ end }}"
  error_on_missing_key = true
  backup               = true
  create_dest_dirs     = false
  command              = "cat DIR/there > DIR/command; echo told >> DIR/command"
}
template {
  destination  = "DIR/unchanged"
  contents     = "{{ with secret \"%[1]s\" }}{{ .Data.user }}{{ end }}"
  backup       = true
  sandbox_path = "DIR"
  exec {
    command = ["touch", "DIR/not-told"]
    timeout = "20s"
  }
}
template {
  destination  = "DIR/sandbox"
  contents     = "{{ file \"DIR/read\" }}"
  sandbox_path = "DIR"
  perms        = "0777"
  wait {
    min = "10ms"
    max = "20ms"
  }
  exec {
    command = ["touch", "DIR/told"]
  }
}
`, kv1.path("app"), kv2.data("app"), source)
	c := newAgentConfig(t, text)
	var made []map[string]string
	for _, by := range []func(dir string){
		func(dir string) { c.byAgent(t, dir) },
		func(dir string) { vaultexec(t, "render", "--config", c.in(t, dir)).alone().run().exited(0) },
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{"there": "old", "unchanged": "alice", "read": "read\n"} {
			writeFile(t, filepath.Join(dir, name), text)
			mustDo(t, os.Chmod(filepath.Join(dir, name), 0o640))
		}
		by(dir)
		made = append(made, tree(t, dir))
	}
	sameTrees(t, made[0], made[1])
	for _, path := range []string{"new/dir/kv1", "kv2", "there.bak", "command", "told"} {
		if made[1][path] == "" {
			t.Errorf("there is no %s", path)
		}
	}
}

// The variables of a configuration are those that the real agent gives its command.
func TestAgentEnvTemplates(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"user": "alice", "password": canary(t, "password") + " 'x' \"y\"\n$Z\n"})
	c := newAgentConfig(t, fmt.Sprintf(`
env_template "USER_NAME" {
  contents             = "{{ with secret \"%[1]s\" }}{{ .Data.data.user }}{{ end }}"
  error_on_missing_key = true
}
env_template "PASSWORD" {
  contents = "{{ with secret \"%[1]s\" }}{{ .Data.data.password }}{{ .Data.data.none }}{{ end }}"
}
env_template "FROM_SOURCE" {
  source          = "DIR/source"
  left_delimiter  = "<"
  right_delimiter = ">"
}
env_template "EMPTY" {
  contents = "{{ \"\" }}"
}
exec {
  command                   = ["sh", "-c", "for n in USER_NAME PASSWORD FROM_SOURCE EMPTY; do printenv $n; echo $?; done > DIR/env"]
  restart_on_secret_changes = "never"
  restart_stop_signal       = "SIGINT"
}
`, kv.data("app")))
	made := make([]string, 2)
	for i, by := range []func(dir string){
		func(dir string) { c.byAgent(t, dir) },
		func(dir string) { vaultexec(t, "--config", c.in(t, dir)).alone().run().exited(0) },
	} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "source"), `<with secret "`+kv.path("app")+`"><.Data.data.user><end>!`)
		by(dir)
		made[i] = readText(t, filepath.Join(dir, "env"))
	}
	if made[0] != made[1] || !strings.Contains(made[1], "alice!") {
		t.Errorf("the command gets\n%s\nand of the agent\n%s", hidden(made[1]), hidden(made[0]))
	}
}

// A command is run whenever its file has changed, and the application goes on:
// without a reaction of its own a template block restarts it, as any other.
func TestP8TemplateBlockCommand(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	first, second := canary(t, "first password"), canary(t, "second password")
	kv.put(t, "app", fields{"password": first})
	kv.put(t, "other", fields{"user": "alice"})
	dir := t.TempDir()
	file, copied, other := filepath.Join(dir, "file"), filepath.Join(dir, "copied"), filepath.Join(dir, "other")
	config := configFile(t, "agent.hcl", fmt.Sprintf(`
template {
  destination = %[3]q
  contents    = "{{ with secret \"%[1]s\" }}{{ .Data.data.password }}{{ end }}"
  command     = "cat %[3]s >> %[4]s && echo >> %[4]s"
  backup      = true
}
template {
  destination = %[5]q
  contents    = "{{ with secret \"%[2]s\" }}{{ .Data.data.user }}{{ end }}"
}
`, kv.path("app"), kv.path("other"), file, copied, other))
	a := newAccount(t, kv.policy(t, "app", "other"))
	l := a.login(t, append(quick, "--config", config)...).live(file, copied, other)
	if m := l.nth(1, "start"); m.Files["file"] != first || m.Files["copied"] != first+"\n" {
		t.Error("the command was not run before the application")
	}
	kv.put(t, "app", fields{"password": second})
	l.poll("the command to be run", func() bool { return readText(t, copied) == first+"\n"+second+"\n" })
	kv.put(t, "other", fields{"user": "bob"})
	if m := l.nth(2, "start"); m.Files["other"] != "bob" || m.Files["copied"] != first+"\n"+second+"\n" {
		t.Error("it was restarted for another secret than it should, or the command run for one")
	}
	l.stop()
	l.order(2)
	for _, name := range []string{"file", "file.bak", "other"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
}

// A stop ends the command of a template too: before the application is started,
// and while it runs.
func TestP4TemplateBlockCommand(t *testing.T) {
	t.Parallel()
	block := func(dir, contents string) string {
		return configFile(t, "agent.hcl", fmt.Sprintf(`
template {
  destination = "%[1]s/file"
  contents    = %[2]q
  exec {
    command = "test -e %[1]s/first || { touch %[1]s/first; exit 0; }; echo $$ > %[1]s/part && mv %[1]s/part %[1]s/pid; exec sleep 600"
    timeout = "10m"
  }
}
`, dir, contents))
	}
	ends := func(r *running, dir string) *result {
		file := filepath.Join(dir, "pid")
		r.poll("the command to run", func() bool { _, err := os.Stat(file); return err == nil })
		pid, err := strconv.Atoi(strings.TrimSpace(readText(t, file)))
		mustDo(t, err)
		r.signal(syscall.SIGTERM)
		res := r.wait()
		if !isGone(pid) {
			t.Error("the command is still there")
		}
		return res
	}
	t.Run("before the start", func(t *testing.T) {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "first"), "")
		r := vaultexec(t, "--config", block(dir, "x")).start()
		if res := ends(r, dir).exited(143); res.child != nil {
			t.Error("the application was started")
		}
	})
	t.Run("while it runs", func(t *testing.T) {
		kv := kvMount(t, 2)
		kv.put(t, "app", fields{"password": canary(t, "first password")})
		dir := t.TempDir()
		config := block(dir, `{{ with secret "`+kv.path("app")+`" }}{{ .Data.data.password }}{{ end }}`)
		a := newAccount(t, kv.policy(t, "app"))
		l := a.login(t, append(quick, "--config", config)...).live()
		l.nth(1, "start")
		kv.put(t, "app", fields{"password": canary(t, "second password")})
		res := ends(l.running, dir).exited(0)
		if strings.Contains(res.stderr, "still being put in place") {
			t.Errorf("the stop has waited for the command:\n%s", res.stderr)
		}
	})
}

// isGone tells whether a process has ended; one that waits to be reaped has.
func isGone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err != nil || strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}
