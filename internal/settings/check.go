package settings

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"vaultexec/internal/nearest"
	"vaultexec/internal/supervise"
)

// Check finds what no single setting can tell: values out of range and
// settings that exclude each other. All of it is in the one error, a sentence
// a line.
func (s *Settings) Check() error {
	var problems []string
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	s.checkLogin(bad)
	s.checkRanges(bad)
	s.checkChild(bad)
	s.checkRotation(bad)
	s.checkOutputs(bad)
	if len(s.Keep.Items) > 0 && !s.Pristine {
		bad("%s: has no meaning without --pristine, everything is inherited then", s.Origin("keep"))
	}
	if len(problems) == 0 {
		return nil
	}
	return &Error{strings.Join(problems, "\n")}
}

func (s *Settings) checkRanges(bad func(string, ...any)) {
	if s.StartupTimeout <= 0 {
		bad("%s: must be longer than 0", s.Origin("startup-timeout"))
	}
	if s.RequestTimeout <= 0 {
		bad("%s: must be longer than 0", s.Origin("request-timeout"))
	}
	if s.StopTimeout < 0 {
		bad("%s: must not be negative", s.Origin("stop-timeout"))
	}
	if err := supervise.CheckStop(syscall.Signal(s.StopSignal)); err != nil {
		bad("%s: %v", s.Origin("stop-signal"), err)
	}
	if s.Concurrency < 1 {
		bad("%s: must be at least 1", s.Origin("concurrency"))
	}
	seen := map[syscall.Signal]bool{}
	for _, r := range s.RewriteSignal.Items {
		if seen[r.From] {
			from := Signal(r.From)
			bad("%s: %s is rewritten twice", s.Origin("rewrite-signal"), &from)
		}
		seen[r.From] = true
	}
}

func (s *Settings) checkOutputs(bad func(string, ...any)) {
	if len(s.FDEnv.Items) > 0 && runtime.GOOS != "linux" {
		bad("%s: needs Linux, use --file-env", s.Origin("fd-env"))
	}
	for _, v := range s.FDEnv.Items {
		// What ReactionTo finds wrong is said where all references are looked at.
		if r, err := s.ReactionTo(v.Ref); err == nil && r.Kind == supervise.ReactSignal && !s.Once {
			bad("%s %s: a command that goes on keeps what it has inherited, so after the signal it would read the old value again: use --file-env, or on_change=restart", s.Origin("fd-env"), v.Name)
		}
	}
	if s.RequireTmpfs && runtime.GOOS != "linux" {
		bad("%s: needs Linux", s.Origin("require-tmpfs"))
	}
	if s.IsSet("runtime-dir") && !s.Private() {
		bad("%s: is for the files of --file-env and --credentials, and there is none", s.Origin("runtime-dir"))
	}
}

// Private tells whether there are files that are for the command alone, in the
// runtime directory.
func (s *Settings) Private() bool { return len(s.FileEnv.Items)+len(s.Credentials.Items) > 0 }

// childOnly are the settings that mean something only while vaultexec stays
// as the command's parent.
var childOnly = []string{"init", "stop-signal", "stop-timeout", "forward", "rewrite-signal", "remap-exit", "restart", "listen", "revoke"}

func (s *Settings) checkChild(bad func(string, ...any)) {
	if s.Init == InitAlways && runtime.GOOS != "linux" {
		bad("%s: the init role needs Linux", s.Origin("init"))
	}
	if s.NoNewPrivs && runtime.GOOS != "linux" {
		bad("%s: needs Linux", s.Origin("no-new-privs"))
	}
	if s.Mode != ModeExec {
		return
	}
	for _, name := range s.ofChild() {
		bad("%s: needs vaultexec to stay as the parent, but %s says exec: leave out one of them", s.Origin(name), s.Origin("mode"))
	}
}

// ofChild are the settings of childOnly that are given and ask for a child.
func (s *Settings) ofChild() []string {
	return slices.DeleteFunc(slices.Clone(childOnly), func(name string) bool {
		return !s.IsSet(name) || name == "init" && s.Init != InitAlways || name == "restart" && !s.Restart.OnFailure ||
			name == "revoke" && s.Revoke != RevokeAlways
	})
}

// Supervise tells whether the command is to be run as a child. reads tells
// whether there is anything to fetch that may change later.
func (s *Settings) Supervise(reads bool) bool {
	switch s.Mode {
	case ModeExec:
		return false
	case ModeSupervise:
		return true
	}
	files := len(s.File.Items) + len(s.FileEnv.Items) + len(s.Credentials.Items) + len(s.FileTemplates()) + len(s.files.Tokens)
	return len(s.ofChild()) > 0 || files > 0 || reads && !s.Once
}

// UnknownFlag is the error for a flag that is none of flags, with what was meant.
func UnknownFlag(name string, flags *pflag.FlagSet) error {
	var all []string
	flags.VisitAll(func(f *pflag.Flag) { all = append(all, f.Name) })
	if near := nearest.To(name, all); len(near) > 0 {
		return &Error{fmt.Sprintf("--%s: there is no such flag, did you mean --%s?", name, near[0])}
	}
	return &Error{fmt.Sprintf("--%s: there is no such flag, vaultexec --help has them all", name)}
}
