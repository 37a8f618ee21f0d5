package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// podToken is where kubelet mounts a pod's service account token.
const podToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// loginAs makes a pod of the container: its service account's token is where
// kubelet mounts it, and Vault is reached through the host's network.
func (c *container) loginAs(a *account) *container {
	c.t.Helper()
	file := a.jwtFile(c.t, "vault")
	// As kubelet has it for a pod without fsGroup.
	if err := os.Chmod(file, 0o644); err != nil {
		c.t.Fatal(err)
	}
	return c.with("--network", "host", "--volume", file+":"+podToken+":ro").
		env("VAULT_ADDR="+a.vault.Address, "VAULTEXEC_ROLE="+a.role)
}

// terminationLog mounts a file as kubelet does for a container's last words.
func (c *container) terminationLog() (file string) {
	c.t.Helper()
	file = writeFile(c.t, filepath.Join(c.t.TempDir(), "termination-log"), "")
	if err := os.Chmod(file, 0o666); err != nil {
		c.t.Fatal(err)
	}
	c.with("--volume", file+":/dev/termination-log")
	return file
}

// A pod that may do nothing gets its secret, as a variable and as a file in
// memory, with its service account's token.
func TestP1ContainerLogin(t *testing.T) {
	t.Parallel()
	needEngine(t)
	kv := kvMount(t, 2)
	password, key := canary(t, "password"), canary(t, "key")
	kv.put(t, "app", fields{"password": password})
	kv.put(t, "tls", fields{"key": key})
	a := newAccount(t, kv.policy(t, "app", "tls"))
	for _, mode := range []string{"exec", "supervise"} {
		t.Run(mode, func(t *testing.T) {
			c := inContainer(t, "--mode", mode, "--env", "PASSWORD="+kv.path("app")+"#password",
				"--file", "/run/secrets/tls/key="+kv.path("tls")+"#key").
				with(hardened()...).with("--tmpfs", "/run/secrets:mode=1777").loginAs(a).
				child("copy", "/run/secrets/tls/key", "key", "/proc/[0-9]*/environ", "environ", "/proc/[0-9]*/cmdline", "cmdline")
			last := c.terminationLog()
			res := c.run().exited(0)
			res.childHas("PASSWORD", password)
			res.childLacks("VAULT_ADDR", "VAULT_TOKEN", "VAULTEXEC_ROLE", "VAULTEXEC_LOG_LEVEL")
			if got := c.copied("key"); got != key {
				t.Error("the file does not have the key")
			}
			if text, err := os.ReadFile(last); err != nil || len(text) > 0 {
				t.Errorf("termination log of a success: %q, error %v", text, err)
			}
			checkSilence(t, "a command line", c.copied("cmdline"))
			if mode == "supervise" {
				checkSilence(t, "an environ of vaultexec", withoutChild(c.copied("environ"), res.child))
			}
		})
	}
}

// A token that the container is given is used, and no other process in it, of
// the same user or root, can read it: the environ of vaultexec is closed to who
// has no more than a container's capabilities, and the token wiped from it.
func TestP7ContainerEnviron(t *testing.T) {
	t.Parallel()
	needEngine(t)
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	for name, options := range map[string][]string{"root": nil, "nobody": nobody()} {
		t.Run(name, func(t *testing.T) {
			c := inContainer(t, "--mode", "supervise", "--env", "PASSWORD="+kv.path("app")+"#password").
				with("--network", "host").with(options...).
				env("VAULT_ADDR="+kv.vault.Address, "VAULT_TOKEN="+kv.token(t, "app")).
				child("copy", "/proc/[0-9]*/environ", "environ")
			res := c.run().exited(0)
			res.childHas("PASSWORD", password)
			environ := c.copied("environ")
			if !strings.Contains(environ, "PASSWORD="+password) {
				t.Error("not even the child's own environ could be read: the test proves nothing")
			}
			if strings.Contains(environ, "VAULT_TOKEN=") {
				t.Error("an environ of vaultexec could be read")
			}
			checkSilence(t, "an environ of vaultexec", withoutChild(environ, res.child))
		})
	}
}

// copied is a file that the child has copied to /report.
func (c *container) copied(name string) string {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

// withoutChild takes the child's own variables out of a copy of environs: the
// secrets are meant to be there.
func withoutChild(environ string, child *childReport) string {
	own := strings.Join(child.Env, "\x00")
	return strings.Replace(environ, own, "", 1)
}

// What went wrong is in the termination log: class and sentence, for kubectl
// describe, and the command has not run.
func TestP3ContainerTerminationLog(t *testing.T) {
	t.Parallel()
	needEngine(t)
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	a := newAccount(t, kv.policy(t, "app"))
	tests := map[string]struct {
		flags []string
		env   string
		says  []string
	}{
		"missing key":  {[]string{"--env", "A=" + kv.path("app") + "#pasword"}, "A=1", []string{"pasword", kv.path("app")}},
		"denied":       {[]string{"--secret", kv.path("other")}, "A=1", []string{"403", kv.path("other")}},
		"login denied": {[]string{"--secret", kv.path("app")}, "VAULTEXEC_ROLE=nobodys", []string{"auth_denied", "nobodys"}},
		"usage":        {[]string{"--mode", "supervice"}, "A=1", []string{"usage", "supervise"}},
		"exec":         {nil, "A=1", []string{"/nowhere"}},
	}
	for name, tt := range tests {
		for _, options := range [][]string{nil, hardened()} {
			t.Run(name, func(t *testing.T) {
				c := inContainer(t, append([]string{"--on-conflict", "overwrite"}, tt.flags...)...).with(options...).loginAs(a).env(tt.env)
				if name == "exec" {
					c.exec("/nowhere")
				}
				last := c.terminationLog()
				res := c.run()
				if res.status != 125 && res.status != 127 || res.child != nil {
					t.Errorf("exit status %d, child %v", res.status, res.child)
				}
				text, err := os.ReadFile(last)
				if err != nil {
					t.Fatal(err)
				}
				for _, want := range append(tt.says, "vaultexec: ") {
					if !strings.Contains(string(text), want) {
						t.Errorf("the termination log does not say %q: %q", want, text)
					}
				}
				checkSilence(t, "the termination log", string(text))
				// It is the same text; the rest of stderr is the log.
				if !strings.Contains(res.stderr, string(text)) {
					t.Errorf("stderr says\n%s, the termination log says\n%s", res.stderr, text)
				}
			})
		}
	}
}

// docker stop while vaultexec still waits for Vault ends the container at once,
// and the command never runs.
func TestP4ContainerStopBeforeStart(t *testing.T) {
	t.Parallel()
	c := inContainer(t, "--mode", "supervise", "--secret", "kv/app").
		env("VAULT_ADDR=http://127.0.0.1:1", "VAULT_TOKEN="+canary(t, "token")).start()
	c.waitLog("waiting for vault")
	if took := c.stop(); took > stopPrompt {
		t.Errorf("it took %v to stop", took)
	}
	if res := c.wait().exited(143); res.child != nil {
		t.Error("the command was started")
	}
}
