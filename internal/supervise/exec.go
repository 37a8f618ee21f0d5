package supervise

import (
	"os"
	"slices"
	"syscall"
)

// stopSignals end a Go program that has not caught them, as PID 1 with status
// 2; so they are caught first, whatever the process will do.
var stopSignals = []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP}

// endsReading are those of them that a supervisor gets from its init while it
// reads its settings. HUP is kept for the command, as the others are.
var endsReading = []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT}

// Stops are the signals that end a process before its command runs. Every other
// signal keeps the disposition it had.
type Stops struct {
	signals []syscall.Signal // those of stopSignals that are caught
	sigc    chan os.Signal
	caughtc chan struct{} // closed when they are
}

// CatchStops catches them, beside whatever the caller does next: each costs
// some 40 us. Call it first of all.
func CatchStops() *Stops {
	s := &Stops{
		signals: slices.DeleteFunc(slices.Clone(stopSignals), isIgnored),
		sigc:    make(chan os.Signal, signalBuffer),
		caughtc: make(chan struct{}),
	}
	go func() {
		defer close(s.caughtc)
		catch(s.sigc, s.signals)
	}()
	return s
}

// Caught is closed when the signals are caught; nothing that can take time
// should begin before that.
func (s *Stops) Caught() <-chan struct{} { return s.caughtc }

// Become waits for the preparation to send its one Start on startc and becomes
// that command, keeping the pid. It returns only if that did not happen: a
// stop signal that comes first calls cancel and returns at once with 128+n; a
// Start that failed or a command that cannot be executed is in Err. The
// process should exit then, because its stop signals are no longer caught.
func (s *Stops) Become(startc <-chan Start, cancel func()) Outcome {
	<-s.caughtc
	select {
	case sig := <-s.sigc:
		cancel()
		return stopped(sig.(syscall.Signal))
	case start, ok := <-startc:
		return s.replace(prepared(start, ok))
	}
}

// Wait waits for the preparation to send its one Start on startc, where there is
// no command to become: what is in it is the caller's to use. A stop signal that
// comes first calls cancel and returns at once with 128+n.
func (s *Stops) Wait(startc <-chan Start, cancel func()) Outcome {
	<-s.caughtc
	select {
	case sig := <-s.sigc:
		cancel()
		return stopped(sig.(syscall.Signal))
	case start := <-startc:
		return Outcome{Err: start.Err}
	}
}

// During runs f and tells whether that has ended. A stop signal that comes first
// returns at once with its outcome; f, which may be in a system call that nothing
// interrupts, is left to itself, and the process should exit then.
func (s *Stops) During(f func()) (Outcome, bool) {
	donec := make(chan struct{})
	go func() {
		defer close(donec)
		f()
	}()
	select {
	case sig := <-s.sigc:
		return stopped(sig.(syscall.Signal)), false
	case <-donec:
		return Outcome{}, true
	}
}

// replace is the hand-over of the stop signals from us to the command, which
// must not lose one: the execve(2) of a threaded process kills the other
// threads, and with them a Go signal handler that was about to run. So first
// the kernel gets the signals back (from here on a TERM ends the process by
// itself, or makes the execve fail), then handlers that had begun may end, and
// then what they caught is looked for.
func (s *Stops) replace(e event) Outcome {
	defaultDispositions(s.signals)
	awaitHandlers()
	awaitDelivery(s.sigc, s.signals)
	select {
	case sig := <-s.sigc:
		return stopped(sig.(syscall.Signal))
	default:
	}
	if e.kind == preparationFailed {
		return failed(e.err)
	}
	return failed(become(e.command))
}

// stopped is the outcome of a preparation that sig ended.
func stopped(sig syscall.Signal) Outcome {
	return rules{mode: lookAtTerminal().mode()}.outcome(exitBySignal(sig), sig)
}
