package settings

import (
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// given are settings, as main reads them from environment and flags.
type given struct {
	*Settings
	environ []string
	flags   *pflag.FlagSet
}

func read(t *testing.T, environ map[string]string, args ...string) (given, error) {
	t.Helper()
	g := given{Settings: Default(), flags: pflag.NewFlagSet("test", pflag.ContinueOnError)}
	for _, group := range g.Groups() {
		g.flags.AddFlagSet(group.Flags)
	}
	for name, value := range environ {
		t.Setenv(name, value)
		g.environ = append(g.environ, name+"="+value)
	}
	if err := g.ReadEnvironment(g.environ, g.flags); err != nil {
		return g, err
	}
	if err := g.flags.Parse(args); err != nil {
		return g, err
	}
	g.NoteFlags(g.flags)
	return g, nil
}

// load reads settings and checks them.
func load(t *testing.T, environ map[string]string, args ...string) (*Settings, error) {
	t.Helper()
	g, err := read(t, environ, args...)
	if err != nil {
		return nil, err
	}
	return g.Settings, g.Check()
}

func TestPrecedence(t *testing.T) {
	s, err := load(t, map[string]string{
		"VAULTEXEC_ROLE":           "from-env",
		"VAULTEXEC_NAMESPACE":      "from-env",
		"VAULTEXEC_STOP_TIMEOUT":   "5s",
		"VAULTEXEC_CONCURRENCY":    "",
		"VAULTEXEC_JWT_PATH":       "/jwt",
		"VAULTEXEC_PRISTINE":       "true",
		"VAULTEXEC_LOG_LEVEL":      "debug",
		"VAULTEXEC_REWRITE_SIGNAL": "HUP:USR1,WINCH:0",
		"ROLE":                     "stray", // without the prefix it is none of ours
		"MODE":                     "exec",
	}, "--role", "from-flag", "--stop-signal", "quit")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name        string
		got, want   any
		origin, key string
	}{
		{"flag beats variable", s.Role, "from-flag", "--role", "role"},
		{"variable", s.Namespace, "from-env", "VAULTEXEC_NAMESPACE", "namespace"},
		{"variable of a duration", s.StopTimeout, 5 * time.Second, "VAULTEXEC_STOP_TIMEOUT", "stop-timeout"},
		{"empty variable is not set", s.Concurrency, 16, "default", "concurrency"},
		{"acronym", s.JWTPath, "/jwt", "VAULTEXEC_JWT_PATH", "jwt-path"},
		{"bool", s.Pristine, true, "VAULTEXEC_PRISTINE", "pristine"},
		{"own type", s.LogLevel.String(), "debug", "VAULTEXEC_LOG_LEVEL", "log-level"},
		{"list", s.RewriteSignal.Items, []Rewrite{{syscall.SIGHUP, syscall.SIGUSR1}, {syscall.SIGWINCH, 0}}, "VAULTEXEC_REWRITE_SIGNAL", "rewrite-signal"},
		{"default", s.Mode, ModeAuto, "default", "mode"},
		{"signal", s.StopSignal, Signal(syscall.SIGQUIT), "--stop-signal", "stop-signal"},
	} {
		if !reflect.DeepEqual(tt.got, tt.want) || s.Origin(tt.key) != tt.origin {
			t.Errorf("%s: %v from %s, want %v from %s", tt.name, tt.got, s.Origin(tt.key), tt.want, tt.origin)
		}
	}
}

// Every field has a flag and every flag sets its field from the environment:
// a name that split_words makes and EnvName does not would be ignored there.
func TestEveryFlagHasItsVariable(t *testing.T) {
	s := Default()
	fields := 0
	for i := range reflect.TypeFor[Settings]().NumField() {
		if reflect.TypeFor[Settings]().Field(i).IsExported() {
			fields++
		}
	}
	flags := 0
	for _, g := range s.Groups() {
		g.Flags.VisitAll(func(f *pflag.Flag) {
			flags++
			value := map[string]string{
				"bool": "true", "DURATION": "7s", "NUMBER": "7", "USER[:GROUP]": "4711:815", "REF": "kv/a", "[NAME=]REF": "kv/a", "NAME=REF": "A=kv/a#b", "DEST=REF": "/d=kv/a#b", "SRC:DEST": "/dev/null:/d", "NAME=TEXT": "A={{ 1 }}",
				"GLOB": "G", "POLICY": "keep", "CASE": "upper", "MODE": "exec", "WHEN": "never", "SIGNAL": "HUP", "TARGET": "child",
				"REACTION": "signal:HUP", "CRON/DURATION": "0 3 * * */2h", "FAILURES": "on-failure:3", "WHICH": "never",
				"FROM:TO": "HUP:0", "STATUS": "7", "LEVEL": "warn", "FORMAT": "json",
			}[f.Value.Type()]
			switch {
			case f.Name == "env-file":
				value = os.DevNull
			case value == "":
				value = "text"
			}
			before := *Default()
			os.Clearenv()
			after, err := load(t, map[string]string{EnvName(f.Name): value})
			if after == nil {
				t.Errorf("%s=%s: %v", EnvName(f.Name), value, err)
				return
			}
			changed := *after
			changed.origins = before.origins
			if reflect.DeepEqual(changed, before) {
				t.Errorf("%s=%s changes nothing", EnvName(f.Name), value)
			}
		})
	}
	if flags != fields {
		t.Errorf("%d flags for %d settings", flags, fields)
	}
}

func TestLists(t *testing.T) {
	tests := []struct {
		name, env string
		args      []string
		want      []string
	}{
		{"commas", "A*, B ,C", nil, []string{"A*", "B", "C"}},
		{"lines, one with a comma", "A,1\n B\n", nil, []string{"A,1", "B"}},
		{"flags add up", "", []string{"--drop", "A", "--drop", "B"}, []string{"A", "B"}},
		{"flags replace the variable", "A,B", []string{"--drop", "C"}, []string{"C"}},
		{"a flag is not split", "", []string{"--drop", "A,B"}, []string{"A,B"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := load(t, map[string]string{"VAULTEXEC_DROP": tt.env}, tt.args...)
			if err != nil || !reflect.DeepEqual(s.Drop.Items, tt.want) {
				t.Errorf("%q, %v, want %q", s.Drop.Items, err, tt.want)
			}
		})
	}
	_, err := load(t, map[string]string{"VAULTEXEC_SECRET": "kv/a\nkv/b?optinal"})
	if want := `VAULTEXEC_SECRET: "kv/b": unknown parameter "optinal": did you mean optional?`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestSupervise(t *testing.T) {
	tests := []struct {
		args  string
		reads bool
		want  bool
	}{
		{"", false, false},
		{"", true, true},
		{"--once", true, false},
		{"--once --file /x=kv/a#b", true, true},
		{"--once --file-env A=kv/a#b", true, true},
		{"--once --fd-env A=kv/a#b", true, false},
		{"--stop-timeout 1s", false, true},
		{"--init never", false, false},
		{"--init always", false, true},
		{"--mode exec", true, false},
		{"--mode exec --file /x=kv/a#b", true, false},
		{"--mode supervise", false, true},
	}
	for _, tt := range tests {
		s, err := load(t, nil, strings.Fields(tt.args)...)
		if err != nil {
			t.Fatal(tt.args, err)
		}
		if got := s.Supervise(tt.reads); got != tt.want {
			t.Errorf("%q with reads %v: supervise %v", tt.args, tt.reads, got)
		}
	}
}
