//go:build linux

package integration

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// newCut makes a network that can be cut, or says why there is none here.
func newCut(t *testing.T) *servers.Cut {
	t.Helper()
	c, err := servers.StartCut(t.Context())
	if errors.Is(err, servers.ErrNoCut) {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// The network is cut, by a router that drops everything and by a cable that is
// pulled: at the start, in calm, at a renewal and during a restart.
func TestP2NetworkCut(t *testing.T) {
	t.Parallel()
	c := newCut(t)
	v := sharedVault(t)
	s := newSubject(t, "cut", v, faultDatabase(t, v)).behind(servers.ProxyOptions{Targets: []string{v.Address}, TLS: true, Listen: c.Listen})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Drop(t.Context()))
	token := s.token(time.Hour)
	must(c.Do(func() error { s.start(s.command().token(token)); return nil }))
	s.r.waitLog("waiting for vault")
	must(c.Mend(t.Context()))
	s.arrives()
	until := s.validUntil()
	for _, cut := range []struct {
		name  string
		do    func() error
		lasts time.Duration // several tries go nowhere
	}{
		{"unplug", func() error { return c.Unplug(t.Context()) }, 6 * time.Second},
		{"drop", func() error { return c.Drop(t.Context()) }, 0}, // until a renewal is due
	} {
		s.count()
		must(cut.do())
		if cut.lasts == 0 {
			cut.lasts = time.Until(until.Add(-leaseLife / 3).Add(time.Second))
		}
		<-time.After(cut.lasts)
		s.undisturbed(cut.name)
		s.atMost(cut.name, 2, 0) // those that were under way
		must(c.Mend(t.Context()))
		s.rotate()
		s.arrives()

		if cut.name == "drop" {
			s.renewed(until)
			s.undisturbed("renewed")
		}

		lift := s.setHold()
		s.rotate()
		s.r.waitLine("stopping")
		must(cut.do())
		lift()
		s.arrives()
		must(c.Mend(t.Context()))
		s.rotate()
		s.arrives()
	}
	s.stop()
}

// The machine sleeps: the process stands still past the end of its lease, and
// for it all clocks jump. Then it has new credentials, once, and goes on. (The
// system's clock is everybody's and cannot be set in a test; libfaketime does
// not reach a program that asks the kernel's vDSO itself.)
func TestP2ClockJumps(t *testing.T) {
	t.Parallel()
	v := sharedVault(t)
	db := faultDatabase(t, v)
	const life = 8 * time.Second
	if err := db.DynamicRole(t.Context(), faultRole, life, time.Hour); err != nil {
		t.Fatal(err)
	}
	s := newSubject(t, "sleep", v, db)
	s.start(s.command().token(s.token(time.Hour)))
	s.arrives()
	user := s.creds("DB_USER")
	s.r.signal(syscall.SIGSTOP)
	<-time.After(life + time.Second)
	s.r.signal(syscall.SIGCONT)
	s.arrives()
	if s.creds("DB_USER") == user {
		t.Error("the child has the credentials of before")
	}
	s.rotate()
	s.arrives()
	s.stop()
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
	if err := db.DynamicRole(t.Context(), faultRole, 12*time.Second, time.Hour); err != nil {
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
