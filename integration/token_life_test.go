//go:build linux

package integration

import (
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	renewSelf  = "auth/token/renew-self"
	revokeSelf = "auth/token/revoke-self"
	lookupSelf = "auth/token/lookup-self"
)

// loginPath is where service accounts log in.
const loginPath = "auth/kubernetes/login"

// tokenCase is a kubernetes login and a secret that it may read.
type tokenCase struct {
	*account
	kv    *kv
	proxy *proxy
}

// newTokenCase makes one whose token is given by these settings of the role.
func newTokenCase(t *testing.T, settings fields) *tokenCase {
	t.Helper()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "first password")})
	a := defaultAccount(t, settings, kv.policy(t, "app"))
	return &tokenCase{a, kv, newProxy(t, a.vault.Address)}
}

// live starts it and waits for its child.
func (c *tokenCase) live(t *testing.T, flags ...string) *life {
	t.Helper()
	flags = append(append(flags, quick...), "--env", "PASSWORD="+c.kv.path("app")+"#password")
	l := c.login(t, flags...).vault(c.proxy.address).live()
	l.nth(1, "start")
	return l
}

// arrives checks that a change still does, as the first restart there is.
func (c *tokenCase) arrives(t *testing.T, l *life) {
	t.Helper()
	c.kv.arrives(t, l)
}

// arrives changes the password of the secret app, and waits for the restart that
// has it in PASSWORD.
func (k *kv) arrives(t *testing.T, l *life) {
	t.Helper()
	next := canary(t, "next password")
	k.put(t, "app", fields{"password": next})
	l.starts(2, "PASSWORD", next)
}

// A token is renewed as long as that helps and then replaced by a login;
// nothing restarts for it, and afterwards nothing is left. envconsul never
// renews a token of a kubernetes login and never logs in again.
func TestP8TokenLives(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		settings       fields
		renews, logins int  // at least, then the change comes
		one            bool // login, and no more
	}{
		"renewed, then maximal": {fields{"token_ttl": "3s", "token_max_ttl": "7s"}, 2, 3, false},
		"explicit maximum":      {fields{"token_ttl": "3s", "token_explicit_max_ttl": "6s"}, 2, 3, false},
		"periodic":              {fields{"token_period": "12s"}, 2, 1, true},
		"not renewable: batch":  {fields{"token_type": "batch", "token_ttl": "4s"}, 0, 3, false},
		"few uses":              {fields{"token_num_uses": 5}, 0, 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newTokenCase(t, test.settings)
			l := c.live(t)
			l.poll("renewals and logins", func() bool {
				return c.proxy.count(http.MethodPut, renewSelf) >= test.renews && c.proxy.count(http.MethodPut, loginPath) >= test.logins
			})
			if n := len(l.moments()); n != 1 {
				t.Errorf("%d entries in the journal, want its start alone", n)
			}
			c.arrives(t, l)
			l.stop()
			l.order(2)
			if n := c.proxy.count(http.MethodPut, loginPath); test.one && n != 1 {
				t.Errorf("%d logins", n)
			}
			if n := len(c.tokens(t)); n != 0 {
				t.Errorf("%d tokens are left", n)
			}
		})
	}
}

// That a token is renewed and replaced is nothing to tell anybody.
func TestP8TokenLivesInSilence(t *testing.T) {
	t.Parallel()
	c := newTokenCase(t, fields{"token_ttl": "9s", "token_max_ttl": "14s"}) // renewed once
	l := c.live(t, "--log-level", "warn")
	l.more(c.proxy, 1, http.MethodPut, loginPath)
	res := l.stop()
	l.order(1)
	if res.stderr != "" {
		t.Errorf("there is something on stderr:\n%s", res.stderr)
	}
}

// A token that is revoked under it is replaced by a login. Vault Agent's
// supervisor keeps failing until the token would have ended.
func TestP2TokenIsRevoked(t *testing.T) {
	t.Parallel()
	c := newTokenCase(t, nil)
	l := c.live(t)
	for i := range 2 {
		l.poll("a token", func() bool { return len(c.tokens(t)) == 1 })
		c.revokeTokens(t)
		l.poll("a login", func() bool { return c.proxy.count(http.MethodPut, loginPath) >= i+2 })
	}
	c.arrives(t, l)
	res := l.stop()
	l.order(2)
	if n := c.proxy.count(http.MethodPut, loginPath); n != 3 {
		t.Errorf("%d logins, want 3", n)
	}
	if n := said(res.stderr, "the token is not accepted any more"); n != 2 {
		t.Errorf("said %d times:\n%s", n, res.stderr)
	}
}

// A policy that is missing is not taken for a dead token: no login, and the
// token is looked up once.
func TestP9NoLoginsForAMissingPolicy(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "first password")})
	policy := kv.policy(t, "app")
	c := &tokenCase{defaultAccount(t, nil, policy), kv, newProxy(t, kv.vault.Address)}
	l := c.live(t)
	mustDo(t, kv.vault.Client().Sys().DeletePolicyWithContext(t.Context(), policy))
	l.waitLog("a secret cannot be read")
	l.more(c.proxy, 3, http.MethodGet, kv.data("app"))
	mustDo(t, kv.vault.Policy(t.Context(), policy, "read", kv.data("app")))
	c.arrives(t, l)
	l.stop()
	l.order(2)
	if n := c.proxy.count(http.MethodPut, loginPath); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
	if n := c.proxy.count(http.MethodGet, lookupSelf); n != 1 {
		t.Errorf("%d lookups, want 1", n)
	}
}

// The service account token is read anew at each login: envconsul and others
// keep the one of the start, which the kubelet has replaced long since.
func TestP8JWTIsReadAnew(t *testing.T) {
	t.Parallel()
	c := newTokenCase(t, nil)
	file := c.jwtFile(t, "vault")
	l := c.live(t, "--jwt-path", file)
	writeFile(t, file, "")
	c.revokeTokens(t)
	l.waitLog("login failed, the command keeps what it has")
	writeFile(t, file, c.jwt(t, "vault")+"\n")
	l.waitLog("logged in again")
	c.arrives(t, l)
	l.stop().says(file + " is empty")
	l.order(2)
}

// The role is deleted: the command runs on, the reason is said once, and when
// the role is back everything goes on.
func TestP2LoginRoleIsDeleted(t *testing.T) {
	t.Parallel()
	c := newTokenCase(t, fields{"token_ttl": "3s", "token_max_ttl": "3s"})
	l := c.live(t)
	role := "auth/" + loginMount(t) + "/role/" + c.role
	s, err := c.vault.Client().Logical().ReadWithContext(t.Context(), role)
	mustDo(t, err)
	_, err = c.vault.Client().Logical().DeleteWithContext(t.Context(), role)
	mustDo(t, err)
	l.waitLog("login failed, the command keeps what it has")
	before := c.proxy.count(http.MethodPut, loginPath)
	began := time.Now()
	l.more(c.proxy, 3, http.MethodPut, loginPath)
	if n, lasted := c.proxy.count(http.MethodPut, loginPath)-before, time.Since(began); lasted < time.Duration(n-1)*500*time.Millisecond {
		t.Errorf("%d logins within %v", n, lasted)
	}
	_, err = c.vault.Client().Logical().WriteWithContext(t.Context(), role, s.Data)
	mustDo(t, err)
	l.waitLog("logged in again")
	c.arrives(t, l)
	res := l.stop()
	l.order(2)
	if n := said(res.stderr, "login failed, the command keeps what it has"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// A login replaces the leases of the token that ends, with overlap: the
// command never works with what ended with it.
func TestP10LoginReplacesLeases(t *testing.T) {
	t.Parallel()
	d := newDBRole(t, time.Hour, 2*time.Hour)
	path := d.CredsPath(d.name)
	a := d.account(t, path, fields{"token_ttl": "36s", "token_max_ttl": "36s", "token_type": "service"})
	l := a.login(t, d.flags(path, quick...)...).env("LIVE_DB=" + d.pg.Address).live()
	user, _ := credentials(l.nth(1, "start"))
	again, _ := credentials(l.nth(2, "start"))
	if again == user {
		t.Error("the credentials are those of before")
	}
	l.stop()
	l.order(2)
	l.neverFailed()
	waitUntil(t, "the users to go", func() bool { return len(d.logins(t)) == 0 })
}

// A token that somebody gave and that cannot be renewed: its end is said, with
// what to do, and the command runs on. One that vault login leaves later is
// taken.
func TestP2GivenTokenEnds(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	token, err := kv.vault.CreateToken(t.Context(), 20*time.Second, kv.policy(t, "app"), "default")
	mustDo(t, err)
	register("a short token", token)
	p := newProxy(t, kv.vault.Address)
	c := vaultexec(t, append(quick, "--env", "PASSWORD="+kv.path("app")+"#password")...).vault(p.address).homeFile(".vault-token", token)
	p.onRequest(func(_ int, w http.ResponseWriter, r *http.Request) bool { // it may not renew itself
		if strings.HasSuffix(r.URL.Path, renewSelf) {
			http.Error(w, `{"errors":["lease is not renewable"]}`, http.StatusBadRequest)
			return true
		}
		return false
	})
	l := c.live()
	l.nth(1, "start")
	l.waitLog("the token is not accepted any more")
	if n := len(l.moments()); n != 1 {
		t.Errorf("%d entries in the journal, want its start alone", n)
	}
	p.onRequest(nil)
	writeFile(t, filepath.Join(c.home, ".vault-token"), kv.token(t, "app"))
	l.waitLog("logged in again")
	next := canary(t, "next password")
	kv.put(t, "app", fields{"password": next})
	l.starts(2, "PASSWORD", next)
	l.stop().says("log in again: vault login -address=")
	l.order(2)
}

// VAULT_TOKEN with a number of uses: what it is for comes first, and nothing
// is wasted on looking for changes.
func TestP9UsesAreNotWasted(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	s, err := kv.vault.Client().Logical().WriteWithContext(t.Context(), "auth/token/create", fields{
		"policies": []string{kv.policy(t, "app"), "default"}, "ttl": "1h", "num_uses": 10})
	mustDo(t, err)
	register("a token of few uses", s.Auth.ClientToken)
	p := newProxy(t, kv.vault.Address)
	l := vaultexec(t, append(quick, "--env", "PASSWORD="+kv.path("app")+"#password")...).vault(p.address).token(s.Auth.ClientToken).live()
	l.nth(1, "start")
	l.poll("the lookup", func() bool { return p.count(http.MethodGet, lookupSelf) == 1 })
	l.signal(syscall.SIGUSR1)
	l.nth(1, "got user defined signal 1")
	l.stop()
	if n := len(p.requests()); n > 4 {
		t.Errorf("%d of 10 uses are gone", n)
	}
	l.order(1)
}
