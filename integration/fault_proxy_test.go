package integration

import (
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// proxyTroubles are what can happen to requests between vaultexec and Vault.
// Those that take seconds each leave time for one try only before others than
// the lease's credentials are read.
var proxyTroubles = []struct {
	name  string
	do    servers.Fault
	tries int // renewals that it hits
}{
	{"hang", servers.Hang(), 1},
	{"slow", servers.Delay(500 * time.Millisecond), 1},
	{"too slow", servers.Delay(5 * time.Second), 1},
	{"reset", servers.Reset(), 1},
	{"reset after", servers.ResetAfter(), 1},
	{"truncated", servers.Truncate(), 2},
	{"corrupt", servers.Corrupt(), 2},
	{"garbage", servers.Garbage(), 2},
	{"429", servers.Answer(429), 2},
	{"429 Retry-After", servers.Answer(429, "Retry-After: 1"), 2},
	{"473", servers.Answer(473), 2},
	{"500", servers.Answer(500), 2},
	{"502", servers.Answer(502), 2},
	{"503", servers.Answer(503), 2},
	{"503 Retry-After", servers.Answer(503, "Retry-After: 1"), 2},
}

// Whatever answers come, at the start, while all is calm, when token and lease
// are to be renewed, and while the child is between two lives: the child keeps
// its pid, the lease lives on, the next rotation arrives, and Vault is not
// flooded. All of them go through it side by side, behind a proxy with TLS and
// a private authority.
func TestP2SpoiledAnswers(t *testing.T) {
	t.Parallel()
	v := sharedVault(t)
	const life = time.Minute // a renewal at 36 to 40 s, and others up to 45 s
	pg, err := faultPostgres()
	mustDo(t, err)
	db := databaseIn(t, v, pg, life)
	var subjects []*subject
	rules := make(map[*subject]*servers.Rule)
	fault := make(map[*subject]func(prefix string))
	tries := make(map[*subject]int)
	for _, trouble := range proxyTroubles {
		s := newSubject(t, trouble.name, v, db).behind(servers.ProxyOptions{Targets: []string{v.Address}, TLS: true})
		fault[s] = func(prefix string) { rules[s] = s.p.Add(servers.Rule{Prefix: prefix, Do: trouble.do}) }
		tries[s] = trouble.tries
		subjects = append(subjects, s)
	}
	wait := make(map[*subject]func())
	each := func(phase func(s *subject)) {
		t.Helper()
		for _, s := range subjects {
			phase(s)
		}
	}

	// At the start: the child waits for what it needs.
	each(func(s *subject) {
		fault[s]("")
		s.count()
		s.start(s.command().token(s.token(life + 20*time.Second))) // the start takes some of it
		wait[s] = s.feltBy(3, rules[s])
	})
	each(func(s *subject) { wait[s]() })
	each(func(s *subject) { s.arrives(); s.atMost("start", 6, 4) })

	// While all is calm.
	each(func(s *subject) { fault[s](""); s.count() })
	each(func(s *subject) {
		s.felt(rules[s], 3)
		s.undisturbed("in trouble")
		s.atMost("steady", 4, 3)
		rules[s].Lift()
	})
	each(func(s *subject) { s.rotate() })
	each(func(s *subject) { s.arrives(); s.undisturbed("after a rotation") })

	// When the token is to be renewed, and the lease. The rest goes well.
	until := make(map[*subject]time.Time)
	each(func(s *subject) {
		s.count()
		until[s] = s.validUntil()
		fault[s]("/v1/auth/token/renew-self")
		tokens := rules[s]
		fault[s]("/v1/sys/leases/renew")
		wait[s] = s.feltBy(tries[s], tokens, rules[s])
	})
	each(func(s *subject) { wait[s]() })
	each(func(s *subject) { s.renewed(until[s]); s.undisturbed("after a renewal"); s.atMost("renewal", 8, 2) })

	// While the child is between two lives: it does not wait for Vault.
	holds := make(map[*subject]func())
	each(func(s *subject) { holds[s] = s.setHold(); s.rotate() })
	each(func(s *subject) { s.r.waitLine("stopping"); fault[s](""); s.count(); holds[s]() })
	each(func(s *subject) { s.arrives(); s.felt(rules[s], 2); s.undisturbed("restarted in trouble") })
	each(func(s *subject) { s.atMost("restart", 4, 3); rules[s].Lift(); s.rotate() })
	each(func(s *subject) { s.arrives(); s.stop() })
}

// A certificate that has expired is no reason to do anything to a child, and
// once there is another one everything goes on. At the start it is an error.
func TestP2CertificateExpires(t *testing.T) {
	t.Parallel()
	v := sharedVault(t)
	s := newSubject(t, "certificate", v, faultDatabase(t, v)).behind(servers.ProxyOptions{Targets: []string{v.Address}, TLS: true})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	token := s.token(leaseLife)
	must(s.p.ExpireCertificate())
	s.command().token(token).run().refused("certificate is expired", s.p.Address)
	must(s.p.RenewCertificate())
	s.start(s.command().token(token))
	s.arrives()

	// While all is calm, and until renewals of the token and the lease are due.
	until := s.validUntil()
	must(s.p.ExpireCertificate())
	s.count()
	<-time.After(time.Until(until.Add(-leaseLife / 3).Add(time.Second)))
	s.undisturbed("expired")
	s.atMost("expired", 6, 1.5)
	must(s.p.RenewCertificate())
	s.rotate()
	s.arrives()
	s.renewed(until)
	s.undisturbed("renewed")

	// During a restart.
	lift := s.setHold()
	s.rotate()
	s.r.waitLine("stopping")
	must(s.p.ExpireCertificate())
	s.count()
	lift()
	s.arrives()
	s.overAWhile()
	s.undisturbed("restart")
	s.atMost("restart", 6, 2.5)
	must(s.p.RenewCertificate())
	s.rotate()
	s.arrives()
	s.stop()
}

// An authority that is replaced, and its file a while after that, cuts nobody off
// for longer: requests with and without a body go through again.
func TestP2AuthorityChanges(t *testing.T) {
	t.Parallel()
	v := sharedVault(t)
	s := newSubject(t, "authority", v, faultDatabase(t, v)).behind(servers.ProxyOptions{Targets: []string{v.Address}, TLS: true})
	s.start(s.command().token(s.token(leaseLife)))
	s.arrives()
	until := s.validUntil()
	mustDo(t, s.p.ChangeAuthority())
	s.count()
	s.rotate()
	s.overAWhile()
	s.undisturbed("unknown authority")
	mustDo(t, s.p.PublishAuthority())
	s.arrives()
	s.renewed(until)
	s.stop()
}

// The same for a proxy that is not there at all for a time.
func TestP2ConnectionRefused(t *testing.T) {
	t.Parallel()
	v := sharedVault(t)
	s := newSubject(t, "refused", v, faultDatabase(t, v)).behind(servers.ProxyOptions{Targets: []string{v.Address}, TLS: true})
	down := func(what func()) {
		t.Helper()
		if err := s.p.Down(); err != nil {
			t.Fatal(err)
		}
		what()
		if err := s.p.Up(); err != nil {
			t.Fatal(err)
		}
	}
	down(func() { s.start(s.command().token(s.token(leaseLife))); s.r.waitLog("waiting for vault") })
	s.arrives()
	until := s.validUntil()
	down(func() {
		<-time.After(time.Until(until.Add(-leaseLife / 3).Add(time.Second))) // renewals are due
		s.undisturbed("refused")
	})
	s.rotate()
	s.arrives()
	s.renewed(until)
	lift := s.setHold()
	s.rotate()
	s.r.waitLine("stopping")
	down(func() { lift(); s.arrives() })
	s.rotate()
	s.arrives()
	s.stop()
}
