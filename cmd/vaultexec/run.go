package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"vaultexec/internal/env"
	"vaultexec/internal/settings"
	"vaultexec/internal/supervise"
)

// run is main without the exit: it parses, takes its role and hands over to
// the command. It returns the exit status.
func run(args, environ []string, stdout io.Writer, stderr *os.File) int {
	link := supervise.Attach(args[0]) // first of all, see there
	stops := supervise.CatchStops()
	link.Stoppable(stops)
	report := &reporter{stderr: stderr, terminationLog: settings.DefaultTerminationLog}
	outcome := perform(args, environ, link, stops, stdout, report)
	if outcome.Err != nil {
		outcome.Code = report.fail(outcome.Err)
	}
	if err := link.Exited(outcome.Code, outcome.Signal); err != nil {
		fmt.Fprintf(stderr, "vaultexec: %v\n", err)
	}
	if outcome.Signal != 0 && link == nil {
		supervise.Die(outcome.Signal)
	}
	return outcome.Code
}

// perform does what the command line says. link is nil but in a supervisor
// that an init started.
func perform(args, environ []string, link *supervise.Link, stops *supervise.Stops, stdout io.Writer, report *reporter) supervise.Outcome {
	var inv *invocation
	var err error
	// Beside the stop signals: it reads files, and a pipe is opened when its writer
	// comes.
	if outcome, parsed := stops.During(func() { inv, err = parse(args[1:], environ, stdout) }); !parsed {
		return outcome
	}
	if inv != nil {
		report.use(inv.settings)
	}
	if inv == nil || err != nil {
		return supervise.Outcome{Err: err}
	}
	if inv.verb != nil {
		inv.tell(report.log)
		return inv.verb(&stage{invocation: inv, stops: stops, stdout: stdout, log: report.log})
	}
	s := inv.settings
	chosen, err := chooseRuntimeDir(s, environ)
	if err != nil {
		return supervise.Outcome{Err: err}
	}
	planner, err := env.NewPlanner(sources(s, environ))
	if err != nil {
		return supervise.Outcome{Err: err}
	}
	for _, r := range planner.Reactions() {
		if _, err := s.ReactionTo(r); err != nil {
			return supervise.Outcome{Err: err}
		}
	}
	options := superviseOptions(s, report.log)
	options.Link = link
	prep := &preparation{settings: s, argv: inv.command, planner: planner, log: report.log, outputs: outputs{files: s.Files(), log: report.log}}
	switch {
	case !s.Supervise(len(planner.Refs()) > 0):
		inv.tell(report.log)
		return become(stops, prep)
	case link == nil && needsInit(s):
		if pipe := s.Pipe(); pipe != "" {
			return supervise.Outcome{Err: &usageError{fmt.Sprintf("%s is a pipe, whose content can be read once, and with an init (as PID 1, or with --init always) two processes read the settings: give a file, or set --init never", pipe)}}
		}
		program := supervise.Program{Args: args, Env: environ, Secret: isCredential}
		if chosen { // the supervisor is to choose the same
			program.Env = withRuntimeDir(environ, s.RuntimeDir)
			defer os.Remove(s.RuntimeDir) // empty, if the supervisor was killed
		}
		defer keepPIDFile(s.Files().PIDFile, report.log)()
		return beInit(stops, options, program, planner)
	}
	inv.tell(report.log)
	outcome := superviseChild(stops, prep, options)
	if outcome.Ran && slices.Contains(s.RemapExit.Items, outcome.Code) {
		return supervise.Outcome{Code: int(exitOK)}
	}
	return outcome
}

// needsInit tells whether this process is to be the init and not the
// supervisor itself.
func needsInit(s *settings.Settings) bool {
	return s.Init == settings.InitAlways || s.Init == settings.InitAuto && os.Getpid() == 1
}

// beInit takes the role of the init. The files of a supervisor that was killed
// are the init's to remove.
func beInit(stops *supervise.Stops, options supervise.Options, program supervise.Program, planner *env.Planner) supervise.Outcome {
	begun := time.Now()
	dir, err := os.Getwd() // as PID 1 the init leaves it
	if err != nil {
		dir = "/"
	}
	outcome := supervise.Init(stops, options, program)
	if lost := (*supervise.LostError)(nil); errors.As(outcome.Err, &lost) {
		takeAway(options.Log, func() error { return planner.RemoveAbandoned(dir, begun) })
	}
	return outcome
}

// become prepares the command and replaces this process with it; it returns
// only if that failed.
func become(stops *supervise.Stops, prep *preparation) supervise.Outcome {
	startc, cancel := prep.beside(stops.Caught())
	outcome := stops.Become(startc, cancel)
	cancel()
	prep.remove() // the command has not taken them over
	prep.revoke() // nor needs the token
	return outcome
}

// superviseChild prepares the command and runs it as a child, to its end.
func superviseChild(stops *supervise.Stops, prep *preparation, options supervise.Options) supervise.Outcome {
	if options.Link == nil { // else it is the init's
		defer keepPIDFile(prep.settings.Files().PIDFile, prep.log)()
	}
	board := newBoard()
	options.Observe = board.observe
	server, err := board.serve(prep.settings.Listen)
	if err != nil {
		return supervise.Outcome{Err: err}
	}
	defer server.Close()
	supervisor := supervise.Catch(stops, options)
	prep.watch = !prep.settings.Once
	startc, cancel := prep.beside(supervisor.Caught())
	changec, stopWatching := watchBeside(prep, board)
	outcome := supervisor.Run(startc, cancel, changec)
	cancel()
	prep.remove()
	stopWatching()
	prep.revoke()
	return outcome
}
