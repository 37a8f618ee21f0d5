package integration

import (
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// vaultTroubles are what can happen to Vault itself.
var vaultTroubles = []struct {
	name  string
	begin func(t *testing.T, v *servers.Vault) error
	end   func(t *testing.T, v *servers.Vault) error
}{
	{"hang",
		func(_ *testing.T, v *servers.Vault) error { return v.Pause() },
		func(_ *testing.T, v *servers.Vault) error { return v.Resume() }},
	{"crash",
		func(_ *testing.T, v *servers.Vault) error { v.Kill(); return nil },
		func(t *testing.T, v *servers.Vault) error {
			if err := v.Start(t.Context()); err != nil {
				return err
			}
			return v.Unseal(t.Context())
		}},
	{"seal",
		func(t *testing.T, v *servers.Vault) error { return v.Seal(t.Context()) },
		func(t *testing.T, v *servers.Vault) error { return v.Unseal(t.Context()) }},
}

// Vault hangs, crashes or is sealed, at each moment there is: the child keeps
// its pid, token and lease live on, and the next rotation arrives.
func TestP2VaultInTrouble(t *testing.T) {
	t.Parallel()
	for _, trouble := range vaultTroubles {
		t.Run(trouble.name, func(t *testing.T) {
			t.Parallel()
			v := ownVault(t, servers.VaultOptions{Durable: true})
			s := newSubject(t, trouble.name, v, faultDatabase(t, v)).behind(servers.ProxyOptions{Targets: []string{v.Address}, TLS: true})
			begin, end := func() {
				t.Helper()
				if err := trouble.begin(t, v); err != nil {
					t.Fatal(err)
				}
				s.count()
			}, func(when string, first, perSecond float64) {
				t.Helper()
				s.overAWhile()
				s.atMost(when, first, perSecond)
				if err := trouble.end(t, v); err != nil {
					t.Fatal(err)
				}
			}
			after := func(n int, prefix string) { // n more requests
				t.Helper()
				r := s.p.Add(servers.Rule{Prefix: prefix})
				s.felt(r, n)
				r.Lift()
			}

			c := s.command().token(s.token(leaseLife * 2))
			begin()
			s.start(c)
			after(3, "")
			end("start", 6, 4)
			s.arrives()

			until := s.validUntil()
			begin()
			after(3, "")
			s.undisturbed("steady")
			end("steady", 4, 3)
			s.rotate()
			s.arrives()

			// A trouble that lasts from before a renewal is due until after that.
			<-time.After(time.Until(until.Add(-leaseLife * 2 / 5)))
			begin()
			after(1, "/v1/sys/leases/renew")
			s.undisturbed("renewal")
			end("renewal", 4, 3)
			s.renewed(until)
			s.undisturbed("renewed")

			lift := s.setHold()
			s.rotate()
			s.r.waitLine("stopping")
			begin()
			lift()
			s.arrives()
			after(2, "")
			s.undisturbed("restart")
			end("restart", 4, 3)
			s.rotate()
			s.arrives()
			s.stop()
		})
	}
}

// Trouble that lasts longer than the credentials do: the child goes on with
// what it has, and gets others as soon as there are any, once.
func TestP2OutageLongerThanLease(t *testing.T) {
	t.Parallel()
	v := ownVault(t, servers.VaultOptions{Durable: true})
	s := newSubject(t, "outage", v, faultDatabase(t, v)).behind(servers.ProxyOptions{Targets: []string{v.Address}, TLS: true})
	if err := s.db.DynamicRole(t.Context(), faultRole, 10*time.Second, time.Hour); err != nil {
		t.Fatal(err)
	}
	s.start(s.command().token(s.token(time.Hour)))
	s.arrives()
	user := s.creds("DB_USER")
	v.Kill()
	s.count()
	s.r.waitLog("past its life")
	if s.pidGone() {
		t.Fatalf("the child is gone\n%s", s.r.outputs())
	}
	s.atMost("outage", 4, 3)
	if err := v.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := v.Unseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.arrives()
	if s.creds("DB_USER") == user {
		t.Error("the child was started again with the same credentials")
	}
	s.undisturbed("after the outage")
	s.rotate()
	s.arrives()
	s.stop()
}
