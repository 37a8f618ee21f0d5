package supervise

// The words below are the identifiers themselves: they stand in log lines and
// in docs/design-states.md.

// String is the state's name.
func (p phase) String() string {
	return [...]string{"preparing", "running", "stopping", "killing", "draining", "ended"}[p]
}

// String is the event's name.
func (k eventKind) String() string {
	return [...]string{
		"commandPrepared", "preparationFailed", "childStarted", "startFailed", "signalReceived",
		"childStopped", "childExited", "groupEmptied", "initLost", "timeElapsed",
	}[k]
}

// String is the action's name.
func (v verb) String() string {
	return [...]string{
		"cancelPreparation", "startChild", "signalChild", "signalGroup", "lookAtGroup",
		"suspendSelf", "resumeChild", "restoreTerminal", "reapChild",
	}[v]
}

// String is the mode's name.
func (m terminalMode) String() string {
	return [...]string{"none", "session", "foreground", "shared"}[m]
}
