package supervise

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sweep sends sig to target, as kill(2) counts (-1: every process of the
// namespace but us), gives it timeout (negative: for ever) and then sends KILL.
// It returns as soon as nothing is left of what is awaited, which is target or
// a part of it; zombies count until go-reap has had them. Signals that arrive
// meanwhile are passed on. It tells whether something is left of target.
//
// Guard against pid reuse where target is not -1: the supervisor held the
// command as a zombie or better until it died a moment ago, and a number that
// is still seen in use every lookInterval was not free in between.
func (in *initRole) sweep(target, awaited int, sig syscall.Signal, timeout time.Duration) (left bool) {
	if in.signal(target, awaited, sig) != nil {
		return false // nothing is left, or nothing that we may signal
	}
	var deadlinec <-chan time.Time
	if timeout >= 0 {
		deadlinec = time.After(timeout)
	}
	interval := time.Millisecond // the supervisor itself is reaped within that
	for {
		look := time.NewTimer(interval)
		select {
		case <-look.C:
			if unix.Kill(awaited, 0) != nil {
				return awaited != target && unix.Kill(target, 0) == nil
			}
			// go-reap may have missed the last one: see reapKick.
			_ = unix.Kill(os.Getpid(), unix.SIGCHLD) // a process may always signal itself
			interval = min(2*interval, lookInterval)
		case received := <-in.sigc:
			sig := received.(syscall.Signal)
			if sig == syscall.SIGTERM {
				sig = in.options.StopSignal
			}
			_ = in.signal(target, awaited, sig) // it may just have ended
		case <-deadlinec:
			_ = in.signal(target, awaited, unix.SIGKILL) // it may just have ended
			in.log.Warn("not stopped in time, sent KILL")
			return false
		}
		look.Stop()
	}
}

// signal sends sig to target, and by itself to a leader that has left its group.
// It is still the supervisor's or, since that died, ours. Where /proc does not
// tell, it has not left.
func (in *initRole) signal(target, leader int, sig syscall.Signal) error {
	err := unix.Kill(target, sig)
	if target >= -1 || leader != -target {
		return err
	}
	_, parent, group := processStat(leader)
	ours := parent == strconv.Itoa(os.Getpid()) || parent == strconv.Itoa(in.supervisor.Pid)
	if !ours || group == strconv.Itoa(leader) {
		return err
	}
	return unix.Kill(leader, sig)
}

// lostStatus is the status for a supervisor that died without a report.
func (in *initRole) lostStatus() int {
	status, err := exitedStatus(in.supervisor)
	switch {
	case err != nil:
		in.log.Debug("the kernel does not tell how the supervising process died", "error", err)
	case status.Signaled():
		return exitBySignal(status.Signal())
	}
	// It exited by itself, without a report: the command's status is lost.
	return exitUnknown
}

// pidfdInfo is struct pidfd_info of linux/pidfd.h up to exit_code (Linux 6.15).
type pidfdInfo struct {
	mask     uint64
	_        uint64     // cgroup
	_        [11]uint32 // ids
	exitCode int32
}

const (
	pidfdGetInfo  = 0xc0000000 | unsafe.Sizeof(pidfdInfo{})<<16 | 0xff<<8 | 11 // _IOWR(0xff, 11, struct pidfd_info)
	pidfdInfoExit = 1 << 3
)

// exitedStatus asks the kernel for the wait status of a process that somebody
// else has reaped: Linux 6.15 and later tell it through the pidfd.
func exitedStatus(process *os.Process) (syscall.WaitStatus, error) {
	info := pidfdInfo{mask: pidfdInfoExit}
	var errno syscall.Errno
	err := process.WithHandle(func(pidfd uintptr) {
		_, _, errno = unix.Syscall(unix.SYS_IOCTL, pidfd, pidfdGetInfo, uintptr(unsafe.Pointer(&info)))
	})
	switch {
	case err != nil:
		return 0, err
	case errno != 0:
		return 0, errno
	case info.mask&pidfdInfoExit == 0:
		return 0, errors.New("the kernel is too old, or the process was not reaped yet")
	}
	return syscall.WaitStatus(info.exitCode), nil
}
