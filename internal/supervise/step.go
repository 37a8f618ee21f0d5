package supervise

import (
	"slices"
	"syscall"
	"time"
)

// phase is where a run stands.
type phase int

const (
	preparing  phase = iota // the command is being worked out; there is no child yet
	running                 // the child runs and nobody asked it to stop
	stopping                // the child was asked to stop and has until the deadline
	killing                 // the child got KILL; only its end is outstanding
	draining                // the child ended; what it left behind has until the deadline
	starting                // nothing is left of a child; the next one is about to start
	backingOff              // nothing is left of a child that failed; the next one starts at the deadline
	ended                   // the outcome is decided and nothing is left to do
)

// successor is what comes after a child that is going or gone.
type successor int

const (
	thenEnd     successor = iota // the end of the run
	thenStart                    // a restart: the next child
	thenBackOff                  // the next child, some time after one that failed
)

// eventKind is something that happened.
type eventKind int

const (
	commandPrepared   eventKind = iota // the command to run is known
	preparationFailed                  // there will be no command
	childStarted                       // the child runs
	startFailed                        // the kernel refused to start the child
	signalReceived                     // this process got a signal
	childStopped                       // the child was stopped, as by Ctrl-Z
	childExited                        // the child ended; it is still a zombie
	groupEmptied                       // nothing is left of the child's group
	initLost                           // the init that started us is gone
	changeReceived                     // there is a newer command for the child
	changeDelivered                    // the files of a change are in place
	deliveryFailed                     // the files of a change are not in place
	hookEnded                          // the hook of a change ended and was reaped
	timeElapsed                        // the timer of the state fired
)

// event is something that happened, with what belongs to it.
type event struct {
	kind    eventKind
	sig     syscall.Signal // signalReceived, childStopped, childExited: which; 0: none
	code    int            // childExited, hookEnded: the exit status, 128+n for signal n
	err     error          // preparationFailed, startFailed, deliveryFailed, hookEnded: why
	command Command        // commandPrepared: what to run
	change  Change         // changeReceived: what to change to
	random  float64        // changeReceived, childExited: a number in [0, 1)
	pid     int            // childStarted: the child's, and its group's where it leads one
}

// verb is something to do.
type verb int

const (
	cancelPreparation verb = iota // tell the preparation to give up
	startChild                    // answered by childStarted or startFailed
	signalChild                   // send to Options.Forward's target
	signalGroup                   // send to the whole of the child's group
	lookAtGroup                   // answered by groupEmptied if nothing is left
	suspendSelf                   // stop like the child did, for the shell to see
	resumeChild                   // give the child the terminal back and continue it
	restoreTerminal               // make our group the terminal's foreground group
	reapChild                     // let go of the zombie and with it of its pid
	resetTerminal                 // give the terminal the settings that it had before the first child
	deliverChange                 // answered by changeDelivered or deliveryFailed
	runHook                       // answered by hookEnded
	killHook                      // send KILL to the hook's group
	tell                          // log and observe
	tellApplied                   // call Change.Applied
)

// action is something to do, with what belongs to it.
type action struct {
	verb    verb
	sig     syscall.Signal // signalChild, signalGroup, suspendSelf: which
	command Command        // startChild, runHook: what to run
	deliver func() error   // deliverChange: what to call; nil: nothing
	applied []func()       // tellApplied: what to call
	told    told           // tell: what
}

// rules are what step decides by and what never changes during a run.
type rules struct {
	mode        terminalMode
	stopSignal  syscall.Signal
	stopTimeout time.Duration // negative: no KILL
	rewrite     map[syscall.Signal]syscall.Signal
	rotation    Rotation
}

// state is all that a run remembers. The zero value is its beginning.
type state struct {
	phase    phase
	then     successor        // stopping, killing, draining, starting, backingOff: what comes after
	kept     []syscall.Signal // no child: what to deliver after the start, in order
	deadline time.Time        // stopping, draining: when KILL is due, zero: never; backingOff: when the start is
	lookAt   time.Time        // draining: when to look at the group again
	killedAt time.Time        // draining: when what is left got its first KILL; zero: not yet
	kills    int              // draining: how many it got
	stuck    bool             // draining: it was said that they do not help
	follow   syscall.Signal   // running, stopping: what stopped the child but maybe not us
	followAt time.Time        // running, stopping: when to stop for follow, if the child still has
	outcome  Outcome          // draining and later: of the last child, or of the run
	slain    bool             // draining: a signal ended the child

	command   Command       // what the next start runs
	pid       int           // running to draining: the child's
	startedAt time.Time     // running, stopping: when the child was started
	cause     string        // the same: the changes that it was last started for or told of, if any
	causedAt  time.Time     // the same: when
	failures  int           // how many children in a row have failed
	delay     time.Duration // draining: how long after it the failed child is replaced
	rotation  rotation      // the changes
}

const (
	// drainTimeout is what a child's leftovers get between TERM and KILL. It
	// must fit, together with the stop timeout, into what the outside allows
	// (Kubernetes: 30 s), which is why a stop's own deadline shortens it.
	drainTimeout = 5 * time.Second

	// lookInterval is how soon an emptied group is noticed. There is no event
	// for it: those processes are not our children.
	lookInterval = 20 * time.Millisecond

	// stuckInterval is the same once it was said that KILL does not help: the
	// kernel may hold on to them for days, and each look is one at all processes.
	stuckInterval = time.Second

	// firstKillAgain and lastKillAgain are what comes between one KILL to what is
	// left and the next, doubled each time: somebody may have joined the group
	// after the last one. stuckAfter is when it is said that they do not help.
	firstKillAgain = 100 * time.Millisecond
	lastKillAgain  = 10 * time.Second
	stuckAfter     = 5 * time.Second

	// followDelay is how long after a child in our own group we stop. Until
	// then what stopped the child has stopped us too, almost always.
	followDelay = 100 * time.Millisecond
)

// step says what becomes of a run when e happens, and what is to be done. It
// does nothing itself.
func (r rules) step(s state, e event, now time.Time) (state, []action) {
	switch e.kind {
	case changeReceived, changeDelivered, deliveryFailed, hookEnded:
		if s.phase == preparing || s.ending() {
			return s, nil // nothing changes any more; and not yet, see loop.run
		}
		return r.stepRotation(s, e, now)
	case timeElapsed:
		switch {
		case due(s.rotation.hookAt, now):
			return r.hookLate(s)
		case due(s.rotation.lateAt, now):
			return r.deliveryLate(s)
		}
	}
	switch s.phase {
	case preparing:
		return r.stepPreparing(s, e, now)
	case running, stopping, killing:
		return r.stepAlive(s, e, now)
	case draining:
		return r.stepDraining(s, e, now)
	case starting, backingOff:
		return r.stepBetween(s, e, now)
	}
	return s, nil
}

// ending reports whether the run will end with the child that there is or was.
func (s state) ending() bool {
	return s.phase == ended || s.then == thenEnd && (s.phase == stopping || s.phase == killing || s.phase == draining)
}

func (r rules) stepPreparing(s state, e event, now time.Time) (state, []action) {
	switch e.kind {
	case commandPrepared:
		s.command = e.command
		return s, []action{{verb: startChild, command: e.command}}
	case preparationFailed:
		return end(failed(e.err)), nil
	case startFailed:
		// In a job's place the child took the terminal before its exec failed.
		return end(failed(e.err)), r.handBack()
	case childStarted:
		return r.started(s, e.pid, now)
	case initLost:
		return end(Outcome{Code: exitBySignal(syscall.SIGTERM)}), []action{{verb: cancelPreparation}}
	case signalReceived:
		if r.asksToStop(e.sig) {
			return end(r.outcome(exitBySignal(e.sig), e.sig)), []action{{verb: cancelPreparation}}
		}
		return r.keep(s, e.sig)
	}
	return s, nil
}

// started turns to a child that runs.
func (r rules) started(s state, pid int, now time.Time) (state, []action) {
	kept, owed, cause := s.kept, s.rotation.owed, ""
	if s.then == thenStart {
		cause = owed.reason()
		s.rotation.restartedAt = now
	}
	s.rotation.owed = batch{}
	s = state{phase: running, command: s.command, pid: pid, failures: s.failures, rotation: s.rotation, startedAt: now, cause: cause, causedAt: now}
	s.rotation.pending.due, _ = r.plan(s.rotation, now)
	actions := append([]action{telling(ChildStarted, cause, 0)}, owed.tellApplied()...)
	for _, sig := range kept {
		var more []action
		s, more = r.step(s, event{kind: signalReceived, sig: sig}, now)
		actions = append(actions, more...)
	}
	return s, actions
}

// asksToStop reports whether sig ends a run that has no child, or that was
// about to replace it.
func (r rules) asksToStop(sig syscall.Signal) bool {
	_, stop := r.delivered(sig)
	return stop || sig == syscall.SIGTERM || sig == syscall.SIGINT || sig == syscall.SIGQUIT
}

// endsBy reports whether a child that ends by sig does what it was told.
func (r rules) endsBy(sig syscall.Signal) bool {
	return sig == syscall.SIGKILL || r.asksToStop(sig)
}

// keep handles another signal that comes while there is no child.
func (r rules) keep(s state, sig syscall.Signal) (state, []action) {
	switch {
	case r.mode == foreground && stopsJob(sig):
		return s, []action{{verb: suspendSelf, sig: sig}}
	case r.mode != noTerminal && fromTerminal(sig):
		// The child reads the window size when it starts. A late WINCH would
		// be news to it, and to some (Apache httpd) an order to stop.
	case !slices.Contains(s.kept, sig):
		s.kept = append(slices.Clip(s.kept), sig)
	}
	return s, nil
}

func (r rules) stepAlive(s state, e event, now time.Time) (state, []action) {
	switch e.kind {
	case signalReceived:
		return r.forward(s, e.sig, now)
	case initLost:
		return r.forward(s, syscall.SIGTERM, now)
	case childStopped:
		switch {
		case s.phase == killing:
		case r.mode == foreground:
			return s, []action{{verb: suspendSelf, sig: e.sig}}
		case r.mode == shared && asksForTerminal(e.sig):
			s.follow, s.followAt = e.sig, now.Add(followDelay)
		}
	case timeElapsed:
		switch {
		case due(s.followAt, now):
			sig := s.follow
			s.follow, s.followAt = 0, time.Time{}
			return s, []action{{verb: suspendSelf, sig: sig}}
		case s.phase == stopping && due(s.deadline, now):
			return r.kill(s)
		case s.applies() && due(s.rotation.pending.due, now):
			return r.apply(s, now)
		}
	case childExited:
		return r.exited(s, e, now)
	}
	return s, nil
}

// forward passes a signal on to the child and starts the deadline if the
// signal asks to stop.
func (r rules) forward(s state, sig syscall.Signal, now time.Time) (state, []action) {
	var actions []action
	if s.then != thenEnd && r.asksToStop(sig) {
		s, actions = r.forGood(s, now)
	}
	to, stop := r.delivered(sig)
	switch {
	case s.phase == killing && s.then == thenStart:
		return r.keep(s, sig) // the next child gets it
	case s.phase == killing:
		return s, actions // nothing can follow KILL
	case r.mode == shared && fromTerminal(sig):
		return s, actions // the child is in our group and got it from the terminal
	case r.mode == foreground && sig == syscall.SIGCONT:
		return s, []action{{verb: resumeChild}}
	case to == 0:
		return s, actions
	}
	if stop && s.phase == running {
		s, actions = r.stop(s, thenEnd, now)
	}
	return s, append(actions, action{verb: signalChild, sig: to})
}

// stop gives the child the stop timeout to end. The caller sends the signal.
func (r rules) stop(s state, then successor, now time.Time) (state, []action) {
	s.phase, s.then = stopping, then
	if r.stopTimeout >= 0 {
		s.deadline = now.Add(r.stopTimeout)
	}
	if then == thenEnd {
		return s.settled()
	}
	return s, nil
}

// kill ends the child that did not stop in time: for a restart with all of its
// group, which must be gone before the next child starts.
func (r rules) kill(s state) (state, []action) {
	s = s.to(killing)
	if s.then == thenStart && r.mode != shared {
		return s, []action{{verb: signalGroup, sig: syscall.SIGKILL}}
	}
	return s, []action{{verb: signalChild, sig: syscall.SIGKILL}}
}

// delivered returns what the child gets for a received signal, 0 for nothing,
// and whether the signal asks it to stop.
func (r rules) delivered(sig syscall.Signal) (to syscall.Signal, stop bool) {
	to = sig
	if rewritten, ok := r.rewrite[sig]; ok {
		to = rewritten
	}
	if to == 0 {
		return 0, false
	}
	stop = sig == syscall.SIGTERM || to == syscall.SIGTERM || to == r.stopSignal
	if to == syscall.SIGTERM {
		to = r.stopSignal
	}
	return to, stop
}

// outcome is that of a run that ended with code, because of sig if it is not 0.
func (r rules) outcome(code int, sig syscall.Signal) Outcome {
	looksOn := r.mode == foreground || r.mode == shared
	if !looksOn || sig != syscall.SIGINT && sig != syscall.SIGQUIT {
		sig = 0
	}
	return Outcome{Code: code, Signal: sig}
}

// end is the last state of a run.
func end(outcome Outcome) state {
	return state{phase: ended, outcome: outcome}
}

// to is the state in another phase, with the times of the old one cleared.
func (s state) to(p phase) state {
	s.phase = p
	s.deadline, s.lookAt, s.follow, s.followAt = time.Time{}, time.Time{}, 0, time.Time{}
	s.killedAt, s.kills, s.stuck = time.Time{}, 0, false
	return s
}

// next is when the state wants to hear timeElapsed; zero: not at all.
func (s state) next() time.Time {
	times := []time.Time{s.deadline, s.lookAt, s.followAt, s.rotation.hookAt, s.rotation.lateAt}
	if s.applies() {
		times = append(times, s.rotation.pending.due)
	}
	var first time.Time
	for _, t := range times {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}

func due(deadline, now time.Time) bool {
	return !deadline.IsZero() && !now.Before(deadline)
}
