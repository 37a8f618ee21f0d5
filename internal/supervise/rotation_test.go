package supervise

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What an unapplied change asked for is not forgotten when a newer one comes.
func TestBatch(t *testing.T) {
	files := func() error { return nil }
	hook := Change{Reaction: ReactExec, Hook: Command{Path: "/hook"}, HookTimeout: time.Second}
	tests := []struct {
		name  string
		older Change
		newer Change
		check func(batch) bool
	}{
		{"the newest command", Change{Command: Command{Path: "/a"}, Reaction: ReactExit}, Change{Command: Command{Path: "/b"}},
			func(b batch) bool { return b.change.Command.Path == "/b" && b.change.Reaction == ReactExit }},
		{"a stronger reaction", Change{Reaction: ReactSignal}, Change{Reaction: ReactRestart},
			func(b batch) bool { return b.change.Reaction == ReactRestart }},
		{"an older hook", hook, Change{Reaction: ReactSignal, Hook: Command{Path: "/not"}},
			func(b batch) bool { return b.change.Hook.Path == "/hook" && b.hookTimeout() == time.Second }},
		{"a newer hook", hook, Change{Reaction: ReactExec, Hook: Command{Path: "/newer"}},
			func(b batch) bool { return b.change.Hook.Path == "/newer" && b.hookTimeout() == defaultHookTimeout }},
		{"an older hook with what is newer", hook, Change{Command: Command{Env: []string{"A=1"}, Inherit: []Descriptor{{Number: 100}}}},
			func(b batch) bool { return len(b.change.Hook.Env) == 1 && len(b.change.Hook.Inherit) == 1 }},
		{"files that only the older one brings", Change{Deliver: files}, Change{},
			func(b batch) bool { return b.change.Deliver != nil }},
		{"an earlier end", Change{Expires: noon}, Change{Expires: noon.Add(1)},
			func(b batch) bool { return b.change.Expires.Equal(noon) }},
		{"a later end", Change{Expires: noon}, Change{Expires: noon.Add(-1)},
			func(b batch) bool { return b.change.Expires.Equal(noon.Add(-1)) }},
		{"an end against none", Change{Expires: noon}, Change{},
			func(b batch) bool { return b.change.Expires.Equal(noon) }},
		{"each reason once", Change{Reason: "a"}, Change{Reason: "a"},
			func(b batch) bool { return b.reason() == "a" }},
	}
	for _, tt := range tests {
		older, newer := batchOf(tt.older, 0.5, noon), batchOf(tt.newer, 0.7, noon.Add(time.Second))
		sum := older.and(newer)
		if !tt.check(sum) || !sum.first.Equal(noon) || !sum.last.Equal(noon.Add(time.Second)) || sum.random != 0.5 {
			t.Errorf("%s: %+v", tt.name, sum)
		}
		if got := (batch{}).and(newer); !got.last.Equal(newer.last) {
			t.Errorf("%s: nothing and a batch are %+v", tt.name, got)
		}
		if got := older.and(batch{}); !got.last.Equal(older.last) {
			t.Errorf("%s: a batch and nothing are %+v", tt.name, got)
		}
	}
}

// Batches must not share memory with their successors.
func TestBatchIsPure(t *testing.T) {
	change := Change{Reaction: ReactSignal, Signal: syscall.SIGHUP, Applied: func() {}, Reason: "first"}
	b := batchOf(change, 0, noon)
	for _, reason := range []string{"second", "third", "fourth"} {
		change.Reason = reason
		b = b.and(batchOf(change, 0, noon))
	}
	one, other := change, change
	one.Reason, other.Reason = "one", "other"
	a, c := b.and(batchOf(one, 0, noon)), b.and(batchOf(other, 0, noon))
	if !strings.HasSuffix(a.reason(), "one") || !strings.HasSuffix(c.reason(), "other") || len(b.applied) != 4 {
		t.Errorf("%q and %q share memory", a.reason(), c.reason())
	}
}

// A timer that fires late, after a suspended machine say, may find the window
// closed.
func TestStepWindowHasPassed(t *testing.T) {
	r := rotationRules(Rotation{Window: openHour})
	s := atStage(at(running), quiet)
	s, actions := r.step(s, event{kind: timeElapsed}, noon.Add(90*time.Minute))
	if len(actions) != 0 || !s.next().Equal(noon.Add(24*time.Hour)) {
		t.Errorf("did %q, next at %s; want nothing until the next noon", show(actions), s.next())
	}
}

// openHour is a window from each noon until one.
func openHour(at time.Time) time.Time {
	opens := noon.Add(at.Sub(noon).Truncate(24 * time.Hour))
	if at.Sub(opens) < time.Hour {
		return at
	}
	return opens.Add(24 * time.Hour)
}

// What has waited for a hook is not applied outside of the window.
func TestLoopHookOutlastsTheWindow(t *testing.T) {
	c := &rotated{}
	r := rotationRules(Rotation{})
	r.rotation.Window = func(at time.Time) time.Time { return c.t0.Add(openHour(noon.Add(at.Sub(c.t0))).Sub(noon)) }
	c.onHook = func() {
		time.AfterFunc(90*time.Minute, func() {
			c.happens(event{kind: hookEnded})
			c.childc <- syscall.SIGCHLD
		})
	}
	rotate(t, r, c, func() {
		c.changec <- Change{Reaction: ReactExec, HookTimeout: -1}
		time.Sleep(time.Minute)
		c.changec <- restart("/new")
		c.stopAt(30 * time.Hour)
	})
	expect(t, c.times("RestartBegan"), []string{"24h0m0s"})
}

// Not even what ends soon is tried faster than the back-off allows, and it is
// said once why the window does not count. Once delivered, all begins anew.
func TestLoopRetriesAreNotOverridden(t *testing.T) {
	c := &rotated{}
	r := rotationRules(Rotation{})
	r.rotation.Window = func(at time.Time) time.Time { return later(at, c.t0.Add(24*time.Hour)) }
	var failures atomic.Int32
	failures.Store(3)
	fails := func() error {
		if failures.Add(-1) >= 0 {
			return errors.New("the disk is full")
		}
		return nil
	}
	rotate(t, r, c, func() {
		c.changec <- Change{Deliver: fails, Expires: c.t0}
		time.Sleep(time.Minute)
		failures.Store(1)
		c.changec <- Change{Deliver: fails, Expires: c.t0}
		c.stopAt(time.Hour)
	})
	expect(t, c.times("deliverChange"), []string{"0s", "1s", "3s", "7s", "1m0s", "1m1s"})
	expect(t, c.times("HoldOverridden"), []string{"0s", "1m0s"})
}

// What comes while a delivery fails is tried together with it.
func TestLoopChangeDuringAFailingDelivery(t *testing.T) {
	c := &rotated{}
	rotate(t, rotationRules(Rotation{}), c, func() {
		one := restart("/one")
		one.Deliver = func() error { time.Sleep(time.Second); return errors.New("the disk is full") }
		c.changec <- one
		time.Sleep(500 * time.Millisecond)
		two := restart("/two")
		two.Reaction, two.Deliver = ReactNone, func() error { return nil }
		c.changec <- two
		c.stopAt(time.Minute)
	})
	expect(t, c.did[2:], []string{"0s deliverChange", "1s DeliveryFailed", "2s deliverChange", "2s RestartBegan",
		"2s signalChild(TERM)", "3s startChild", "3s /two", "1m0s signalChild(TERM)"})
}

// A start tries what could not be delivered, also before that is due again.
func TestLoopStartTriesAFailedDelivery(t *testing.T) {
	c := &rotated{}
	c.onStart = func(n int) event {
		if n == 1 {
			return c.dies(8*time.Second, 6)(n)
		}
		return event{kind: childStarted}
	}
	rotate(t, rotationRules(Rotation{OnFailure: true}), c, func() {
		change := restart("/new")
		change.Deliver = func() error {
			if time.Since(c.t0) < 8*time.Second {
				return errors.New("the disk is full")
			}
			return nil
		}
		c.changec <- change
		c.stopAt(time.Minute)
	})
	if got := c.times("deliverChange"); !slices.Equal(got, []string{"0s", "1s", "3s", "7s", "9s"}) || !slices.Equal(c.times("/new"), []string{"9s"}) {
		t.Errorf("did %q, want a delivery and a start at 9s", c.did)
	}
	if !strings.Contains(c.log.String(), "status=6 after=1s") {
		t.Errorf("log %s", c.log.String())
	}
}
