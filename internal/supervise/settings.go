package supervise

import (
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// keepSettings notes how the terminal is before the first child, if that child
// will be the one who goes by it.
func (s *system) keepSettings() {
	if !s.inFront() {
		return
	}
	settings, err := term.GetState(s.tty)
	if err != nil {
		s.log.Debug("the terminal's settings cannot be read", "error", err)
		return
	}
	s.settings = settings
}

// resetTerminal gives the terminal the settings that it had before the first
// child. It waits for no output: a terminal that Ctrl-S has stopped would never
// be done with it.
func (s *system) resetTerminal() {
	if s.settings == nil || !s.inFront() {
		return
	}
	var err error
	withoutTTOU(func() { // a shell may take the terminal at this very moment
		err = term.Restore(s.tty, s.settings)
	})
	if err != nil && err != unix.EIO { // hung up: nobody will miss them
		s.log.Warn("the terminal's settings cannot be restored", "error", err)
	}
}

// inFront reports whether the terminal's settings are those of our child and of
// nobody else.
func (s *system) inFront() bool {
	switch {
	case s.mode == session:
		return true // the session is the child's; nobody else has the terminal
	case s.mode == noTerminal, s.mode == shared && !s.alone:
		return false
	}
	group, err := foregroundGroup(s.tty)
	return err == nil && group == unix.Getpgrp()
}
