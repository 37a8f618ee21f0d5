package supervise

import (
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// rotated is a fake child and its surroundings, for changes. It ends by the
// stop signal unless onSignal says otherwise, and takes a second for that.
type rotated struct {
	fakeChild
	sigc       chan os.Signal
	startc     chan Start
	changec    chan Change
	deliveredc chan event
	random     []float64         // what is drawn, then 0
	source     func() float64    // draws in its place
	onStart    func(n int) event // nil: it always starts
	onHook     func()            // runs at the start of a hook
	log        strings.Builder
	starts     int
	deliveries sync.WaitGroup
	delivering atomic.Int32 // how many slow ones are under way
}

// perform keeps what happened but for what every end of a child brings.
func (c *rotated) perform(a action) []event {
	if a.verb == killHook {
		c.happens(event{kind: hookEnded, code: 137})
		c.childc <- syscall.SIGCHLD
	}
	before := len(c.did)
	events := c.fakeChild.perform(a)
	switch {
	case a.verb == lookAtGroup || a.verb == reapChild || a.verb == signalGroup && a.sig == syscall.SIGTERM:
		c.did = c.did[:before]
	case a.verb == deliverChange:
		c.deliveries.Go(func() {
			if a.deliver != nil {
				if err := a.deliver(); err != nil {
					c.deliveredc <- event{kind: deliveryFailed, err: err}
					return
				}
			}
			c.deliveredc <- event{kind: changeDelivered}
		})
	case a.verb == startChild:
		c.note(a.command.Path)
		c.starts++
		if c.onStart != nil {
			return []event{c.onStart(c.starts)}
		}
	case a.verb == runHook && c.onHook != nil:
		c.onHook()
	}
	return events
}

func (c *rotated) note(text string) {
	if text != "" {
		c.did = append(c.did, time.Since(c.t0).String()+" "+text)
	}
}

func (c *rotated) draw() float64 {
	if c.source != nil {
		return c.source()
	}
	if len(c.random) == 0 {
		return 0
	}
	x := c.random[0]
	c.random = c.random[1:]
	return x
}

// dies is an onStart of a child that ends by itself after some time.
func (c *rotated) dies(after time.Duration, code int) func(int) event {
	return func(int) event {
		time.AfterFunc(after, func() { c.exit(code) })
		return event{kind: childStarted}
	}
}

// rotate runs play beside a loop. What is in hooks is called when the loop has
// ended and before it has begun.
func rotate(t *testing.T, r rules, c *rotated, play func(), hooks ...func()) Outcome {
	t.Helper()
	var outcome Outcome
	synctest.Test(t, func(*testing.T) {
		c.t0, c.childc = time.Now(), make(chan os.Signal, 8)
		c.sigc, c.startc = make(chan os.Signal, signalBuffer), make(chan Start, 1)
		c.changec, c.deliveredc = make(chan Change, 1024), make(chan event, 1)
		if c.onSignal == nil {
			c.onSignal = func(sig syscall.Signal) {
				if sig == syscall.SIGTERM {
					time.AfterFunc(time.Second, func() { c.exit(143) })
				}
			}
		}
		if len(hooks) > 1 {
			hooks[1]()
		}
		c.startc <- Start{Command: sleeper}
		playedc := make(chan struct{})
		go func() { defer close(playedc); play() }()
		l := &loop{rules: r, hands: c, log: slog.New(slog.NewTextHandler(&c.log, nil)),
			sigc: c.sigc, childc: c.childc, startc: c.startc, changec: c.changec, deliveredc: c.deliveredc,
			random: c.draw, observe: func(e Event) {
				if e.Kind != ChildStarted && e.Kind != ChildExited {
					c.note(e.Kind.String())
				}
			}}
		outcome = l.run()
		if len(hooks) > 0 && hooks[0] != nil {
			hooks[0]()
		}
		<-playedc
		c.deliveries.Wait()
	})
	return outcome
}

// times are those at which something was done.
func (c *rotated) times(what string) []string {
	var times []string
	for _, did := range c.did {
		if at, rest, _ := strings.Cut(did, " "); rest == what {
			times = append(times, at)
		}
	}
	return times
}

// stopAt asks for a stop at some time after the beginning.
func (c *rotated) stopAt(after time.Duration) {
	time.Sleep(after - time.Since(c.t0))
	c.sigc <- syscall.SIGTERM
}

// restart is a change that asks for one, to a command that is told by its path.
func restart(path string) Change {
	return Change{Command: Command{Path: path}, Reaction: ReactRestart, Reason: "secret " + path}
}

// rotationRules are rules without a terminal, for changes.
func rotationRules(rotation Rotation) rules {
	r := testRules(noTerminal)
	r.rotation = rotation
	return r
}

func TestLoopRestarts(t *testing.T) {
	c := &rotated{}
	var applied []string
	outcome := rotate(t, rotationRules(Rotation{}), c, func() {
		time.Sleep(time.Minute)
		change := restart("/new")
		change.Deliver = func() error { c.note("delivered"); return nil }
		change.Applied = func() { applied = append(applied, time.Since(c.t0).String()) }
		c.changec <- change
		c.stopAt(2 * time.Minute)
	})
	if outcome != (Outcome{Code: 143, Ran: true}) {
		t.Errorf("outcome %+v, want 143", outcome)
	}
	expect(t, c.did, []string{"0s startChild", "0s /bin/sleep", "1m0s deliverChange", "1m0s delivered",
		"1m0s RestartBegan", "1m0s signalChild(TERM)", "1m1s startChild", "1m1s /new", "2m0s signalChild(TERM)"})
	expect(t, applied, []string{"1m1s"})
	if log := c.log.String(); !strings.Contains(log, `msg="restarting the command" reason="secret /new"`) {
		t.Errorf("log %s", log)
	}
}

// A restart of a child that does not stop, and leaves somebody who does not
// either: KILL to the whole group, and no start before they are gone.
func TestLoopRestartsADeafGroup(t *testing.T) {
	c := &rotated{}
	c.leftover.Store(true)
	c.onSignal = func(syscall.Signal) {}
	rotate(t, rotationRules(Rotation{}), c, func() {
		c.changec <- restart("/new")
		time.Sleep(30*time.Second + time.Millisecond)
		c.exit(137)
		time.Sleep(time.Minute + 5*time.Millisecond)
		c.leftover.Store(false)
		time.Sleep(time.Second)
		c.sigc <- syscall.SIGTERM
		c.exit(0)
	})
	expect(t, c.did, []string{"0s startChild", "0s /bin/sleep", "0s deliverChange", "0s RestartBegan",
		"0s signalChild(TERM)", "30s signalGroup(KILL)", "30.001s signalGroup(KILL)",
		// Again and again, for who joins it late; that this is of no use is said once.
		"30.101s signalGroup(KILL)", "30.301s signalGroup(KILL)", "30.701s signalGroup(KILL)", "31.501s signalGroup(KILL)",
		"33.101s signalGroup(KILL)", "35.001s signalGroup(KILL)", "35.001s GroupRemains", "41.401s signalGroup(KILL)",
		"51.401s signalGroup(KILL)", "1m1.401s signalGroup(KILL)", "1m11.401s signalGroup(KILL)", "1m21.401s signalGroup(KILL)",
		// From then on a look a second is enough.
		"1m30.401s startChild", "1m30.401s /new", "1m31.006s signalChild(TERM)"})
	log := c.log.String()
	if n := strings.Count(log, "outlive KILL"); n != 1 || !strings.Contains(log, "group=4711") {
		t.Errorf("said %d times that the group is still there, want once, with its number\n%s", n, log)
	}
	if n := strings.Count(log, "sent KILL"); n != 2 {
		t.Errorf("said %d times that KILL was sent, want 2\n%s", n, log)
	}
}

func TestLoopDebounce(t *testing.T) {
	tests := []struct {
		debounce, every time.Duration
		changes         int
		want            string
	}{
		{2 * time.Second, 0, 1, "2s"},
		{2 * time.Second, 1500 * time.Millisecond, 3, "5s"},
		{2 * time.Second, time.Second, 100, "10s"},       // at most five times the debounce,
		{30 * time.Second, 5 * time.Second, 100, "1m0s"}, // or a minute,
		{2 * time.Minute, time.Hour, 1, "2m0s"},          // but never less than the debounce itself
		{0, 0, 1, "0s"},
	}
	for _, tt := range tests {
		c := &rotated{}
		rotate(t, rotationRules(Rotation{Debounce: tt.debounce}), c, func() {
			for range tt.changes {
				c.changec <- Change{}
				time.Sleep(tt.every)
			}
			c.stopAt(3 * time.Hour)
		})
		if got := c.times("deliverChange"); len(got) == 0 || got[0] != tt.want {
			t.Errorf("%d changes every %s, debounce %s: delivered at %q, want first %s", tt.changes, tt.every, tt.debounce, got, tt.want)
		}
	}
}

// A stream of changes: the interval counts from the last start for a change,
// and doubles. After a quiet time it is what it was.
func TestLoopMinInterval(t *testing.T) {
	c := &rotated{}
	rotate(t, rotationRules(Rotation{MinInterval: 30 * time.Second}), c, func() {
		for range 500 {
			c.changec <- restart("/new")
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Hour)
		c.changec <- restart("/quiet")
		time.Sleep(2 * time.Second)
		c.changec <- restart("/soon")
		c.stopAt(4 * time.Hour)
	})
	expect(t, c.times("RestartBegan"), []string{"0s",
		"31s",                 // 30 s after the start at 1 s
		"1m32s",               // 60 s
		"3m33s",               // 120 s
		"7m34s",               // 240 s
		"15m35s",              // 480 s, for what came until 500 s
		"2h8m20s", "2h8m51s"}) // long after, at once, and 30 s again
}

func TestLoopMinIntervalIsCapped(t *testing.T) {
	c := &rotated{}
	rotate(t, rotationRules(Rotation{MinInterval: 25 * time.Minute}), c, func() {
		for range 6 * 60 {
			c.changec <- restart("/new")
			time.Sleep(time.Minute)
		}
		c.stopAt(6 * time.Hour)
	})
	expect(t, c.times("RestartBegan"), []string{"0s", "25m1s", "1h15m2s", "2h15m3s", "3h15m4s", "4h15m5s", "5h15m6s"})
}

// Signals and hooks wait for the plain interval only, and what does nothing to
// the child for none.
func TestLoopMinIntervalOfOthers(t *testing.T) {
	for reaction, want := range map[Reaction]string{ReactNone: "40s", ReactSignal: "1m2s", ReactExit: "1m32s"} {
		c := &rotated{}
		rotate(t, rotationRules(Rotation{MinInterval: 30 * time.Second}), c, func() {
			c.changec <- restart("/new")
			time.Sleep(10 * time.Second)
			c.changec <- restart("/new") // at 31 s, until 32 s: the interval is a minute now
			time.Sleep(30 * time.Second)
			c.changec <- Change{Reaction: reaction, Signal: syscall.SIGHUP}
			c.stopAt(time.Hour)
		})
		if got := c.times("deliverChange"); len(got) != 3 || got[2] != want {
			t.Errorf("reaction %d: delivered at %q, want the third at %s", reaction, got, want)
		}
	}
}

func TestLoopWindowAndExpiry(t *testing.T) {
	opens := 3 * time.Hour
	tests := []struct {
		expires time.Duration // 0: never
		more    bool          // another change that never ends, later
		want    []string
	}{
		{0, false, []string{"3h0m0s deliverChange"}},
		{4 * time.Hour, false, []string{"3h0m0s deliverChange"}},
		{time.Hour, false, []string{"58m55s HoldOverridden", "58m55s deliverChange"}}, // 30 + 30 + 5 seconds before
		{time.Hour, true, []string{"58m55s HoldOverridden", "58m55s deliverChange"}},
		{time.Minute, false, []string{"30s HoldOverridden", "30s deliverChange"}}, // half of the time
		{time.Second, false, []string{"2s HoldOverridden", "2s deliverChange"}},   // never before the debounce
		{-time.Hour, false, []string{"2s HoldOverridden", "2s deliverChange"}},
	}
	for _, tt := range tests {
		c := &rotated{}
		r := rotationRules(Rotation{Debounce: 2 * time.Second})
		r.rotation.Window = func(at time.Time) time.Time { return later(at, c.t0.Add(opens)) }
		rotate(t, r, c, func() {
			change := restart("/new")
			if tt.expires != 0 {
				change.Expires = c.t0.Add(tt.expires)
			}
			c.changec <- change
			if tt.more {
				time.Sleep(time.Minute)
				c.changec <- restart("/newer")
			}
			c.stopAt(5 * time.Hour)
		})
		if len(c.did) < 2+len(tt.want) || !slices.Equal(c.did[2:2+len(tt.want)], tt.want) {
			t.Errorf("ends after %s: did %q, want %q", tt.expires, c.did, tt.want)
		}
		if overridden := len(tt.want) > 1; overridden != strings.Contains(c.log.String(), "rotating although outside of the window, because what the command holds ends at ") {
			t.Errorf("ends after %s: log %s", tt.expires, c.log.String())
		}
	}
}

// What failed is tried again, slower and slower, and the child never knows.
func TestLoopDeliveryIsRetried(t *testing.T) {
	c := &rotated{}
	rotate(t, rotationRules(Rotation{}), c, func() {
		change := restart("/new")
		failures := 9
		change.Deliver = func() error {
			if failures--; failures >= 0 {
				return errors.New("the disk is full")
			}
			return nil
		}
		c.changec <- change
		c.stopAt(time.Hour)
	})
	expect(t, c.times("deliverChange"), []string{"0s", "1s", "3s", "7s", "15s", "31s", "1m3s", "2m3s", "3m3s", "4m3s"})
	expect(t, c.times("startChild"), []string{"0s", "4m4s"})
	if n := strings.Count(c.log.String(), "the disk is full"); n != 4 { // of attempts 1, 2, 4 and 8
		t.Errorf("said %d times, want 4:\n%s", n, c.log.String())
	}
	if n := len(c.times("DeliveryFailed")); n != 9 {
		t.Errorf("told %d times, want 9", n)
	}
}
