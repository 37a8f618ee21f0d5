package supervise

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"vaultexec/internal/nearest"
)

// forwardable are the signals that are caught and passed on first of all,
// besides those that the options name. It is a list because each costs 38 us of
// start-up; rare are caught later.
var forwardable = append([]syscall.Signal{
	syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, // first: they end a Go program
	syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGCONT,
	syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH,
}, platformForwardable...)

// signalBuffer is how many signals can wait while the loop starts a child. The
// kernel itself keeps one of each number, so four of every kind are plenty.
const signalBuffer = 256

// toCatch lists what a supervisor or init in mode has to catch: first what must
// be caught before anything else begins, which includes every signal that the
// options name; later what only must be before there is a child. Until then the
// Go runtime drops those.
func toCatch(mode terminalMode, o Options) (first, later []syscall.Signal) {
	first = slices.Clone(forwardable)
	add := func(sig syscall.Signal) {
		if !slices.Contains(first, sig) && uncatchable[sig] == "" && runtimeReserved(sig) == "" {
			first = append(first, sig)
		}
	}
	for from := range o.Rewrite {
		add(from)
	}
	if o.StopSignal != 0 {
		add(o.StopSignal)
	}
	unwanted := func(sig syscall.Signal) bool {
		// As a member of somebody's group we stop like the other members.
		return mode == shared && stopsJob(sig) || isIgnored(sig)
	}
	later = slices.DeleteFunc(rare(), func(sig syscall.Signal) bool { return slices.Contains(first, sig) || unwanted(sig) })
	return slices.DeleteFunc(first, unwanted), later
}

// catch registers for signals on c.
func catch(c chan<- os.Signal, signals []syscall.Signal) {
	for _, sig := range signals {
		signal.Notify(c, sig)
	}
}

// isIgnored reports whether this process was started with sig ignored, as by
// nohup. Such a signal must stay alone: catching it would take the "ignore"
// away from the child as well.
func isIgnored(sig syscall.Signal) bool {
	return signal.Ignored(sig) || inheritedIgnore(sig)
}

// discardPipe keeps a closed stderr from ending the process at its next log
// line (the Go runtime does that for descriptors 1 and 2). It must not be
// signal.Ignore, which the child would inherit; a full channel that nobody
// reads throws a signal away just as well.
func discardPipe() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}

// uncatchable says why a signal cannot be forwarded or rewritten. key ->
// value: signal -> reason.
var uncatchable = map[syscall.Signal]string{
	syscall.SIGKILL: "no process can catch it",
	syscall.SIGSTOP: "no process can catch it",
	syscall.SIGCHLD: "it tells vaultexec about its own child",
	syscall.SIGPIPE: "it tells vaultexec about its own output",
	syscall.SIGURG:  "the Go runtime uses it for itself",
	syscall.SIGPROF: "the Go runtime uses it for itself",
	syscall.SIGXCPU: "it tells vaultexec about its own limit",
	syscall.SIGXFSZ: "it tells vaultexec about its own limit",
	syscall.SIGSEGV: "it reports a fault in vaultexec itself",
	syscall.SIGBUS:  "it reports a fault in vaultexec itself",
	syscall.SIGFPE:  "it reports a fault in vaultexec itself",
	syscall.SIGILL:  "it reports a fault in vaultexec itself",
	syscall.SIGTRAP: "it reports a fault in vaultexec itself",
	syscall.SIGABRT: "it reports a fault in vaultexec itself",
	syscall.SIGSYS:  "it reports a fault in vaultexec itself",
}

// CheckStop reports why sig cannot ask a command to stop.
func CheckStop(sig syscall.Signal) error {
	switch sig {
	case syscall.SIGSTOP, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU:
		return fmt.Errorf("signal %s would suspend the command, not end it", signalName(sig))
	case syscall.SIGCONT, syscall.SIGCHLD, syscall.SIGURG:
		return fmt.Errorf("signal %s asks no command to stop", signalName(sig))
	}
	return nil
}

// CheckRewrite reports why from cannot be rewritten to to, where 0 means that
// from is dropped.
func CheckRewrite(from, to syscall.Signal) error {
	if reason, ok := uncatchable[from]; ok {
		return fmt.Errorf("signal %s cannot be rewritten: %s", signalName(from), reason)
	}
	if reason := runtimeReserved(from); reason != "" {
		return fmt.Errorf("signal %s cannot be rewritten: %s", signalName(from), reason)
	}
	if from < 1 || from > lastSignal {
		return fmt.Errorf("signal %d cannot be rewritten: signals are numbered 1 to %d", from, lastSignal)
	}
	if to < 0 || to > lastSignal {
		return fmt.Errorf("signal %s cannot be rewritten to %d: signals are numbered 1 to %d, and 0 drops one",
			signalName(from), to, lastSignal)
	}
	return nil
}

// ParseSignal reads a signal's name, with or without SIG and in any case, its
// number, or RTMIN+N and RTMAX-N as kill(1) counts them.
func ParseSignal(text string) (syscall.Signal, error) {
	if n, err := strconv.Atoi(text); err == nil {
		if n < 1 || n > int(lastSignal) {
			return 0, fmt.Errorf("no signal has the number %d: signals are numbered 1 to %d", n, lastSignal)
		}
		return syscall.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(text), "SIG")
	if sig := unix.SignalNum("SIG" + name); sig != 0 {
		return sig, nil
	}
	if sig, ok := realTime(name); ok {
		return sig, nil
	}
	err := fmt.Sprintf("no signal is called %q", text)
	if near := nearest.To(name, signalNames()); len(near) > 0 {
		return 0, fmt.Errorf("%s: did you mean %s?", err, strings.Join(near, " or "))
	}
	return 0, fmt.Errorf("%s: use a name such as TERM or a number from 1 to %d", err, lastSignal)
}

// realTime reads RTMIN, RTMIN+N, RTMAX and RTMAX-N.
func realTime(name string) (syscall.Signal, bool) {
	base, sign := realTimeMin, 1
	rest, ok := strings.CutPrefix(name, "RTMIN")
	if !ok {
		base, sign = lastSignal, -1
		rest, ok = strings.CutPrefix(name, "RTMAX")
	}
	if !ok || realTimeMin == 0 {
		return 0, false
	}
	if rest == "" {
		return base, true
	}
	if rest[0] != '+' && rest[0] != '-' {
		return 0, false
	}
	n, err := strconv.Atoi(rest)
	if err != nil || n*sign < 0 {
		return 0, false
	}
	sig := base + syscall.Signal(n)
	return sig, sig >= realTimeMin && sig <= lastSignal
}

// signalNames are all names without SIG.
func signalNames() []string {
	var names []string
	for sig := syscall.Signal(1); sig <= lastSignal; sig++ {
		if name := unix.SignalName(sig); name != "" {
			names = append(names, strings.TrimPrefix(name, "SIG"))
		}
	}
	return names
}

// signalName is what log lines and messages call sig.
func signalName(sig syscall.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return strings.TrimPrefix(name, "SIG")
	}
	if realTimeMin != 0 && sig >= realTimeMin && sig <= lastSignal {
		return "RTMIN+" + strconv.Itoa(int(sig-realTimeMin))
	}
	return strconv.Itoa(int(sig))
}

// fromTerminal reports whether a terminal sends sig to its foreground group,
// or a shell to its jobs.
func fromTerminal(sig syscall.Signal) bool {
	return sig == syscall.SIGINT || sig == syscall.SIGQUIT || sig == syscall.SIGWINCH ||
		sig == syscall.SIGCONT || stopsJob(sig)
}

// stopsJob reports whether sig is one of job control's stop signals.
func stopsJob(sig syscall.Signal) bool {
	return sig == syscall.SIGTSTP || asksForTerminal(sig)
}

// asksForTerminal reports whether sig is what the kernel sends to the whole
// group of a process that reads or writes a terminal in the background.
func asksForTerminal(sig syscall.Signal) bool {
	return sig == syscall.SIGTTIN || sig == syscall.SIGTTOU
}
