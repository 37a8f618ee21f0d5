package supervise

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// held is a change whose delivery takes a second.
func held(c Change) Change {
	c.Deliver = func() error { time.Sleep(time.Second); return nil }
	return c
}

// P4 stop means stop, at every moment of a restart: no child starts afterwards,
// and the status is that of the child that was.
func TestP4LoopStopDuringARestart(t *testing.T) {
	moments := []struct {
		at    time.Duration
		what  string
		ended time.Duration
	}{
		{500 * time.Millisecond, "files are delivered", 7500 * time.Millisecond},
		{1500 * time.Millisecond, "the child has two seconds to go", 8 * time.Second},
		{3500 * time.Millisecond, "what it left has its five seconds", 8 * time.Second},
		{8500 * time.Millisecond, "what it left got KILL", 8500 * time.Millisecond},
		{10500 * time.Millisecond, "the next change is delivered", 10500 * time.Millisecond},
	}
	for i, m := range moments {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
			if i == 0 && sig != syscall.SIGTERM {
				continue // to a child that is not being stopped yet it is no stop
			}
			c := &rotated{}
			c.leftover.Store(true)
			var end time.Duration
			asked := false
			c.onSignal = func(syscall.Signal) {
				if !asked {
					time.AfterFunc(2*time.Second, func() { c.exit(9) })
				}
				asked = true
			}
			outcome := rotate(t, rotationRules(Rotation{OnFailure: true}), c, func() {
				time.AfterFunc(m.at, func() { c.sigc <- sig })
				c.changec <- held(restart("/new"))
				time.Sleep(2 * time.Second)
				c.changec <- held(restart("/newer"))
				time.Sleep(8 * time.Second)
				c.leftover.Store(false)
			}, func() { end = time.Since(c.t0) })
			if c.starts != 1 || outcome != (Outcome{Code: 9, Ran: true}) || end != m.ended {
				t.Errorf("%s while %s: %+v at %s after %d starts, want 9 at %s\n%q", signalName(sig), m.what, outcome, end, c.starts, m.ended, c.did)
			}
		}
	}
}

// Another signal is not lost between two children, and none of them gets it
// twice.
func TestLoopKeepsSignalsBetweenChildren(t *testing.T) {
	c := &rotated{}
	c.leftover.Store(true)
	rotate(t, rotationRules(Rotation{}), c, func() {
		c.changec <- restart("/new")
		time.Sleep(500 * time.Millisecond)
		c.sigc <- syscall.SIGUSR1 // the old one still hears it
		time.Sleep(time.Second)
		c.sigc <- syscall.SIGHUP
		c.sigc <- syscall.SIGHUP
		time.Sleep(time.Second + 5*time.Millisecond)
		c.leftover.Store(false)
		c.stopAt(time.Minute)
	})
	if got := append(c.times("signalChild(USR1)"), c.times("signalChild(HUP)")...); !slices.Equal(got, []string{"500ms", "2.52s"}) {
		t.Errorf("USR1 and HUP at %q, want 500ms and, after the start, 2.52s\n%q", got, c.did)
	}
}

// During a restart a newer change replaces the command that will be started. Its
// files come first, and both have been applied then.
func TestLoopNewerChangeDuringARestart(t *testing.T) {
	c := &rotated{}
	var applied []string
	change := func(path string) Change {
		change := restart(path)
		change.Deliver = func() error { c.note("delivered " + path); return nil }
		change.Applied = func() { applied = append(applied, path+" "+time.Since(c.t0).String()) }
		return change
	}
	rotate(t, rotationRules(Rotation{Debounce: time.Second, MinInterval: time.Hour}), c, func() {
		c.changec <- change("/one")
		time.Sleep(1500 * time.Millisecond)
		c.changec <- change("/two")
		c.stopAt(time.Minute)
	})
	expect(t, c.did, []string{"0s startChild", "0s /bin/sleep", "1s deliverChange", "1s delivered /one", "1s RestartBegan",
		"1s signalChild(TERM)", "2s deliverChange", "2s delivered /two", "2s startChild", "2s /two", "1m0s signalChild(TERM)"})
	expect(t, applied, []string{"/one 2s", "/two 2s"})
}

// If its files cannot be delivered, the command before it is started, and it
// is tried again.
func TestLoopUndeliverableChangeDuringARestart(t *testing.T) {
	c := &rotated{}
	rotate(t, rotationRules(Rotation{}), c, func() {
		c.changec <- restart("/one")
		time.Sleep(500 * time.Millisecond)
		change := restart("/two")
		fail := true
		change.Deliver = func() error {
			if fail {
				fail = false
				return errors.New("the disk is full")
			}
			return nil
		}
		c.changec <- change
		c.stopAt(time.Minute)
	})
	expect(t, c.did, []string{"0s startChild", "0s /bin/sleep", "0s deliverChange", "0s RestartBegan", "0s signalChild(TERM)",
		"1s deliverChange", "1s DeliveryFailed", "1s startChild", "1s /one",
		"2s deliverChange", "2s RestartBegan", "2s signalChild(TERM)", "3s startChild", "3s /two", "1m0s signalChild(TERM)"})
}

// An end that was there before the restart's signal is the child's own.
func TestLoopOwnEndBeforeTheRestart(t *testing.T) {
	for range 50 {
		c := &rotated{}
		outcome := rotate(t, rotationRules(Rotation{}), c, func() {
			change := restart("/new")
			change.Deliver = func() error {
				c.happens(event{kind: childExited, code: 5}) // SIGCHLD is still to come
				return nil
			}
			c.changec <- change
		})
		if outcome.Code != 5 || c.starts != 1 {
			t.Fatalf("outcome %+v after %d starts, want the first child's 5\n%q", outcome, c.starts, c.did)
		}
	}
}

func TestLoopRestartImpossible(t *testing.T) {
	c := &rotated{}
	c.onStart = func(n int) event {
		if n == 1 {
			return event{kind: childStarted}
		}
		return event{kind: startFailed, err: newStartError("/new", syscall.ENOENT)}
	}
	outcome := rotate(t, rotationRules(Rotation{OnFailure: true}), c, func() { c.changec <- restart("/new") })
	if outcome.Code != 127 || outcome.Err == nil || !strings.Contains(c.log.String(), "cannot be started again") {
		t.Errorf("outcome %+v, want 127 with an error; log %s", outcome, c.log.String())
	}
}

// A change can overtake the first command.
func TestLoopChangeBeforeTheStart(t *testing.T) {
	for range 50 {
		c := &rotated{}
		rotate(t, rotationRules(Rotation{}), c, func() { c.stopAt(time.Minute) }, nil, func() { c.changec <- restart("/new") })
		expect(t, c.times("/new"), []string{"1s"})
	}
}

func TestLoopOnFailure(t *testing.T) {
	tests := []struct {
		name     string
		rotation Rotation
		runs     time.Duration
		code     int
		random   []float64
		starts   []string
		want     int
	}{
		{"backs off", Rotation{OnFailure: true}, 0, 3, nil,
			[]string{"0s", "1s", "3s", "7s", "15s", "31s", "1m3s", "2m3s", "3m3s", "4m3s"}, 3},
		{"with jitter", Rotation{OnFailure: true}, 0, 3, []float64{0.4, 0.8}, []string{"0s", "900ms", "2.5s", "6.5s"}, 3},
		{"gives up", Rotation{OnFailure: true, MaxFailures: 3}, time.Second, 4, nil, []string{"0s", "2s", "5s"}, 4},
		{"begins anew after a minute", Rotation{OnFailure: true, MaxFailures: 2}, time.Minute, 3, nil,
			[]string{"0s", "1m1s", "2m2s", "3m3s", "4m4s"}, 143},
		{"not just before", Rotation{OnFailure: true, MaxFailures: 2}, time.Minute - 1, 3, nil, []string{"0s", "1m0.999999999s"}, 3},
		{"not for success", Rotation{OnFailure: true}, time.Second, 0, nil, []string{"0s"}, 0},
		{"not unless asked", Rotation{}, time.Second, 3, nil, []string{"0s"}, 3},
		{"death by a signal too", Rotation{OnFailure: true, MaxFailures: 2}, 0, 139, nil, []string{"0s", "1s"}, 139},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &rotated{random: tt.random}
			c.onStart = c.dies(tt.runs, tt.code)
			outcome := rotate(t, rotationRules(tt.rotation), c, func() { c.stopAt(4*time.Minute + 30*time.Second) })
			if got := c.times("startChild"); !slices.Equal(got[:min(len(got), len(tt.starts))], tt.starts) || len(tt.starts) < 4 && len(got) != len(tt.starts) {
				t.Errorf("started at %q, want %q", got, tt.starts)
			}
			if outcome.Code != tt.want {
				t.Errorf("outcome %+v, want %d", outcome, tt.want)
			}
		})
	}
}

// P4 a stop during a backoff ends the run with the last status.
func TestP4LoopStopDuringABackOff(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
		c := &rotated{}
		c.onStart = c.dies(time.Second, 6)
		var end time.Duration
		outcome := rotate(t, rotationRules(Rotation{OnFailure: true}), c, func() {
			time.AfterFunc(1500*time.Millisecond, func() { c.sigc <- sig })
		}, func() { end = time.Since(c.t0) })
		if outcome != (Outcome{Code: 6, Ran: true}) || c.starts != 1 || end != 1500*time.Millisecond {
			t.Errorf("%s: %+v at %s after %d starts, want 6 at 1.5s", signalName(sig), outcome, end, c.starts)
		}
	}
}

// A new try takes what was collected along, delivered first, and does nothing
// else for it.
func TestLoopNewTryTakesChangesAlong(t *testing.T) {
	for _, reaction := range []Reaction{ReactNone, ReactSignal, ReactExec, ReactRestart} {
		c := &rotated{}
		c.onStart = func(n int) event {
			if n == 1 {
				return c.dies(time.Second, 6)(n)
			}
			return event{kind: childStarted}
		}
		var applied []string
		rotate(t, rotationRules(Rotation{OnFailure: true, Debounce: time.Minute}), c, func() {
			time.Sleep(500 * time.Millisecond)
			change := restart("/new")
			change.Reaction, change.Signal = reaction, syscall.SIGHUP
			change.Applied = func() { applied = append(applied, time.Since(c.t0).String()) }
			c.changec <- change
			c.stopAt(time.Hour)
		})
		expect(t, c.did, []string{"0s startChild", "0s /bin/sleep", "1s BackedOff", "2s deliverChange",
			"2s startChild", "2s /new", "1h0m0s signalChild(TERM)"})
		expect(t, applied, []string{"2s"})
	}
}

// A child that ends while files are delivered has its new try with them.
func TestLoopFailureDuringADelivery(t *testing.T) {
	for _, takes := range []time.Duration{time.Second, deliveryTimeout - 1} {
		c := &rotated{}
		c.onStart = func(n int) event {
			if n == 1 {
				return c.dies(500*time.Millisecond, 6)(n)
			}
			return event{kind: childStarted}
		}
		rotate(t, rotationRules(Rotation{OnFailure: true}), c, func() {
			change := restart("/new")
			change.Deliver = func() error { time.Sleep(takes); return nil }
			c.changec <- change
			c.stopAt(time.Hour)
		})
		want := max(takes, 1500*time.Millisecond)
		if !slices.Equal(c.times("/new"), []string{want.String()}) || len(c.times("RestartBegan")) != 0 {
			t.Errorf("did %q, want a start of /new at %s", c.did, want)
		}
	}
}

func TestLoopReactions(t *testing.T) {
	hup := Change{Reaction: ReactSignal, Signal: syscall.SIGHUP, Reason: "a"}
	usr1 := Change{Reaction: ReactSignal, Signal: syscall.SIGUSR1, Reason: "b"}
	hook := Change{Reaction: ReactExec, Hook: Command{Path: "/hook"}, Reason: "c"}
	tests := []struct {
		name    string
		changes []Change
		want    []string
		log     string
	}{
		{"nothing", []Change{{}}, []string{"2s deliverChange", "2s applied"}, ""},
		{"a signal", []Change{hup}, []string{"2s deliverChange", "2s Signalled", "2s signalChild(HUP)", "2s applied"},
			"reason=a signal=HUP"},
		{"each signal once", []Change{hup, usr1, hup}, []string{"2s deliverChange", "2s Signalled", "2s signalChild(HUP)",
			"2s Signalled", "2s signalChild(USR1)", "2s applied", "2s applied", "2s applied"}, `reason="a, b"`},
		{"the strongest, a hook", []Change{hook, hup, {}}, []string{"2s deliverChange", "2s runHook", "3s HookRan",
			"3s applied", "3s applied", "3s applied"}, ""},
		{"the strongest, a restart", []Change{hup, restart("/new"), hook}, []string{"2s deliverChange", "2s RestartBegan",
			"2s signalChild(TERM)", "3s startChild", "3s applied", "3s applied", "3s applied"}, `reason="a, secret /new, c"`},
		{"the strongest, an exit", []Change{{Reaction: ReactExit}, hup, restart("/new")}, []string{"2s deliverChange",
			"2s ExitBegan", "2s signalChild(TERM)"}, "stopping the command for good"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &rotated{}
			c.onHook = func() {
				time.AfterFunc(time.Second, func() {
					c.happens(event{kind: hookEnded, code: 0})
					c.childc <- syscall.SIGCHLD
				})
			}
			rotate(t, rotationRules(Rotation{Debounce: 2 * time.Second}), c, func() {
				for _, change := range tt.changes {
					change.Applied = func() { c.note("applied") }
					c.changec <- change
				}
				c.stopAt(time.Minute)
			})
			got := slices.DeleteFunc(c.did[2:], func(did string) bool { return strings.HasPrefix(did, "1m0s") })
			expect(t, got, tt.want)
			if !strings.Contains(c.log.String(), tt.log) {
				t.Errorf("log %s lacks %s", c.log.String(), tt.log)
			}
		})
	}
}

// A hook that does not end gets KILL, and what came meanwhile waits.
func TestLoopHookTimeout(t *testing.T) {
	for timeout, killed := range map[time.Duration]string{0: "1m0s", 5 * time.Second: "5s"} {
		c := &rotated{}
		rotate(t, rotationRules(Rotation{}), c, func() {
			c.changec <- Change{Reaction: ReactExec, HookTimeout: timeout, Applied: func() { c.note("applied") }}
			time.Sleep(time.Second)
			c.changec <- restart("/new")
			c.stopAt(time.Hour)
		})
		expect(t, c.did[2:11], []string{"0s deliverChange", "0s runHook", killed + " HookTimedOut", killed + " killHook",
			killed + " HookRan", killed + " applied", killed + " deliverChange", killed + " RestartBegan", killed + " signalChild(TERM)"})
		if !strings.Contains(c.log.String(), "the hook failed") {
			t.Errorf("log %s", c.log.String())
		}
	}
}

// P4 a stop for good kills the hook at once.
func TestP4LoopStopKillsTheHook(t *testing.T) {
	c := &rotated{}
	outcome := rotate(t, rotationRules(Rotation{}), c, func() {
		c.changec <- Change{Reaction: ReactExec, HookTimeout: -1}
		c.stopAt(2 * time.Hour)
	})
	expect(t, c.did[2:], []string{"0s deliverChange", "0s runHook", "2h0m0s killHook", "2h0m0s signalChild(TERM)"})
	if outcome.Code != 143 {
		t.Errorf("outcome %+v, want 143", outcome)
	}
}

// Ctrl-C goes to the child alone where it has the terminal: it is a stop
// request all the same.
func TestStepCtrlCIsNoFailureAndEndsARestart(t *testing.T) {
	for _, mode := range []terminalMode{noTerminal, session, foreground, shared} {
		r := testRules(mode)
		r.rotation.OnFailure = true
		for _, from := range []state{at(running), atThen(stopping, thenStart)} {
			s, _ := r.step(from, event{kind: childExited, code: 130, sig: syscall.SIGINT}, noon)
			if s.ending() != (mode != noTerminal) {
				t.Errorf("%s: after INT in %s the run is ending: %t", mode, from.phase, s.ending())
			}
		}
	}
}
