//go:build linux

package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Files get the owner, the group and the mode that the real agent gives them: as
// the keys say, where they say nothing those of the file that is there, and an
// owner also where the text is the same as before.
func TestAgentFileOwners(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	user, uid, gid, before := "daemon", 23456, 34567, 45678 // other ones than ours, which nobody but root may give
	if os.Geteuid() != 0 {
		user, uid, gid, before = strconv.Itoa(os.Geteuid()), os.Geteuid(), os.Getegid(), -1
	}
	var text strings.Builder
	text.WriteString("exit_after_auth = true\n")
	for name, keys := range map[string]string{
		"names":   fmt.Sprintf("user = %q\n group = \"%d\"", user, gid),
		"numbers": fmt.Sprintf("user = \"%d\"\n group = \"%d\"\n perms = \"0640\"", uid, gid),
		"ids":     fmt.Sprintf("uid = %d\n gid = %d\n perms = \"0400\"", uid, gid),
		"user":    fmt.Sprintf("uid = %d", uid),
		"group":   fmt.Sprintf("gid = %d", gid),
		"there":   "",
		"mode":    "perms = \"0600\"",
		"taken":   fmt.Sprintf("user = %q\n gid = %d", user, gid),
		"same":    fmt.Sprintf("uid = %d\n contents = \"same\"", uid),
	} {
		if !strings.Contains(keys, "contents") {
			keys += "\n contents = \"{{ with secret \\\"" + kv.path("app") + "\\\" }}{{ .Data.data.password }}{{ end }}\""
		}
		fmt.Fprintf(&text, "template {\n destination = \"DIR/%s\"\n %s\n}\n", name, keys)
	}
	c := newAgentConfig(t, text.String())
	var made []map[string]string
	for _, by := range []func(dir string){
		func(dir string) { c.byAgent(t, dir) },
		func(dir string) { vaultexec(t, "render", "--config", c.in(t, dir)).alone().run().exited(0) },
	} {
		dir := t.TempDir()
		for _, name := range []string{"there", "mode", "taken", "same"} {
			file := writeFile(t, filepath.Join(dir, name), "same")
			mustDo(t, os.Chown(file, before, before))
			mustDo(t, os.Chmod(file, 0o604))
		}
		by(dir)
		made = append(made, tree(t, dir))
	}
	sameTrees(t, made[0], made[1])
	if owner := fmt.Sprintf("-r-------- %d:%d ", uid, gid); !strings.HasPrefix(made[1]["ids"], owner) {
		t.Errorf("ids is not %s", owner)
	}
}

// A function that is denied is an error in both, and no file comes of it; one that
// no template uses changes nothing.
func TestAgentDenylist(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	for _, key := range []string{"function_denylist", "function_blacklist"} {
		for denied, refused := range map[string]bool{`"env", "base64Encode"`: true, `"env", "base64Decode"`: false} {
			c := newAgentConfig(t, fmt.Sprintf(`
exit_after_auth = true
template_config {
  exit_on_retry_failure = true
}
template {
  destination = "DIR/file"
  contents    = "{{ with secret \"%s\" }}{{ .Data.data.password | base64Encode }}{{ end }}"
  %s = [%s]
}
`, kv.path("app"), key, denied))
			if !refused {
				agent, ours := c.byBoth(t)
				sameTrees(t, tree(t, agent), tree(t, ours))
				continue
			}
			agent, ours := t.TempDir(), t.TempDir()
			ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
			out, err := agentCommand(ctx, t, c.in(t, agent)).CombinedOutput()
			cancel()
			if err == nil || ctx.Err() == context.DeadlineExceeded || !strings.Contains(string(out), "base64Encode") {
				t.Errorf("%s: the agent: %v\n%s", key, err, hidden(string(out)))
			}
			vaultexec(t, "render", "--config", c.in(t, ours)).alone().run().refused("base64Encode", "function_denylist forbids it")
			if len(tree(t, agent))+len(tree(t, ours)) > 0 {
				t.Errorf("%s: there are files", key)
			}
		}
	}
}

// What the command says is added to the files that the configuration names, or
// makes them, as the real agent does in its process supervisor mode.
func TestAgentChildOutput(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"user": "alice"})
	c := newAgentConfig(t, fmt.Sprintf(`
env_template "USER_NAME" {
  contents = "{{ with secret \"%s\" }}{{ .Data.data.user }}{{ end }}"
}
exec {
  command              = ["sh", "-c", "echo out $USER_NAME; echo err $USER_NAME >&2; printf 'no end'"]
  child_process_stdout = "DIR/out"
  child_process_stderr = "DIR/err"
}
`, kv.path("app")))
	var made []map[string]string
	for _, by := range []func(dir string){
		func(dir string) { c.byAgent(t, dir) },
		func(dir string) {
			if res := vaultexec(t, "--config", c.in(t, dir)).alone().run().exited(0); res.stdout != "" || strings.Contains(res.stderr, "alice") {
				t.Errorf("it is in vaultexec's own output too: %q\n%s", res.stdout, res.stderr)
			}
		},
	} {
		dir := t.TempDir()
		mustDo(t, os.Chmod(writeFile(t, filepath.Join(dir, "err"), "before\n"), 0o606))
		for range 2 {
			by(dir)
		}
		made = append(made, tree(t, dir))
	}
	sameTrees(t, made[0], made[1])
	if !strings.Contains(made[1]["out"], `"out alice\nno endout alice\nno end"`) || !strings.Contains(made[1]["err"], `"before\nerr alice\nerr alice\n"`) {
		t.Errorf("the files are %v", made[1])
	}
}
