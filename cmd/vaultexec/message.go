package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"vaultexec/internal/env"
	"vaultexec/internal/nearest"
	"vaultexec/internal/settings"
)

// Every failure reaches the user through this file. The tone: the class of the
// failure first, for machines; then what failed and where, in lower case and
// without a full stop; then why and what to do. No value of a secret, a token
// or an environment variable ever stands in it.

// usageError is a command line that cannot be.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }
func (*usageError) Class() string   { return "usage" }

// timeoutError is a startup timeout that no other failure explains.
type timeoutError struct{ timeout time.Duration }

func (e *timeoutError) Error() string {
	return fmt.Sprintf("--startup-timeout: not ready after %s: give it more, or look at what took so long with --log-level debug", e.timeout)
}
func (*timeoutError) Class() string { return "timeout" }

// errNoRuntimeDir is a machine without a place for private files.
var errNoRuntimeDir = &placeError{"--file-env: there is no directory in memory to write to, neither $XDG_RUNTIME_DIR nor /dev/shm: name one with --runtime-dir, or use --fd-env, which needs none"}

// placeError is a place where nothing can be written.
type placeError struct{ text string }

func (e *placeError) Error() string { return e.text }
func (*placeError) Class() string   { return env.ClassWriteFailed }

// streamError is a file for the command's output that cannot be opened.
type streamError struct{ place, file, reason string }

func (e *streamError) Error() string {
	return fmt.Sprintf("%s: the file for the command's output %s cannot be opened: %s: correct it, or leave it out for vaultexec's own", e.place, e.file, e.reason)
}
func (*streamError) Class() string { return env.ClassWriteFailed }

// classOf sorts a failure for whoever reads it by machine.
func classOf(err error) string {
	if classed := (interface{ Class() string })(nil); errors.As(err, &classed) {
		return classed.Class()
	}
	return "internal"
}

// reporter tells the user why vaultexec gave up.
type reporter struct {
	stderr         *os.File
	log            *slog.Logger // nil until the settings are known
	terminationLog string
	explicit       bool // the user named the termination log
}

// use makes the reporter follow the settings, as far as they are known: they
// may be wrong elsewhere.
func (r *reporter) use(s *settings.Settings) {
	r.log = newLogger(s, r.stderr)
	r.terminationLog, r.explicit = s.TerminationLog, s.IsSet("termination-log")
}

// fail reports err on standard error and in the termination log, and gives the
// exit code that goes with it.
func (r *reporter) fail(err error) int {
	class, text := classOf(err), err.Error()
	lines := "vaultexec: " + class + ": " + strings.ReplaceAll(text, "\n", "\n  ") + "\n"
	terminateErr := r.terminate(lines) // first: whoever reads the log may be slow
	if r.log != nil {
		r.log.Error(text, "class", class)
	} else {
		fmt.Fprint(lossy{r.stderr}, lines)
	}
	if err := terminateErr; err != nil {
		fmt.Fprintf(lossy{r.stderr}, "vaultexec: the termination log cannot be written: %v\n", err)
	}
	return int(exitFor(err))
}

// terminationLogLimit is what kubelet reads of the file
// (MaxContainerTerminationMessageLength).
const terminationLogLimit = 4096

// terminate writes the last words where Kubernetes looks for them. The default
// file is there in a pod and nowhere else, so it is never created and its
// absence is no error.
func (r *reporter) terminate(text string) error {
	if r.terminationLog == "" {
		return nil
	}
	flags := os.O_WRONLY | os.O_TRUNC | syscall.O_NONBLOCK // a pipe that nobody reads must not stop us
	if r.explicit {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(r.terminationLog, flags, 0o644)
	if err == nil {
		_, err = io.WriteString(f, text[:min(len(text), terminationLogLimit)])
		err = errors.Join(err, f.Close())
	}
	if err != nil && r.explicit {
		return err
	}
	return nil
}

// wordsError is the error for words that are neither one of the verbs nor behind
// the two dashes. It shows the line that was meant.
func wordsError(words, verbs []string) error {
	meant, rest := "a", ""
	if near := nearest.To(words[0], verbs); len(near) > 0 {
		meant = "did you mean " + near[0] + "? A"
	}
	if len(words) > 1 {
		rest = " ..."
	}
	return &usageError{fmt.Sprintf("%q is no verb of vaultexec: %s command goes after two dashes, vaultexec [flags] -- %s%s", words[0], meant, words[0], rest)}
}

// flagError says in our own words what pflag found, because pflag repeats the
// value, and a value can hold what is nobody's business.
func flagError(err error, flags *pflag.FlagSet) error {
	var invalid *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "bool":
		return &usageError{"--" + invalid.GetFlag().Name + ": is either there or not, --" + invalid.GetFlag().Name + "=false is possible too"}
	case errors.As(err, &invalid) && classOf(invalid.Unwrap()) != "internal":
		return invalid.Unwrap() // it names the flag itself
	case errors.As(err, &invalid):
		return &usageError{"--" + invalid.GetFlag().Name + ": " + invalid.Unwrap().Error()}
	case errors.As(err, &missing):
		return &usageError{"--" + missing.GetSpecifiedName() + ": needs a value"}
	case errors.As(err, &unknown):
		if short := unknown.GetSpecifiedShortnames(); short != "" {
			return &usageError{"-" + short + ": there is no such flag, vaultexec --help has them all"}
		}
		return settings.UnknownFlag(unknown.GetSpecifiedName(), flags)
	}
	return &usageError{err.Error()}
}
