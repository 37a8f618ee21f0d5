package supervise

import (
	"os"
	"os/signal"
	"syscall"

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

// giveUpTerminal makes the session that this process leads one without a
// terminal, so that a session of the child can take it. The kernel sends HUP
// and CONT to the foreground group for that (tty_ioctl(4), TIOCNOTTY), which
// is us or, under an init, nobody: they are ignored for that moment and not
// counted afterwards, so that no real one is mistaken for them. Nothing may be
// started meanwhile, because ignoring is inherited; signals that were ignored
// before stay so.
func giveUpTerminal(fd int, sigc chan<- os.Signal) error {
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGCONT} {
		if !isIgnored(sig) {
			signal.Ignore(sig)
			defer signal.Notify(sigc, sig)
		}
	}
	return unix.IoctlSetInt(fd, unix.TIOCNOTTY, 0)
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
