package settings

import (
	"strings"

	"github.com/spf13/pflag"
)

// State is a setting as it is, and where it was set.
type State struct {
	Name   string // the flag's, with its dashes
	Value  string // empty where there is none, and of lists, whose items may hold what is nobody's business
	Items  int    // of a list
	Origin string // see Settings.Origin
	Set    bool   // it was given rather than left at its default
}

// States are all settings, in the order of the help. flags are those of Groups.
func (s *Settings) States(flags *pflag.FlagSet) []State {
	var states []State
	flags.SortFlags = false
	flags.VisitAll(func(f *pflag.Flag) {
		state := State{Name: "--" + f.Name, Value: f.Value.String(), Origin: s.Origin(f.Name), Set: s.IsSet(f.Name)}
		if v, ours := f.Value.(typed); ours {
			if items, list := v.value.(interface{ count() int }); list {
				state.Items = items.count()
			}
		}
		if kind, argument, found := strings.Cut(state.Value, ":"); f.Name == "on-change" && found && kind == "exec" && argument != "" {
			state.Value = kind + ":..." // a command's arguments may be anything
		}
		states = append(states, state)
	})
	return states
}
