package fetch

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// attendToken starts what is due for the token, and returns how long until the
// next; ceiling tells that it has to wait for that because of the others.
func (w *Watcher) attendToken(ctx context.Context, now time.Time) (next time.Duration, ceiling bool) {
	t := &w.token
	next = time.Hour
	start := func(duty tokenDuty) {
		t.busy = true
		w.ask(ctx, func() result {
			answered := w.c.aboutToken(ctx, duty)
			answered.began = now
			return result{token: &answered}
		})
	}
	switch due := t.duty != tokenRest && !now.Before(t.due); {
	case t.busy:
		return next, false
	case due && !w.limiter.AllowN(now, 1):
		return time.Second / requestsPerSecond, true
	case due:
		start(t.duty)
	case !t.peek.due.IsZero() && !now.Before(t.peek.due):
		start(tokenPeek)
	default:
		if t.duty != tokenRest {
			next = min(next, t.due.Sub(now))
		}
		if !t.peek.due.IsZero() {
			next = min(next, t.peek.due.Sub(now))
		}
	}
	return next, false
}

// tokenAnswer is what a request about the token came to.
type tokenAnswer struct {
	duty   tokenDuty
	began  time.Time
	answer *answer  // of lookup and renew; of a login its life
	trying *failure // transient trouble
	login  error    // why there is no token
	same   bool     // of a login: there is no other token than the one that is there
	other  bool     // of a look: there is one
}

// aboutToken performs what is due for the token.
func (c *Client) aboutToken(ctx context.Context, duty tokenDuty) tokenAnswer {
	r := tokenAnswer{duty: duty}
	switch duty {
	case tokenPeek:
		r.other = c.method.changed()
	case tokenLookup:
		r.trying = c.attempt(ctx, c.loginNamespace, c.reading("auth/token/lookup-self", nil, &r.answer))
	case tokenRenew:
		r.trying = c.attempt(ctx, c.loginNamespace, c.writing("auth/token/renew-self", []byte("{}"), &r.answer))
	case tokenLogin:
		before := c.api.Token()
		ctx, cancel := context.WithTimeout(oneTry(ctx), c.requestTimeout)
		defer cancel()
		r.login = c.Login(ctx)
		r.same = r.login == nil && !c.method.makes() && c.api.Token() == before
	}
	return r
}

// lifeOfToken reads a lookup's answer: how long, whether it can be renewed, and
// whether its uses are counted.
func lifeOfToken(a *answer) (l life, scarce bool) {
	l.ttl, _ = seconds(a.data["ttl"])
	l.renewable, _ = a.data["renewable"].(bool)
	uses, _ := seconds(a.data["num_uses"])
	return l, uses > 0
}

// settleToken notes what a request about the token came to.
func (w *Watcher) settleToken(r tokenAnswer, now time.Time) {
	t := &w.token
	t.busy = false
	switch {
	case r.duty == tokenPeek:
		t.seen(r.other, now)
	case r.trying != nil:
		t.failed(now, patient(r.trying.retryAfter), w.random())
		w.trouble(r.trying, now)
	case r.duty == tokenLogin:
		w.loggedIn(r, now)
	case r.duty == tokenRenew && !r.answer.rejectsToken():
		w.settleTokenRenewal(r, now)
	case r.answer.status == http.StatusForbidden:
		if r.duty == tokenLookup && r.answer.deniesLookup() {
			w.revived(now) // or nobody can tell
			t.lives(now)
			return
		}
		w.notices.Say(noticeToken, now, "the token is not accepted any more", "as", w.c.who())
		t.died(now, w.random())
	case r.answer.status >= http.StatusBadRequest: // not Vault's own; nothing is known
		t.lives(now)
	default:
		w.well(now)
		l, scarce := lifeOfToken(r.answer)
		if t.granted == 0 {
			created, _ := seconds(r.answer.data["creation_ttl"])
			t.granted = max(l.ttl, created)
		}
		t.scarce = scarce
		w.revived(now)
		t.live(l, false, r.began, w.random())
	}
}

// revived notes that a token that was taken for dead is known after all: Vault
// was another for a moment, or the agent in between has a new one.
func (w *Watcher) revived(now time.Time) {
	if !w.token.dead {
		return
	}
	w.token.dead = false
	w.notices.Over(noticeLogin, now, "")
	w.notices.Over(noticeToken, now, "the token is accepted again", "as", w.c.who())
	w.retryAll(now)
}

// retryAll asks at once for what failed meanwhile.
func (w *Watcher) retryAll(now time.Time) {
	for _, e := range w.entries {
		if e.tries > 0 && !e.busy {
			e.due = now
		}
	}
}

// loggedIn notes what a login came to.
func (w *Watcher) loggedIn(r tokenAnswer, now time.Time) {
	t := &w.token
	switch {
	case r.login != nil:
		var refused *Error
		if errors.As(r.login, &refused) && refused.retryAfter > 0 {
			w.pause = later(w.pause, now.Add(patient(refused.retryAfter)))
		}
		if t.peek.found && !t.dead {
			t.useless(now, w.random())
		} else {
			t.failed(now, 0, w.random())
		}
		w.count(r.login)
		w.notices.Say(noticeLogin, now, "login failed, the command keeps what it has", "reason", r.login.Error())
		return
	case r.same && (t.dead || !t.ends.IsZero()):
		w.noOther(now)
		return
	}
	w.notices.Over(noticeLogin, now, "logged in again", "as", w.c.who())
	w.notices.Over(noticeToken, now, "", "")
	w.notices.Over(noticeRenewal, now, "")
	w.well(now)
	dead, ended := t.dead, t.ends
	if dead {
		ended = now
	}
	w.formerEnds[t.serial] = ended
	grant, _ := w.c.tokenGrant()
	t.begun(grant, r.began, w.random())
	w.counts.logins++
	if !w.c.method.makes() { // nobody has said what it is
		t.duty, t.due = tokenLookup, now
	}
	w.leaveOldToken(dead, ended, now)
	w.handOnToken(ended, now)
}

// noOther notes that a token that is dead or ends is the only one there is.
func (w *Watcher) noOther(now time.Time) {
	t := &w.token
	t.failed(now, 0, w.random())
	switch {
	case t.dead:
		t.duty = tokenLookup // it may only have been another Vault that did not know it
		w.notices.Say(noticeLogin, now, "the token is not accepted any more and there is no other: "+w.c.method.another, "as", w.c.who())
		return
	case t.renews:
		t.duty = tokenRenew // there is no other way, and it may still work
	case w.c.method.changed != nil && now.Before(t.ends.Add(-lastChance(t.granted))):
		t.duty = tokenLookup // whoever has put it there may have prolonged it
		return
	}
	w.notices.Say(noticeLogin, now, "the token cannot be renewed and there is no other: "+w.c.method.another, "ends", t.ends.UTC().Format(time.RFC3339))
}

// handOnToken tells of a new token where the command has it too. The old one
// lives on until its end, or until vaultexec's.
func (w *Watcher) handOnToken(ended, now time.Time) {
	if !w.login {
		return
	}
	w.generation++
	if !ended.IsZero() {
		w.former = append(w.former, held{ends: ended, until: w.generation})
	}
	w.publish(now)
}

// leaveOldToken replaces the leases that end with an older token, all together:
// at once where it is dead, else soon, and well before its end.
func (w *Watcher) leaveOldToken(dead bool, ended, now time.Time) {
	wait := overlap
	if !ended.IsZero() {
		wait = min(wait, max(0, ended.Sub(now)/4))
	}
	if dead {
		wait = 0
	}
	at := now.Add(time.Duration(w.random() * float64(wait)))
	for _, e := range w.entries {
		if e.life.lease != "" && e.serial != w.token.serial {
			e.urge(at)
		}
	}
	w.retryAll(now)
}

// overlap is how long the replacement of leases after a login may wait, so that
// replicas that began together do not all come at once.
const overlap = 10 * time.Second
