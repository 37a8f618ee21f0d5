package integration

import (
	"context"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// The PostgreSQL behind the credentials is away while their lease is to be
// renewed. Vault says 400 to that, as to a lease that cannot be renewed, and
// nothing is wrong with the credentials: they are kept, renewed when PostgreSQL
// is there again, and nobody is started anew.
func TestP2DatabaseIsDown(t *testing.T) {
	t.Parallel()
	const life = 90 * time.Second // a renewal at 54 to 60 s, and other tries up to 67 s
	v := sharedVault(t)
	pg, err := servers.StartPostgres(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pg.Stop(); err != nil {
			t.Error(err)
		}
	})
	db := databaseIn(t, v, pg, life)
	t.Cleanup(func() { // first, or Vault would try for ever to drop the users
		if err := db.Unmount(context.Background()); err != nil {
			t.Error(err)
		}
	})
	s := newSubject(t, "database down", v, db).behind(servers.ProxyOptions{Targets: []string{v.Address}, TLS: true})
	s.start(s.command().token(s.token(time.Hour)))
	s.arrives()
	until, user := s.validUntil(), s.creds("DB_USER")

	<-time.After(time.Until(until.Add(-life * 2 / 5)))
	mustDo(t, pg.Down())
	renewals := s.p.Add(servers.Rule{Prefix: "/v1/sys/leases/renew"})
	s.count()
	s.r.waitLog("connection refused") // of the first renewal
	mustDo(t, pg.Up(t.Context()))
	s.renewed(until)
	s.undisturbed("renewed")
	s.atMost("database down", 6, 2)
	if n := renewals.Count(); n > 8 {
		t.Errorf("%d renewals", n)
	}
	s.rotate()
	s.arrives()
	if s.creds("DB_USER") != user {
		t.Error("the credentials are others, although their lease was renewed")
	}
	s.stop()
}
