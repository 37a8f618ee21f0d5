package supervise

import (
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// debounceLimit bounds Debounce under a stream of changes, in multiples of
	// it and in total.
	debounceFactor = 5
	debounceLimit  = time.Minute

	// maxInterval is how far MinInterval is doubled.
	maxInterval = time.Hour

	// expiryMargin is how long before Change.Expires a change is applied at the
	// latest, beside what a stop takes (the stop timeout and drainTimeout): the
	// new child's time to begin. Of what is left when the change comes it is
	// never more than half, so that a short-lived credential is not replaced as
	// soon as it is there.
	expiryMargin = 30 * time.Second

	// A delivery that failed is tried again after firstRetry, doubled each time,
	// up to lastRetry.
	firstRetry = time.Second
	lastRetry  = time.Minute

	// deliveryTimeout is how long a delivery may take until that is said, and
	// until a child that is to be started waits for it no longer: its file
	// system does not answer, and may never.
	deliveryTimeout = 30 * time.Second

	// defaultHookTimeout is what a hook has that does not say.
	defaultHookTimeout = time.Minute
)

// stage is what is being done with changes.
type stage int

const (
	quiet      stage = iota // nothing; changes are collected
	delivering              // the files of applying are being put in place
	hooking                 // the hook of applying runs
)

// rotation is what a run remembers of changes.
type rotation struct {
	pending  batch // what was collected and waits
	stage    stage
	applying batch     // delivering, hooking: what
	hookAt   time.Time // hooking: when KILL is due; zero: never, or it was sent
	lateAt   time.Time // delivering: when it has taken too long; zero: it was said
	late     bool      // delivering: it has
	owed     batch     // delivered: what the next start brings

	restartedAt time.Time     // when a child was last started for a change; zero: never
	interval    time.Duration // the current minimum after that; 0: Rotation.MinInterval
	failures    int           // how many deliveries in a row have failed
	retryAt     time.Time     // when the next may be tried
}

// batch is one or more changes that are applied together.
type batch struct {
	change      Change // what they come to
	signals     []syscall.Signal
	applied     []func()
	reasons     []string
	first, last time.Time // when they came; zero: there are none
	random      float64   // draws the splay
	due         time.Time // pending: when to apply them
	announced   bool      // it was said that they override what holds them back
}

func (b batch) exists() bool { return !b.first.IsZero() }

// reason names the changes for the log.
func (b batch) reason() string {
	if len(b.reasons) == 0 {
		return "a change"
	}
	return strings.Join(b.reasons, ", ")
}

func (b batch) tellApplied() []action {
	if len(b.applied) == 0 {
		return nil
	}
	return []action{{verb: tellApplied, applied: b.applied}}
}

// batchOf is a batch of one.
func batchOf(c Change, random float64, now time.Time) batch {
	b := batch{change: c, first: now, last: now, random: random}
	if c.Reaction == ReactSignal {
		b.signals = []syscall.Signal{c.Signal}
	}
	if c.Applied != nil {
		b.applied = []func(){c.Applied}
	}
	if c.Reason != "" {
		b.reasons = []string{c.Reason}
	}
	return b
}

// and is what b and a newer batch come to. One of them may not exist.
func (b batch) and(newer batch) batch {
	switch {
	case !b.exists():
		return newer
	case !newer.exists():
		return b
	}
	sum := newer
	sum.first, sum.random, sum.announced = b.first, b.random, b.announced
	if sum.change.Deliver == nil {
		sum.change.Deliver = b.change.Deliver
	}
	if b.change.Reaction > sum.change.Reaction {
		sum.change.Reaction = b.change.Reaction
		sum.change.Hook, sum.change.HookTimeout = b.change.Hook, b.change.HookTimeout
		command := newer.change.Command // not the values of before
		sum.change.Hook.Env, sum.change.Hook.Inherit = command.Env, command.Inherit
	}
	if !b.change.Expires.IsZero() && (sum.change.Expires.IsZero() || b.change.Expires.Before(sum.change.Expires)) {
		sum.change.Expires = b.change.Expires
	}
	sum.signals = union(b.signals, newer.signals)
	sum.reasons = union(b.reasons, newer.reasons)
	sum.applied = append(slices.Clip(b.applied), newer.applied...)
	return sum
}

// union is a with what b has besides.
func union[T comparable](a, b []T) []T {
	a = slices.Clip(a)
	for _, x := range b {
		if !slices.Contains(a, x) {
			a = append(a, x)
		}
	}
	return a
}

// ready is when a batch has settled, and when its splay is over.
func (r rules) ready(b batch) (settled, splayed time.Time) {
	debounce := r.rotation.Debounce
	limit := max(debounce, min(debounceFactor*debounce, debounceLimit))
	settled = earlier(b.last.Add(debounce), b.first.Add(limit))
	return settled, settled.Add(time.Duration(b.random * float64(r.rotation.Splay)))
}

// minInterval is how long after the last restart a batch has to wait.
func (r rules) minInterval(rot rotation) time.Duration {
	switch rot.pending.change.Reaction {
	case ReactNone:
		return 0
	case ReactRestart, ReactExit:
		return max(rot.interval, r.rotation.MinInterval)
	}
	return r.rotation.MinInterval
}

// plan says when what is pending is to be applied, and what of the rules that
// overrides, because something ends; zero: there is nothing.
func (r rules) plan(rot rotation, now time.Time) (at time.Time, overrides string) {
	b := rot.pending
	if !b.exists() {
		return time.Time{}, ""
	}
	settled, at := r.ready(b)
	held := "before its splay is over"
	if t := rot.restartedAt.Add(r.minInterval(rot)); !rot.restartedAt.IsZero() && t.After(at) {
		at, held = t, "within the minimum interval"
	}
	at = later(at, rot.retryAt)
	if r.rotation.Window != nil {
		from := later(at, now)
		if t := r.rotation.Window(from); t.After(from) {
			at, held = t, "outside of the window"
		}
	}
	if !b.change.Expires.IsZero() {
		latest := later(settled, b.change.Expires.Add(-r.margin(b)), rot.retryAt)
		if latest.Before(at) {
			return latest, held
		}
	}
	return at, ""
}

// margin is how long before its Expires a batch is applied at the latest.
func (r rules) margin(b batch) time.Duration {
	margin := expiryMargin + drainTimeout + max(r.stopTimeout, 0)
	return min(margin, max(b.change.Expires.Sub(b.first)/2, 0))
}

// spend counts a restart for b against the budget.
func (r rules) spend(rot rotation, b batch) rotation {
	interval := max(rot.interval, r.rotation.MinInterval)
	_, splayed := r.ready(b)
	switch since := splayed.Sub(rot.restartedAt); {
	case rot.restartedAt.IsZero() || since > 2*interval:
		interval = r.rotation.MinInterval
	case since < interval:
		interval = min(2*interval, max(maxInterval, interval))
	}
	rot.interval = interval
	return rot
}

// deliverPending takes what is pending to be applied and delivers it.
func (rot *rotation) deliverPending(now time.Time) []action {
	rot.applying, rot.pending, rot.stage = rot.pending, batch{}, delivering
	rot.lateAt = now.Add(deliveryTimeout)
	return []action{{verb: deliverChange, deliver: rot.applying.change.Deliver}}
}

// delivered takes note that a delivery has ended.
func (rot *rotation) delivered() (b batch, late bool) {
	b, late = rot.applying, rot.late
	rot.stage, rot.applying, rot.lateAt, rot.late = quiet, batch{}, time.Time{}, false
	return b, late
}

// earlier and later are the first and the last of some times.
func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a time.Time, more ...time.Time) time.Time {
	for _, b := range more {
		if b.After(a) {
			a = b
		}
	}
	return a
}
