package integration

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

// While the command runs, nobody who may look at vaultexec's process finds a
// secret, the token or the JWT there: not in its arguments, and not in the
// environment that it was started with.
func TestP7ProcessShowsNothing(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	a := newAccount(t, kv.policy(t, "app"))
	ref := "PASSWORD=" + kv.path("app") + "#password"
	for name, c := range map[string]*command{
		"service account": a.login(t, "--mode", "supervise", "--env", ref),
		"VAULT_TOKEN":     kv.run(t, []string{"app"}, "--mode", "supervise", "--env", ref),
	} {
		t.Run(name, func(t *testing.T) {
			r := c.child("wait").start()
			r.waitLine("ready")
			if child := r.waitChild(); child.Pid == r.pid() {
				t.Fatal("vaultexec does not supervise")
			}
			for _, file := range []string{"cmdline", "environ"} {
				path := fmt.Sprintf("/proc/%d/%s", r.pid(), file)
				text, err := os.ReadFile(path)
				if err != nil && !os.IsPermission(err) { // not to be readable is silence too
					t.Fatal(err)
				}
				checkSilence(t, path, string(text))
			}
			r.signal(syscall.SIGTERM)
			res := r.wait()
			res.exited(0)
			res.childHas("PASSWORD", password)
		})
	}
}
