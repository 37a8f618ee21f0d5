package supervise

import (
	"errors"
	"syscall"
)

// Command is the program to run.
type Command struct {
	Path string   // as LookPath returns it
	Args []string // argv, with argv[0]
	Env  []string // NAME=VALUE; the whole environment, nothing is added

	// Inherit are files that it gets beside those that this process was given
	// for it. What the command starts inherits them too, unless it closes them.
	Inherit []Descriptor
	// Streams are its standard output (1) and error (2), where they are not those
	// of this process. A hook has none of them.
	Streams []Descriptor

	As         *Identity // nil: who this process is
	NoNewPrivs bool      // it can gain no privileges by executing a program
}

// Start is what the preparation of a command came to: the command or the
// reason why there is none.
type Start struct {
	Command Command
	Err     error
}

// Outcome is how a run ended.
type Outcome struct {
	// Code is the status to exit with: the child's own, 128+n if signal n
	// ended it or ended the preparation, 137 if it cannot be known. With an
	// Err it is 126 or 127 for a StartError and 125 for anything else.
	Code int

	// Signal is INT or QUIT if that is what ended a run on a terminal whose shell
	// looks on, else 0. Such a shell goes on with its script after a Ctrl-C
	// unless its child died of the signal itself: see Die.
	Signal syscall.Signal

	// Ran tells that the command ran, to the end that Code speaks of.
	Ran bool

	// Err is why the command never ran: a *StartError, or the error of the
	// preparation as it was given; nil if a stop signal was the reason. Of an
	// init it is a *LostError if its supervisor died.
	Err error
}

const (
	// exitOwnFailure is env(1)'s and docker's status for a failure of the
	// wrapper itself.
	exitOwnFailure = 125

	// exitUnknown is the status of a child whose end nobody saw. It must not
	// be 0, and KILL is what most often ends a process unseen.
	exitUnknown = 128 + int(syscall.SIGKILL)
)

// exitBySignal is the status of a process that sig ended.
func exitBySignal(sig syscall.Signal) int { return 128 + int(sig) }

// failed is the outcome of a run whose command never ran.
func failed(err error) Outcome {
	if coded := (interface{ Code() int })(nil); errors.As(err, &coded) {
		return Outcome{Code: coded.Code(), Err: err}
	}
	return Outcome{Code: exitOwnFailure, Err: err}
}

// LostError is the death of a supervisor that has not told its init how the
// command ended.
type LostError struct{ code int }

func (e *LostError) Error() string {
	return "the supervising process died (killed, or out of memory?), the command was stopped and its status is lost"
}

// Code is the status to exit with: 128+n if signal n ended the supervisor and
// the kernel tells, else 137.
func (e *LostError) Code() int { return e.code }

// Class is the kind of failure, for reports.
func (*LostError) Class() string { return "supervisor_lost" }
