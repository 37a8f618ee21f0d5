package settings

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/robfig/cron/v3"

	"vaultexec/internal/ref"
	"vaultexec/internal/supervise"
)

// Reaction is what a changed secret does to the command.
type Reaction struct {
	Kind   supervise.Reaction
	Signal syscall.Signal // with ReactSignal
	Hook   []string       // argv, with ReactExec
	text   string
}

// ParseReaction reads restart, signal:NAME, exec:COMMAND, exit or none. The
// words of the command are separated by blanks; no shell looks at them.
func ParseReaction(v string) (Reaction, error) {
	r := Reaction{text: v}
	kind, argument, hasArgument := strings.Cut(v, ":")
	if hasArgument && kind != "signal" && kind != "exec" {
		return r, errReaction
	}
	switch kind {
	case "restart":
		r.Kind = supervise.ReactRestart
	case "exit":
		r.Kind = supervise.ReactExit
	case "none":
		r.Kind = supervise.ReactNone
	case "signal":
		r.Kind = supervise.ReactSignal
		if !hasArgument || argument == "" {
			return r, errors.New("names no signal: signal:NAME, such as signal:HUP")
		}
		var err error
		r.Signal, err = supervise.ParseSignal(argument)
		return r, err
	case "exec":
		r.Kind = supervise.ReactExec
		if r.Hook = strings.Fields(argument); len(r.Hook) == 0 {
			return r, errors.New("names no command: exec:COMMAND, such as exec:nginx -s reload")
		}
	default:
		return r, errReaction
	}
	return r, nil
}

var errReaction = errors.New("is not restart, signal:NAME, exec:COMMAND, exit or none")

func (r *Reaction) Set(v string) (err error) {
	*r, err = ParseReaction(v)
	return err
}
func (r *Reaction) String() string { return r.text }

// Window is when changes may be applied: a cron expression says when it opens,
// a duration for how long. The zero value is always open.
type Window struct {
	opens  cron.Schedule
	length time.Duration
	text   string
}

func (w *Window) Set(v string) error {
	i := strings.LastIndex(v, "/")
	if i < 0 {
		return errWindow
	}
	length, err := time.ParseDuration(v[i+1:])
	if err != nil || length <= 0 {
		return errWindow
	}
	opens, err := fiveFields.Parse(v[:i])
	if err != nil {
		return fmt.Errorf("%v: %v", errWindow, err)
	}
	if opens.Next(time.Now()).IsZero() {
		return errors.New("never opens: there is no such day")
	}
	*w = Window{opens, length, v}
	return nil
}

// fiveFields takes no descriptors: @every would never open anything.
var fiveFields = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

var errWindow = errors.New("is CRON/DURATION, such as '0 3 * * */2h' for every night from 3 to 5")

func (w *Window) String() string { return w.text }

// From is the earliest time at or after t that is in the window.
func (w *Window) From(t time.Time) time.Time {
	if w.opens == nil {
		return t
	}
	opening := w.opens.Next(t.Add(-w.length)) // the first that is still open at t, or to come
	if opening.IsZero() || !opening.After(t) {
		return t
	}
	return opening
}

// Restart is what happens when the command ends by itself.
type Restart struct {
	OnFailure bool
	Max       int // failures in a row; 0: any number
	text      string
}

const restartNever = "never"

func (r *Restart) Set(v string) error {
	*r = Restart{text: v}
	if v == restartNever {
		return nil
	}
	kind, number, hasNumber := strings.Cut(v, ":")
	if kind != "on-failure" {
		return errors.New("is not never, on-failure or on-failure:N")
	}
	r.OnFailure = true
	if !hasNumber {
		return nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		return errors.New("on-failure:N takes a number from 1 up")
	}
	r.Max = n
	return nil
}
func (r *Restart) String() string { return r.text }

// Revoke is which token is revoked at the end.
type Revoke string

const (
	RevokeAuto   Revoke = "auto"   // the one that vaultexec's login made
	RevokeAlways Revoke = "always" // also one that was there before
	RevokeNever  Revoke = "never"
)

func (r *Revoke) Set(v string) error {
	*r = Revoke(v)
	return choose(v, r.choices()...)
}
func (r *Revoke) String() string { return string(*r) }

// ReactionTo is what a change of one reference does: what the reference itself
// asks for, else what --on-change says.
func (s *Settings) ReactionTo(r ref.Ref) (Reaction, error) {
	if r.OnChange == "" {
		return s.OnChange, nil
	}
	reaction, err := ParseReaction(r.OnChange)
	if err != nil {
		return reaction, &Error{fmt.Sprintf("%s: parameter on_change %v", r, err)}
	}
	return reaction, nil
}

func (s *Settings) checkRotation(bad func(string, ...any)) {
	if s.Refresh != 0 && s.Refresh < ref.MinRefresh {
		bad("%s: is at least %s, or 0 for never", s.Origin("refresh"), ref.MinRefresh)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"debounce", s.Debounce}, {"splay", s.Splay}, {"min-interval", s.MinInterval}} {
		if d.value < 0 {
			bad("%s: must not be negative", s.Origin(d.name))
		}
	}
	if !s.Once {
		return
	}
	for _, name := range watching {
		if s.IsSet(name) {
			bad("%s: is about secrets that change, but %s says to fetch once: leave out one of them", s.Origin(name), s.Origin("once"))
		}
	}
}

// watching are the settings that mean something only while secrets are watched.
var watching = []string{"on-change", "refresh", "debounce", "splay", "min-interval", "window"}

func isWatching(name string) bool { return slices.Contains(watching, name) }
