package fetch

import (
	"errors"
	"net/http"
	"time"
)

// settle notes what a request came to.
func (w *Watcher) settle(r result, now time.Time) {
	if r.token != nil {
		w.settleToken(*r.token, now)
		return
	}
	if r.growth != nil {
		w.settleGrowth(*r.growth, now)
		return
	}
	if r.entry.dropped {
		return
	}
	first := r.entry.asked.IsZero()
	r.entry.busy, r.entry.asked = false, r.began
	w.settleEntry(r, now)
	w.review(r.entry, first, now)
}

func (w *Watcher) settleEntry(r result, now time.Time) {
	e := r.entry
	switch {
	case r.failed != nil:
		e.failed(now, patient(r.failed.retryAfter), w.random())
		w.trouble(r.failed, now)
	case r.answer.status == http.StatusForbidden:
		w.settleDenied(r, now)
	case r.duty == renew:
		w.settleRenewal(r, now)
	default:
		w.well(now)
		w.settleRead(r, now)
	}
}

// settleDenied handles a 403: of a token that was replaced meanwhile, of a dead
// one, or of one whose policies do not open the path.
func (w *Watcher) settleDenied(r result, now time.Time) {
	e := r.entry
	if r.serial != w.token.serial {
		e.due = now
		return
	}
	w.counts.errors[ClassDenied]++
	e.failed(now, 0, w.random())
	if w.token.dead {
		return
	}
	if !w.token.known.After(r.began) && (!e.denied || r.answer.rejectsToken()) {
		w.token.suspect(r.began, now)
		e.due = now.Add(time.Second) // by then it is known whose fault it is
		e.denied = true
		return
	}
	e.denied = true
	if r.duty == renew {
		w.postpone(e, `permission denied; allow path "sys/leases/renew" { capabilities = ["update"] }`, now) // policies come back
		return
	}
	rd := read{at: e.at, mount: e.mount, answer: r.answer}
	_, finding := rd.examine()
	w.complain(e, finding, now)
}

// complain says why an entry could not be read.
func (w *Watcher) complain(e *entry, problem *Finding, now time.Time) {
	problem.Reference = e.reference
	text := "a secret cannot be read, the command keeps the last one"
	switch {
	case e.at.list:
		text = "a folder cannot be listed, the command keeps what it has from there"
	case e.fields == nil:
		text = "a secret cannot be read, the command goes on without it"
	}
	w.notices.Say(e.reference, now, text, "reason", problem.String())
}

// unreadable notes an answer that gives no secret and no names.
func (w *Watcher) unreadable(e *entry, problem *Finding, now time.Time) {
	w.counts.errors[problem.Kind.class()]++
	e.failed(now, 0, w.random())
	w.complain(e, problem, now)
}

// settleRead takes a secret that was read, or notes why there is none.
func (w *Watcher) settleRead(r result, now time.Time) {
	e := r.entry
	rd := read{at: e.at, mount: e.mount, answer: r.answer}
	if e.at.list {
		w.settleList(&rd, e, now)
		return
	}
	fields, problem := rd.interpret()
	if problem != nil {
		absent := problem.Kind.absent()
		if absent && !e.gone {
			e.gone = true
			e.unsettle()
		}
		if absent && (e.fields == nil || !e.named) { // nobody insists on it, or the tree sees to it
			e.plan(now, w.random())
			return
		}
		w.unreadable(e, problem, now)
		return
	}
	if !e.alive() {
		e.gone = false
		e.unsettle()
	}
	w.notices.Over(e.reference, now, "a secret can be read again", "secret", e.reference)
	w.notices.Over("lease "+e.reference, now, "")
	w.notices.Over(renewing(e), now, "")
	ended := w.endOf(e)
	s := e.take(r.answer, fields, r.serial, r.began, w.random())
	s.former.ends = ended
	w.urgeOld(e, now)
	if !s.changed || !e.shown() {
		return
	}
	if !e.unusable {
		e.former = ended
	}
	w.generation++
	if s.former.lease != "" || !s.former.ends.IsZero() {
		s.former.until = w.generation
		w.former = append(w.former, s.former)
	}
	w.publish(now)
}

// urgeOld replaces a lease whose request was under way while a login replaced the
// token that it ends with.
func (w *Watcher) urgeOld(e *entry, now time.Time) {
	if e.life.lease != "" && e.serial != w.token.serial {
		e.urge(now)
	}
}

// What notices are about, beside references.
const (
	noticeVault   = "vault"
	noticeGrowth  = "growth"
	noticeToken   = "token"
	noticeRenewal = "token renewal"
	noticeLogin   = "login"
)

// vaultPatience is how long Vault may be away without a word about it.
const vaultPatience = time.Minute

// trouble notes that Vault could not be asked.
func (w *Watcher) trouble(f *failure, now time.Time) {
	w.counts.errors[f.class]++
	if f.retryAfter > 0 {
		w.pause = later(w.pause, now.Add(patient(f.retryAfter)))
	}
	w.notices.SayAfter(vaultPatience, noticeVault, now, "vault cannot be asked, the command keeps what it has",
		"address", w.c.address, "reason", f.reason, "class", f.class, "status", f.status)
}

// well notes that Vault has answered.
func (w *Watcher) well(now time.Time) {
	w.counts.lastSuccess = now
	w.notices.Over(noticeVault, now, "vault answers again", "address", w.c.address)
}

// count counts an error that is not a failure of one request.
func (w *Watcher) count(err error) {
	if classed := (interface{ Class() string })(nil); errors.As(err, &classed) {
		w.counts.errors[Class(classed.Class())]++
	}
}
