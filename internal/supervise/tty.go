package supervise

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lookAtTerminal gathers the facts about this process's terminal.
func lookAtTerminal() terminalFacts {
	pid := os.Getpid()
	sid, err := unix.Getsid(0)
	facts := terminalFacts{
		descriptor:    -1,
		sessionLeader: err == nil && sid == pid,
		groupLeader:   unix.Getpgrp() == pid,
		piped:         isPipe(0) || isPipe(1),
	}
	for fd := range 3 {
		// tcgetpgrp(3) succeeds on the controlling terminal only.
		if group, err := foregroundGroup(fd); err == nil {
			facts.controlling = true
			facts.descriptor = fd
			facts.foreground = group == unix.Getpgrp()
			return facts
		}
	}
	if fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0); err == nil {
		facts.controlling = true
		_ = unix.Close(fd) // nothing was written
	}
	return facts
}

func isPipe(fd int) bool {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false
	}
	kind := st.Mode & unix.S_IFMT
	return kind == unix.S_IFIFO || kind == unix.S_IFSOCK
}

// foregroundGroup is tcgetpgrp(3).
func foregroundGroup(fd int) (int, error) {
	return unix.IoctlGetInt(fd, unix.TIOCGPGRP)
}

// setForegroundGroup is tcsetpgrp(3). From a background group the kernel
// answers it with SIGTTOU, which a caught signal would turn into an endless
// restart of the call, so TTOU is kept away meanwhile.
func setForegroundGroup(fd, group int) error {
	var err error
	withoutTTOU(func() {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, group)
	})
	return err
}

// handoverTimeout bounds the wait for two signals that the kernel has already
// sent; delivering them takes microseconds.
const handoverTimeout = time.Second

// giveUpTerminal makes the session that this process leads one without a
// terminal, so that a session of the child can take it. The kernel sends HUP
// and CONT to the foreground group for that (tty_ioctl(4), TIOCNOTTY). If that
// is us, one of each is waited for and taken off sigc, where both must be
// caught already; nothing may be started before. Ignoring them meanwhile would
// not do: the kernel queues even an ignored signal while the main thread blocks
// it, as Go's threads do for moments, and the Go runtime dies of one that is
// delivered while signal.Ignore is at work.
func giveUpTerminal(fd int, sigc chan os.Signal) error {
	group, err := foregroundGroup(fd)
	expected := err == nil && group == unix.Getpgrp()
	arrivedc := make(map[syscall.Signal]chan os.Signal)
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGCONT} {
		if expected && !isIgnored(sig) {
			arrivedc[sig] = make(chan os.Signal, 1)
			signal.Notify(arrivedc[sig], sig)
		}
	}
	err = unix.IoctlSetInt(fd, unix.TIOCNOTTY, 0)
	timeout := time.NewTimer(handoverTimeout)
	defer timeout.Stop()
	for sig, c := range arrivedc {
		if err == nil {
			select {
			case <-c:
			case <-timeout.C:
			}
		}
		// When Stop returns, what c was sent has been sent to sigc too.
		signal.Stop(c)
		if err == nil {
			takeOff(sigc, sig)
		}
	}
	return err
}

// takeOff takes one sig out of what waits in sigc.
func takeOff(sigc chan os.Signal, sig os.Signal) {
	taken := false
	for range len(sigc) {
		waiting := <-sigc
		if !taken && waiting == sig {
			taken = true
			continue
		}
		select {
		case sigc <- waiting:
		default: // others filled it meanwhile; the kernel drops the excess too
		}
	}
}

// orphaned reports whether nobody would continue this process if it stopped:
// its parent is in another session, or in the same group. The kernel ignores
// TSTP, TTIN and TTOU then (setpgid(2), "orphaned process group").
func orphaned() bool {
	parent := os.Getppid()
	ours, err := unix.Getsid(0)
	if err != nil {
		return true
	}
	theirs, err := unix.Getsid(parent)
	if err != nil || theirs != ours {
		return true
	}
	group, err := unix.Getpgid(parent)
	return err != nil || group == unix.Getpgrp()
}
