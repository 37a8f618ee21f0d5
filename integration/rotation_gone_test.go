//go:build linux

package integration

import (
	"net/http"
	"strings"
	"testing"
)

// What is taken away from under a running command leaves it alone: it keeps
// its pid and its values, the reason is said once, and a change that comes
// afterwards arrives.
func TestP2WhatIsGoneComesBack(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		take, give func(t *testing.T, g *gone)
		says       []string
	}{
		"the newest version is deleted": {
			func(t *testing.T, g *gone) {
				mustDo(t, g.kv.vault.Client().KVv2(g.kv.mount).Delete(t.Context(), "app"))
			}, nil, []string{"deleted"}},
		"all versions are gone": {
			func(t *testing.T, g *gone) {
				mustDo(t, g.kv.vault.Client().KVv2(g.kv.mount).DeleteMetadata(t.Context(), "app"))
			}, nil, []string{"404"}},
		"the key is removed": {
			func(t *testing.T, g *gone) { g.kv.put(t, "app", fields{"other": "x"}) }, nil, []string{"#password"}},
		"the policy is removed": {
			func(t *testing.T, g *gone) {
				mustDo(t, g.kv.vault.Client().Sys().DeletePolicyWithContext(t.Context(), g.policy))
			},
			func(t *testing.T, g *gone) {
				mustDo(t, g.kv.vault.Policy(t.Context(), g.policy, "read", g.kv.data("app")))
			}, []string{"403", `capabilities = ["read"]`}},
		"the mount is disabled": {
			func(t *testing.T, g *gone) {
				mustDo(t, g.kv.vault.Client().Sys().UnmountWithContext(t.Context(), g.kv.mount))
			},
			func(t *testing.T, g *gone) {
				mustDo(t, g.kv.vault.EnableKV(t.Context(), g.kv.mount, 2))
			}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGone(t)
			l := g.live(t)
			first := l.starts(1, "PASSWORD", g.password)
			test.take(t, g)
			l.waitLog("warn: ")
			l.more(g.proxy, 2, http.MethodGet, g.kv.data("app"))
			if n := len(l.moments()); n != 1 {
				t.Errorf("%d entries in the journal of pid %d, want its start alone", n, first.Pid)
			}
			if test.give != nil {
				test.give(t, g)
			}
			next := canary(t, "next password")
			g.kv.put(t, "app", fields{"password": next})
			l.starts(2, "PASSWORD", next)
			res := l.stop().says(test.says...)
			l.order(2)
			if n := said(res.stderr, "vaultexec: warn: "); n != 1 {
				t.Errorf("%d warnings, want 1:\n%s", n, res.stderr)
			}
		})
	}
}

// gone is what a test takes away.
type gone struct {
	kv       *kv
	proxy    *proxy
	policy   string
	password string
}

func newGone(t *testing.T) *gone {
	t.Helper()
	g := &gone{kv: kvMount(t, 2), password: canary(t, "password")}
	g.kv.put(t, "app", fields{"password": g.password})
	g.policy = g.kv.policy(t, "app")
	g.proxy = newProxy(t, g.kv.vault.Address)
	return g
}

func (g *gone) live(t *testing.T) *life {
	t.Helper()
	return vaultexec(t, append(quick, "--env", "PASSWORD="+g.kv.path("app")+"#password")...).
		vault(g.proxy.address).token(newToken(t, g.kv.vault, g.policy)).live()
}

// An optional key that is taken away is gone with a restart; that is what
// optional says.
func TestP8OptionalKeyGoes(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"user": "app", "extra": "1"})
	l := kv.run(t, []string{"app"}, append(quick, "--env", "USER_NAME="+kv.path("app")+"#user", "--env", "EXTRA="+kv.path("app")+"?optional#extra")...).live()
	l.starts(1, "EXTRA", "1")
	kv.put(t, "app", fields{"user": "app"})
	m := l.starts(2, "USER_NAME", "app")
	if strings.Contains(strings.Join(m.Env, "\n"), "EXTRA=") {
		t.Error("EXTRA is still there")
	}
	l.stop()
	l.order(2)
}

// An optional secret that was not there at the start arrives.
func TestP8OptionalSecretComes(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	l := kv.run(t, []string{"app"}, append(quick, "--env", "USER_NAME="+kv.path("app")+"?optional#user")...).live()
	l.starts(1, "USER_NAME", "")
	kv.put(t, "app", fields{"user": "app"})
	l.starts(2, "USER_NAME", "app")
	res := l.stop()
	l.order(2)
	if n := said(res.stderr, "vaultexec: warn: "); n != 0 {
		t.Errorf("%d warnings:\n%s", n, res.stderr)
	}
}
