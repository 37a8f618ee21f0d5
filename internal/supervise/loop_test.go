package supervise

import (
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fakeChild is the hands of a loop without processes. It keeps what it was
// told to do, and when.
type fakeChild struct {
	t0       time.Time
	did      []string
	onSignal func(syscall.Signal) // nil: nothing happens
	childc   chan os.Signal
	leftover atomic.Bool // somebody is left in the group

	mu      sync.Mutex
	pending []event // what poll will tell
}

func (f *fakeChild) perform(a action) []event {
	f.did = append(f.did, time.Since(f.t0).String()+" "+show([]action{a}))
	switch a.verb {
	case startChild:
		return []event{{kind: childStarted, pid: 4711}}
	case lookAtGroup:
		if !f.leftover.Load() {
			return []event{{kind: groupEmptied}}
		}
	case signalChild:
		if f.onSignal != nil {
			f.onSignal(a.sig)
		}
	}
	return nil
}

func (f *fakeChild) poll() []event {
	f.mu.Lock()
	defer f.mu.Unlock()
	events := f.pending
	f.pending = nil
	return events
}

func (f *fakeChild) exit(code int) {
	f.happens(event{kind: childExited, code: code})
	f.childc <- syscall.SIGCHLD
}

// happens makes the next poll tell e.
func (f *fakeChild) happens(e event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending = append(f.pending, e)
}

// testLoop runs play beside a loop and returns the outcome and what was done.
func testLoop(t *testing.T, r rules, child *fakeChild,
	play func(sigc chan os.Signal, startc chan Start)) (outcome Outcome, did []string) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		child.t0 = time.Now()
		child.childc = make(chan os.Signal, 1)
		sigc, startc := make(chan os.Signal, signalBuffer), make(chan Start, 1)
		go play(sigc, startc)
		l := &loop{rules: r, hands: child, log: slog.New(slog.DiscardHandler),
			sigc: sigc, childc: child.childc, startc: startc}
		outcome = l.run()
	})
	return outcome, child.did
}

func expect(t *testing.T, did, want []string) {
	t.Helper()
	if !slices.Equal(did, want) {
		t.Errorf("did\n%q, want\n%q", did, want)
	}
}

func TestLoopStopsAnObedientChild(t *testing.T) {
	child := &fakeChild{}
	child.onSignal = func(syscall.Signal) {
		time.AfterFunc(2*time.Second, func() { child.exit(0) })
	}
	outcome, did := testLoop(t, testRules(noTerminal), child, func(sigc chan os.Signal, startc chan Start) {
		startc <- Start{Command: sleeper}
		time.Sleep(time.Minute)
		sigc <- syscall.SIGTERM
	})
	if outcome != (Outcome{Ran: true}) {
		t.Errorf("outcome %+v, want exit 0", outcome)
	}
	expect(t, did, []string{"0s startChild", "1m0s signalChild(TERM)", "1m2s signalGroup(TERM)", "1m2s lookAtGroup", "1m2s reapChild"})
}

func TestLoopKillsADeafChildOnTime(t *testing.T) {
	child := &fakeChild{}
	child.onSignal = func(sig syscall.Signal) {
		if sig == syscall.SIGKILL {
			child.exit(137)
		}
	}
	outcome, did := testLoop(t, testRules(noTerminal), child, func(sigc chan os.Signal, startc chan Start) {
		startc <- Start{Command: sleeper}
		time.Sleep(time.Second)
		sigc <- syscall.SIGTERM
		time.Sleep(10 * time.Second)
		sigc <- syscall.SIGTERM
	})
	if outcome.Code != 137 {
		t.Errorf("outcome %+v, want 137", outcome)
	}
	expect(t, did, []string{"0s startChild", "1s signalChild(TERM)", "11s signalChild(TERM)", "31s signalChild(KILL)",
		"31s signalGroup(TERM)", "31s lookAtGroup", "31s reapChild"})
}

func TestLoopKillsLeftovers(t *testing.T) {
	child := &fakeChild{}
	child.leftover.Store(true)
	outcome, did := testLoop(t, testRules(noTerminal), child, func(_ chan os.Signal, startc chan Start) {
		startc <- Start{Command: sleeper}
		time.Sleep(time.Second)
		child.exit(9)
	})
	if outcome.Code != 9 {
		t.Errorf("outcome %+v, want 9", outcome)
	}
	if looks := len(did) - 4; looks != int(drainTimeout/lookInterval) {
		t.Errorf("looked %d times, want every %s for %s", looks, lookInterval, drainTimeout)
	}
	expect(t, did[len(did)-2:], []string{"6s signalGroup(KILL)", "6s reapChild"})
}

// P4: whichever of the two the select sees first, no child starts.
func TestLoopStopBeatsStart(t *testing.T) {
	for range 200 {
		child := &fakeChild{}
		outcome, did := testLoop(t, testRules(noTerminal), child, func(sigc chan os.Signal, startc chan Start) {
			sigc <- syscall.SIGHUP
			sigc <- syscall.SIGTERM
			startc <- Start{Command: sleeper}
		})
		if outcome.Code != 143 || outcome.Err != nil {
			t.Fatalf("outcome %+v, want 143", outcome)
		}
		expect(t, did, []string{"0s cancelPreparation"})
	}
}

func TestLoopPreparationWithoutResult(t *testing.T) {
	outcome, did := testLoop(t, testRules(noTerminal), &fakeChild{}, func(_ chan os.Signal, startc chan Start) {
		close(startc)
	})
	if outcome.Code != 125 || outcome.Err == nil {
		t.Errorf("outcome %+v, want 125 and an error", outcome)
	}
	expect(t, did, nil)
}

func TestLoopInitLost(t *testing.T) {
	child := &fakeChild{}
	child.onSignal = func(syscall.Signal) { child.exit(143) }
	var outcome Outcome
	synctest.Test(t, func(t *testing.T) {
		child.t0 = time.Now()
		child.childc = make(chan os.Signal, 1)
		startc, lostc := make(chan Start, 1), make(chan struct{})
		startc <- Start{Command: sleeper}
		time.AfterFunc(time.Second, func() { close(lostc) })
		l := &loop{rules: testRules(noTerminal), hands: child, log: slog.New(slog.DiscardHandler),
			childc: child.childc, startc: startc, lostc: lostc}
		outcome = l.run()
	})
	if outcome.Code != 143 {
		t.Errorf("outcome %+v, want 143", outcome)
	}
	expect(t, child.did[:2], []string{"0s startChild", "1s signalChild(TERM)"})
}
