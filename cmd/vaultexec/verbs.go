package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"vaultexec/internal/env"
	"vaultexec/internal/supervise"
)

// verb is what vaultexec does in place of running a command, with the same
// settings, the same fetching and the same plan: one resolver, several fronts.
type verb func(*stage) supervise.Outcome

// stage is what a verb works with.
type stage struct {
	*invocation
	stops  *supervise.Stops
	stdout io.Writer
	log    *slog.Logger
}

// fronts are the verbs that take the settings. They set ran, as running a
// command does.
func (inv *invocation) fronts(environErr error, ran *bool) []*cobra.Command {
	front := func(use, short string, v verb) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, ValidArgsFunction: cobra.NoFileCompletions, RunE: func(cmd *cobra.Command, words []string) error {
			*ran = true
			inv.settings.NoteFlags(cmd.Flags())
			if err := inv.takeWords(cmd, words); err != nil {
				return err
			}
			inv.verb = v
			return inv.check(environErr)
		}}
	}
	format, asJSON := dialect{env.Dialects()[0]}, false
	environment := front("env [flags]", "print the variables that a command would get", func(s *stage) supervise.Outcome { return s.environment(format.name) })
	environment.Flags().Var(&format, "format", "how: "+strings.Join(env.Dialects(), ", "))
	render := front("render [flags]", "write the files that a command would get, and end", (*stage).render)
	check := front("check [flags]", "prove that every reference resolves, without a value", func(s *stage) supervise.Outcome { return s.checkReferences(asJSON) })
	explain := front("explain [flags] [NAME]", "say where each variable, file and setting comes from, without a value", func(s *stage) supervise.Outcome { return s.explain(inv.name, asJSON) })
	examine := front("doctor [flags]", "look at everything that has to be well, and say what mends what is not", func(s *stage) supervise.Outcome { return s.examine(asJSON) })
	for _, cmd := range []*cobra.Command{check, explain, examine} {
		cmd.Flags().BoolVar(&asJSON, "json", false, "the result as JSON")
	}
	explain.ValidArgsFunction = completeSetting(inv.flags)
	return []*cobra.Command{environment, render, check, explain, examine}
}

// takesName tells whether a verb may be followed by a name.
func takesName(cmd *cobra.Command) bool { return strings.HasSuffix(cmd.Use, "[NAME]") }

// takeWords reads what follows a verb.
func (inv *invocation) takeWords(cmd *cobra.Command, words []string) error {
	if takesName(cmd) && len(words) > 0 && cmd.ArgsLenAtDash() < 0 {
		inv.name, words = words[0], words[1:]
	}
	return noWords(cmd, words)
}

// dialect is the value of --format.
type dialect struct{ name string }

func (d *dialect) Set(v string) error { d.name = v; return env.CheckDialect(v) }
func (d *dialect) String() string     { return d.name }
func (*dialect) Type() string         { return "FORMAT" }

// extent is how much of a preparation a verb wants.
type extent int

const (
	variablesOnly extent = iota // no files
	everySource                 // files too, but none is written, of what there is, and where it is from
	everything
)

// prepare resolves everything and returns what came of it. The preparation has
// ended unless a signal stopped it; it is nil where the settings were wrong.
func (s *stage) prepare(e extent) (*preparation, supervise.Outcome) {
	from := sources(s.settings, s.environ)
	if e == variablesOnly {
		from.Files = nil
		from.Templates = s.settings.EnvTemplates()
	}
	planner, err := env.NewPlanner(from)
	if err != nil {
		return nil, supervise.Outcome{Err: err}
	}
	prep := &preparation{settings: s.settings, planner: planner, log: s.log, dry: e != everything, surveys: e == everySource}
	startc, cancel := prep.beside(s.stops.Caught())
	defer cancel()
	return prep, s.stops.Wait(startc, cancel)
}

// refuse finds the settings that make something for the time that a command
// runs.
func (s *stage) refuse(names ...string) error {
	for _, name := range names {
		if s.settings.IsSet(name) {
			return &usageError{fmt.Sprintf("%s: lasts as long as the command that it is for, and here is none: use --env or --file", s.settings.Origin(name))}
		}
	}
	return nil
}

// environment prints the variables that are not simply inherited, for a shell
// or another program to take over. Files are not for it: nobody would remove
// them.
func (s *stage) environment(format string) supervise.Outcome {
	if s.settings.IsSet("file") {
		return supervise.Outcome{Err: &usageError{fmt.Sprintf("vaultexec env prints variables, and %s is a file: vaultexec render writes files", s.settings.Origin("file"))}}
	}
	if err := s.refuse("file-env", "fd-env", "credentials"); err != nil {
		return supervise.Outcome{Err: err}
	}
	prep, outcome := s.prepare(variablesOnly)
	if prep == nil {
		return outcome
	}
	if succeeded(outcome) {
		var text string
		if text, outcome.Err = env.Print(format, prep.planner.Made(prep.planned)); outcome.Err == nil {
			_, outcome.Err = io.WriteString(s.stdout, text)
		}
	}
	prep.leave(succeeded(outcome))
	return outcome
}

func succeeded(o supervise.Outcome) bool { return o.Err == nil && o.Code == 0 }

// render writes what an application in another container, or after this one,
// will read. Nothing removes it.
func (s *stage) render() supervise.Outcome {
	if err := s.refuse("file-env", "fd-env", "credentials"); err != nil {
		return supervise.Outcome{Err: err}
	}
	if len(s.settings.File.Items)+len(s.settings.FileTemplates())+len(s.settings.Files().Tokens) == 0 {
		return supervise.Outcome{Err: &usageError{"vaultexec render has no file to write: name one with --file DEST=REF or --template SRC:DEST"}}
	}
	prep, outcome := s.prepare(everything)
	if prep == nil {
		return outcome
	}
	if !succeeded(outcome) {
		prep.remove()
	}
	prep.leave(succeeded(outcome))
	return outcome
}
