package fetch

import (
	"context"
	"slices"
	"time"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// Update is a complete set of secrets, newer than the one before.
type Update struct {
	Generation int
	Secrets    map[ref.Source]secret.Fields // as Fetch returns them
	Expires    time.Time                    // when something that an older generation has ends; zero: never
}

// publish hands on the newest set, once it has what it makes wanted.
func (w *Watcher) publish(now time.Time) {
	if w.c.wants != nil {
		w.growth.begin(now)
		return
	}
	w.send(w.newest(now))
}

// send hands a set on. One that nobody has taken is replaced.
func (w *Watcher) send(u Update) {
	select {
	case <-w.updatec:
	default:
	}
	w.updatec <- u // nobody else sends
}

// newest is what there is.
func (w *Watcher) newest(now time.Time) Update {
	// What is over needs neither haste nor anybody to give it back.
	w.former = slices.DeleteFunc(w.former, func(h held) bool { return !h.ends.IsZero() && h.ends.Before(now) })
	u := Update{Generation: w.generation, Secrets: make(map[ref.Source]secret.Fields, len(w.sources))}
	for s, e := range w.sources {
		if fields := e.view(s.View); fields != nil {
			u.Secrets[s] = fields
		}
	}
	for s, t := range w.trees {
		if len(t.shown) > 0 {
			u.Secrets[s] = t.all()
		}
	}
	if w.login {
		fields, err := w.c.ownToken()
		if err != nil {
			panic("BUG: the token is gone: " + err.Error())
		}
		u.Secrets[ref.Source{Login: true}] = fields
	}
	for _, h := range w.former {
		u.Expires = first(u.Expires, h.ends)
	}
	return u
}

// endOf is when a secret ends: a lease ends with its token.
func (w *Watcher) endOf(e *entry) time.Time {
	if e.life.lease == "" {
		return e.ends
	}
	if e.serial == w.token.serial {
		return first(e.ends, w.token.ends)
	}
	return first(e.ends, w.formerEnds[e.serial])
}

// release revokes the leases that the command does not need any more.
func (w *Watcher) release(ctx context.Context, generation int) {
	var kept []held
	for _, h := range w.former {
		switch {
		case h.until > generation:
			kept = append(kept, h)
		case h.lease != "":
			w.wg.Go(func() {
				if w.limiter.Wait(ctx) == nil {
					w.c.revokeLease(ctx, h)
				}
			})
		}
	}
	w.former = kept
}
