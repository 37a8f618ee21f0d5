package supervise

import (
	"fmt"
	"syscall"
	"time"
)

// told is an event with what the log says besides.
type told struct {
	event Event
	err   error         // DeliveryFailed, HookRan, RestartImpossible: why
	held  string        // HoldOverridden: what would have held it back
	until time.Time     // HoldOverridden: when something ends
	delay time.Duration // BackedOff: when the next start is
	group int           // GroupRemains: its number
}

// telling is the action that tells an event.
func telling(kind EventKind, reason string, code int) action {
	return action{verb: tell, told: told{event: Event{Kind: kind, Reason: reason, Code: code}}}
}

// tell writes the line that an event is worth and passes it on.
func (l *loop) tell(t told) {
	e := t.event
	switch e.Kind {
	case ChildExited:
		l.log.Debug("command ended", "status", e.Code)
	case RestartBegan:
		l.log.Info("restarting the command", "reason", e.Reason)
	case ExitBegan:
		l.log.Info("stopping the command for good", "reason", e.Reason)
	case Signalled:
		l.log.Info("signalling the command", "reason", e.Reason, "signal", signalName(syscall.Signal(e.Code)))
	case HookRan:
		switch {
		case t.err != nil:
			l.log.Warn("the hook could not be started", "reason", e.Reason, "error", t.err)
		case e.Code != 0:
			l.log.Warn("the hook failed", "reason", e.Reason, "status", e.Code)
		default:
			l.log.Debug("the hook ended", "reason", e.Reason)
		}
	case HookTimedOut:
		l.log.Warn("the hook did not end in time, sent KILL", "reason", e.Reason)
	case DeliveryFailed:
		if e.Code&(e.Code-1) == 0 { // said the first time, the second, the fourth, the eighth ...
			l.log.Warn("the files of a rotation cannot be put in place, the command goes on with the old ones, trying again",
				"reason", e.Reason, "error", t.err, "attempts", e.Code)
		}
	case DeliveryLate:
		l.log.Warn("the files of a rotation are still not in place, the command goes on with the old ones: does their file system answer?",
			"reason", e.Reason, "after", deliveryTimeout)
	case DeliveryEnded:
		l.log.Info("the files of a rotation are in place after all", "reason", e.Reason)
	case HoldOverridden:
		l.log.Warn(fmt.Sprintf("rotating although %s, because what the command holds ends at %s",
			t.held, t.until.Format(time.RFC3339)), "reason", e.Reason)
	case EndedSoon:
		l.log.Warn("the command ended soon after a rotation", "reason", e.Reason, "status", e.Code)
	case BackedOff:
		l.log.Warn("the command failed, it will be started again", "status", e.Code, "after", t.delay)
	case GaveUp:
		l.log.Error("the command failed too often in a row, giving up", "status", e.Code)
	case GroupRemains:
		l.log.Warn("processes in the group of the command that ended outlive KILL, and the next start waits for their end: look with ps -A -o pgid,pid,ppid,stat,args who they are or who starts them",
			"group", t.group, "after", stuckAfter)
	case RestartImpossible:
		l.log.Error("the command cannot be started again", "error", t.err)
	}
	if l.observe != nil {
		l.observe(e)
	}
}
