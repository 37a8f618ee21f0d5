package fetch

import (
	"log/slog"
	"time"
)

// Trouble lasts, and a line for each try would bury what matters. So each kind
// is said once, then at intervals that double, and once when it is over.
const (
	firstRepeat = time.Minute
	lastRepeat  = time.Hour
)

// What notices are about, beside references.
const (
	noticeVault = "vault"
	noticeToken = "token"
	noticeLogin = "login"
)

// notices is what is being said. It belongs to the watcher's loop.
type notices struct {
	log  *slog.Logger
	open map[string]*notice // what it is about -> the notice
}

type notice struct {
	since    time.Time
	said     bool
	next     time.Time
	interval time.Duration
}

// say reports trouble now, unless it was reported not long ago.
func (n *notices) say(about string, now time.Time, text string, attrs ...any) {
	n.sayAfter(0, about, now, text, attrs...)
}

// sayAfter is say for trouble that mostly passes: nothing is said of it before
// it has lasted so long.
func (n *notices) sayAfter(patience time.Duration, about string, now time.Time, text string, attrs ...any) {
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

// over reports the end of trouble that was reported; an empty text ends it
// without a word.
func (n *notices) over(about string, now time.Time, text string, attrs ...any) {
	open := n.open[about]
	if open == nil {
		return
	}
	delete(n.open, about)
	if open.said && text != "" {
		n.log.Info(text, append(attrs, "after", now.Sub(open.since).Round(time.Second))...)
	}
}
