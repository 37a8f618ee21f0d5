//go:build linux

package integration

import (
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// The token of a login is given back however the run ends, so that a crash
// loop leaves none behind. Vault Agent gives back nothing, ever.
func TestP10TokenIsGivenBack(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		run    func(t *testing.T, c *tokenCase, ref string) *result
		tokens int // that are left
	}{
		"the command ends": {func(t *testing.T, c *tokenCase, ref string) *result {
			return c.login(t, "--env", ref).vault(c.proxy.address).child("exit", "3").run().exited(3)
		}, 0},
		"--once": {func(t *testing.T, c *tokenCase, ref string) *result {
			return c.login(t, "--env", ref, "--once", "--mode", "supervise").vault(c.proxy.address).run().exited(0)
		}, 0},
		"a secret is missing": {func(t *testing.T, c *tokenCase, ref string) *result {
			return c.login(t, "--env", ref+"-not-there").vault(c.proxy.address).run().exited(125)
		}, 0},
		"the command is not there": {func(t *testing.T, c *tokenCase, ref string) *result {
			return c.login(t, "--env", ref).vault(c.proxy.address).exec("no-such-command").run().exited(127)
		}, 0},
		"it cannot become the command": {func(t *testing.T, c *tokenCase, ref string) *result {
			return c.login(t, "--env", ref, "--mode", "exec").vault(c.proxy.address).exec("no-such-command").run().exited(127)
		}, 0},
		"a file cannot be written": {func(t *testing.T, c *tokenCase, ref string) *result {
			return c.login(t, "--env", ref, "--file", "/proc/no/such="+c.kv.path("app")+"#password").vault(c.proxy.address).run().exited(125)
		}, 0},
		"--revoke never": {func(t *testing.T, c *tokenCase, ref string) *result {
			return c.login(t, "--env", ref, "--revoke", "never").vault(c.proxy.address).run().exited(0)
		}, 1},
		"--revoke never, failed start": {func(t *testing.T, c *tokenCase, ref string) *result {
			return c.login(t, "--env", ref+"-not-there", "--revoke", "never").vault(c.proxy.address).run().exited(125)
		}, 1},
		"env": {func(t *testing.T, c *tokenCase, ref string) *result {
			return c.verb(t, "env", "--env", ref).exited(0)
		}, 0},
		"env, the secret is leased": {func(t *testing.T, c *tokenCase, _ string) *result {
			return c.verb(t, "env", "--secret", c.leased(t)).exited(0)
		}, 1},
		"env, the secret is leased, --revoke always": {func(t *testing.T, c *tokenCase, _ string) *result {
			return c.verb(t, "env", "--secret", c.leased(t), "--revoke", "always").exited(0)
		}, 0},
		"env, the token is handed over": {func(t *testing.T, c *tokenCase, ref string) *result {
			return c.verb(t, "env", "--env", ref, "--env", "TOKEN=vault:login").exited(0)
		}, 1},
		"env, a secret is missing beside one that is leased": {func(t *testing.T, c *tokenCase, ref string) *result {
			return c.verb(t, "env", "--secret", c.leased(t), "--env", "A=cubbyhole/none#x").exited(125)
		}, 0},
		"env, the format cannot hold it": {func(t *testing.T, c *tokenCase, _ string) *result {
			return c.verb(t, "env", "--env", "a.b="+c.kv.path("app")+"#password").exited(125)
		}, 0},
		"env, --revoke never": {func(t *testing.T, c *tokenCase, ref string) *result {
			return c.verb(t, "env", "--env", ref, "--revoke", "never").exited(0)
		}, 1},
		"render": {func(t *testing.T, c *tokenCase, _ string) *result {
			return c.verb(t, "render", "--file", filepath.Join(t.TempDir(), "f.json")+"="+c.kv.path("app")).exited(0)
		}, 0},
		"render, the secret is leased": {func(t *testing.T, c *tokenCase, _ string) *result {
			return c.verb(t, "render", "--file", filepath.Join(t.TempDir(), "f.json")+"="+c.leased(t)).exited(0)
		}, 1},
		"render, the secret is leased, --revoke always": {func(t *testing.T, c *tokenCase, _ string) *result {
			return c.verb(t, "render", "--file", filepath.Join(t.TempDir(), "f.json")+"="+c.leased(t), "--revoke", "always").exited(0)
		}, 0},
		"render, the token is handed over": {func(t *testing.T, c *tokenCase, _ string) *result {
			return c.verb(t, "render", "--file", filepath.Join(t.TempDir(), "f")+"=vault:login").exited(0)
		}, 1},
		"render, a file cannot be written": {func(t *testing.T, c *tokenCase, _ string) *result {
			return c.verb(t, "render", "--file", "/proc/no/such.json="+c.kv.path("app")).exited(125)
		}, 0},
		"render, --revoke never, failed": {func(t *testing.T, c *tokenCase, _ string) *result {
			return c.verb(t, "render", "--file", "/proc/no/such.json="+c.kv.path("app"), "--revoke", "never").exited(125)
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newTokenCase(t, nil)
			test.run(t, c, "PASSWORD="+c.kv.path("app")+"#password")
			if n := len(c.tokens(t)); n != test.tokens {
				t.Errorf("%d tokens are left, want %d", n, test.tokens)
			}
			if n := c.proxy.count(http.MethodPut, loginPath); n != 1 {
				t.Errorf("%d logins", n)
			}
		})
	}
}

// verb runs one that hands secrets over and does not stay.
func (c *tokenCase) verb(t *testing.T, name string, flags ...string) *result {
	t.Helper()
	v := c.login(t, flags...).vault(c.proxy.address).alone()
	v.flags, v.shows = append([]string{name}, v.flags...), name == "env"
	return v.run()
}

// leased is the path of credentials that are a lease, which the account may read
// from now on.
func (c *tokenCase) leased(t *testing.T) string {
	t.Helper()
	role := newDBRole(t, time.Hour, time.Hour)
	path := role.CredsPath(role.name)
	c.account = role.account(t, path, nil, c.kv.policy(t, "app"))
	return path
}

// TERM while secrets are fetched: it ends at once, no command starts, and the
// token is given back.
func TestP4StopDuringFetch(t *testing.T) {
	t.Parallel()
	c := newTokenCase(t, nil)
	reached := make(chan struct{})
	c.proxy.onRequest(func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v1/"+c.kv.data("app") {
			return false
		}
		close(reached)
		<-r.Context().Done()
		return true
	})
	r := c.login(t, "--env", "PASSWORD="+c.kv.path("app")+"#password").vault(c.proxy.address).start()
	select {
	case <-reached:
	case <-time.After(waitLimit):
		t.Fatalf("it never read\n%s", r.outputs())
	}
	r.signal(syscall.SIGTERM)
	if res := r.wait().exited(143); res.child != nil {
		t.Error("the command was started")
	}
	if n := len(c.tokens(t)); n != 0 {
		t.Errorf("%d tokens are left", n)
	}
}

// A token that somebody gave is theirs, unless --revoke always says otherwise, or
// vault-env's word for it.
func TestP10GivenTokenIsKept(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		set  string
		kept bool
	}{
		{"VAULTEXEC_REVOKE=auto", true}, {"VAULTEXEC_REVOKE=never", true}, {"VAULTEXEC_REVOKE=always", false},
		{"VAULT_REVOKE_TOKEN=true", false}, {"VAULT_REVOKE_TOKEN=false", true},
	} {
		t.Run(test.set, func(t *testing.T) {
			t.Parallel()
			kv := kvMount(t, 2)
			kv.put(t, "app", fields{"password": canary(t, "password")})
			s, err := kv.vault.Client().Logical().WriteWithContext(t.Context(), "auth/token/create", fields{"policies": []string{kv.policy(t, "app")}, "ttl": "1h"})
			mustDo(t, err)
			token := s.Auth.ClientToken // of policy default too: it may revoke itself
			register("a token", token)
			vaultexec(t, "--env", "PASSWORD="+kv.path("app")+"#password").env(test.set).vault(kv.vault.Address).token(token).run().exited(0)
			s, err = kv.vault.Client().Auth().Token().LookupWithContext(t.Context(), token)
			if kept := err == nil && s != nil; kept != test.kept {
				t.Errorf("it is there: %v, want %v (%v)", kept, test.kept, err)
			}
		})
	}
}

// A Vault that hangs at the end delays the exit by no more than a few seconds,
// and the command's stop not at all.
func TestP4GivingBackIsBounded(t *testing.T) {
	t.Parallel()
	v := ownVault(t, servers.VaultOptions{})
	mustDo(t, v.EnableKubernetesAuth(t.Context(), sharedCluster(t), "kubernetes"))
	kv := kvMountAt(t, v, "kv", 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	a := newAccountAt(t, v, "kubernetes", kv.policy(t, "app"))
	file := filepath.Join(t.TempDir(), "password")
	l := a.login(t, append(quick, "--file", file+"=kv/app#password")...).live(file)
	l.nth(1, "start")
	mustDo(t, v.Pause())
	defer func() { mustDo(t, v.Resume()) }()
	began := time.Now()
	l.signal(syscall.SIGTERM)
	stopped := l.nth(1, "stop").When.Sub(began)
	l.wait().exited(0).says("the token is not revoked and lives until its end")
	if lasted := time.Since(began); lasted > 15*time.Second || stopped > 3*time.Second {
		t.Errorf("the command stopped after %v, vaultexec after %v", stopped, lasted)
	}
	nothingLeft(t, filepath.Dir(file))
}
