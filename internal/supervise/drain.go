package supervise

import (
	"syscall"
	"time"
)

const (
	// soon is how long after a restart, a signal or the end of a hook the
	// child's end is taken for the change's fault.
	soon = 10 * time.Second

	// healthyAfter is how long a child must have run for its failure to be the
	// first one again.
	healthyAfter = time.Minute

	// firstBackOff and lastBackOff are what comes between a failed child and the
	// next: the shortest time, doubled each time, up to the longest.
	firstBackOff = time.Second
	lastBackOff  = time.Minute
)

// exited turns to what comes after the child.
func (r rules) exited(s state, e event, now time.Time) (state, []action) {
	s.outcome = r.outcome(e.code, e.sig)
	s.outcome.Ran, s.slain = true, e.sig != 0
	actions := []action{telling(ChildExited, "", e.code)}
	var more []action
	switch {
	case s.phase == running:
		s, more = r.endedByItself(s, e.random, now)
	case s.then == thenStart && r.byUser(e.code):
		s, more = r.forGood(s, now)
	}
	actions = append(actions, more...)
	s, more = r.drain(s, now)
	return s, append(actions, more...)
}

// endedByItself decides what comes after a child that nobody asked to end.
func (r rules) endedByItself(s state, random float64, now time.Time) (state, []action) {
	var actions []action
	code := s.outcome.Code
	if s.cause != "" && (now.Sub(s.causedAt) < soon || s.rotation.stage == hooking) {
		actions = append(actions, telling(EndedSoon, s.cause, code))
	}
	if r.rotation.OnFailure && code != 0 && !r.byUser(code) {
		if now.Sub(s.startedAt) >= healthyAfter {
			s.failures = 0
		}
		s.failures++
		if r.rotation.MaxFailures <= 0 || s.failures < r.rotation.MaxFailures {
			s.then, s.delay = thenBackOff, crashDelay(s.failures, random)
			return s, append(actions, action{verb: tell, told: told{event: Event{Kind: BackedOff, Code: code}, delay: s.delay}})
		}
		actions = append(actions, telling(GaveUp, "", code))
	}
	s, more := s.settled()
	return s, append(actions, more...)
}

// byUser reports whether a status says that somebody at the terminal ended the
// child by INT or QUIT, of which we hear nothing else where it has the terminal.
func (r rules) byUser(code int) bool {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
		if r.mode != noTerminal && r.stopSignal != sig && code == exitBySignal(sig) {
			return true
		}
	}
	return false
}

// crashDelay is what comes between the last of so many failures and the next
// start: up to a quarter less than the full time, so that what failed together
// does not come back together.
func crashDelay(failures int, random float64) time.Duration {
	delay := doubled(firstBackOff, failures-1, lastBackOff)
	return delay - time.Duration(float64(delay)*random/4)
}

// doubled is d doubled so many times, at most limit.
func doubled(d time.Duration, times int, limit time.Duration) time.Duration {
	for ; times > 0 && d < limit; times-- {
		d *= 2
	}
	return min(d, limit)
}

// forGood makes what was to be a restart or a new try the end of the run, with
// the status of the child that there is or was.
func (r rules) forGood(s state, now time.Time) (state, []action) {
	s, actions := s.settled()
	switch s.phase {
	case starting, backingOff:
		return end(s.outcome), actions
	case draining:
		if s.kills > 0 {
			s.deadline = now // they had their time
		}
	}
	return s, actions
}

// settled is the state of a run that will end with this child: no change
// matters any more, and no hook goes on.
func (s state) settled() (state, []action) {
	var actions []action
	if s.rotation.stage == hooking {
		actions = []action{{verb: killHook}}
	}
	s.then, s.kept, s.rotation = thenEnd, nil, rotation{}
	return s, actions
}

// drain turns to what the ended child left behind. In a shared group there is
// nothing of which we could say that the child left it.
func (r rules) drain(s state, now time.Time) (state, []action) {
	if r.mode == shared {
		return r.gone(s, now)
	}
	deadline := now.Add(drainTimeout)
	switch {
	case s.phase == killing:
		deadline = now
	case !s.deadline.IsZero() && s.deadline.Before(deadline):
		deadline = s.deadline
	}
	s = s.to(draining)
	s.deadline, s.lookAt = deadline, now.Add(lookInterval)
	return s, append(r.handBack(),
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
		return r.gone(s, now)
	case timeElapsed:
		if due(s.deadline, now) {
			return r.killLeftovers(s, now)
		}
		s.lookAt = s.nextLook(now)
		return s, []action{{verb: lookAtGroup}}
	case initLost:
		if s.then != thenEnd {
			return r.forGood(s, now)
		}
	case signalReceived:
		var actions []action
		if s.then != thenEnd {
			if !r.asksToStop(e.sig) {
				return r.keep(s, e.sig)
			}
			s, actions = r.forGood(s, now)
		}
		if to, _ := r.delivered(e.sig); to != 0 {
			actions = append(actions, action{verb: signalGroup, sig: to})
		}
		return s, actions
	}
	return s, nil
}

// killLeftovers ends what did not heed its TERM. Only a next child has to wait
// until they really are gone, and that includes who joins the group meanwhile.
func (r rules) killLeftovers(s state, now time.Time) (state, []action) {
	kill := action{verb: signalGroup, sig: syscall.SIGKILL}
	if s.then == thenEnd {
		return end(s.outcome), append([]action{kill}, r.letGo(s)...)
	}
	actions := []action{kill}
	if s.kills == 0 {
		s.killedAt = now
	}
	s.kills++
	s.deadline = now.Add(doubled(firstKillAgain, s.kills-1, lastKillAgain))
	switch stuckAt := s.killedAt.Add(stuckAfter); {
	case s.stuck:
	case due(stuckAt, now):
		s.stuck = true
		actions = append(actions, action{verb: tell, told: told{event: Event{Kind: GroupRemains}, group: s.pid}})
	default:
		s.deadline = earlier(s.deadline, stuckAt)
	}
	s.lookAt = s.nextLook(now)
	return s, actions
}

// nextLook is when to look at what is left after a look now.
func (s state) nextLook(now time.Time) time.Time {
	if s.stuck {
		return now.Add(stuckInterval)
	}
	return now.Add(lookInterval)
}

// letGo takes leave of a child of which nothing is left. The next one finds the
// terminal as the first one did, and so does a shell after one that a signal
// ended: it sees us exit with a status, and would keep the settings that bash or
// zsh do not keep of a command that dies like that.
func (r rules) letGo(s state) []action {
	actions := []action{{verb: reapChild}}
	if r.mode != noTerminal && (s.then != thenEnd || s.slain) {
		actions = append(actions, action{verb: resetTerminal})
	}
	return actions
}

// gone turns to what comes when nothing is left of a child.
func (r rules) gone(s state, now time.Time) (state, []action) {
	actions := r.letGo(s)
	switch s.then {
	case thenStart:
		s, more := r.startNext(s, now)
		return s, append(actions, more...)
	case thenBackOff:
		s = s.to(backingOff)
		s.deadline = now.Add(s.delay)
		return s, actions
	}
	return end(s.outcome), actions
}
