package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vaultexec/internal/settings"
)

// invocation is what a command line comes to.
type invocation struct {
	settings *settings.Settings
	verb     verb           // what is to be done; nil: run the command
	name     string         // that follows the verb; empty: none does
	command  []string       // behind the two dashes, or of a configuration file
	flags    *pflag.FlagSet // those of the settings
	environ  []string
	notes    []settings.Note // on what was set for another tool
}

// parse reads the command line and the VAULTEXEC_* variables. It returns nil
// without an error where the line asked for help or the version, which parse
// has printed. With an error it returns the invocation too, as far as it was
// understood: it may say where the error is to be written.
func parse(args, environ []string, stdout io.Writer) (*invocation, error) {
	flags := pflag.NewFlagSet("vaultexec", pflag.ContinueOnError)
	inv := &invocation{settings: settings.Default(), flags: flags, environ: environ}
	groups := inv.settings.Groups()
	for _, g := range groups {
		flags.AddFlagSet(g.Flags)
	}
	// Now, so that flags win; the error waits until it is clear that the
	// settings matter, which they do not for help.
	environErr := inv.settings.ReadEnvironment(environ, flags)

	ran, versionOnly := false, false
	run := func(cmd *cobra.Command, words []string) error {
		if versionOnly {
			fmt.Fprintln(stdout, versionLine())
			return nil
		}
		ran = true
		return inv.accept(cmd, words, environErr)
	}
	root := rootCommand(run, groups)
	runCommand := &cobra.Command{Use: "run [flags] -- COMMAND [ARG...]", Short: "run COMMAND with secrets (the verb may be left out)", RunE: run}
	root.AddCommand(runCommand, versionCommand(stdout), inv.installCommand(&ran), completionCommand(), manCommand(groups))
	root.ValidArgsFunction, runCommand.ValidArgsFunction = completeCommand(args), completeCommand(args)
	withFlags := []*cobra.Command{root, runCommand}
	var completed []*pflag.Flag
	for _, cmd := range inv.fronts(environErr, &ran) {
		root.AddCommand(cmd)
		withFlags = append(withFlags, cmd)
	}
	for _, cmd := range withFlags {
		if cmd != root && !completing(args) && !slices.Contains(args, cmd.Name()) {
			continue // it is not what runs
		}
		cmd.Flags().AddFlagSet(flags)
		cmd.Flags().SetInterspersed(takesName(cmd)) // flags may follow a name, never a command
		cmd.Flags().SortFlags = false
		if completing(args) {
			completeFlags(cmd, &completed)
		}
	}
	// Not cobra's Version: its templates would add 2 MB to the binary.
	root.Flags().BoolVar(&versionOnly, "version", false, "print the version")
	root.SetArgs(args)
	root.SetOut(stdout)
	err := root.Execute()
	inv.settings.NoteFlags(flags)
	if err == nil && !ran {
		return nil, nil
	}
	return inv, err
}

func rootCommand(run func(*cobra.Command, []string) error, groups []settings.Group) *cobra.Command {
	root := &cobra.Command{
		Use:               "vaultexec [flags] -- COMMAND [ARG...]",
		Args:              cobra.ArbitraryArgs, // accept says what is wrong with them
		RunE:              run,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { printHelp(cmd.OutOrStdout(), groups) })
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return flagError(err, cmd.Flags()) })
	return root
}

// accept checks the command line once the flags are in the settings.
func (inv *invocation) accept(cmd *cobra.Command, words []string, environErr error) error {
	inv.settings.NoteFlags(cmd.Flags()) // now: Check names them
	switch dash := cmd.ArgsLenAtDash(); {
	case dash < 0 && len(words) > 0 || dash > 0:
		return wordsError(words, verbNames(cmd.Root()))
	}
	if err := inv.check(environErr); err != nil {
		return err
	}
	if inv.command = words; len(words) == 0 {
		inv.command = inv.settings.Files().Command
	}
	if len(inv.command) == 0 {
		return &usageError{"there is no command: vaultexec [flags] -- COMMAND [ARG...], vaultexec --help tells more"}
	}
	return nil
}

// check looks at the settings as a whole, with what others say.
func (inv *invocation) check(environErr error) error {
	if environErr != nil {
		return environErr
	}
	if err := inv.readOthers(); err != nil {
		return err
	}
	return inv.settings.Check()
}

// readOthers takes over what was written for other tools: variables, then
// configuration files.
func (inv *invocation) readOthers() error {
	var err error
	if inv.notes, err = inv.settings.AdoptVaultEnv(inv.environ); err != nil {
		return err
	}
	notes, err := inv.settings.ReadFiles(inv.environ, inv.flags)
	inv.notes = append(inv.notes, notes...)
	return err
}

// tell logs what became of the settings of other tools.
func (inv *invocation) tell(log *slog.Logger) {
	for _, n := range inv.notes {
		level := slog.LevelDebug
		if n.Warning {
			level = slog.LevelWarn
		}
		log.Log(context.Background(), level, n.Text)
	}
}

// verbNames are the verbs that the help has.
func verbNames(root *cobra.Command) []string {
	var names []string
	for _, verb := range root.Commands() {
		if !verb.Hidden {
			names = append(names, verb.Name())
		}
	}
	return names
}

// noWords refuses what follows a verb that takes nothing.
func noWords(cmd *cobra.Command, words []string) error {
	if len(words) > 0 {
		return &usageError{fmt.Sprintf("vaultexec %s takes nothing more, and there is %q", cmd.Name(), words[0])}
	}
	return nil
}
