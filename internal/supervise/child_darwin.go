package supervise

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// childStatus is what has to be remembered of a child: nothing here, wait4
// tells and reaps at once.
type childStatus struct{}

// pollChild asks for stops and for the end of the child. There is no reliable
// WNOWAIT here (golang/go#19314), so the child is reaped at once. What guards
// its number afterwards: the loop that reaps is the one that signals, and the
// child is not signalled any more; a group keeps its number while it has a
// member, and was seen to have one lookInterval ago.
func (s *system) pollChild() []event {
	var events []event
	for s.child != nil && !s.ended {
		var status unix.WaitStatus
		pid, err := unix.Wait4(s.child.Pid, &status, unix.WNOHANG|unix.WUNTRACED, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			s.log.Error("the command's exit status is unknown, reporting 137", "error", err)
			s.ended = true
			return append(events, event{kind: childExited, code: exitUnknown})
		case pid == 0:
			return events
		case status.Stopped():
			events = append(events, event{kind: childStopped, sig: syscall.Signal(status.StopSignal())})
		default:
			s.ended = true
			return append(events, exited(status))
		}
	}
	return events
}

// isStopped would report whether a child of ours is stopped now, which cannot
// be asked here without consuming it.
func isStopped(int) bool { return false }

// exited is the event for the child's end, with the shell's status for it.
func exited(status unix.WaitStatus) event {
	if status.Signaled() {
		return event{kind: childExited, code: exitBySignal(status.Signal()), sig: status.Signal()}
	}
	return event{kind: childExited, code: status.ExitStatus()}
}

// groupEmpty reports whether nothing is left of the child's group.
func (s *system) groupEmpty() bool {
	return unix.Kill(-s.child.Pid, 0) == unix.ESRCH
}

// reap lets go of the process; poll has reaped it.
func (s *system) reap() {
	_ = s.child.Release() // it has no handle that could fail to close
}
