//go:build linux

package integration

import (
	"net/http"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// Dynamic credentials are renewed, and replaced before their maximum is
// reached. The command queries all the time and never fails: the old user is
// there until the command has moved, and gone afterwards; and user and
// password are of one lease. At the end nothing is left. Vault Agent revokes
// neither; vault-env ends the application when the lease ends.
func TestP10CredentialsAreReplaced(t *testing.T) {
	t.Parallel()
	d := newDBRole(t, 20*time.Second, 36*time.Second)
	path := d.CredsPath(d.name)
	a := d.account(t, path, nil, revoker(t))
	p := newProxy(t, a.vault.Address)
	l := a.login(t, d.flags(path, quick...)...).vault(p.address).env("LIVE_DB=" + d.pg.Address).live()
	var before string
	for i := range 2 {
		m := l.nth(i+1, "start")
		user, password := credentials(m)
		mustDo(t, d.Query(t.Context(), user, password))
		if user == before {
			t.Errorf("start %d has the credentials of the one before", i+1)
		}
		before = user
	}
	if n := p.count(http.MethodPut, "sys/leases/renew"); n < 1 {
		t.Error("the lease was never renewed")
	}
	if n := p.count(http.MethodGet, path); n != 2 {
		t.Errorf("%d reads for two credentials", n)
	}
	l.poll("the old users to go", func() bool { return len(d.logins(t)) == 1 })
	if n := p.count(http.MethodPut, "sys/leases/revoke"); n < 1 {
		t.Error("the old lease was not given back, it has ended by itself")
	}
	res := l.stop()
	l.order(2)
	l.neverFailed()
	if n := len(a.tokens(t)); n > 0 {
		t.Errorf("there are still %d tokens", n)
	}
	// Vault ends the leases of a token a moment after the token, by itself.
	waitUntil(t, "users and leases to go", func() bool { return len(d.logins(t))+len(leases(t, path)) == 0 })
	if n := said(res.stderr, "vaultexec: warn: "); n != 0 {
		t.Errorf("%d warnings:\n%s", n, res.stderr)
	}
}

// A renewal alone changes nothing.
func TestP8RenewalRestartsNothing(t *testing.T) {
	t.Parallel()
	d := newDBRole(t, 15*time.Second, time.Hour)
	path := d.CredsPath(d.name)
	p := newProxy(t, sharedVault(t).Address)
	l := d.account(t, path, nil).login(t, d.flags(path, append(quick, "--log-level", "info")...)...).vault(p.address).env("LIVE_DB=" + d.pg.Address).live()
	credentials(l.nth(1, "start"))
	l.more(p, 2, http.MethodPut, "sys/leases/renew")
	res := l.stop()
	l.order(1)
	l.neverFailed()
	if n := p.count(http.MethodGet, path); n != 1 {
		t.Errorf("%d reads of the credentials", n)
	}
	if res.stderr != "" {
		t.Errorf("there is something on stderr:\n%s", res.stderr)
	}
}

// A renewal that fails is tried again; the credentials stay. Vault Agent and
// envconsul read new ones after the first failure and restart.
func TestP10RenewalFailsForAWhile(t *testing.T) {
	t.Parallel()
	d := newDBRole(t, 36*time.Second, time.Hour) // three seconds and more for another try
	path := d.CredsPath(d.name)
	p := newProxy(t, sharedVault(t).Address)
	p.Add(servers.Rule{Prefix: "/v1/sys/leases/renew", Times: 1, Do: servers.Answer(500)})
	l := d.account(t, path, nil).login(t, d.flags(path, quick...)...).vault(p.address).env("LIVE_DB=" + d.pg.Address).live()
	credentials(l.nth(1, "start"))
	l.more(p, 2, http.MethodPut, "sys/leases/renew")
	l.stop()
	l.order(1)
	l.neverFailed()
	if n := p.count(http.MethodGet, path); n != 1 {
		t.Errorf("%d reads of the credentials", n)
	}
}

// A renewal that is refused makes no storm: envconsul had 110 credentials
// issued in 12 seconds. Without sys/leases/revoke old ones end by themselves.
func TestP9RefusedRenewals(t *testing.T) {
	t.Parallel()
	d := newDBRole(t, 30*time.Second, time.Hour)
	path := d.CredsPath(d.name)
	p := newProxy(t, sharedVault(t).Address)
	p.onRequest(func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v1/sys/leases/renew" {
			return false
		}
		http.Error(w, `{"errors":["lease is not renewable"]}`, http.StatusBadRequest)
		return true
	})
	l := d.account(t, path, nil).login(t, d.flags(path, quick...)...).vault(p.address).env("LIVE_DB=" + d.pg.Address).live()
	first := l.nth(1, "start")
	for i := range 2 {
		credentials(l.nth(i+1, "start"))
	}
	lasted := time.Since(first.When)
	reads := p.count(http.MethodGet, path)
	l.stop()
	l.neverFailed()
	if most := 2 + int(lasted/(10*time.Second)); reads > most {
		t.Errorf("%d credentials within %v", reads, lasted)
	}
	if n := p.count(http.MethodPut, "sys/leases/renew"); n > 2*reads {
		t.Errorf("%d renewals of %d credentials", n, reads)
	}
}

// A role that is deleted: the credentials stay as long as they live, and when
// the role is there again new ones come.
func TestP2RoleIsDeleted(t *testing.T) {
	t.Parallel()
	d := newDBRole(t, 4*time.Second, time.Hour)
	path := d.CredsPath(d.name)
	l := d.account(t, path, nil).login(t, d.flags(path, quick...)...).live()
	user, _ := credentials(l.nth(1, "start"))
	mustDo(t, d.DeleteRole(t.Context(), d.name))
	l.waitLog("a secret is past its life and could not be replaced")
	if n := len(l.moments()); n != 1 {
		t.Errorf("%d entries in the journal, want its start alone", n)
	}
	mustDo(t, d.DynamicRole(t.Context(), d.name, 4*time.Second, time.Hour))
	again, password := credentials(l.nth(2, "start"))
	if again == user {
		t.Error("the credentials are those of before")
	}
	mustDo(t, d.Query(t.Context(), again, password))
	res := l.stop().says(path)
	l.order(2)
	if n := said(res.stderr, "a secret cannot be read"); n != 1 {
		t.Errorf("the reason was said %d times", n)
	}
}

// A credential that ends goes before the window and the minimum interval, and
// a line says so.
func TestP10EndGoesBeforeTheWindow(t *testing.T) {
	t.Parallel()
	d := newDBRole(t, 24*time.Second, 24*time.Second)
	path := d.CredsPath(d.name)
	closed := time.Now().Add(12 * time.Hour).Format("0 15 * * */1h")
	l := d.account(t, path, nil).login(t, d.flags(path, "--refresh", "1s", "--debounce", "100ms", "--min-interval", "1h", "--window", closed)...).
		env("LIVE_DB=" + d.pg.Address).live()
	for i := range 2 {
		credentials(l.nth(i+1, "start"))
	}
	l.stop().says("rotating although outside of the window, because what the command holds ends at")
	l.order(2)
	l.neverFailed()
}

// A lease that is revoked under the command is replaced when its renewal shows it.
func TestP10LeaseIsRevoked(t *testing.T) {
	t.Parallel()
	d := newDBRole(t, 4*time.Second, time.Hour)
	path := d.CredsPath(d.name)
	l := d.account(t, path, nil).login(t, d.flags(path, quick...)...).live()
	user, _ := credentials(l.nth(1, "start"))
	mustDo(t, sharedVault(t).Client().Sys().RevokePrefixWithContext(t.Context(), path))
	again, password := credentials(l.nth(2, "start"))
	if again == user {
		t.Error("the credentials are those of before")
	}
	mustDo(t, d.Query(t.Context(), again, password))
	l.stop().says("the lease is gone before its time")
	l.order(2)
}

// The password of a static role changes when Vault rotates it and when
// somebody has it rotated, which Vault Agent misses until the former. That its
// ttl counts down is no change.
func TestP8StaticRole(t *testing.T) {
	t.Parallel()
	for name, period := range map[string]time.Duration{"by hand": time.Hour, "by Vault": 6 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &dbRole{Database: sharedDatabase(t), name: unique("static")}
			mustDo(t, d.StaticRole(t.Context(), d.name, period))
			path := d.StaticCredsPath(d.name)
			p := newProxy(t, sharedVault(t).Address)
			l := d.account(t, path, nil).login(t, d.flags(path, append(quick, "--secret", path+"?prefix=ALL_&only=ttl")...)...).vault(p.address).live()
			user, password := credentials(l.nth(1, "start"))
			mustDo(t, d.Query(t.Context(), user, password))
			if name == "by hand" {
				l.more(p, 3, http.MethodGet, path)
				mustDo(t, d.RotateStatic(t.Context(), d.name))
			}
			_, next := credentials(l.nth(2, "start"))
			if next == password {
				t.Error("the password is that of before")
			}
			mustDo(t, d.Query(t.Context(), user, next))
			l.stop()
			l.order(2)
		})
	}
}
