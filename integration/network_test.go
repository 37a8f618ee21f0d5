//go:build linux

package integration

import (
	"errors"
	"os"
	"strings"
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
	const at = "127.0.0.1:9000" // in a network of its own
	must(c.Do(func() error { s.start(s.command("--listen", at).token(token)); return nil }))
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
		before, since := failures(s, at, c), time.Now()
		must(cut.do())
		if cut.lasts == 0 {
			cut.lasts = time.Until(until.Add(-leaseLife / 3).Add(time.Second))
		}
		<-time.After(cut.lasts)
		s.undisturbed(cut.name)
		if n, most := failures(s, at, c)-before, 4+2*time.Since(since).Seconds(); n < 1 || n > most {
			t.Errorf("%s: %v tries in %v, want at most %.0f", cut.name, n, time.Since(since), most)
		} else {
			t.Logf("%s: %v tries in %v", cut.name, n, time.Since(since))
		}
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

// failures are the requests that failed, as vaultexec counts them itself: nobody
// else sees them. It listens in its own network.
func failures(s *subject, at string, c *servers.Cut) (n float64) {
	s.t.Helper()
	e := &endpoint{s.t, at, c.DialContext}
	for name, value := range e.metrics() {
		if strings.HasPrefix(name, "vaultexec_fetch_errors_total") {
			n += value
		}
	}
	return n
}
