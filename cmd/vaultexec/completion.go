package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vaultexec/internal/env"
	"vaultexec/internal/nearest"
	"vaultexec/internal/settings"
)

// completions are the shells and what writes the script for each.
var completions = []struct {
	shell string
	write func(root *cobra.Command, w io.Writer) error
}{
	{"bash", func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) }},
	{"zsh", (*cobra.Command).GenZshCompletion},
	{"fish", func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) }},
	{"powershell", (*cobra.Command).GenPowerShellCompletionWithDesc},
}

func completionShells() []string {
	var shells []string
	for _, c := range completions {
		shells = append(shells, c.shell)
	}
	return shells
}

// completionCommand prints the script that makes a shell complete vaultexec's
// command lines. The script asks vaultexec, which looks at nothing but the line
// and at the names of files: nothing is fetched for a Tab.
func completionCommand() *cobra.Command {
	use := "completion " + strings.Join(completionShells(), "|")
	return &cobra.Command{
		Use: use, Short: "print the script that completes command lines in a shell", ValidArgs: completionShells(),
		RunE: func(cmd *cobra.Command, words []string) error {
			if len(words) == 1 {
				for _, c := range completions {
					if c.shell == words[0] {
						return c.write(cmd.Root(), cmd.OutOrStdout())
					}
				}
			}
			hint := "vaultexec " + use
			if len(words) == 1 {
				if near := nearest.To(words[0], completionShells()); len(near) > 0 {
					hint = "did you mean " + near[0] + "?"
				}
			}
			return &usageError{"vaultexec completion takes the one shell that is to complete: " + hint}
		},
	}
}

// completing tells the command lines by which a shell's script asks.
func completing(args []string) bool {
	return len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

// completeFlags says how the values of a command's flags are completed, but for
// those that it has in common with one before, which it notes in done.
func completeFlags(cmd *cobra.Command, done *[]*pflag.Flag) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if slices.Contains(*done, f) {
			return
		}
		*done = append(*done, f)
		complete := cobra.NoFileCompletions
		switch choices := settings.Choices(f); {
		case f.Value.Type() == "bool":
			return
		case f.Name == "format":
			complete = cobra.FixedCompletions(env.Dialects(), cobra.ShellCompDirectiveNoFileComp)
		case choices != nil:
			complete = cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp)
		case settings.TakesPath(f):
			return // what shells do by themselves
		}
		if err := cmd.RegisterFlagCompletionFunc(f.Name, complete); err != nil {
			panic("BUG: a flag that there is has no completion: " + err.Error())
		}
	})
}

// completeCommand completes what goes behind the two dashes: a command that is
// on PATH, then files. args is the line that is being completed.
func completeCommand(args []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, words []string, begun string) ([]string, cobra.ShellCompDirective) {
		switch {
		case !slices.Contains(args[:len(args)-1], "--"):
			return nil, cobra.ShellCompDirectiveNoFileComp // verbs, and cobra knows those
		case len(words) > 0 || strings.Contains(begun, "/"):
			return nil, cobra.ShellCompDirectiveDefault
		}
		return programs(begun), cobra.ShellCompDirectiveDefault
	}
}

// programs are those on PATH whose names begin so.
func programs(begun string) []string {
	var found []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // as a shell does
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), begun) {
				continue
			}
			if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				found = append(found, e.Name())
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// completeSetting completes the name that explain takes, as far as it can be
// known without asking anybody: that of a setting.
func completeSetting(flags *pflag.FlagSet) cobra.CompletionFunc {
	return func(_ *cobra.Command, words []string, _ string) ([]string, cobra.ShellCompDirective) {
		var names []string
		if len(words) == 0 {
			flags.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
