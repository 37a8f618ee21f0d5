package supervise

// The words below are the identifiers themselves: they stand in log lines and
// in docs/design-states.md.

// String is the state's name.
func (p phase) String() string {
	return [...]string{"preparing", "running", "stopping", "killing", "draining", "starting", "backingOff", "ended"}[p]
}

// String is the event's name.
func (k eventKind) String() string {
	return [...]string{
		"commandPrepared", "preparationFailed", "childStarted", "startFailed", "signalReceived",
		"childStopped", "childExited", "groupEmptied", "initLost",
		"changeReceived", "changeDelivered", "deliveryFailed", "hookEnded", "timeElapsed",
	}[k]
}

// String is the action's name.
func (v verb) String() string {
	return [...]string{
		"cancelPreparation", "startChild", "signalChild", "signalGroup", "lookAtGroup",
		"suspendSelf", "resumeChild", "restoreTerminal", "reapChild", "resetTerminal",
		"deliverChange", "runHook", "killHook", "tell", "tellApplied",
	}[v]
}

// String is the mode's name.
func (m terminalMode) String() string {
	return [...]string{"none", "session", "foreground", "shared"}[m]
}

// String is what comes after the child.
func (t successor) String() string {
	return [...]string{"end", "restart", "new try"}[t]
}

// String is the event's name.
func (k EventKind) String() string {
	return [...]string{
		"ChildStarted", "ChildExited", "RestartBegan", "Signalled", "HookRan", "HookTimedOut", "ExitBegan",
		"DeliveryFailed", "DeliveryLate", "DeliveryEnded", "HoldOverridden", "EndedSoon", "BackedOff", "GaveUp", "GroupRemains", "RestartImpossible",
	}[k]
}
