package fetch

import (
	"context"
	"time"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// growth is a change on its way: a set of secrets may make others wanted, as
// where a name in one leads to the next, and is handed on when they are there.
// It is changed by the watcher's loop only.
type growth struct {
	wanted bool      // there is a set that was not handed on
	busy   bool      // what it wants is being read
	due    time.Time // not to be read before
	tries  int       // without success, in a row
}

// begin notes that there is a newer set.
func (g *growth) begin(now time.Time) {
	if !g.wanted {
		g.due = now
	}
	g.wanted = true
}

// growthAnswer is what reading for a set came to.
type growthAnswer struct {
	batch *batch
	err   error
}

// view is what a source wants of the entry.
func (e *entry) view(v ref.View) secret.Fields {
	if v == ref.WholeAnswer {
		return e.whole
	}
	return e.fields
}

// grow reads what the newest set makes wanted, beside the loop. What the watcher
// has already is not read again.
func (w *Watcher) grow(ctx context.Context, now time.Time) {
	w.growth.wanted, w.growth.busy = false, true
	secrets := w.newest(now).Secrets
	bounded, cancel := context.WithTimeout(oneTry(ctx), 2*w.c.requestTimeout)
	b := newBatch(bounded, w.c)
	for _, e := range w.entries {
		if e.fields == nil {
			continue
		}
		b.reads[e.at] = &read{at: e.at, mount: e.mount, known: e, fields: e.fields, whole: e.whole}
	}
	w.ask(ctx, func() result {
		defer cancel()
		defer b.cancel(nil)
		var err error
		if refs := w.c.wanted(secrets); len(refs) > 0 {
			err = b.gather(refs, secrets)
		}
		return result{growth: &growthAnswer{b, err}}
	})
}

// settleGrowth hands on the set with what it wanted, or notes why that is not
// there; the command keeps what it has meanwhile.
func (w *Watcher) settleGrowth(g growthAnswer, now time.Time) {
	w.growth.busy = false
	if g.err != nil {
		w.growth.tries++
		w.growth.wanted, w.growth.due = true, now.Add(calm(w.growth.tries, w.random()))
		w.count(g.err)
		w.notices.Say(noticeGrowth, now, "a changed secret leads to another that cannot be read, the command keeps what it has", "reason", g.err.Error())
		return
	}
	w.growth.tries = 0
	w.notices.Over(noticeGrowth, now, "what the changed secrets lead to can be read")
	w.adopt(g.batch, now)
	if !w.growth.wanted { // else a newer set comes
		w.send(w.newest(now))
	}
}
