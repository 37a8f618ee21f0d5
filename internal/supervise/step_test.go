package supervise

import (
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"
)

var (
	noon      = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	errNoMore = errors.New("no such path")
	sleeper   = Command{Path: "/bin/sleep", Args: []string{"sleep", "1"}}
)

// testRules are the rules of a child in a group of its own.
func testRules(mode terminalMode) rules {
	return rules{mode: mode, stopSignal: syscall.SIGTERM, stopTimeout: 30 * time.Second}
}

func signalled(sig syscall.Signal) event { return event{kind: signalReceived, sig: sig} }

func TestStepSequences(t *testing.T) {
	second := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }
	tests := []struct {
		name  string
		rules func(*rules)
		mode  terminalMode
		from  phase
		event event
		now   time.Time
		want  string // state, then actions
		check func(state) bool
	}{
		{name: "TERM before the start ends the run", event: signalled(syscall.SIGTERM),
			want: "ended: cancelPreparation", check: func(s state) bool { return s.outcome.Code == 143 && s.outcome.Err == nil }},
		{name: "INT before the start", event: signalled(syscall.SIGINT),
			want: "ended: cancelPreparation", check: func(s state) bool { return s.outcome.Code == 130 }},
		{name: "QUIT before the start", event: signalled(syscall.SIGQUIT),
			want: "ended: cancelPreparation", check: func(s state) bool { return s.outcome.Code == 131 }},
		{name: "the stop signal before the start", event: signalled(syscall.SIGUSR2),
			rules: func(r *rules) { r.stopSignal = syscall.SIGUSR2 }, want: "ended: cancelPreparation"},
		{name: "a dropped TERM before the start still ends the run", event: signalled(syscall.SIGTERM),
			rules: func(r *rules) { r.rewrite = map[syscall.Signal]syscall.Signal{syscall.SIGTERM: 0} }, want: "ended: cancelPreparation"},
		{name: "Ctrl-Z before the start", mode: foreground, event: signalled(syscall.SIGTSTP), want: "preparing: suspendSelf(TSTP)"},
		{name: "a window size before the start", mode: session, event: signalled(syscall.SIGWINCH),
			want: "preparing: ", check: func(s state) bool { return s.kept == nil }},
		{name: "the same, sent on purpose", event: signalled(syscall.SIGWINCH),
			want: "preparing: ", check: func(s state) bool { return slices.Equal(s.kept, []syscall.Signal{syscall.SIGWINCH}) }},
		{name: "a failed start", event: event{kind: startFailed, err: newStartError("/x", syscall.EACCES)},
			want: "ended: ", check: func(s state) bool { return s.outcome.Code == 126 }},
		{name: "a failed start of a job", mode: foreground, event: event{kind: startFailed, err: newStartError("/x", syscall.ENOENT)},
			want: "ended: restoreTerminal", check: func(s state) bool { return s.outcome.Code == 127 }},
		{name: "a failed preparation", event: event{kind: preparationFailed, err: errNoMore},
			want: "ended: ", check: func(s state) bool { return s.outcome == Outcome{Code: 125, Err: errNoMore} }},

		{name: "TERM starts the stop timeout", from: running, event: signalled(syscall.SIGTERM),
			want: "stopping: signalChild(TERM)", check: func(s state) bool { return s.deadline.Equal(second(30)) }},
		{name: "TERM as the stop signal", from: running, event: signalled(syscall.SIGTERM),
			rules: func(r *rules) { r.stopSignal = syscall.SIGQUIT }, want: "stopping: signalChild(QUIT)"},
		{name: "the stop signal itself", from: running, event: signalled(syscall.SIGQUIT),
			rules: func(r *rules) { r.stopSignal = syscall.SIGQUIT }, want: "stopping: signalChild(QUIT)"},
		{name: "TERM rewritten", from: running, event: signalled(syscall.SIGTERM),
			rules: func(r *rules) { r.rewrite = map[syscall.Signal]syscall.Signal{syscall.SIGTERM: syscall.SIGINT} },
			want:  "stopping: signalChild(INT)"},
		{name: "rewritten to TERM", from: running, event: signalled(syscall.SIGUSR1),
			rules: func(r *rules) {
				r.rewrite = map[syscall.Signal]syscall.Signal{syscall.SIGUSR1: syscall.SIGTERM}
				r.stopSignal = syscall.SIGINT
			}, want: "stopping: signalChild(INT)"},
		{name: "dropped", from: running, event: signalled(syscall.SIGWINCH),
			rules: func(r *rules) { r.rewrite = map[syscall.Signal]syscall.Signal{syscall.SIGWINCH: 0} }, want: "running: "},
		{name: "without a timeout", from: running, event: signalled(syscall.SIGTERM),
			rules: func(r *rules) { r.stopTimeout = -1 },
			want:  "stopping: signalChild(TERM)", check: func(s state) bool { return s.next().IsZero() }},
		{name: "INT is forwarded only", from: running, event: signalled(syscall.SIGINT), want: "running: signalChild(INT)"},
		{name: "QUIT is forwarded only", from: running, event: signalled(syscall.SIGQUIT), want: "running: signalChild(QUIT)"},
		{name: "HUP is forwarded only", from: running, event: signalled(syscall.SIGHUP), want: "running: signalChild(HUP)"},
		{name: "a second TERM does not extend the deadline", from: stopping, now: second(10), event: signalled(syscall.SIGTERM),
			want: "stopping: signalChild(TERM)", check: func(s state) bool { return s.deadline.Equal(second(30)) }},
		{name: "too early for KILL", from: stopping, now: second(29), event: event{kind: timeElapsed}, want: "stopping: "},
		{name: "in time for KILL", from: stopping, now: second(30), event: event{kind: timeElapsed},
			want: "killing: signalChild(KILL)", check: func(s state) bool { return s.next().IsZero() }},

		{name: "leftovers get five seconds", from: running, event: event{kind: childExited, code: 3},
			want:  "draining: tell(ChildExited), signalGroup(TERM), lookAtGroup",
			check: func(s state) bool { return s.deadline.Equal(second(5)) && s.outcome.Code == 3 }},
		{name: "or what remains of the stop timeout", from: stopping, now: second(28), event: event{kind: childExited},
			want: "draining: tell(ChildExited), signalGroup(TERM), lookAtGroup", check: func(s state) bool { return s.deadline.Equal(second(30)) }},
		{name: "or nothing", from: killing, event: event{kind: childExited, code: 137},
			want: "draining: tell(ChildExited), signalGroup(TERM), lookAtGroup", check: func(s state) bool { return s.deadline.Equal(noon) }},
		{name: "look again", from: draining, now: noon.Add(lookInterval), event: event{kind: timeElapsed},
			want: "draining: lookAtGroup", check: func(s state) bool { return s.next().Equal(noon.Add(2 * lookInterval)) }},
		{name: "nothing is ours in a shared group", mode: shared, from: running, event: event{kind: childExited, code: 3},
			want: "ended: tell(ChildExited), reapChild", check: func(s state) bool { return s.outcome.Code == 3 }},

		{name: "the terminal's signals in a shared group", mode: shared, from: running, event: signalled(syscall.SIGINT), want: "running: "},
		{name: "TERM in a shared group", mode: shared, from: running, event: signalled(syscall.SIGTERM), want: "stopping: signalChild(TERM)"},
		{name: "HUP in a shared group", mode: shared, from: running, event: signalled(syscall.SIGHUP), want: "running: signalChild(HUP)"},
		{name: "a job stops with its child", mode: foreground, from: running, event: event{kind: childStopped, sig: syscall.SIGTSTP},
			want: "running: suspendSelf(TSTP)"},
		{name: "and goes on with it", mode: foreground, from: running, event: signalled(syscall.SIGCONT), want: "running: resumeChild"},
		{name: "even while stopping", mode: foreground, from: stopping, event: signalled(syscall.SIGCONT), want: "stopping: resumeChild"},
		{name: "a job gives the terminal back", mode: foreground, from: running, event: event{kind: childExited},
			want: "draining: tell(ChildExited), restoreTerminal, signalGroup(TERM), lookAtGroup"},
		{name: "a shell is to see what ended its job", mode: foreground, from: running,
			event: event{kind: childExited, code: 130, sig: syscall.SIGINT}, want: "draining: tell(ChildExited), restoreTerminal, signalGroup(TERM), lookAtGroup",
			check: func(s state) bool { return s.outcome == Outcome{Code: 130, Signal: syscall.SIGINT, Ran: true} }},
		{name: "or a member of its pipeline", mode: shared, from: running,
			event: event{kind: childExited, code: 131, sig: syscall.SIGQUIT}, want: "ended: tell(ChildExited), reapChild, resetTerminal",
			check: func(s state) bool { return s.outcome == Outcome{Code: 131, Signal: syscall.SIGQUIT, Ran: true} }},
		{name: "or its preparation", mode: shared, event: signalled(syscall.SIGINT), want: "ended: cancelPreparation",
			check: func(s state) bool { return s.outcome == Outcome{Code: 130, Signal: syscall.SIGINT} }},
		{name: "where there is no shell a status will do", from: running,
			event: event{kind: childExited, code: 130, sig: syscall.SIGINT}, want: "draining: tell(ChildExited), signalGroup(TERM), lookAtGroup",
			check: func(s state) bool { return s.outcome == Outcome{Code: 130, Ran: true} }},
		{name: "and for TERM anywhere", mode: shared, from: running,
			event: event{kind: childExited, code: 143, sig: syscall.SIGTERM}, want: "ended: tell(ChildExited), reapChild, resetTerminal",
			check: func(s state) bool { return s.outcome == Outcome{Code: 143, Ran: true} }},
		{name: "so does what shares its group, if it asked for the terminal", mode: shared, from: running, event: event{kind: childStopped, sig: syscall.SIGTTIN},
			want: "running: ", check: func(s state) bool { return s.next().Equal(noon.Add(followDelay)) }},
		{name: "but not for Ctrl-Z, which stops the group", mode: shared, from: running, event: event{kind: childStopped, sig: syscall.SIGTSTP}, want: "running: "},
		{name: "unless it got KILL", mode: foreground, from: killing, event: event{kind: childStopped, sig: syscall.SIGTSTP}, want: "killing: "},
		{name: "a session leader does not stop", mode: session, from: running, event: event{kind: childStopped, sig: syscall.SIGTSTP}, want: "running: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := testRules(tt.mode)
			if tt.rules != nil {
				tt.rules(&r)
			}
			if tt.now.IsZero() {
				tt.now = noon
			}
			next, actions := r.step(at(tt.from), tt.event, tt.now)
			if got := next.phase.String() + ": " + show(actions); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.check != nil && !tt.check(next) {
				t.Errorf("wrong state: %+v", next)
			}
		})
	}
}

// A child in our own group is followed when what stopped it has had its time to
// stop us, not before, and once.
func TestStepFollowsInASharedGroup(t *testing.T) {
	r := testRules(shared)
	s, _ := r.step(at(running), event{kind: childStopped, sig: syscall.SIGTTOU}, noon)
	s, actions := r.step(s, event{kind: timeElapsed}, noon.Add(followDelay-1))
	if len(actions) != 0 {
		t.Errorf("too early: %s", show(actions))
	}
	s, actions = r.step(s, event{kind: timeElapsed}, noon.Add(followDelay))
	if got := show(actions); got != "suspendSelf(TTOU)" || !s.next().IsZero() {
		t.Errorf("then %q, next at %s; want suspendSelf(TTOU) and nothing more", got, s.next())
	}
}

func TestStepDeliversKeptSignalsInOrder(t *testing.T) {
	r := testRules(noTerminal)
	var s state
	for _, sig := range []syscall.Signal{syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGUSR2, syscall.SIGUSR1} {
		s, _ = r.step(s, signalled(sig), noon)
	}
	s, actions := r.step(s, event{kind: childStarted}, noon)
	if got, want := show(actions), "tell(ChildStarted), signalChild(USR2), signalChild(HUP), signalChild(USR1)"; got != want {
		t.Errorf("after the start %q, want %q", got, want)
	}
	if s.phase != running || s.kept != nil {
		t.Errorf("state %+v, want running with nothing kept", s)
	}
}

// A kept list must not be shared between a state and its successor.
func TestStepIsPure(t *testing.T) {
	r := testRules(noTerminal)
	s0, _ := r.step(state{}, signalled(syscall.SIGUSR1), noon)
	a, _ := r.step(s0, signalled(syscall.SIGUSR2), noon)
	b, _ := r.step(s0, signalled(syscall.SIGHUP), noon)
	if a.kept[1] != syscall.SIGUSR2 || b.kept[1] != syscall.SIGHUP || len(s0.kept) != 1 {
		t.Errorf("kept %v, %v and %v share memory", s0.kept, a.kept, b.kept)
	}
}
