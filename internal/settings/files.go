package settings

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"vaultexec/internal/annotations"
	"vaultexec/internal/config"
	"vaultexec/internal/env"
)

// Files is what configuration files say that no flag can.
type Files struct {
	Vault          map[string]config.Given[string] // VAULT_* variable -> what it is where it is not set
	LoginNamespace string                          // where it is another one than VAULT_NAMESPACE
	Command        []string                        // of exec; empty: none
	Stdout, Stderr config.Given[string]            // files that the command's output is added to
	PIDFile        string                          // empty: none
	Tokens         []env.File                      // sinks: files of the token
	Renamed        []env.Renamed                   // secret blocks
	Custom         []string                        // NAME=value
	Templates      []env.Template                  // template and env_template blocks
	FailCommands   config.Given[bool]              // a start ends where a template's command fails
	JWTTarget      config.Given[bool]              // where the JWT's file is a link, what it points to is removed
}

// Files returns it.
func (s *Settings) Files() Files { return s.files }

// notInFiles are the flags that a file cannot set.
var notInFiles = map[string]bool{"config": true, "annotations": true}

// ReadFiles reads what --annotations and --config name, and takes from the one and
// then the other what nothing stronger has set. Call it after flags and environment,
// and before Check. flags are those of Groups.
func (s *Settings) ReadFiles(environ []string, flags *pflag.FlagSet) ([]Note, error) {
	variables := map[string]string{}
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		if _, twice := variables[name]; ok && !twice {
			variables[name] = value
		}
	}
	opt := config.Options{Lookup: func(name string) (string, bool) { v, set := variables[name]; return v, set }}
	flags.VisitAll(func(f *pflag.Flag) {
		if !notInFiles[f.Name] {
			opt.Flags = append(opt.Flags, f.Name)
		}
	})
	layers, err := s.load(opt)
	if err != nil {
		return nil, err
	}
	var notes []Note
	l := layer{settings: s, flags: flags}
	for _, c := range layers {
		for _, n := range c.Notes {
			notes = append(notes, Note{Text: n.Place + ": " + n.Text, Warning: true})
		}
		l.apply(c)
	}
	s.dropProxy(variables)
	for _, c := range layers { // a default gives way to each of them
		if !s.files.FailCommands.IsSet() {
			s.files.FailCommands = c.TemplateConfig.ExitByDefault
		}
	}
	if len(l.problems) > 0 {
		return notes, &Error{strings.Join(l.problems, "\n")}
	}
	return notes, nil
}

// load reads all files, the stronger ones first.
func (s *Settings) load(opt config.Options) (layers []*config.Config, err error) {
	if s.Annotations != "" {
		c, err := annotations.Load(s.Annotations)
		if err != nil {
			return nil, err
		}
		layers = append(layers, c)
	}
	if len(s.Config.Items) > 0 {
		c, err := config.Load(s.Config.Items, opt)
		if err != nil {
			return nil, err
		}
		layers = append(layers, c)
	}
	return layers, nil
}

// layer puts what a file says into the settings, as far as nothing stronger has
// said it.
type layer struct {
	settings *Settings
	flags    *pflag.FlagSet
	problems []string
}

func (l *layer) bad(place, format string, args ...any) {
	l.problems = append(l.problems, place+": "+fmt.Sprintf(format, args...))
}

func (l *layer) apply(c *config.Config) {
	once := l.settings.Once // said by something stronger
	made := l.settings.made()
	for _, f := range c.Flags {
		if l.settings.IsSet(f.Name) || once && isWatching(f.Name) {
			continue
		}
		l.set(f.Name, strings.ReplaceAll(f.Name, "-", "_"), f.Place, f.Values...)
		l.settings.giveWay(f.Name, made)
	}
	l.login(c)
	l.vault(&c.Vault, &c.AutoAuth.Method)
	l.reporting(c)
	// First, because there is nothing to watch then, whatever else is said.
	if c.ExitAfterAuth.Value {
		l.set("once", "exit_after_auth", c.ExitAfterAuth.Place, "true")
	}
	l.rotation(c)
	if l.settings.files.PIDFile == "" {
		l.settings.files.PIDFile = c.PIDFile.Value
	}
	l.exec(&c.Exec)
	l.sinks(c, made)
	l.templates(c, made)
	for _, secret := range c.Secrets {
		l.secret(c, secret)
	}
}

// set gives a flag its values, unless something stronger has. key is how the file
// calls it.
func (l *layer) set(flag, key, place string, values ...string) {
	s := l.settings
	if place == "" || s.IsSet(flag) {
		return
	}
	value := l.flags.Lookup(flag).Value
	for _, v := range values {
		err := value.Set(v)
		if err != nil && value.Type() == "bool" {
			err = errors.New("is either true or false")
		}
		if err != nil {
			l.bad(place, "%s: %v", key, err)
			break
		}
	}
	s.origins[flag] = place
}

// given is set for a text that may not be there.
func (l *layer) given(flag, key string, v config.Given[string]) { l.set(flag, key, v.Place, v.Value) }

// unwatched is set for what has no meaning when secrets are fetched once. A file
// that says it all the same was written for another case, as the agent's for its
// init container is.
func (l *layer) unwatched(flag, key, place, value string) {
	if !l.settings.Once {
		l.set(flag, key, place, value)
	}
}
