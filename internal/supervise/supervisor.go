package supervise

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Target is who gets the signals that are forwarded, KILL included.
type Target int

const (
	// Group is the child's process group. A child that shares our group
	// (docs/design-states.md, "shared") gets them alone all the same.
	Group Target = iota
	// Child is the child alone.
	Child
)

// Options are what a run goes by. The zero value of each field is a default.
type Options struct {
	// StopSignal is what the child gets when we are asked to stop; 0: TERM.
	StopSignal syscall.Signal

	// StopTimeout is how long the child has after it, until it gets KILL; 0:
	// no time at all, negative: for ever.
	StopTimeout time.Duration

	// Forward is who gets the signals that we get.
	Forward Target

	// Rewrite replaces received signals. key -> value: received -> sent, 0 to
	// drop it. Each pair has passed CheckRewrite.
	Rewrite map[syscall.Signal]syscall.Signal

	// Rotation is what changes of the command go by.
	Rotation Rotation

	// Observe is called by the loop with what happens, and must not block; nil:
	// nobody wants to know.
	Observe func(Event)

	// Link is the connection to the init that started us; nil if none did.
	Link *Link

	// Log gets what an operator needs to know; nil: nothing is logged.
	Log *slog.Logger
}

// withDefaults fills in the zero values.
func (o Options) withDefaults() Options {
	if o.StopSignal == 0 {
		o.StopSignal = syscall.SIGTERM
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Supervisor has caught the signals and can run one child.
type Supervisor struct {
	options Options
	facts   terminalFacts
	sigc    chan os.Signal
	childc  chan os.Signal
	caughtc chan struct{} // closed when all signals are caught but the rare ones
	allc    chan struct{} // closed when those are too
}

// Catch registers, beside whatever the caller does next, for every signal that
// the child may be sent, and returns the Supervisor that will send them. What
// stops caught already is the first of it. The signals stay caught after Run,
// so that a late TERM cannot cut the clean-up short.
func Catch(stops *Stops, options Options) *Supervisor {
	s := &Supervisor{
		options: options.withDefaults(),
		facts:   lookAtTerminal(),
		sigc:    stops.sigc,
		childc:  make(chan os.Signal, 1),
		caughtc: make(chan struct{}),
		allc:    make(chan struct{}),
	}
	go func() {
		<-stops.caughtc
		first, later := toCatch(s.facts.mode(), options)
		catch(s.sigc, first)
		signal.Notify(s.childc, syscall.SIGCHLD)
		discardPipe()
		close(s.caughtc)
		catch(s.sigc, later)
		s.options.Link.ready()
		close(s.allc)
	}()
	return s
}

// Caught is closed when all signals are caught but the rare ones, for which Run
// waits; nothing that can take time should begin before that.
func (s *Supervisor) Caught() <-chan struct{} { return s.caughtc }

// Run waits for the preparation to send its one Start on startc, runs that
// command to its end and returns how it ended. A TERM, INT or QUIT that comes
// first calls cancel and returns at once, without waiting for startc (give it a
// buffer of one); no child starts then, even if one was ready.
//
// After the first start newer commands are taken from changec (nil: there are
// none) as they come. Give it a buffer of one too, and put a Change there in
// place of one that has not been taken. Where the run ends while a Change is being
// delivered, cancel is called for that.
func (s *Supervisor) Run(startc <-chan Start, cancel func(), changec <-chan Change) Outcome {
	<-s.allc
	mode := s.facts.mode()
	log := s.options.Log
	log.Debug("supervising", "terminal", mode.String())
	seen := s.facts.groupLeader || s.options.Link != nil && os.Getppid() == unix.Getpgrp()
	hands := &system{
		mode:       mode,
		tty:        s.facts.descriptor,
		target:     s.options.Forward,
		link:       s.options.Link,
		log:        log,
		seen:       seen,
		alone:      seen && !s.facts.piped,
		sigc:       s.sigc,
		cancel:     cancel,
		deliveredc: make(chan event, 1),
	}
	defer hands.leave()
	run := &loop{
		rules: rules{
			mode:        mode,
			stopSignal:  s.options.StopSignal,
			stopTimeout: s.options.StopTimeout,
			rewrite:     s.options.Rewrite,
			rotation:    s.options.Rotation,
		},
		hands:      hands,
		log:        log,
		sigc:       s.sigc,
		childc:     s.childc,
		startc:     startc,
		lostc:      s.options.Link.lost(),
		changec:    changec,
		deliveredc: hands.deliveredc,
		observe:    s.options.Observe,
		random:     s.options.Rotation.Rand,
	}
	return run.run()
}
