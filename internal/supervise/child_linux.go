package supervise

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// childStatus is what has to be remembered of a child: nothing here, the
// zombie keeps its status until it is reaped.
type childStatus struct {
	reaped bool
}

// waitInfo is siginfo_t as waitid(2) fills it. The union behind the three
// words is aligned like a pointer, which is what the array is for.
type waitInfo struct {
	_      [2]int32
	code   int32
	_      [0]uintptr
	_      [2]int32 // si_pid, si_uid
	status int32
}

// pollChild asks for stops and for the end of the child. The end is only looked at
// (WNOWAIT): the zombie keeps the pid and the group number from being reused
// until its leftovers have had their TERM.
func (s *system) pollChild() []event {
	var events []event
	for s.child != nil && !s.ended {
		info, err := waitFor(s.child.Pid, unix.WEXITED|unix.WSTOPPED|unix.WNOHANG|unix.WNOWAIT)
		switch {
		case err != nil:
			s.log.Error("the command's exit status is unknown, reporting 137", "error", err)
			s.ended = true
			return append(events, event{kind: childExited, code: exitUnknown})
		case info.code == 0:
			return events // no news
		case info.code == cldStopped:
			// A stop is consumed, or it would be reported for ever.
			if sig := takeStop(s.child.Pid); sig != 0 {
				events = append(events, event{kind: childStopped, sig: sig})
			}
		default:
			s.ended = true
			return append(events, s.exited(info))
		}
	}
	return events
}

// The si_code values of SIGCHLD, sigaction(2).
const (
	cldExited  = 1
	cldKilled  = 2
	cldDumped  = 3
	cldStopped = 5
)

// takeStop returns the signal that has stopped a child of ours, once; 0: none
// has, or the child was continued since.
func takeStop(pid int) syscall.Signal {
	info, err := waitFor(pid, unix.WSTOPPED|unix.WNOHANG)
	if err != nil || info.code != cldStopped {
		return 0
	}
	return syscall.Signal(info.status)
}

// isStopped reports whether a child of ours is stopped now. Where /proc does
// not tell, it is not.
func isStopped(pid int) bool {
	state, parent, _ := processStat(pid)
	return state == "T" && parent == strconv.Itoa(os.Getpid()) // else it is another namespace's
}

// processStat is what /proc tells of a process, which may be another namespace's;
// empty: nothing.
func processStat(pid int) (state, parent, group string) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", "", ""
	}
	return parseStat(stat)
}

// waitFor is waitid(2) for one child of ours.
func waitFor(pid, options int) (waitInfo, error) {
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_PID, pid, &info, options, nil)
		if err != unix.EINTR {
			return *(*waitInfo)(unsafe.Pointer(&info)), err
		}
	}
}

// exited is the event for the child's end, with the shell's status for it.
func (s *system) exited(info waitInfo) event {
	switch info.code {
	case cldExited:
		return event{kind: childExited, code: int(info.status)}
	case cldKilled, cldDumped:
		sig := syscall.Signal(info.status)
		return event{kind: childExited, code: exitBySignal(sig), sig: sig}
	}
	s.log.Error("the command's exit status is unknown, reporting 137", "si_code", info.code)
	return event{kind: childExited, code: exitUnknown}
}

// groupEmpty reports whether nothing that lives is left of the child's group.
//
// Guard against pid reuse: the child stays a zombie until /proc shows no living
// member, so that the number is nobody else's however long ago we looked (we may
// have been stopped). kill(2), which counts zombies, has the last word once ours
// is reaped: a member may have forked while /proc was read.
//
// Where /proc does not tell, the child is reaped first. A group that has a member
// keeps its number, and it had one when we last looked, lookInterval ago.
func (s *system) groupEmpty() bool {
	if living, err := livingMembers(s.child.Pid); err == nil && living > 0 {
		return false
	}
	s.reap()
	if unix.Kill(-s.child.Pid, 0) == unix.ESRCH {
		return true
	}
	// A zombie whose parent does not reap it would be waited for in vain.
	living, err := livingMembers(s.child.Pid)
	return err == nil && living == 0
}

// livingMembers counts the processes of a group that are not zombies. The
// error says that /proc cannot tell.
func livingMembers(group int) (int, error) {
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(os.Getpid()) {
		return 0, errors.New("/proc is not that of our pid namespace")
	}
	dir, err := os.Open("/proc")
	if err != nil {
		return 0, err
	}
	defer dir.Close() // it was only read
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return 0, err
	}
	living := 0
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		// Of those that are no members, this costs a fiftieth of a look into /proc.
		if pgrp, err := unix.Getpgid(pid); err == nil && pgrp != group {
			continue
		}
		state, _, pgrp := processStat(pid) // empty: it ended meanwhile
		if pgrp == strconv.Itoa(group) && state != "Z" && state != "X" {
			living++
		}
	}
	return living, nil
}

// parseStat reads state, ppid and pgrp from a line of /proc/PID/stat.
func parseStat(stat []byte) (state, parent, group string) {
	// The second field is the file name in parentheses and may contain any
	// byte; the others follow its last parenthesis.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 3 {
		return "", "", ""
	}
	return string(fields[0]), string(fields[1]), string(fields[2])
}

// reap lets go of the zombie.
func (s *system) reap() {
	if s.stat.reaped {
		return
	}
	s.stat.reaped = true
	if _, err := s.child.Wait(); err != nil {
		s.log.Debug("the command was already reaped", "error", err)
	}
}
