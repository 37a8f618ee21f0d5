package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"vaultexec/internal/env"
	"vaultexec/internal/settings"
	"vaultexec/internal/supervise"
)

// run is main without the exit: it parses, takes its role and hands over to
// the command. It returns the exit status.
func run(args, environ []string, stdout io.Writer, stderr *os.File) int {
	link := supervise.Attach(args[0]) // first of all, see there
	report := &reporter{stderr: stderr, terminationLog: settings.DefaultTerminationLog}
	code := perform(args, environ, link, stdout, report)
	if err := link.Exited(code); err != nil {
		fmt.Fprintf(stderr, "vaultexec: %v\n", err)
	}
	return code
}

// perform does what the command line says. link is nil but in a supervisor
// that an init started.
func perform(args, environ []string, link *supervise.Link, stdout io.Writer, report *reporter) int {
	inv, err := parse(args[1:], environ, stdout)
	if inv != nil {
		report.use(inv.settings)
	}
	if err != nil {
		return report.fail(err)
	}
	if inv == nil {
		return int(exitOK)
	}
	s := inv.settings
	planner, err := env.NewPlanner(sources(s, environ))
	if err != nil {
		return report.fail(err)
	}
	options := superviseOptions(s, report.log)
	options.Link = link
	prep := &preparation{settings: s, argv: inv.command, planner: planner, log: report.log}
	var outcome supervise.Outcome
	switch {
	case !s.Supervise(len(planner.Refs()) > 0):
		outcome = become(prep)
	case link == nil && needsInit(s):
		program := supervise.Program{Args: args, Env: environ, Secret: isCredential}
		outcome = supervise.Init(options, program)
	default:
		outcome = superviseChild(prep, options)
		if outcome.Err == nil && slices.Contains(s.RemapExit.Items, outcome.Code) {
			outcome.Code = int(exitOK)
		}
	}
	if outcome.Err != nil {
		return report.fail(outcome.Err)
	}
	return outcome.Code
}

// needsInit tells whether this process is to be the init and not the
// supervisor itself.
func needsInit(s *settings.Settings) bool {
	return s.Init == settings.InitAlways || s.Init == settings.InitAuto && os.Getpid() == 1
}

// become prepares the command and replaces this process with it; it returns
// only if that failed.
func become(prep *preparation) supervise.Outcome {
	replacer := supervise.CatchStops()
	startc, cancel := prepareBeside(prep)
	defer cancel()
	return replacer.Run(startc, cancel)
}

// superviseChild prepares the command and runs it as a child, to its end.
func superviseChild(prep *preparation, options supervise.Options) supervise.Outcome {
	supervisor := supervise.Catch(options)
	startc, cancel := prepareBeside(prep)
	outcome := supervisor.Run(startc, cancel)
	cancel()
	<-prep.donec // it may have been writing files
	prep.remove()
	return outcome
}

// prepareBeside runs the preparation in a goroutine, which ends soon after
// cancel and then closes prep.donec.
func prepareBeside(prep *preparation) (<-chan supervise.Start, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	startc := make(chan supervise.Start, 1)
	prep.donec = make(chan struct{})
	go func() {
		defer close(prep.donec)
		command, err := prep.run(ctx)
		startc <- supervise.Start{Command: command, Err: err}
	}()
	return startc, cancel
}
