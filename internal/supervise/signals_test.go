package supervise

import (
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestParseSignal(t *testing.T) {
	tests := []struct {
		text string
		want syscall.Signal
		err  string // part of the message
	}{
		{text: "TERM", want: syscall.SIGTERM},
		{text: "SIGTERM", want: syscall.SIGTERM},
		{text: "sigterm", want: syscall.SIGTERM},
		{text: "15", want: syscall.SIGTERM},
		{text: "USR1", want: syscall.SIGUSR1},
		{text: "TERN", err: "did you mean TERM?"},
		{text: "SIGUSR3", err: "did you mean USR1 or USR2?"},
		{text: "", err: `no signal is called ""`},
		{text: "reload", err: "use a name such as TERM"},
		{text: "0", err: "no signal has the number 0"},
		{text: "-1", err: "no signal has the number -1"},
		{text: "999", err: "no signal has the number 999"},
		{text: "RTMIN*2", err: "no signal is called"},
	}
	if realTimeMin != 0 {
		tests = append(tests, []struct {
			text string
			want syscall.Signal
			err  string
		}{
			{text: "RTMIN", want: 34},
			{text: "RTMIN+3", want: 37},
			{text: "SIGRTMAX-1", want: 63},
			{text: "RTMAX", want: 64},
			{text: "64", want: 64},
			{text: "RTMIN-1", err: "no signal is called"},
			{text: "RTMIN+31", err: "no signal is called"},
			{text: "RTMAX+1", err: "no signal is called"},
		}...)
	}
	for _, tt := range tests {
		got, err := ParseSignal(tt.text)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("ParseSignal(%q) = %v, %v, want an error with %q", tt.text, got, err, tt.err)
			}
			continue
		}
		if err != nil || got != tt.want {
			t.Errorf("ParseSignal(%q) = %d, %v, want %d", tt.text, got, err, tt.want)
		}
	}
}

func TestCheckRewrite(t *testing.T) {
	tests := []struct {
		from, to syscall.Signal
		err      string
	}{
		{syscall.SIGTERM, syscall.SIGQUIT, ""},
		{syscall.SIGWINCH, 0, ""},
		{syscall.SIGUSR1, syscall.SIGKILL, ""},
		{syscall.SIGKILL, syscall.SIGTERM, "signal KILL cannot be rewritten: no process can catch it"},
		{syscall.SIGSTOP, syscall.SIGTERM, "no process can catch it"},
		{syscall.SIGCHLD, syscall.SIGTERM, "its own child"},
		{syscall.SIGURG, syscall.SIGTERM, "the Go runtime"},
		{syscall.SIGSEGV, syscall.SIGTERM, "a fault"},
		{0, syscall.SIGTERM, "numbered 1 to"},
		{65, syscall.SIGTERM, "numbered 1 to"},
		{syscall.SIGTERM, 65, "to 65"},
		{syscall.SIGTERM, -1, "to -1"},
	}
	for _, tt := range tests {
		err := CheckRewrite(tt.from, tt.to)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("CheckRewrite(%d, %d) = %v, want %q", tt.from, tt.to, err, tt.err)
		}
	}
}

func TestToCatch(t *testing.T) {
	never := []syscall.Signal{syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPROF, syscall.SIGPIPE,
		syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGKILL, syscall.SIGSTOP}
	plain, later := toCatch(noTerminal, Options{})
	for _, sig := range append(slices.Clone(plain), later...) {
		if slices.Contains(never, sig) {
			t.Errorf("%s is caught", signalName(sig))
		}
	}
	named, laterToo := toCatch(noTerminal, Options{Rewrite: map[syscall.Signal]syscall.Signal{syscall.SIGIO: 0}, StopSignal: syscall.SIGVTALRM})
	for _, sig := range []syscall.Signal{syscall.SIGIO, syscall.SIGVTALRM} {
		if !slices.Contains(named, sig) || slices.Contains(laterToo, sig) {
			t.Errorf("%s is named by the options and not caught first, once", signalName(sig))
		}
	}
	if first, _ := toCatch(shared, Options{}); slices.Contains(first, syscall.SIGTSTP) {
		t.Error("a member of somebody's group would not stop with it")
	}
	if first, _ := toCatch(foreground, Options{Rewrite: map[syscall.Signal]syscall.Signal{syscall.SIGTERM: syscall.SIGINT}}); len(first) != len(plain) {
		t.Error("a signal is caught twice")
	}
}

func TestCheckStop(t *testing.T) {
	for sig, want := range map[syscall.Signal]string{
		syscall.SIGTERM: "", syscall.SIGWINCH: "", syscall.SIGKILL: "", syscall.SIGIO: "",
		syscall.SIGSTOP: "signal STOP would suspend the command, not end it",
		syscall.SIGURG:  "signal URG asks no command to stop",
	} {
		if err := CheckStop(sig); (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %q", signalName(sig), err, want)
		}
	}
}
