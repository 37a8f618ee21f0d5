package supervise

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestLoopTellsOfAnEndSoonAfterARotation(t *testing.T) {
	for runs, want := range map[time.Duration]bool{9 * time.Second: true, 10 * time.Second: false} {
		c := &rotated{}
		c.onStart = func(n int) event {
			if n == 2 {
				return c.dies(runs, 4)(n)
			}
			return event{kind: childStarted}
		}
		outcome := rotate(t, rotationRules(Rotation{}), c, func() { c.changec <- restart("/new") })
		if outcome.Code != 4 {
			t.Errorf("outcome %+v, want 4", outcome)
		}
		line := `msg="the command ended soon after a rotation" reason="secret /new" status=4`
		if got := strings.Contains(c.log.String(), line); got != want {
			t.Errorf("after %s said: %t, log %s", runs, got, c.log.String())
		}
	}
	// An end soon after the first start is nobody's fault, and one that was asked
	// for neither.
	c := &rotated{}
	c.onStart = c.dies(time.Second, 4)
	rotate(t, rotationRules(Rotation{}), c, func() {})
	c = &rotated{}
	rotate(t, rotationRules(Rotation{}), c, func() { c.changec <- restart("/new"); c.stopAt(5 * time.Second) })
	if said := fmt.Sprint(c.did); strings.Contains(said, "EndedSoon") {
		t.Error(said)
	}
}

// So are an end that a change's signal or hook may have caused, but not one that
// the signal asks for.
func TestLoopTellsOfAnEndSoonAfterASignalOrAHook(t *testing.T) {
	const applied = time.Hour // long after the start
	tests := []struct {
		name   string
		change Change
		hook   time.Duration // how long it runs
		ends   time.Duration // after it was applied
		want   bool
	}{
		{"at the signal", Change{Reaction: ReactSignal, Signal: syscall.SIGHUP}, 0, 0, true},
		{"soon after the signal", Change{Reaction: ReactSignal, Signal: syscall.SIGHUP}, 0, 9 * time.Second, true},
		{"long after the signal", Change{Reaction: ReactSignal, Signal: syscall.SIGHUP}, 0, 10 * time.Second, false},
		{"as it was told", Change{Reaction: ReactSignal, Signal: syscall.SIGTERM}, 0, time.Second, false},
		{"killed", Change{Reaction: ReactSignal, Signal: syscall.SIGKILL}, 0, 0, false},
		{"while the hook runs", Change{Reaction: ReactExec}, 30 * time.Second, 20 * time.Second, true},
		{"soon after the hook", Change{Reaction: ReactExec}, 30 * time.Second, 39 * time.Second, true},
		{"long after the hook", Change{Reaction: ReactExec}, 30 * time.Second, 40 * time.Second, false},
		{"it was told nothing", Change{Reaction: ReactNone}, 0, time.Second, false},
	}
	for _, tt := range tests {
		c := &rotated{}
		c.onSignal = func(syscall.Signal) {}
		c.onHook = func() {
			time.AfterFunc(tt.hook, func() { c.happens(event{kind: hookEnded}); c.childc <- syscall.SIGCHLD })
		}
		tt.change.Reason = "secret /new"
		outcome := rotate(t, rotationRules(Rotation{}), c, func() {
			time.Sleep(applied)
			c.changec <- tt.change
			time.Sleep(tt.ends + time.Millisecond)
			c.exit(4)
		})
		told := len(c.times("EndedSoon")) == 1 && strings.Contains(c.log.String(), `reason="secret /new" status=4`)
		if told != tt.want || outcome.Code != 4 {
			t.Errorf("%s: told %t, want %t; %+v\n%q", tt.name, told, tt.want, outcome, c.did)
		}
	}
}
