package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"vaultexec/internal/env"
	"vaultexec/internal/from"
	"vaultexec/internal/nearest"
	"vaultexec/internal/ref"
	"vaultexec/internal/supervise"
)

// The types of the settings read themselves: Set is what a flag calls, and the
// environment too, except for lists, where Decode reads the whole list of an
// environment variable.

func choose(word string, among ...string) error {
	if slices.Contains(among, word) {
		return nil
	}
	if near := nearest.To(word, among); len(near) > 0 {
		return fmt.Errorf("%q is not one of %s: did you mean %s?", word, strings.Join(among, ", "), near[0])
	}
	return fmt.Errorf("%q is not one of %s", word, strings.Join(among, ", "))
}

// Conflict is the policy for two sources that name the same variable.
type Conflict env.Conflict

func (c *Conflict) Set(v string) error {
	*c = Conflict(v)
	return choose(v, c.choices()...)
}
func (c *Conflict) String() string { return string(*c) }

// Case is how variables are named after fields.
type Case ref.Case

func (c *Case) Set(v string) error {
	*c = Case(v)
	return choose(v, c.choices()...)
}
func (c *Case) String() string { return string(*c) }

func (m *Mode) Set(v string) error {
	*m = Mode(v)
	return choose(v, m.choices()...)
}
func (m *Mode) String() string { return string(*m) }

func (i *Init) Set(v string) error {
	*i = Init(v)
	return choose(v, i.choices()...)
}
func (i *Init) String() string { return string(*i) }

func (f *Forward) Set(v string) error {
	*f = Forward(v)
	return choose(v, f.choices()...)
}
func (f *Forward) String() string { return string(*f) }

func (f *LogFormat) Set(v string) error {
	*f = LogFormat(v)
	return choose(v, f.choices()...)
}
func (f *LogFormat) String() string { return string(*f) }

// LogLevel is the least grave level that is logged.
type LogLevel struct{ slog.Level }

func (l *LogLevel) Set(v string) error {
	if err := choose(v, l.choices()...); err != nil {
		return err
	}
	return l.UnmarshalText([]byte(v))
}
func (l *LogLevel) String() string { return strings.ToLower(l.Level.String()) }

// Signal is a signal by its name.
type Signal syscall.Signal

const defaultStopSignal = Signal(syscall.SIGTERM)

func (s *Signal) Set(v string) error {
	sig, err := supervise.ParseSignal(v)
	*s = Signal(sig)
	return err
}
func (s *Signal) String() string {
	return strings.TrimPrefix(unix.SignalName(syscall.Signal(*s)), "SIG")
}

// list is what all lists have in common: the first flag replaces what the
// environment gave, each further one adds to it.
type list[T any] struct {
	Items    []T
	fromFlag bool
}

func (l *list[T]) add(item T, err error) error {
	if !l.fromFlag {
		l.Items, l.fromFlag = nil, true
	}
	l.Items = append(l.Items, item)
	return err
}

// decode reads the environment's form of a list: separated by commas, or by
// line breaks where there is one, so that a list in a manifest can be one
// item a line and an item can hold a comma.
func (l *list[T]) decode(v string, parse func(string) (T, error)) error {
	separator := ","
	if strings.Contains(v, "\n") {
		separator = "\n"
	}
	l.Items = nil
	for _, word := range strings.Split(v, separator) {
		word = strings.TrimSpace(word)
		if word == "" {
			continue
		}
		item, err := parse(word)
		if err != nil {
			return err
		}
		l.Items = append(l.Items, item)
	}
	return nil
}

// String has nothing to say: no list has a default.
func (l *list[T]) String() string { return "" }

func (l *list[T]) count() int { return len(l.Items) }

// SecretList are the references of --secret.
type SecretList struct{ list[ref.Ref] }

func parseSecret(v string) (ref.Ref, error) {
	r, err := ref.Parse(v, ref.Secret)
	if err != nil {
		// Which one it is, without its parameters: no business of a log's.
		name, _, _ := strings.Cut(v, "?")
		return r, fmt.Errorf("%q: %v", name, err)
	}
	return r, nil
}

func (l *SecretList) Set(v string) error    { return l.add(parseSecret(v)) }
func (l *SecretList) Decode(v string) error { return l.decode(v, parseSecret) }

// FromList are the references of --from.
type FromList struct{ list[ref.Ref] }

func parseFrom(v string) (ref.Ref, error) {
	r, err := ref.ParseFrom(v)
	if err == nil {
		err = from.CheckFormat(r.FileFormat)
	}
	if err != nil {
		name, _, _ := strings.Cut(v, "?")
		return r, fmt.Errorf("%q: %v", name, err)
	}
	return r, nil
}

func (l *FromList) Set(v string) error    { return l.add(parseFrom(v)) }
func (l *FromList) Decode(v string) error { return l.decode(v, parseFrom) }

// VariableList are the NAME=REF pairs of --env.
type VariableList struct{ list[env.Variable] }

func (l *VariableList) Set(v string) error    { return l.add(env.ParseVariable(v)) }
func (l *VariableList) Decode(v string) error { return l.decode(v, env.ParseVariable) }

// EnvFileList are the files of --env-file.
type EnvFileList struct{ list[env.EnvFile] }

func (l *EnvFileList) Set(v string) error    { return l.add(env.ReadEnvFile(v)) }
func (l *EnvFileList) Decode(v string) error { return l.decode(v, env.ReadEnvFile) }

// FileList are the DEST=REF pairs of --file.
type FileList struct{ list[env.File] }

func (l *FileList) Set(v string) error    { return l.add(env.ParseFile(v)) }
func (l *FileList) Decode(v string) error { return l.decode(v, env.ParseFile) }

// FileVariableList are the NAME=REF pairs of --file-env.
type FileVariableList struct{ list[env.Variable] }

func (l *FileVariableList) Set(v string) error    { return l.add(env.ParseFileVariable(v)) }
func (l *FileVariableList) Decode(v string) error { return l.decode(v, env.ParseFileVariable) }

// DescriptorVariableList are the NAME=REF pairs of --fd-env.
type DescriptorVariableList struct{ list[env.Variable] }

func (l *DescriptorVariableList) Set(v string) error { return l.add(env.ParseDescriptorVariable(v)) }
func (l *DescriptorVariableList) Decode(v string) error {
	return l.decode(v, env.ParseDescriptorVariable)
}

// CredentialList are the [NAME=]REF of --credentials.
type CredentialList struct{ list[env.Credential] }

func (l *CredentialList) Set(v string) error    { return l.add(env.ParseCredential(v)) }
func (l *CredentialList) Decode(v string) error { return l.decode(v, env.ParseCredential) }

// TemplateList are the SRC:DEST pairs of --template.
type TemplateList struct{ list[env.Template] }

func (l *TemplateList) Set(v string) error    { return l.add(env.ParseTemplate(v)) }
func (l *TemplateList) Decode(v string) error { return l.decode(v, env.ParseTemplate) }

// EnvTemplateList are the NAME=TEMPLATE pairs of --env-template.
type EnvTemplateList struct{ list[env.Template] }

func (l *EnvTemplateList) Set(v string) error    { return l.add(env.ParseEnvTemplate(v)) }
func (l *EnvTemplateList) Decode(v string) error { return l.decode(v, env.ParseEnvTemplate) }

// GlobList are patterns of variable names.
type GlobList struct{ list[string] }

func parseGlob(v string) (string, error) { return v, ref.CheckGlob(v) }

func (l *GlobList) Set(v string) error    { return l.add(parseGlob(v)) }
func (l *GlobList) Decode(v string) error { return l.decode(v, parseGlob) }

// PathList are files or directories.
type PathList struct{ list[string] }

func parsePath(v string) (string, error) {
	if v == "" {
		return v, errors.New("names no file")
	}
	return v, nil
}

func (l *PathList) Set(v string) error    { return l.add(parsePath(v)) }
func (l *PathList) Decode(v string) error { return l.decode(v, parsePath) }

// Rewrite says that one signal is to arrive as another; To is 0 where it is
// not to arrive at all.
type Rewrite struct{ From, To syscall.Signal }

// RewriteList are the FROM:TO pairs of --rewrite-signal.
type RewriteList struct{ list[Rewrite] }

func parseRewrite(v string) (Rewrite, error) {
	var r Rewrite
	from, to, ok := strings.Cut(v, ":")
	if !ok {
		return r, fmt.Errorf("%q is not FROM:TO, such as TERM:QUIT, or HUP:0 to drop one", v)
	}
	var err error
	if r.From, err = supervise.ParseSignal(from); err != nil {
		return r, err
	}
	if to != "0" {
		if r.To, err = supervise.ParseSignal(to); err != nil {
			return r, err
		}
	}
	return r, supervise.CheckRewrite(r.From, r.To)
}

func (l *RewriteList) Set(v string) error    { return l.add(parseRewrite(v)) }
func (l *RewriteList) Decode(v string) error { return l.decode(v, parseRewrite) }

// StatusList are exit statuses.
type StatusList struct{ list[int] }

func parseStatus(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 255 {
		return 0, errors.New("an exit status is a number from 0 to 255")
	}
	return n, nil
}

func (l *StatusList) Set(v string) error    { return l.add(parseStatus(v)) }
func (l *StatusList) Decode(v string) error { return l.decode(v, parseStatus) }
