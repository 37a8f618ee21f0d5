package supervise

import "testing"

func TestTerminalMode(t *testing.T) {
	job := terminalFacts{controlling: true, groupLeader: true, foreground: true}
	change := func(f func(*terminalFacts)) terminalFacts {
		facts := job
		f(&facts)
		return facts
	}
	tests := []struct {
		name  string
		facts terminalFacts
		want  terminalMode
	}{
		{"container without -t", terminalFacts{descriptor: -1}, noTerminal},
		{"container with -t", change(func(f *terminalFacts) { f.sessionLeader = true }), session},
		{"container with -t and a pipe as stdin", change(func(f *terminalFacts) { f.sessionLeader, f.piped, f.descriptor = true, true, 1 }), session},
		{"command typed into a shell", job, foreground},
		{"the same with &", change(func(f *terminalFacts) { f.foreground = false }), shared},
		{"first of a pipeline", change(func(f *terminalFacts) { f.piped, f.descriptor = true, 2 }), shared},
		{"last of a pipeline", change(func(f *terminalFacts) { f.groupLeader, f.piped = false, true }), shared},
		{"called by make or a script", change(func(f *terminalFacts) { f.groupLeader = false }), shared},
		{"everything redirected to files", change(func(f *terminalFacts) { f.descriptor = -1 }), shared},
		{"session leader with everything redirected", change(func(f *terminalFacts) { f.sessionLeader, f.descriptor = true, -1 }), shared},
	}
	for _, tt := range tests {
		if got := tt.facts.mode(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
