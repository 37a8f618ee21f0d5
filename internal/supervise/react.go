package supervise

import "time"

// stepRotation is for all phases of a run that may have another child or go on
// with the one that it has.
func (r rules) stepRotation(s state, e event, now time.Time) (state, []action) {
	rot := &s.rotation
	switch {
	case e.kind == changeReceived:
		rot.pending = rot.pending.and(batchOf(e.change, e.random, now))
		rot.pending.due, _ = r.plan(*rot, now)
	case e.kind == changeDelivered && rot.stage == delivering:
		return r.inPlace(s, now)
	case e.kind == deliveryFailed && rot.stage == delivering:
		return r.retryLater(s, e.err, now)
	case e.kind == hookEnded && rot.stage == hooking:
		b := rot.applying
		rot.stage, rot.applying, rot.hookAt = quiet, batch{}, time.Time{}
		rot.pending.due, _ = r.plan(*rot, now)
		s.causedAt = now // what the hook told the child may have been the last thing it did
		ran := action{verb: tell, told: told{event: Event{Kind: HookRan, Reason: b.reason(), Code: e.code}, err: e.err}}
		return s, append([]action{ran}, b.tellApplied()...)
	}
	return s, nil
}

// applies reports whether pending changes are applied when they are due. In
// other phases they wait for the next start.
func (s state) applies() bool {
	return s.phase == running && s.rotation.stage == quiet
}

// apply begins with what is pending if the rules still say that it is time:
// the clock may have jumped over the window.
func (r rules) apply(s state, now time.Time) (state, []action) {
	rot := &s.rotation
	at, overrides := r.plan(*rot, now)
	if at.After(now) {
		rot.pending.due = at
		return s, nil
	}
	var actions []action
	if b := &rot.pending; overrides != "" && !b.announced {
		b.announced = true
		actions = []action{{verb: tell, told: told{
			event: Event{Kind: HoldOverridden, Reason: b.reason()}, held: overrides, until: b.change.Expires}}}
	}
	return s, append(actions, rot.deliverPending(now)...)
}

// retryLater takes back what could not be delivered. The child goes on as it
// is; one that was to start does so with what was there before.
func (r rules) retryLater(s state, err error, now time.Time) (state, []action) {
	rot := &s.rotation
	b, _ := rot.delivered()
	rot.pending = b.and(rot.pending)
	rot.retryAt = now.Add(doubled(firstRetry, rot.failures, lastRetry))
	rot.failures++
	rot.pending.due, _ = r.plan(*rot, now)
	actions := []action{{verb: tell, told: told{
		event: Event{Kind: DeliveryFailed, Reason: b.reason(), Code: rot.failures}, err: err}}}
	if s.phase == starting {
		actions = append(actions, action{verb: startChild, command: s.command})
	}
	return s, actions
}

// deliveryLate gives up waiting for a delivery. It goes on, and no other one
// begins before it has ended; when it has, the changes are what they were.
func (r rules) deliveryLate(s state) (state, []action) {
	rot := &s.rotation
	rot.lateAt, rot.late = time.Time{}, true
	actions := []action{telling(DeliveryLate, rot.applying.reason(), 0)}
	if s.phase == starting {
		actions = append(actions, action{verb: startChild, command: s.command})
	}
	return s, actions
}

// inPlace goes on with changes whose files are in place.
func (r rules) inPlace(s state, now time.Time) (state, []action) {
	var actions []action
	b, late := s.rotation.delivered()
	if late {
		actions = append(actions, telling(DeliveryEnded, b.reason(), 0))
	}
	s.rotation.failures, s.rotation.retryAt = 0, time.Time{}
	s, more := r.react(s, b, now)
	return s, append(actions, more...)
}

// react does what the delivered changes ask for.
func (r rules) react(s state, b batch, now time.Time) (state, []action) {
	rot := &s.rotation
	s.command = b.change.Command
	switch {
	case b.change.Reaction == ReactExit:
		return r.exitFor(s, b, now)
	case s.phase == running:
		return r.reactRunning(s, b, now)
	}
	rot.owed = rot.owed.and(b)
	if s.phase == starting {
		return r.startNext(s, now)
	}
	return s, nil
}

// reactRunning tells a child that runs.
func (r rules) reactRunning(s state, b batch, now time.Time) (state, []action) {
	rot := &s.rotation
	switch b.change.Reaction {
	case ReactSignal:
		var actions []action
		for _, sig := range b.signals {
			if !r.endsBy(sig) {
				s.cause, s.causedAt = b.reason(), now
			}
			actions = append(actions, telling(Signalled, b.reason(), int(sig)), action{verb: signalChild, sig: sig})
		}
		rot.pending.due, _ = r.plan(*rot, now)
		return s, append(actions, b.tellApplied()...)
	case ReactExec:
		rot.stage, rot.applying = hooking, b
		s.cause, s.causedAt = b.reason(), now
		if timeout := b.hookTimeout(); timeout >= 0 {
			rot.hookAt = now.Add(timeout)
		}
		return s, []action{{verb: runHook, command: b.change.Hook}}
	case ReactRestart:
		*rot = r.spend(*rot, b)
		rot.owed = b
		s, actions := r.stop(s, thenStart, now)
		return s, append(actions, telling(RestartBegan, b.reason(), 0), action{verb: signalChild, sig: r.stopSignal})
	}
	rot.pending.due, _ = r.plan(*rot, now)
	return s, b.tellApplied()
}

func (b batch) hookTimeout() time.Duration {
	if b.change.HookTimeout == 0 {
		return defaultHookTimeout
	}
	return b.change.HookTimeout
}

// exitFor ends the run for a change. There may be a child, what it left, or
// nothing.
func (r rules) exitFor(s state, b batch, now time.Time) (state, []action) {
	actions := []action{telling(ExitBegan, b.reason(), 0)}
	if s.phase == running {
		s, more := r.stop(s, thenEnd, now)
		actions = append(actions, more...)
		return s, append(actions, action{verb: signalChild, sig: r.stopSignal})
	}
	s, more := r.forGood(s, now)
	return s, append(actions, more...)
}

// hookLate ends a hook that has had its time.
func (r rules) hookLate(s state) (state, []action) {
	s.rotation.hookAt = time.Time{}
	return s, []action{telling(HookTimedOut, s.rotation.applying.reason(), 0), {verb: killHook}}
}
