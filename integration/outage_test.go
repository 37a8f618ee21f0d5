package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// vaultexec may be there before Vault: it waits, and starts the child as soon
// as the secrets can be read.
func TestP2VaultStartsLater(t *testing.T) {
	t.Parallel()
	v := ownVault(t, servers.VaultOptions{Durable: true})
	if err := v.EnableKubernetesAuth(t.Context(), sharedCluster(t), "kubernetes"); err != nil {
		t.Fatal(err)
	}
	kv := kvMountAt(t, v, "kv", 2)
	kv.put(t, "app", fields{"user": "app"})
	a := newAccountAt(t, v, "kubernetes", kv.policy(t, "app"))
	if err := v.Shutdown(); err != nil {
		t.Fatal(err)
	}
	r := a.login(t, "--env", "USER_NAME=kv/app#user").start()
	r.waitLog("waiting for vault")
	if err := v.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := v.Unseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	res := r.wait()
	res.exited(0)
	res.childHas("USER_NAME", "app")
}

// A sealed Vault is waited for.
func TestP2VaultIsSealed(t *testing.T) {
	t.Parallel()
	v := ownVault(t, servers.VaultOptions{Durable: true})
	kv := kvMountAt(t, v, "kv", 2)
	kv.put(t, "app", fields{"user": "app"})
	c := kv.run(t, []string{"app"}, "--env", "USER_NAME=kv/app#user")
	if err := v.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := c.start()
	r.waitLog("sealed")
	if err := v.Unseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	res := r.wait()
	res.exited(0)
	res.childHas("USER_NAME", "app")
}

// A Vault that is sealed for longer than the startup timeout is named as the
// reason.
func TestP2VaultStaysSealed(t *testing.T) {
	t.Parallel()
	v := ownVault(t, servers.VaultOptions{Durable: true})
	kv := kvMountAt(t, v, "kv", 2)
	kv.put(t, "app", fields{"user": "app"})
	c := kv.run(t, []string{"app"}, "--env", "USER_NAME=kv/app#user", "--startup-timeout", "1s")
	if err := v.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.run().refused("sealed", v.Address)
}

// A Vault that hangs is given up on after each request timeout, and asked
// again.
func TestP2VaultHangs(t *testing.T) {
	t.Parallel()
	v := ownVault(t, servers.VaultOptions{})
	kv := kvMountAt(t, v, "kv", 2)
	kv.put(t, "app", fields{"user": "app"})
	c := kv.run(t, []string{"app"}, "--env", "USER_NAME=kv/app#user", "--request-timeout", "300ms")
	if err := v.Pause(); err != nil {
		t.Fatal(err)
	}
	r := c.start()
	r.waitLog("waiting for vault")
	if err := v.Resume(); err != nil {
		t.Fatal(err)
	}
	res := r.wait()
	res.exited(0)
	res.childHas("USER_NAME", "app")
}

// Nobody is there at all: refused, and the address is in the message.
func TestP2VaultIsNotThere(t *testing.T) {
	t.Parallel()
	vaultexec(t, "--env", "USER_NAME=kv/app#user", "--startup-timeout", "1s").
		vault("http://127.0.0.1:1").token(canary(t, "token")).run().
		refused("vault_unreachable", "127.0.0.1:1", "refused")
}

// Trouble that passes is waited out, with a login as with a read.
func TestP2PassingTrouble(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	a := newAccount(t, kv.policy(t, "app"))
	for _, status := range []int{429, 500, 502, 503, 504, 412} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			p := newProxy(t, kv.vault.Address).failFirst(2, status, "")
			res := a.login(t, "--env", "PASSWORD="+kv.path("app")+"#password").vault(p.address).run()
			res.exited(0)
			res.childHas("PASSWORD", password)
			if n := len(p.requests()); n != 6 { // 2 spoiled, login, mount, read, and the token is given back
				t.Errorf("%d requests, want 6", n)
			}
		})
	}
}

// Retry-After is a minimum.
func TestP9RetryAfter(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"user": "app"})
	p := newProxy(t, kv.vault.Address).failFirst(1, http.StatusTooManyRequests, "1")
	kv.run(t, []string{"app"}, "--env", "USER_NAME="+kv.path("app")+"#user").vault(p.address).run().exited(0)
	if when := p.times(); when[1].Sub(when[0]) < time.Second {
		t.Errorf("asked again after %v, was told to wait 1 s", when[1].Sub(when[0]))
	}
}

// Answers that no waiting changes end it at once: one request each.
func TestP9FinalAnswersAreNotRepeated(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"user": "app"})
	p := newProxy(t, kv.vault.Address)
	kv.run(t, []string{"app", "none"}, "--env", "A="+kv.path("none")+"#user", "--env", "B="+kv.path("app")+"#user").
		vault(p.address).run().refused(kv.path("none"), "404")
	reads := make(map[string]int)
	for _, r := range p.requests() {
		if strings.HasPrefix(r.URL.Path, "/v1/"+kv.mount+"/data/") {
			reads[r.URL.Path]++
		}
	}
	for path, n := range reads {
		if n != 1 {
			t.Errorf("%s was read %d times", path, n)
		}
	}
}

// What answers is not always Vault.
func TestP12NotVault(t *testing.T) {
	t.Parallel()
	p := newProxy(t, "http://127.0.0.1:1").onRequest(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		_, _ = w.Write([]byte("<html>It works!</html>"))
		return true
	})
	vaultexec(t, "--env", "USER_NAME=kv/app#user", "--startup-timeout", "1s").vault(p.address).token(canary(t, "token")).run().
		refused(p.address, "not Vault")
}
