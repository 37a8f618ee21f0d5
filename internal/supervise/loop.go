package supervise

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"syscall"
	"time"
)

// hands does what step decided and tells what happened. There are two: the
// operating system and, in tests, a fake child.
type hands interface {
	// perform carries out one action. It returns what is known at once to
	// have come of it.
	perform(action) []event

	// poll returns what happened to the child since the last call.
	poll() []event
}

// loop owns a run: its state, its timer and everything that is done. Nothing
// else reads or writes them, so nothing is locked.
type loop struct {
	rules rules
	state state
	hands hands
	log   *slog.Logger

	sigc   <-chan os.Signal // what is to be forwarded
	childc <-chan os.Signal // SIGCHLD; one is enough, poll asks until there is no news
	startc <-chan Start     // the preparation's one result; nil once it was received
	lostc  <-chan struct{}  // closed when the init is gone; nil if there is none

	changec    <-chan Change // newer commands; nil: there will be none
	deliveredc <-chan event  // how a delivery went, from the goroutine that does it

	observe func(Event)    // nil: nobody wants to know
	random  func() float64 // nil: math/rand/v2's
}

// run loops until the run has ended.
func (l *loop) run() Outcome {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for l.state.phase != ended {
		timer.Stop()
		var timec <-chan time.Time
		if next := l.state.next(); !next.IsZero() {
			timer.Reset(time.Until(next))
			timec = timer.C
		}
		changec := l.changec
		if l.state.phase == preparing {
			changec = nil // it may have overtaken the first command, and can wait
		}
		select {
		case sig := <-l.sigc:
			l.received(sig)
		case start, ok := <-l.startc:
			l.startc = nil
			l.happened(prepared(start, ok))
		case <-l.childc:
			l.pollChild()
		case <-l.lostc:
			l.lostc = nil
			l.log.Warn("the init process is gone, stopping the command")
			l.happened(event{kind: initLost})
		case change, ok := <-changec:
			if !ok {
				l.changec = nil
				continue
			}
			l.happened(event{kind: changeReceived, change: change, random: l.draw()})
		case e := <-l.deliveredc:
			// An end that was there before comes before what is done for the change.
			l.pollChild()
			l.happened(e)
		case <-timec:
			l.happened(event{kind: timeElapsed})
		}
	}
	return l.state.outcome
}

func (l *loop) pollChild() {
	for _, e := range l.hands.poll() {
		if e.kind == childExited {
			e.random = l.draw()
		}
		l.happened(e)
	}
}

func (l *loop) draw() float64 {
	if l.random == nil {
		return rand.Float64()
	}
	return l.random()
}

// prepared is the event for what the preparation sent.
func prepared(start Start, ok bool) event {
	switch {
	case !ok:
		return event{kind: preparationFailed, err: errors.New("the preparation ended without a result")}
	case start.Err != nil:
		return event{kind: preparationFailed, err: start.Err}
	}
	return event{kind: commandPrepared, command: start.Command}
}

func (l *loop) drainSignals() {
	for {
		select {
		case sig := <-l.sigc:
			l.received(sig)
		default:
			return
		}
	}
}

func (l *loop) received(sig os.Signal) {
	l.log.Debug("signal received", "signal", signalName(sig.(syscall.Signal)), "state", l.state.phase.String())
	l.happened(event{kind: signalReceived, sig: sig.(syscall.Signal)})
}

// happened takes one event to its end: the step, its actions, and the events
// that those give rise to.
func (l *loop) happened(e event) {
	events := []event{e}
	for len(events) > 0 {
		before := l.state.phase
		next, actions := l.rules.step(l.state, events[0], time.Now())
		l.state, events = next, events[1:]
		if next.phase != before {
			l.log.Debug("supervisor state changed", "from", before.String(), "to", next.phase.String())
		}
		for _, a := range actions {
			events = append(events, l.act(a)...)
			if e.kind == timeElapsed && a.sig == syscall.SIGKILL && next.kills <= 1 {
				l.log.Warn("not stopped in time, sent KILL", "state", before.String())
			}
		}
	}
}

// act carries out one action.
func (l *loop) act(a action) []event {
	switch a.verb {
	case tell:
		l.tell(a.told)
		return nil
	case tellApplied:
		for _, applied := range a.applied {
			applied()
		}
		return nil
	case startChild:
		// A stop request that is already here wins, whichever case the select
		// chose: no child starts after one.
		l.drainSignals()
		if l.state.phase == ended {
			return nil
		}
	}
	return l.hands.perform(a)
}
