// Package notice says that there is trouble, for trouble that lasts: a line for
// each try would bury what matters. So each is said once, then at intervals that
// double from a minute to an hour, and once when it is over.
package notice

import (
	"log/slog"
	"time"
)

const (
	firstRepeat = time.Minute
	lastRepeat  = time.Hour
)

// Notices is what is being said. Who has it calls it from one goroutine.
type Notices struct {
	log  *slog.Logger
	open map[string]*notice // what it is about -> the notice
}

type notice struct {
	since    time.Time
	said     bool
	next     time.Time
	interval time.Duration
}

// To are notices that are written to log.
func To(log *slog.Logger) *Notices {
	return &Notices{log: log, open: make(map[string]*notice)}
}

// Say reports trouble now, unless it was reported not long ago.
func (n *Notices) Say(about string, now time.Time, text string, attrs ...any) {
	n.SayAfter(0, about, now, text, attrs...)
}

// SayAfter is Say for trouble that mostly passes: nothing is said of it before
// it has lasted so long.
func (n *Notices) SayAfter(patience time.Duration, about string, now time.Time, text string, attrs ...any) {
	open := n.open[about]
	if open == nil {
		open = &notice{since: now, next: now.Add(patience), interval: firstRepeat}
		n.open[about] = open
	}
	if now.Before(open.next) {
		return
	}
	open.said = true
	open.next = now.Add(open.interval)
	open.interval = min(lastRepeat, 2*open.interval)
	if lasted := now.Sub(open.since); lasted >= time.Second {
		attrs = append(attrs, "for", lasted.Round(time.Second))
	}
	n.log.Warn(text, attrs...)
}

// Over reports the end of trouble that was reported; an empty text ends it
// without a word.
func (n *Notices) Over(about string, now time.Time, text string, attrs ...any) {
	open := n.open[about]
	if open == nil {
		return
	}
	delete(n.open, about)
	if open.said && text != "" {
		n.log.Info(text, append(attrs, "after", now.Sub(open.since).Round(time.Second))...)
	}
}
