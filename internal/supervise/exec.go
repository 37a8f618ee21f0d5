package supervise

import (
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// stopSignals end a process that is about to become the command. HUP is among
// them because as PID 1 it would end a Go program with status 2.
var stopSignals = []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP}

// Replacer has caught the stop signals and can turn this process into the
// command. Every other signal keeps the disposition it had.
type Replacer struct {
	stops []syscall.Signal // those of stopSignals that are caught
	sigc  chan os.Signal
}

// CatchStops is Catch for a process that will be replaced by the command.
func CatchStops() *Replacer {
	r := &Replacer{
		stops: slices.DeleteFunc(slices.Clone(stopSignals), isIgnored),
		sigc:  make(chan os.Signal, signalBuffer),
	}
	catch(r.sigc, r.stops)
	return r
}

// Run waits for the preparation to send its one Start on startc and becomes
// that command, keeping the pid. It returns only if that did not happen: a
// stop signal that comes first calls cancel and returns at once with 128+n; a
// Start that failed or a command that cannot be executed is in Err. The
// process should exit then, because its stop signals are no longer caught.
func (r *Replacer) Run(startc <-chan Start, cancel func()) Outcome {
	select {
	case sig := <-r.sigc:
		cancel()
		return stopped(sig.(syscall.Signal))
	case start, ok := <-startc:
		return r.replace(prepared(start, ok))
	}
}

// replace is the hand-over of the stop signals from us to the command, which
// must not lose one: the execve(2) of a threaded process kills the other
// threads, and with them a Go signal handler that was about to run. So first
// the kernel gets the signals back (from here on a TERM ends the process by
// itself, or makes the execve fail), then what had been caught before that is
// looked for (signal.Stop waits until the runtime has delivered all of it).
func (r *Replacer) replace(e event) Outcome {
	defaultDispositions(r.stops)
	signal.Stop(r.sigc)
	select {
	case sig := <-r.sigc:
		return stopped(sig.(syscall.Signal))
	default:
	}
	if e.kind == preparationFailed {
		return failed(e.err)
	}
	return failed(newStartError(e.command.Path, unix.Exec(e.command.Path, e.command.Args, e.command.Env)))
}

// stopped is the outcome of a preparation that sig ended.
func stopped(sig syscall.Signal) Outcome {
	return rules{mode: lookAtTerminal().mode()}.outcome(exitBySignal(sig), sig)
}
