package supervise

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// startHook starts the command of a change in a session of its own: it leads a
// group that can be killed as a whole and has no terminal. What it writes goes
// to our stderr, since on stdout is only what the child writes.
func (s *system) startHook(command Command) []event {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return []event{{kind: hookEnded, code: -1, err: err}}
	}
	defer null.Close() // ours only until the start
	hook, err := startProcess(command, &syscall.SysProcAttr{Setsid: true}, null, os.Stderr, os.Stderr)
	if err != nil {
		return []event{{kind: hookEnded, code: -1, err: startFailure(command, err)}}
	}
	s.hook = hook
	s.link.hook(hook.Pid)
	s.log.Debug("hook started", "pid", hook.Pid, "path", command.Path)
	return nil
}

// killHook ends the hook with all of its group, whose number cannot be anybody
// else's before pollHook has reaped it.
func (s *system) killHook() {
	if s.hook == nil {
		return
	}
	if err := unix.Kill(-s.hook.Pid, unix.SIGKILL); err != nil {
		s.log.Warn("the hook cannot be killed", "error", err)
	}
}

// pollHook asks for the end of the hook and reaps it.
func (s *system) pollHook() []event {
	if s.hook == nil {
		return nil
	}
	var status unix.WaitStatus
	pid, err := unix.Wait4(s.hook.Pid, &status, unix.WNOHANG, nil)
	for err == unix.EINTR {
		pid, err = unix.Wait4(s.hook.Pid, &status, unix.WNOHANG, nil)
	}
	if err == nil && pid == 0 {
		return nil
	}
	_ = s.hook.Release() // it has no handle that could fail to close
	s.hook = nil
	s.link.hook(0)
	switch {
	case err != nil:
		s.log.Warn("the hook's exit status is unknown", "error", err)
		return []event{{kind: hookEnded, code: exitUnknown}}
	case status.Signaled():
		return []event{{kind: hookEnded, code: exitBySignal(status.Signal())}}
	}
	return []event{{kind: hookEnded, code: status.ExitStatus()}}
}
