//go:build linux

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// One file has all that there can be side by side, which the agent refuses: files
// and variables of templates, variables of a whole secret, the token in a sink, and
// the command. A change of one secret comes to all of them with one restart.
func TestP8WholeConfiguration(t *testing.T) {
	t.Parallel()
	c := newConfigCase(t)
	dir := t.TempDir()
	journal, dest, sink := filepath.Join(dir, "journal"), filepath.Join(dir, "made", "app.conf"), filepath.Join(dir, "token")
	run := vaultexec(t).env("JWT=" + c.jwt).alone()
	var command []string
	for _, word := range []string{shared.self, childWord, run.report, "live", journal, dest, sink} {
		command = append(command, strconv.Quote(word))
	}
	text := `{{ with secret \"` + c.kv.path("app") + `\" }}{{ .Data.data.password }}{{ end }}`
	run.flags = []string{"--config", configFile(t, "whole.hcl", fmt.Sprintf(`
vault { address = %[7]q }
auto_auth {
  method "kubernetes" {
    mount_path = "auth/%[1]s"
    config = { role = %[2]q, token_path = "${JWT}" }
  }
  sink "file" {
    config = { path = %[3]q, mode = 0600 }
  }
}
secret %[8]q { prefix = "DB_" case = "upper" }
template {
  destination          = %[4]q
  contents             = "file: %[5]s"
  error_on_missing_key = true
}
env_template "FROM_TEMPLATE" {
  contents = "variable: %[5]s"
}
exec {
  command                   = [%[6]s]
  restart_on_secret_changes = "always"
  restart_stop_signal       = "SIGTERM"
  env { custom = ["MODE=file"] }
}
refresh      = "1s"
debounce     = "100ms"
min_interval = "0s"
`, loginMount(t), c.role, sink, dest, text, strings.Join(command, ", "), c.vault.Address, c.kv.path("app")))}
	l := &life{run.start(), journal}
	t.Cleanup(l.killAll)

	has := func(m moment, password string) {
		t.Helper()
		for name, want := range map[string]string{"FROM_TEMPLATE": "variable: " + password, "DB_PASSWORD": password, "MODE": "file"} {
			if m.lookup(name) != want {
				t.Errorf("%s is not what it should be", name)
			}
		}
		if m.Files["app.conf"] != "file: "+password {
			t.Error("the file is not what it should be")
		}
	}
	first := l.nth(1, "start")
	token := first.Files["token"]
	register(t.Name()+"'s token", token)
	has(first, c.password)
	client, err := c.vault.Client().Clone() // the other belongs to all tests
	mustDo(t, err)
	client.SetToken(token)
	if _, err := client.Logical().ReadWithContext(t.Context(), c.kv.data("app")); err != nil {
		t.Errorf("the token in the sink: %v", err)
	}
	next := canary(t, "next password")
	c.kv.put(t, "app", fields{"password": next})
	second := l.nth(2, "start")
	has(second, next)
	if second.Files["token"] != token {
		t.Error("there was another login")
	}
	l.stop()
	l.order(2)
	for _, file := range []string{dest, sink} {
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s is still there", file)
		}
	}
}
