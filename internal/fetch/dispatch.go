package fetch

import (
	"context"
	"encoding/json"
	"slices"
	"time"
)

// A whole process asks no more than this of Vault per second once the command
// runs, whatever happens; the burst is what falls due together.
const (
	requestsPerSecond = 20
	requestBurst      = 20
)

// result is what a request came to.
type result struct {
	entry  *entry
	duty   duty
	serial int       // of the token that it was made with
	began  time.Time //
	answer *answer
	failed *failure
	token  *tokenAnswer  // in place of the others
	growth *growthAnswer // likewise
}

// dispatch starts the requests that are due and returns how long until the next.
func (w *Watcher) dispatch(ctx context.Context, now time.Time) time.Duration {
	next := time.Hour // a wake-up that finds nothing to do costs nothing
	soon := func(at time.Time) { next = min(next, max(0, at.Sub(now))) }
	if now.Before(w.pause) {
		return w.pause.Sub(now)
	}
	wait, ceiling := w.attendToken(ctx, now)
	if ceiling {
		return wait
	}
	next = min(next, wait)
	if w.token.dead {
		return next // the others wait for a token
	}
	if w.growth.wanted && !w.growth.busy {
		if now.Before(w.growth.due) {
			soon(w.growth.due)
		} else {
			w.grow(ctx, now)
		}
	}
	// What ends before what may have changed, or a ceiling that is reached again
	// and again would starve the same ones.
	slices.SortFunc(w.entries, func(a, b *entry) int {
		if urgent := b.duty >= renew; urgent != (a.duty >= renew) {
			if urgent {
				return 1
			}
			return -1
		}
		return a.due.Compare(b.due)
	})
	for _, e := range w.entries {
		if e.unusable && now.Before(e.former) {
			soon(e.former) // for the report
		}
		switch {
		case e.busy || e.duty == rest || w.token.scarce && e.duty == poll:
		case now.Before(e.due):
			soon(e.due)
		case !w.limiter.AllowN(now, 1):
			return time.Second / requestsPerSecond
		default:
			w.attend(ctx, e, now)
		}
	}
	return next
}

// attend starts what is due for an entry.
func (w *Watcher) attend(ctx context.Context, e *entry, now time.Time) {
	e.busy = true
	r := result{entry: e, duty: e.duty, serial: w.token.serial, began: now}
	do := w.c.fetching(e.at, &r.answer)
	if e.duty == renew {
		do = w.c.writing("sys/leases/renew", leaseBody(e.life.lease), &r.answer)
	}
	namespace := e.at.namespace
	w.ask(ctx, func() result {
		r.failed = w.c.attempt(ctx, namespace, do)
		return r
	})
}

// ask runs a request beside the loop, which gets what it came to.
func (w *Watcher) ask(ctx context.Context, do func() result) {
	w.wg.Go(func() {
		r := do()
		select {
		case w.resultc <- r:
		case <-ctx.Done():
		}
	})
}

func leaseBody(id string) []byte {
	text, err := json.Marshal(map[string]string{"lease_id": id})
	if err != nil {
		panic("BUG: a string that is not JSON: " + err.Error())
	}
	return text
}
