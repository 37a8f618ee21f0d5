package settings

import (
	"slices"

	"github.com/spf13/pflag"

	"vaultexec/internal/env"
	"vaultexec/internal/ref"
)

// Choices are what a flag can be set to, where it is one of a few words, for
// whoever completes a command line; nil: it may be anything.
func Choices(f *pflag.Flag) []string {
	if f.Name == "auth" {
		return loginNames()
	}
	if v, ours := f.Value.(typed); ours {
		if v, few := v.value.(interface{ choices() []string }); few {
			return v.choices()
		}
	}
	return nil
}

// TakesPath tells whether a flag's value is, or begins with, the name of a file
// or a directory.
func TakesPath(f *pflag.Flag) bool {
	return slices.Contains([]string{"FILE", "DIR", "SRC:DEST", "DEST=REF"}, f.Value.Type()) || f.Name == "from"
}

func (*Conflict) choices() []string {
	return []string{string(env.ConflictError), string(env.ConflictKeep), string(env.ConflictOverwrite)}
}
func (*Case) choices() []string { return []string{string(ref.CaseKeep), string(ref.CaseUpper)} }
func (*Mode) choices() []string {
	return []string{string(ModeAuto), string(ModeExec), string(ModeSupervise)}
}
func (*Init) choices() []string {
	return []string{string(InitAuto), string(InitAlways), string(InitNever)}
}
func (*Forward) choices() []string { return []string{string(ForwardGroup), string(ForwardChild)} }
func (*LogFormat) choices() []string {
	return []string{string(LogAuto), string(LogText), string(LogJSON)}
}
func (*LogLevel) choices() []string { return []string{"debug", "info", "warn", "error"} }
func (*Revoke) choices() []string {
	return []string{string(RevokeAuto), string(RevokeAlways), string(RevokeNever)}
}

// These take an argument too, which is for the user to add.

func (*Reaction) choices() []string { return []string{"restart", "signal:HUP", "exit", "none"} }
func (*Restart) choices() []string  { return []string{restartNever, "on-failure"} }
func (*Signal) choices() []string   { return []string{"TERM", "INT", "QUIT", "HUP", "USR1", "USR2"} }
