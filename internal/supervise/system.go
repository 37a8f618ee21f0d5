package supervise

import (
	"errors"
	"log/slog"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// system is the hands that act on the operating system. Only the loop calls
// it, so that whoever signals the child is also the one who reaps it.
//
// Guard against pid reuse: the child alone is signalled through os.Process,
// which holds a pidfd where the kernel has them. Its group is signalled by
// number while the child, running or a zombie, has not been reaped: until then
// neither the pid nor the group number can be given to anybody else. groupEmpty
// sees to it that this is so while the group lives, where it can; elsewhere only
// what it has just seen is signalled, and the child not at all.
type system struct {
	mode   terminalMode
	tty    int // descriptor of the controlling terminal; -1: none
	target Target
	link   *Link
	log    *slog.Logger
	seen   bool           // a shell sees our group stop by a process that is ours, see suspend
	sigc   chan os.Signal // where signals are caught
	cancel func()

	child *os.Process // nil when there is none
	ended bool        // poll has told of the child's end
	stat  childStatus

	gaveUp     bool          // session: our session has no terminal any more
	alone      bool          // shared: nobody is in our group but us, our init and what we start
	settings   *term.State   // of the terminal before the first child; nil: not ours, then or ever
	started    bool          // there was a first child
	hook       *os.Process   // nil: none runs
	deliveredc chan event    // what became of a delivery; at most one is under way
	donec      chan struct{} // closed when the latest one has ended; nil: there was none
}

func (s *system) perform(a action) []event {
	switch a.verb {
	case cancelPreparation:
		s.cancel()
	case startChild:
		return []event{s.start(a.command)}
	case signalChild:
		if s.mode != shared && s.target == Group {
			s.signalGroup(a.sig)
		} else {
			s.signalChild(a.sig)
		}
	case signalGroup:
		s.signalGroup(a.sig)
	case lookAtGroup:
		if s.groupEmpty() {
			return []event{{kind: groupEmptied}}
		}
	case suspendSelf:
		s.suspend(a.sig)
	case resumeChild:
		s.resume()
	case restoreTerminal:
		s.takeTerminal()
	case reapChild:
		s.reap()
		s.child = nil
		s.link.gone()
	case resetTerminal:
		s.resetTerminal()
	case deliverChange:
		s.deliver(a.deliver)
	case runHook:
		return s.startHook(a.command)
	case killHook:
		s.killHook()
	}
	return nil
}

// poll returns what happened to our children since the last call. Each is asked
// for by its number.
func (s *system) poll() []event { return append(s.pollChild(), s.pollHook()...) }

// start starts the child and says how that went.
func (s *system) start(command Command) event {
	if !s.started {
		s.started = true
		s.keepSettings()
	}
	if !command.As.canBeSignalled() {
		return event{kind: startFailed, err: startFailure(command, errNoSignals)}
	}
	sys := s.placement()
	child, err := startProcess(command, sys, os.Stdin, os.Stdout, os.Stderr)
	if sys.Setctty && errors.Is(err, unix.EPERM) {
		// Somebody in a session of their own has the terminal, such as what an
		// earlier child left. It can still be read and written. If that fails too,
		// it was something else, such as another user, that was refused.
		denied := err
		child, err = startProcess(command, &syscall.SysProcAttr{Setsid: true}, os.Stdin, os.Stdout, os.Stderr)
		if err == nil {
			s.log.Warn("the terminal cannot be handed to the command", "error", denied)
		}
	}
	if err != nil {
		return event{kind: startFailed, err: startFailure(command, err)}
	}
	s.child, s.ended, s.stat = child, false, childStatus{}
	s.link.started(child.Pid, s.mode != shared)
	s.log.Debug("command started", "pid", child.Pid, "path", command.Path)
	return event{kind: childStarted, pid: child.Pid}
}

// placement puts a child where docs/design-states.md says.
func (s *system) placement() *syscall.SysProcAttr {
	switch s.mode {
	case noTerminal:
		return &syscall.SysProcAttr{Setpgid: true}
	case session:
		// Once given up, it is nobody's after the end of the child that had it
		// (the kernel takes it from a session whose leader ends), and the next
		// one can have it.
		if !s.gaveUp {
			if err := giveUpTerminal(s.tty, s.sigc); err != nil {
				s.log.Warn("the terminal cannot be handed to the command", "error", err)
				return &syscall.SysProcAttr{Setpgid: true}
			}
			s.gaveUp = true
		}
		return &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: s.tty} // Ctty counts in the child
	case foreground:
		// By now the user may have sent us to the background with Ctrl-Z and bg.
		if group, err := foregroundGroup(s.tty); err == nil && group == unix.Getpgrp() {
			return &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: s.tty} // Ctty counts in the parent
		}
		return &syscall.SysProcAttr{Setpgid: true}
	}
	return &syscall.SysProcAttr{}
}

// signalChild signals the child alone.
func (s *system) signalChild(sig syscall.Signal) {
	if err := s.child.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.log.Warn("a signal could not be forwarded", "signal", signalName(sig), "error", err)
	}
}

// signalGroup signals the child's group, and by itself a child that has left it
// (setpgid(2)): nothing in the group would tell that one to stop.
func (s *system) signalGroup(sig syscall.Signal) {
	if err := unix.Kill(-s.child.Pid, sig); err != nil && err != unix.ESRCH && !s.ended {
		s.log.Warn("a signal could not be forwarded", "signal", signalName(sig), "error", err)
	}
	// Asked for afterwards: a child that left just before would hear nothing. One
	// that leaves as the first thing it does for a signal may hear it twice.
	if group, err := unix.Getpgid(s.child.Pid); !s.ended && err == nil && group != s.child.Pid {
		s.signalChild(sig)
	}
}

// suspend stops this process as the child was stopped, so that the shell sees
// its job stop. The shell's fg or bg sends CONT, which the loop turns into
// resumeChild. In a shared group that CONT reaches the child too, so that we
// stop only if the child still is; and only if the group's leader, by which the
// shell goes, is us or our init: a script's shell would never tell anybody that
// we have to be continued.
func (s *system) suspend(sig syscall.Signal) {
	if s.mode == shared {
		if s.seen && isStopped(s.child.Pid) {
			s.stop(sig)
		}
		return
	}
	group, err := foregroundGroup(s.tty)
	inFront := err == nil && group == unix.Getpgrp()
	if inFront && s.child != nil && (sig == syscall.SIGTTIN || sig == syscall.SIGTTOU) {
		// The shell's fg gives a running job the terminal without any signal.
		// The child just asked for it.
		s.resume()
		return
	}
	if orphaned() {
		s.resume()
		return
	}
	s.takeTerminal()
	if !s.stop(sig) {
		s.resume()
	}
}

// stop stops this process and returns when it is continued; false: it cannot.
func (s *system) stop(sig syscall.Signal) bool {
	s.log.Debug("stopping like the command", "signal", signalName(sig))
	err := stopSelf(sig)
	if err != nil {
		s.log.Warn("vaultexec cannot stop as its command did", "error", err)
	}
	return err == nil
}

// resume continues the child, in the foreground if that is where we are.
func (s *system) resume() {
	if s.child == nil {
		return
	}
	if group, err := foregroundGroup(s.tty); err == nil && group == unix.Getpgrp() {
		if err := setForegroundGroup(s.tty, s.child.Pid); err != nil {
			s.log.Warn("the terminal cannot be handed to the command", "error", err)
		}
	}
	s.signalGroup(syscall.SIGCONT)
}

// takeTerminal makes us the foreground group again if the child's group is
// that, or a group of the child's that is gone. Otherwise a shell has already
// taken it.
func (s *system) takeTerminal() {
	group, err := foregroundGroup(s.tty)
	if err != nil || group == unix.Getpgrp() {
		return
	}
	lent := s.child != nil && group == s.child.Pid
	if !lent && unix.Kill(-group, 0) != unix.ESRCH {
		return
	}
	if err := setForegroundGroup(s.tty, unix.Getpgrp()); err != nil {
		s.log.Warn("the terminal cannot be taken back from the command", "error", err)
	}
}
