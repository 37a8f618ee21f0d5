package supervise

import (
	"slices"
	"syscall"
	"time"
)

// phase is where a run stands.
type phase int

const (
	preparing phase = iota // the command is being worked out; there is no child yet
	running                // the child runs and nobody asked it to stop
	stopping               // the child was asked to stop and has until the deadline
	killing                // the child got KILL; only its end is outstanding
	draining               // the child ended; what it left behind has until the deadline
	ended                  // the outcome is decided and nothing is left to do
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
	timeElapsed                        // the timer of the state fired
)

// event is something that happened, with what belongs to it.
type event struct {
	kind    eventKind
	sig     syscall.Signal // signalReceived, childStopped, childExited: which; 0: none
	code    int            // childExited: the exit status, 128+n for signal n
	err     error          // preparationFailed, startFailed: why
	command Command        // commandPrepared: what to run
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
)

// action is something to do, with what belongs to it.
type action struct {
	verb    verb
	sig     syscall.Signal // signalChild, signalGroup, suspendSelf: which
	command Command        // startChild: what to run
}

// rules are what step decides by and what never changes during a run.
type rules struct {
	mode        terminalMode
	stopSignal  syscall.Signal
	stopTimeout time.Duration // negative: no KILL
	rewrite     map[syscall.Signal]syscall.Signal
}

// state is all that a run remembers. The zero value is its beginning.
type state struct {
	phase    phase
	kept     []syscall.Signal // preparing: what to deliver after the start, in order
	deadline time.Time        // stopping, draining: when KILL is due; zero: never
	lookAt   time.Time        // draining: when to look at the group again
	follow   syscall.Signal   // running, stopping: what stopped the child but maybe not us
	followAt time.Time        // running, stopping: when to stop for follow, if the child still has
	outcome  Outcome          // draining, ended
}

const (
	// drainTimeout is what a child's leftovers get between TERM and KILL. It
	// must fit, together with the stop timeout, into what the outside allows
	// (Kubernetes: 30 s), which is why a stop's own deadline shortens it.
	drainTimeout = 5 * time.Second

	// lookInterval is how soon an emptied group is noticed. There is no event
	// for it: those processes are not our children.
	lookInterval = 20 * time.Millisecond

	// followDelay is how long after a child in our own group we stop. Until
	// then what stopped the child has stopped us too, almost always.
	followDelay = 100 * time.Millisecond
)

// step says what becomes of a run when e happens, and what is to be done. It
// does nothing itself.
func (r rules) step(s state, e event, now time.Time) (state, []action) {
	switch s.phase {
	case preparing:
		return r.stepPreparing(s, e, now)
	case running, stopping, killing:
		return r.stepAlive(s, e, now)
	case draining:
		return r.stepDraining(s, e, now)
	}
	return s, nil
}

func (r rules) stepPreparing(s state, e event, now time.Time) (state, []action) {
	switch e.kind {
	case commandPrepared:
		return s, []action{{verb: startChild, command: e.command}}
	case preparationFailed:
		return end(failed(e.err)), nil
	case startFailed:
		// In a job's place the child took the terminal before its exec failed.
		return end(failed(e.err)), r.handBack()
	case childStarted:
		kept := s.kept
		s = state{phase: running}
		var actions []action
		for _, sig := range kept {
			var more []action
			s, more = r.step(s, event{kind: signalReceived, sig: sig}, now)
			actions = append(actions, more...)
		}
		return s, actions
	case initLost:
		return end(Outcome{Code: exitBySignal(syscall.SIGTERM)}), []action{{verb: cancelPreparation}}
	case signalReceived:
		return r.keepOrEnd(s, e.sig)
	}
	return s, nil
}

// keepOrEnd handles a signal that comes before there is a child.
func (r rules) keepOrEnd(s state, sig syscall.Signal) (state, []action) {
	_, stop := r.delivered(sig)
	switch {
	case stop || sig == syscall.SIGTERM || sig == syscall.SIGINT || sig == syscall.SIGQUIT:
		return end(r.outcome(exitBySignal(sig), sig)), []action{{verb: cancelPreparation}}
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
		if due(s.followAt, now) {
			sig := s.follow
			s.follow, s.followAt = 0, time.Time{}
			return s, []action{{verb: suspendSelf, sig: sig}}
		}
		if s.phase == stopping && due(s.deadline, now) {
			return state{phase: killing}, []action{{verb: signalChild, sig: syscall.SIGKILL}}
		}
	case childExited:
		outcome := r.outcome(e.code, e.sig)
		outcome.Ran = true
		return r.drain(s, outcome, now)
	}
	return s, nil
}

// forward passes a signal on to the child and starts the deadline if the
// signal asks to stop.
func (r rules) forward(s state, sig syscall.Signal, now time.Time) (state, []action) {
	to, stop := r.delivered(sig)
	switch {
	case s.phase == killing:
		return s, nil // nothing can follow KILL
	case r.mode == shared && fromTerminal(sig):
		return s, nil // the child is in our group and got it from the terminal
	case r.mode == foreground && sig == syscall.SIGCONT:
		return s, []action{{verb: resumeChild}}
	case to == 0:
		return s, nil
	}
	if stop && s.phase == running {
		s.phase = stopping
		if r.stopTimeout >= 0 {
			s.deadline = now.Add(r.stopTimeout)
		}
	}
	return s, []action{{verb: signalChild, sig: to}}
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

// drain turns to what the ended child left behind. In a shared group there is
// nothing of which we could say that the child left it.
func (r rules) drain(s state, outcome Outcome, now time.Time) (state, []action) {
	if r.mode == shared {
		return end(outcome), []action{{verb: reapChild}}
	}
	deadline := now.Add(drainTimeout)
	switch {
	case s.phase == killing:
		deadline = now
	case !s.deadline.IsZero() && s.deadline.Before(deadline):
		deadline = s.deadline
	}
	next := state{
		phase:    draining,
		deadline: deadline,
		lookAt:   now.Add(lookInterval),
		outcome:  outcome,
	}
	return next, append(r.handBack(),
		action{verb: signalGroup, sig: syscall.SIGTERM}, action{verb: lookAtGroup})
}

// handBack makes the terminal ours again if it was lent to the child.
func (r rules) handBack() []action {
	if r.mode == foreground {
		return []action{{verb: restoreTerminal}}
	}
	return nil
}

func (r rules) stepDraining(s state, e event, now time.Time) (state, []action) {
	switch e.kind {
	case groupEmptied:
		return end(s.outcome), []action{{verb: reapChild}}
	case timeElapsed:
		if due(s.deadline, now) {
			return end(s.outcome), []action{{verb: signalGroup, sig: syscall.SIGKILL}, {verb: reapChild}}
		}
		s.lookAt = now.Add(lookInterval)
		return s, []action{{verb: lookAtGroup}}
	case signalReceived:
		if to, _ := r.delivered(e.sig); to != 0 {
			return s, []action{{verb: signalGroup, sig: to}}
		}
	}
	return s, nil
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

// next is when the state wants to hear timeElapsed; zero: not at all.
func (s state) next() time.Time {
	var first time.Time
	for _, t := range []time.Time{s.deadline, s.lookAt, s.followAt} {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}

func due(deadline, now time.Time) bool {
	return !deadline.IsZero() && !now.Before(deadline)
}

// fromTerminal reports whether a terminal sends sig to its foreground group,
// or a shell to its jobs.
func fromTerminal(sig syscall.Signal) bool {
	return sig == syscall.SIGINT || sig == syscall.SIGQUIT || sig == syscall.SIGWINCH ||
		sig == syscall.SIGCONT || stopsJob(sig)
}

// stopsJob reports whether sig is one of job control's stop signals.
func stopsJob(sig syscall.Signal) bool {
	return sig == syscall.SIGTSTP || asksForTerminal(sig)
}

// asksForTerminal reports whether sig is what the kernel sends to the whole
// group of a process that reads or writes a terminal in the background.
func asksForTerminal(sig syscall.Signal) bool {
	return sig == syscall.SIGTTIN || sig == syscall.SIGTTOU
}
