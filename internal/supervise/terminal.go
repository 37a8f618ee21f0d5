package supervise

// terminalMode is how supervisor and child share a controlling terminal.
// docs/design-states.md has the table.
type terminalMode int

const (
	// noTerminal: the child gets a process group of its own.
	noTerminal terminalMode = iota

	// session: we lead the terminal's session (PID 1 with -t, ssh -t, a tmux
	// window). The child gets a session of its own and the terminal with it.
	// Its group is then orphaned, so that Ctrl-Z, which nobody here could
	// undo, stops nothing (dumb-init#184; setpgid alone freezes for good).
	session

	// foreground: we are a job-control shell's foreground job, alone in our
	// group. The child gets a group of its own and the foreground; when it
	// stops we stop too, for the shell to see.
	foreground

	// shared: we are one of several in a group that somebody else made (a
	// pipeline, make, a script) or a background job. The child stays in the
	// group, and what the terminal sends reaches it without us.
	shared
)

// terminalFacts is what the mode depends on.
type terminalFacts struct {
	controlling   bool // the process has a controlling terminal
	descriptor    int  // which of 0, 1 and 2 is that terminal; -1: none
	sessionLeader bool // getsid() == getpid()
	groupLeader   bool // getpgrp() == getpid()
	foreground    bool // tcgetpgrp() == getpgrp()
	piped         bool // stdin or stdout is a pipe or socket
}

// mode decides.
func (f terminalFacts) mode() terminalMode {
	switch {
	case !f.controlling:
		return noTerminal
	case f.descriptor < 0:
		return shared // nothing to hand over; Ctrl-C reaches the group
	case f.sessionLeader:
		return session
	case f.groupLeader && f.foreground && !f.piped:
		return foreground
	}
	return shared
}
