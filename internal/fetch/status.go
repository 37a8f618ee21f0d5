package fetch

import (
	"maps"
	"strings"
	"time"

	"vaultexec/internal/ref"
)

// counts are what has happened so far; they belong to the loop.
type counts struct {
	errors      map[Class]int
	logins      int // after the first
	lastSuccess time.Time
}

// Status is how the secrets are. Each counts once, as the last of these states
// that it is in.
type Status struct {
	Fresh       int       // secrets that are as they should be
	Stale       int       // that could not be read when they were due
	Unusable    int       // of which the command keeps older values, see Watcher.Unusable
	Past        int       // whose life is over and that nothing has replaced
	NextExpiry  time.Time // of a secret; zero: none expires
	TokenEnds   time.Time // zero: never
	TokenDead   bool
	Errors      map[Class]int
	Logins      int // after the first
	LastSuccess time.Time
}

// Status returns how the secrets are.
func (w *Watcher) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// report makes the status anew, and says when a secret is past its life.
func (w *Watcher) report(now time.Time) {
	s := Status{TokenEnds: w.token.ends, TokenDead: w.token.dead, Errors: maps.Clone(w.counts.errors), Logins: w.counts.logins, LastSuccess: w.counts.lastSuccess}
	for _, e := range w.entries {
		ends := w.endOf(e)
		if e.unusable {
			ends = e.former
		}
		past := !ends.IsZero() && !now.Before(ends)
		switch {
		case past:
			s.Past++
		case e.unusable:
			s.Unusable++
		case e.tries > 0, e.gone && e.displayed():
			s.Stale++
		case e.at.list: // no secret
		default:
			s.Fresh++
		}
		if past {
			w.notices.Say("past "+e.reference, now, "a secret is past its life and could not be replaced", "secret", e.reference, "ended", ends.UTC().Format(time.RFC3339))
		} else {
			w.notices.Over("past "+e.reference, now, "a secret was replaced after its life", "secret", e.reference)
		}
		s.NextExpiry = first(s.NextExpiry, ends)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = s
}

// mark notes whose newest values the command cannot use.
func (w *Watcher) mark(sources []ref.Source) {
	for _, e := range w.entries {
		e.unusable = false
	}
	for _, s := range sources {
		if e := w.entryOf(s); e != nil {
			e.unusable = true
		}
	}
}

// entryOf is that of a source, or of a secret below one.
func (w *Watcher) entryOf(s ref.Source) *entry {
	if e := w.sources[s]; e != nil {
		return e
	}
	for below, t := range w.trees {
		if name, ok := strings.CutPrefix(s.Path, below.Path+"/"); ok && s == below.Member(name) {
			return t.nodes[name]
		}
	}
	return nil
}
