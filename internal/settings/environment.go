package settings

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/kelseyhightower/envconfig"
	"github.com/spf13/pflag"

	"vaultexec/internal/nearest"
)

const prefix = "VAULTEXEC"

// ReadEnvironment sets what VAULTEXEC_* variables say. Call it before the
// flags are parsed, so that a flag wins. environ tells which variables there
// are; their values come from the process's environment, which is where
// envconfig reads. A variable that is empty counts as not set. flags are those
// of Groups.
func (s *Settings) ReadEnvironment(environ []string, flags *pflag.FlagSet) error {
	if !slices.ContainsFunc(environ, isSetting) {
		return nil // the usual case in a shell; looking at every field costs as much as the whole command line
	}
	names, unknown := settingNames(environ, flags)
	for flag, env := range names {
		s.origins[flag] = env
	}
	// Where to report is read even if the rest is wrong.
	err := envconfig.Process(prefix, s)
	if parse := (*envconfig.ParseError)(nil); errors.As(err, &parse) {
		err = &Error{fmt.Sprintf("%s: %s", parse.KeyName, reason(flags, parse))}
	} else if err != nil {
		err = &Error{err.Error()}
	}
	return cmp.Or(unknown, err)
}

// settingNames maps flag's name -> the variable that is set for it. The error
// names the VAULTEXEC_* variables that are none of ours.
func settingNames(environ []string, flags *pflag.FlagSet) (map[string]string, error) {
	known := map[string]string{} // variable -> flag's name
	var all []string
	flags.VisitAll(func(f *pflag.Flag) {
		known[EnvName(f.Name)] = f.Name
		all = append(all, strings.TrimPrefix(EnvName(f.Name), prefix+"_"))
	})
	names := map[string]string{}
	var unknown []string
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch flag, ok := known[name]; {
		case !strings.HasPrefix(name, prefix+"_"), isServiceLink(name):
		case !ok:
			unknown = append(unknown, name)
		case value == "":
			if err := os.Unsetenv(name); err != nil {
				return names, &Error{fmt.Sprintf("%s: cannot be unset: %v", name, err)}
			}
		default:
			names[flag] = name
		}
	}
	if len(unknown) == 0 {
		return names, nil
	}
	slices.Sort(unknown)
	for i, name := range unknown {
		if near := nearest.To(strings.TrimPrefix(name, prefix+"_"), all); len(near) > 0 {
			unknown[i] += " (did you mean " + prefix + "_" + near[0] + "?)"
		}
	}
	return names, &Error{"there is no such setting: " + strings.Join(unknown, ", ")}
}

// isSetting tells the entries of an environment that have our prefix.
func isSetting(entry string) bool { return strings.HasPrefix(entry, prefix+"_") }

// isServiceLink tells the variables that Kubernetes gives every pod beside a
// Service called vaultexec (enableServiceLinks).
func isServiceLink(name string) bool {
	rest := strings.TrimPrefix(name, prefix+"_")
	return strings.HasPrefix(rest, "SERVICE_") || rest == "PORT" || strings.HasPrefix(rest, "PORT_")
}

// reason says why a value is refused in the words that its flag has for it.
func reason(flags *pflag.FlagSet, parse *envconfig.ParseError) error {
	var why error
	flags.VisitAll(func(f *pflag.Flag) {
		v, ours := f.Value.(typed)
		if EnvName(f.Name) != parse.KeyName || !ours {
			return
		}
		if list, ok := v.value.(interface{ Decode(string) error }); ok {
			why = list.Decode(parse.Value)
		} else {
			why = v.Set(parse.Value)
		}
	})
	if why != nil {
		return why
	}
	return errors.New("is either true or false")
}

// NoteFlags remembers which flags were given. Call it after they were parsed.
func (s *Settings) NoteFlags(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			s.origins[f.Name] = "--" + f.Name
		}
	})
}

// Error is a setting that cannot be, or cannot be beside another. Its class in
// messages is "config".
type Error struct{ text string }

func (e *Error) Error() string { return e.text }

// Class is how the failure is sorted for whoever reads it by machine.
func (*Error) Class() string { return "config" }
