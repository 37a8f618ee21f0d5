package supervise

import (
	"syscall"
	"time"
)

// Reaction is what a change does to the child; a stronger one is larger.
type Reaction int

const (
	ReactNone    Reaction = iota // the next start uses it, nothing else happens
	ReactSignal                  // Change.Signal goes to Options.Forward's target
	ReactExec                    // Change.Hook is run; the child goes on
	ReactRestart                 // the child is stopped with all of its group, and started again
	ReactExit                    // the child is stopped as for TERM, and the run ends with its status
)

// Change is a newer command for the child. Each replaces the one before it; what
// an unapplied one asked for is not forgotten: the strongest reaction and the
// earliest Expires count for all of them, each signal is sent, and a Deliver is
// replaced by another one only. Of hooks the newest is run.
//
// A start, for whatever reason, brings all that is collected: its files are
// delivered first, and no signal is sent and no hook is run for it any more.
type Change struct {
	Command  Command        // what the next start runs
	Reaction Reaction       // what it does to the child that runs
	Signal   syscall.Signal // with ReactSignal

	// Hook is the command of ReactExec, and HookTimeout what it gets before its
	// group is killed; 0: a minute, negative: for ever.
	Hook        Command
	HookTimeout time.Duration

	// Deliver puts files in place. It runs beside the loop, before anything is
	// told to the child or stopped, never twice at a time, and is called again
	// after it failed. While it does not end nothing of this or a newer change is
	// done; a child that is to be started waits for deliveryTimeout at most.
	// nil: there is nothing to deliver.
	Deliver func() error

	// Applied is called by the loop, and must not block, once the child has what
	// the change brings: it was started again and runs, was signalled, the hook
	// has ended or, for ReactNone, the files are there. So are those of the
	// changes that this one replaced. It is not called if the run ends first,
	// which ReactExit makes it do. nil: nobody wants to know.
	Applied func()

	Reason string // names for the log, such as "secret kv/app"

	// Expires is when something that the child now holds ends; zero: never. What
	// would hold the change back for longer is overridden, except Debounce: see
	// expiryMargin for how long before it.
	Expires time.Time
}

// Rotation is what changes go by. Debounce, Splay, MinInterval and Window are
// for changes only, never for the first start, and hold back in this order.
type Rotation struct {
	// Debounce is how long no further change must have come, but no longer than
	// five times that, or a minute if that is less, after the first one.
	Debounce time.Duration

	// Splay is what a random time is drawn below, once for the changes that are
	// applied together.
	Splay time.Duration

	// MinInterval is how long after a start that a change caused nothing is done
	// to the child for another one. If a restart had to wait for it, the next
	// one has to wait twice as long, up to an hour; it is as short as in the
	// beginning again after a restart for changes that came more than twice the
	// current interval after the one before. The longer ones hold back restarts
	// and exits, not signals and hooks.
	MinInterval time.Duration

	// Window is the earliest time at or after t when a change may be applied.
	// It must be pure. nil: always.
	Window func(t time.Time) time.Time

	// OnFailure starts the command again after an end that nobody asked for and
	// whose status is not 0: after a second, then twice as long each time up to
	// a minute, and a second again once it ran for a minute. After MaxFailures
	// such ends in a row the last status is the run's; 0: never.
	OnFailure   bool
	MaxFailures int

	// Rand gives numbers in [0, 1); nil: those of math/rand/v2.
	Rand func() float64
}

// EventKind is what an Event tells.
type EventKind int

const (
	ChildStarted      EventKind = iota // the child runs; Reason: the changes that caused it, if any
	ChildExited                        // the child ended; Code: its status
	RestartBegan                       // the child is being stopped for a change
	Signalled                          // the child got the signal of a change; Code: which
	HookRan                            // a hook ended; Code: its status, -1 if it could not be started
	HookTimedOut                       // a hook did not end in time and got KILL
	ExitBegan                          // the child is being stopped for good because of a change
	DeliveryFailed                     // files were not put in place; Code: how often in a row
	DeliveryLate                       // files are still not in place, and nothing waits for them any more
	DeliveryEnded                      // files that were late are in place
	HoldOverridden                     // a change is applied early because something ends
	EndedSoon                          // the child ended by itself soon after a restart, a signal or a hook; Code: its status
	BackedOff                          // the child failed and will be started again; Code: its status
	GaveUp                             // the child failed too often; Code: its status
	GroupRemains                       // what the child left is there in spite of KILL, and a start waits for its end
	RestartImpossible                  // the kernel refused to start the command again
)

// Event is something that a run has done or seen, for metrics.
type Event struct {
	Kind   EventKind
	Reason string // the changes' reasons; empty if no change is behind it
	Code   int
}
