//go:build linux

package integration

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// A changed secret restarts the command with the new value: another process,
// and never two at once. vault-env never looks at KV version 2 again, and what
// KV version 1 calls a lease (32 days) is for Vault Agent and envconsul when to
// look again and for vault-env when to kill the application.
func TestP8ChangeRestarts(t *testing.T) {
	t.Parallel()
	for version := 1; version <= 2; version++ {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			t.Parallel()
			kv := kvMount(t, version)
			values := []string{canary(t, "first"), canary(t, "second"), canary(t, "third")}
			kv.put(t, "app", fields{"password": values[0]})
			l := kv.run(t, []string{"app"}, append(quick, "--env", "PASSWORD="+kv.path("app")+"#password")...).live()
			first := l.starts(1, "PASSWORD", values[0])
			for i, value := range values[1:] {
				kv.put(t, "app", fields{"password": value})
				if m := l.starts(i+2, "PASSWORD", value); m.Pid == first.Pid {
					t.Errorf("the child of start %d is the first one", i+2)
				}
			}
			res := l.stop()
			l.order(3)
			res.says("restarting the command", kv.path("app")+"#password")
		})
	}
}

// A value that is written again, and one that nobody asked for, change
// nothing. A secret with a field "ttl" of KV version 1 neither: vault-env ends
// the application after it.
func TestP8SameValueRestartsNothing(t *testing.T) {
	t.Parallel()
	for version := 1; version <= 2; version++ {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			t.Parallel()
			kv := kvMount(t, version)
			password := canary(t, "password")
			kv.put(t, "app", fields{"password": password, "ttl": "2s", "other": "1"})
			p := newProxy(t, kv.vault.Address)
			l := kv.run(t, []string{"app"}, append(quick, "--env", "PASSWORD="+kv.path("app")+"#password")...).vault(p.address).live()
			l.starts(1, "PASSWORD", password)
			kv.put(t, "app", fields{"password": password, "ttl": "2s", "other": "1"})
			l.more(p, 2, http.MethodGet, kv.data("app"))
			kv.put(t, "app", fields{"password": password, "ttl": "2s", "other": "2", "new": "x"})
			l.more(p, 2, http.MethodGet, kv.data("app"))
			next := canary(t, "next password")
			kv.put(t, "app", fields{"password": next, "ttl": "2s"})
			l.starts(2, "PASSWORD", next)
			l.stop()
			l.order(2)
		})
	}
}

// In steady state there is one read per secret and interval, however many
// references share it, and not a line on stderr.
func TestP9SteadyState(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"user": "app", "password": canary(t, "password")})
	kv.put(t, "slow", fields{"user": "app"})
	p := newProxy(t, kv.vault.Address)
	path := kv.path("app")
	l := kv.run(t, []string{"app", "slow"}, append(quick, "--log-level", "info",
		"--env", "A="+path+"#user", "--env", "B="+path+"#password", "--secret", path+"?prefix=ALL_&refresh=1h",
		"--env", "C="+kv.data("app")+"#user", "--env", "SLOW="+kv.path("slow")+"?refresh=1h#user")...).
		env("D=vault:"+path+"#user", "E=x${vault:"+path+"#user}x").vault(p.address).live()
	started := time.Now()
	l.starts(1, "E", "xappx")
	l.more(p, 5, http.MethodGet, kv.data("app"))
	reads := p.count(http.MethodGet, kv.data("app"))
	if most := 2 + int(time.Since(started)/(800*time.Millisecond)); reads > most {
		t.Errorf("%d reads within %v, want at most %d", reads, time.Since(started), most)
	}
	if n := p.count(http.MethodGet, kv.data("slow")); n != 1 {
		t.Errorf("%d reads of what is to be read once an hour", n)
	}
	// Beside the reads: what the mount is, and what the token is.
	if others := len(p.requests()) - p.count(http.MethodGet, kv.data("app")) - 1; others > 2 {
		for _, r := range p.requests() {
			t.Log(r.Method, r.URL.Path)
		}
		t.Errorf("%d other requests", others)
	}
	res := l.stop()
	l.order(1)
	if res.stderr != "" {
		t.Errorf("there is something on stderr:\n%s", res.stderr)
	}
}

// Changes that come soon after each other are one: envconsul and Vault Agent
// restart for each.
func TestP9Debounce(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	for _, name := range []string{"a", "b", "c"} {
		kv.put(t, name, fields{"user": "old"})
	}
	p := newProxy(t, kv.vault.Address)
	l := kv.run(t, []string{"a", "b", "c"}, "--refresh", "1s", "--debounce", "3s", "--min-interval", "0s",
		"--env", "A="+kv.path("a")+"#user", "--env", "B="+kv.path("b")+"#user", "--env", "C="+kv.path("c")+"#user").vault(p.address).live()
	l.starts(1, "A", "old")
	for _, name := range []string{"a", "b", "c"} {
		kv.put(t, name, fields{"user": "new"})
		l.more(p, 1, http.MethodGet, kv.data(name))
	}
	changed := time.Now()
	m := l.starts(2, "A", "new")
	if m.lookup("B") != "new" || m.lookup("C") != "new" {
		t.Errorf("the child has B=%s and C=%s", m.lookup("B"), m.lookup("C"))
	}
	if waited := m.When.Sub(changed); waited < 2*time.Second {
		t.Errorf("started %v after the last change was read", waited)
	}
	l.more(p, 2, http.MethodGet, kv.data("a"))
	l.stop()
	l.order(2)
}

// An error does not end the watching. In every envconsul since 0.13.3 the
// first one does, for good and without a word.
func TestP2ErrorsDoNotEndRotation(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"user": "old"})
	for _, status := range []int{403, 404, 429, 500, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			kv := kvMount(t, 2)
			kv.put(t, "app", fields{"user": "old"})
			t.Parallel()
			p := newProxy(t, kv.vault.Address)
			l := kv.run(t, []string{"app"}, append(quick, "--env", "USER_NAME="+kv.path("app")+"#user")...).vault(p.address).live()
			l.starts(1, "USER_NAME", "old")
			spoiled := make(chan struct{}, 64)
			p.onRequest(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
				http.Error(w, `{"errors":["spoiled by the test"]}`, status)
				spoiled <- struct{}{}
				return true
			})
			for range 3 {
				select {
				case <-spoiled:
				case <-time.After(waitLimit):
					t.Fatalf("it does not ask any more\n%s", l.outputs())
				}
			}
			if n := len(l.events("start")); n != 1 {
				t.Errorf("%d starts during the outage", n)
			}
			p.onRequest(nil)
			kv.put(t, "app", fields{"user": "new"})
			l.starts(2, "USER_NAME", "new")
			l.stop()
			l.order(2)
		})
	}
}

// A change that cannot be used is said, once however often it changes, and the
// command keeps what it has. It is no fresh secret, but the command is ready.
func TestP12UnusableChange(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"user": "old"})
	kv.put(t, "other", fields{"v": "1"})
	e := newEndpoint(t)
	l := kv.run(t, []string{"app", "other"}, append(quick, "--listen", e.address,
		"--env", "USER_NAME="+kv.path("app")+"#user", "--env", "OTHER="+kv.path("other")+"#v")...).live()
	l.starts(1, "USER_NAME", "old")
	kv.put(t, "app", fields{"user": "a\x00b"})
	l.waitLog("a changed secret cannot be used, the command keeps the last one: --env USER_NAME")
	l.poll("the secret in the metrics", func() bool { return e.metrics()[`vaultexec_secrets{state="unusable"}`] == 1 })
	e.figure(e.metrics(), `vaultexec_secrets{state="fresh"}`, 1, 1)
	e.becomes(l.running, "/readyz", http.StatusOK)
	kv.put(t, "other", fields{"v": "2"}) // is not held up
	if m := l.starts(2, "OTHER", "2"); m.lookup("USER_NAME") != "old" {
		t.Errorf("the command has not kept the last value")
	}
	kv.put(t, "app", fields{"user": "new"})
	l.starts(3, "USER_NAME", "new")
	e.figure(e.metrics(), `vaultexec_secrets{state="unusable"}`, 0, 0)
	res := l.stop()
	l.order(3)
	for _, text := range []string{"cannot be used", "can be used again"} {
		if n := said(res.stderr, text); n != 1 {
			t.Errorf("%q is said %d times", text, n)
		}
	}
}
