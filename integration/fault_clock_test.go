//go:build linux

package integration

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// sleepers are put to sleep past the end of their leases, each at a moment.
var sleepers = []struct {
	moment string
	before func(s *subject) (after func()) // goes to the moment, and on from there
}{
	{"start", func(s *subject) func() { // it has its credentials, and waits for what else it wants
		hold := s.p.Add(servers.Rule{Prefix: "/v1/" + s.kv.data(s.path), Do: servers.Hang()})
		creds := s.p.Add(servers.Rule{Prefix: "/v1/" + s.db.CredsPath(faultRole)})
		s.launch()
		s.felt(creds, 1)
		s.felt(hold, 1)
		return hold.Lift
	}},
	{"steady", func(s *subject) func() {
		s.launch()
		s.arrives()
		return func() {}
	}},
	{"renewal", func(s *subject) func() {
		hold := s.p.Add(servers.Rule{Prefix: "/v1/sys/leases/renew", Do: servers.Hang()})
		s.launch()
		s.arrives()
		s.felt(hold, 1)
		return hold.Lift
	}},
	{"restart", func(s *subject) func() {
		s.launch()
		s.arrives()
		lift := s.setHold()
		s.rotate()
		s.r.waitLine("stopping")
		return lift
	}},
}

func (s *subject) launch() { s.start(s.command().token(s.token(time.Hour))) }

// The machine sleeps: the process stands still past the end of its lease, and
// for it all clocks jump. Then the child has new credentials, and all goes on.
// (The system's clock is everybody's and cannot be set in a test; libfaketime
// does not reach a program that asks the kernel's vDSO itself.)
func TestP2ClockJumps(t *testing.T) {
	t.Parallel()
	v := sharedVault(t)
	db := faultDatabase(t, v)
	const life = 20 * time.Second
	mustDo(t, db.DynamicRole(t.Context(), faultRole, life, time.Hour))
	var all []*subject
	after := make(map[*subject]func())
	for _, moment := range sleepers {
		s := newSubject(t, "asleep at "+moment.moment, v, db).behind(servers.ProxyOptions{Targets: []string{v.Address}, TLS: true})
		after[s] = moment.before(s)
		s.r.signal(syscall.SIGSTOP)
		all = append(all, s)
	}
	<-time.After(life + 6*time.Second) // PostgreSQL takes the credentials for five seconds more
	for _, s := range all {
		s.count()
		s.r.signal(syscall.SIGCONT)
		after[s]()
	}
	for _, s := range all {
		s.arrives()
		s.r.poll("credentials that are good", func() bool {
			return db.Query(t.Context(), s.creds("DB_USER"), s.creds("DB_PASSWORD")) == nil
		})
		if s.started() > s.began { // one was started before the new credentials came
			s.arrives()
		}
		s.overAWhile()
		s.undisturbed("awake")
		s.atMost("awake", 8, 2.5)
		s.rotate()
		s.arrives()
		s.stop()
	}
}

// In a time namespace the monotonic clock starts elsewhere, far ahead as after
// years of uptime.
func TestP2MonotonicClockFarAhead(t *testing.T) {
	t.Parallel()
	const ahead = 10 * 365 * 24 * 3600
	if out, err := exec.Command("unshare", "--time", "--monotonic", strconv.Itoa(ahead), "true").CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no time namespace: %v\n%s", err, out)
		}
		t.Skipf("no time namespace: %v\n%s", err, out)
	}
	v := sharedVault(t)
	db := faultDatabase(t, v)
	if err := db.DynamicRole(t.Context(), faultRole, 24*time.Second, time.Hour); err != nil {
		t.Fatal(err)
	}
	s := newSubject(t, "ahead", v, db)
	c := s.command().token(s.token(time.Hour))
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Fatal(err)
	}
	// unshare becomes the program: one process, in the new namespace.
	c.flags = append([]string{"--time", "--monotonic", strconv.Itoa(ahead), "--boottime", strconv.Itoa(ahead), "--", c.binary}, c.flags...)
	c.binary = unshare
	s.start(c)
	s.arrives()
	until := s.validUntil()
	s.rotate()
	s.arrives()
	s.renewed(until)
	s.undisturbed("renewed")
	s.stop()
}
