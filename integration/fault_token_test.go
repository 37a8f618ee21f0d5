package integration

import (
	"fmt"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// A token that was given to vaultexec, and whose renewal fails for so long that
// a new login would be due, is renewed once Vault answers again: there is
// nothing to log in with, and it lives.
func TestP2TokenRenewalOutlivesTrouble(t *testing.T) {
	t.Parallel()
	const life = 20 * time.Second
	v := sharedVault(t)
	s := newSubject(t, "token", v, nil).behind(servers.ProxyOptions{Targets: []string{v.Address}, TLS: true})
	token := s.token(life)
	begin := time.Now()
	s.start(s.command().token(token))
	s.arrives()
	r := s.p.Add(servers.Rule{Prefix: "/v1/auth/token/renew-self", Do: servers.Answer(503)})
	s.felt(r, 1)
	<-time.After(time.Until(begin.Add(life * 4 / 5))) // the last chance, a quarter before the end, is past
	r.Lift()
	<-time.After(time.Until(begin.Add(life + time.Second)))
	s.rotate()
	s.arrives()
	s.stop()
}

// wanderer is a subject that logs in by itself, at an auth mount of its own.
func newWanderer(t *testing.T, name string, life time.Duration) (s *subject, c *command, mount, role, policy string) {
	t.Helper()
	v := sharedVault(t)
	mount = unique("kubernetes")
	if err := v.EnableKubernetesAuth(t.Context(), sharedCluster(t), mount); err != nil {
		t.Fatal(err)
	}
	s = newSubject(t, name, v, nil).behind(servers.ProxyOptions{Targets: []string{v.Address}, TLS: true})
	policy = s.policy()
	a := newAccountAt(t, v, mount, policy)
	c = s.command("--role", a.role, "--auth-mount", mount, "--jwt-path", a.jwtFile(t, "vault"))
	return s, c, mount, "auth/" + mount + "/role/" + a.role, policy
}

// revokeLogins revokes all tokens that were made by logins at a mount.
func revokeLogins(t *testing.T, v *servers.Vault, mount string) {
	t.Helper()
	if err := v.Client().Sys().RevokePrefixWithContext(t.Context(), "auth/"+mount); err != nil {
		t.Fatal(err)
	}
}

// logins counts the requests to log in that came to the proxy.
func (s *subject) logins(mount string) (n int) {
	for _, r := range s.p.Requests() {
		if r.Path == fmt.Sprintf("/v1/auth/%s/login", mount) {
			n++
		}
	}
	return n
}

// The token is revoked under it: it logs in again, once, and nobody notices.
func TestP2TokenRevoked(t *testing.T) {
	t.Parallel()
	s, c, mount, _, _ := newWanderer(t, "token revoked", time.Hour)
	s.start(c)
	s.arrives()
	for _, moment := range []string{"steady", "restart"} {
		before := s.logins(mount)
		lift := func() {}
		if moment == "restart" {
			lift = s.setHold()
			s.rotate()
			s.r.waitLine("stopping")
		}
		s.count()
		revokeLogins(t, s.kv.vault, mount)
		s.login(mount, before+1)
		lift()
		if moment == "restart" {
			s.arrives()
		}
		s.undisturbed(moment)
		s.rotate()
		s.arrives()
		s.atMost(moment, 6, 2)
		if n := s.logins(mount) - before; n != 1 {
			t.Errorf("%s: %d logins, want 1", moment, n)
		}
	}
	s.stop()
}

// login waits for the n-th login.
func (s *subject) login(mount string, n int) {
	s.t.Helper()
	s.r.poll("a login", func() bool { return s.logins(mount) >= n })
}

// The role is deleted, and the token with it: logins fail, the child goes on,
// and when the role is there again so are the secrets.
func TestP2RoleDeleted(t *testing.T) {
	t.Parallel()
	s, c, mount, role, _ := newWanderer(t, "role deleted", time.Hour)
	s.start(c)
	s.arrives()
	client := s.kv.vault.Client().Logical()
	was, err := client.ReadWithContext(t.Context(), role)
	if err != nil {
		t.Fatal(err)
	}
	for _, moment := range []string{"steady", "restart"} {
		lift := func() {}
		if moment == "restart" {
			lift = s.setHold()
			s.rotate()
			s.r.waitLine("stopping")
		}
		before := s.logins(mount)
		s.count()
		if _, err := client.DeleteWithContext(t.Context(), role); err != nil {
			t.Fatal(err)
		}
		revokeLogins(t, s.kv.vault, mount)
		lift()
		if moment == "restart" {
			s.arrives()
		}
		s.login(mount, before+4)
		s.undisturbed(moment)
		s.atMost(moment, 6, 2)
		if n, limit := s.logins(mount)-before, 3+int(time.Since(s.since).Seconds()); n > limit {
			t.Errorf("%s: %d logins in %v, want at most %d", moment, n, time.Since(s.since), limit)
		}
		if _, err := client.WriteWithContext(t.Context(), role, was.Data); err != nil {
			t.Fatal(err)
		}
		s.rotate()
		s.arrives()
	}
	s.stop()
}

// A policy is taken away and given back: no logins, no end, and then the
// rotation that was made meanwhile.
func TestP2PolicyRemoved(t *testing.T) {
	t.Parallel()
	s, c, mount, _, policy := newWanderer(t, "policy removed", time.Hour)
	s.start(c)
	s.arrives()
	for _, moment := range []string{"steady", "restart"} {
		lift := func() {}
		if moment == "restart" {
			lift = s.setHold()
			s.rotate()
			s.r.waitLine("stopping")
		}
		s.count()
		s.allow(policy) // nothing but to keep the token
		r := s.p.Add(servers.Rule{Prefix: "/v1/" + s.kv.data(s.path)})
		lift()
		if moment == "restart" {
			s.arrives()
		}
		s.felt(r, 4)
		s.undisturbed(moment)
		s.rotate()
		s.atMost(moment, 3, 2)
		r.Lift()
		s.allow(policy, s.kv.data(s.path))
		s.arrives()
	}
	s.r.waitLog(`capabilities = ["read"]`)
	if n := s.logins(mount); n != 1 {
		t.Errorf("%d logins, want 1\n%s", n, s.r.outputs())
	}
	s.stop()
}
