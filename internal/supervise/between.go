package supervise

import "time"

// stepBetween is for when nothing is left of one child and the next has not
// started. Signals are treated as before the first start, but the status of a
// run that they end is that of the child that was.
func (r rules) stepBetween(s state, e event, now time.Time) (state, []action) {
	switch {
	case e.kind == childStarted && s.phase == starting:
		return r.started(s, e.pid, now)
	case e.kind == startFailed && s.phase == starting:
		_, actions := s.settled()
		actions = append(actions, r.handBack()...)
		outcome := failed(e.err)
		return end(outcome), append(actions, action{verb: tell, told: told{
			event: Event{Kind: RestartImpossible, Code: outcome.Code}, err: e.err}})
	case e.kind == initLost:
		return r.forGood(s, now)
	case e.kind == signalReceived:
		if r.asksToStop(e.sig) {
			return r.forGood(s, now)
		}
		return r.keep(s, e.sig)
	case e.kind == timeElapsed && s.phase == backingOff && due(s.deadline, now):
		return r.startNext(s, now)
	}
	return s, nil
}

// startNext starts the next child with all that was collected. Files that must
// be delivered for that come first; if they cannot be, or not in time, the
// command that was current before is better than none.
func (r rules) startNext(s state, now time.Time) (state, []action) {
	s = s.to(starting)
	rot := &s.rotation
	if rot.stage == quiet && rot.pending.exists() {
		return s, rot.deliverPending(now)
	}
	if rot.stage == delivering && !rot.late {
		return s, nil // its answer brings us back
	}
	return s, []action{{verb: startChild, command: s.command}}
}
