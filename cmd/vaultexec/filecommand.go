package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"vaultexec/internal/env"
	"vaultexec/internal/settings"
	"vaultexec/internal/supervise"
)

// commandError is the command of a template block that did not do what it is for.
type commandError struct{ text string }

func (e *commandError) Error() string { return e.text }
func (*commandError) Class() string   { return env.ClassTemplate }

// tellFiles runs the commands of the files that have changed, one after the
// other, and returns what went wrong with any. ctx ends the one that runs.
func tellFiles(ctx context.Context, s *settings.Settings, commands []env.Command, environ []string) error {
	var errs []error
	for _, c := range commands {
		if ctx.Err() != nil {
			break
		}
		if err := tellFile(ctx, s, c, environ); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// tellFile runs one command in a session of its own, which ends with it. Nothing
// else of this process waits for children that it does not know, so os/exec may.
// What the command writes goes to standard error: on standard output is only what
// the child writes.
func tellFile(ctx context.Context, s *settings.Settings, c env.Command, environ []string) error {
	path, err := supervise.LookPath(c.Args[0], environ)
	if err != nil {
		return &commandError{fmt.Sprintf("%s: the command cannot be run: %v", c.Place, err)}
	}
	timed, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	cmd := exec.CommandContext(timed, path)
	cmd.Args, cmd.Env, cmd.Stdout, cmd.Stderr = c.Args, environ, os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	runAs(s).Apply(cmd.SysProcAttr)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	start := cmd.Start
	if s.NoNewPrivs {
		start = func() error { return supervise.WithoutNewPrivs(cmd.Start) }
	}
	if err = start(); err == nil {
		err = cmd.Wait()
	}
	switch {
	case err == nil || ctx.Err() != nil:
		return nil
	case timed.Err() != nil:
		return &commandError{fmt.Sprintf("%s: the command did not end within %s and was killed: give it more with timeout, or let it end", c.Place, c.Timeout)}
	default:
		return &commandError{fmt.Sprintf("%s: the command failed (%v): correct it, or end it in || true where a failure is no harm", c.Place, err)}
	}
}
