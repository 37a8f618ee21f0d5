package fetch

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// tokenDuty is what has to be done about the token.
type tokenDuty int

const (
	tokenRest   tokenDuty = iota // it lives for ever, or nothing can be done
	tokenLookup                  // ask what it is, or whether it still is
	tokenRenew                   // renew it
	tokenLogin                   // log in again, or look for another where it came from
)

// tokenLife is the token that the watcher works with and what is next for it.
// Like an entry it is changed by the watcher's loop only.
type tokenLife struct {
	serial  int           // counts tokens
	granted time.Duration // first ttl, that renewals are compared with; 0: for ever
	ends    time.Time     // zero: never
	known   time.Time     // when Vault last said that it is good
	dead    bool          // Vault does not know it (any more)
	scarce  bool          // it may be used a number of times only
	renews  bool          // Vault has said that it can be renewed
	next    time.Time     // when renewal or login were due, before a lookup came between

	duty  tokenDuty
	due   time.Time
	tries int
	busy  bool
	since time.Time // when it became the token
	brief int       // tokens in a row that were dead before half their life
}

// begun notes a new token.
func (t *tokenLife) begun(l life, now time.Time, random float64) {
	if t.dead && now.Sub(t.since) < max(t.granted/2, time.Minute) {
		t.brief++
	} else {
		t.brief = 0
	}
	t.serial++
	t.dead, t.since, t.known, t.tries = false, now, now, 0
	t.granted, t.scarce = l.ttl, false
	t.live(l, false, now, random)
}

// live notes how long the token has, from now on, and plans what is next. Of a
// renewal it tells whether more of them are of use.
func (t *tokenLife) live(l life, renewal bool, now time.Time, random float64) {
	t.tries, t.known, t.renews = 0, now, l.renewable
	if l.ttl == 0 {
		t.ends, t.duty = time.Time{}, tokenRest
		return
	}
	t.ends = now.Add(l.ttl)
	t.due = now.Add(prolong(l.ttl, random))
	switch {
	case !l.renewable:
		t.duty = tokenLogin
	case renewal && exhausted(t.granted, l.ttl):
		t.duty, t.due = tokenLogin, now.Add(shortly(l.ttl, random))
	default:
		t.duty = tokenRenew
	}
	t.next = t.due
}

// failed decides when to try again what is due.
func (t *tokenLife) failed(now time.Time, retryAfter time.Duration, random float64) {
	t.tries++
	wait := beforeEnd(calm(t.tries, random), t.ends, now)
	if t.duty == tokenRenew {
		wait = beforeEnd(wait, t.ends.Add(-lastChance(t.granted)), now)
	}
	t.due = now.Add(max(wait, retryAfter))
	if t.duty == tokenRenew && !t.due.Before(t.ends.Add(-lastChance(t.granted))) {
		t.duty = tokenLogin
	}
}

// unrenewable turns to a new login, in time before the end.
func (t *tokenLife) unrenewable(now time.Time, random float64) {
	t.duty, t.tries = tokenLogin, 0
	t.due = now.Add(shortly(t.ends.Sub(now), random))
}

// died notes that Vault does not know the token. The next login is at once,
// unless tokens keep dying young.
func (t *tokenLife) died(now time.Time, random float64) {
	if !t.dead { // else it is only still so, and the tries go on
		t.tries = 0
	}
	t.dead, t.duty, t.due = true, tokenLogin, now
	if t.brief > 0 {
		t.due = now.Add(calm(t.brief, random))
	}
}

// lives notes that Vault knows the token, and nothing more; what was due stays so.
func (t *tokenLife) lives(now time.Time) {
	t.known, t.tries = now, 0
	switch {
	case t.ends.IsZero():
		t.duty = tokenRest
	case t.renews:
		t.duty = tokenRenew
	default:
		t.duty = tokenLogin
	}
	t.due = later(now, t.next)
}

// suspect asks Vault whether the token is good, after a 403 to a request that
// began at a time: unless Vault has said so since.
func (t *tokenLife) suspect(began, now time.Time) {
	if t.busy || t.dead || t.duty == tokenLookup || t.known.After(began) {
		return
	}
	t.lookUp(now)
}

func (t *tokenLife) lookUp(now time.Time) {
	t.duty, t.due, t.tries = tokenLookup, now, 0
}

// tokenAnswer is what a request about the token came to.
type tokenAnswer struct {
	duty   tokenDuty
	answer *answer  // of lookup and renew; of a login its life
	trying *failure // transient trouble
	login  error    // why there is no token
	same   bool     // of a login: there is no other token than the one that is there
}

// aboutToken performs what is due for the token.
func (c *Client) aboutToken(ctx context.Context, duty tokenDuty) tokenAnswer {
	r := tokenAnswer{duty: duty}
	switch duty {
	case tokenLookup:
		r.trying = c.attempt(ctx, c.namespace, c.reading("auth/token/lookup-self", nil, &r.answer))
	case tokenRenew:
		r.trying = c.attempt(ctx, c.namespace, c.writing("auth/token/renew-self", []byte("{}"), &r.answer))
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
	case r.trying != nil:
		t.failed(now, patient(r.trying.retryAfter), w.random())
		w.trouble(r.trying, now)
	case r.duty == tokenLogin:
		w.loggedIn(r, now)
	case r.answer.status == http.StatusForbidden:
		if r.duty == tokenRenew && !r.answer.rejectsToken() {
			t.unrenewable(now, w.random()) // it may not renew itself; were it dead, the next request would tell
			return
		}
		if r.duty == tokenLookup && r.answer.deniesLookup() {
			w.revived(now) // or nobody can tell
			t.lives(now)
			return
		}
		w.notices.Say(noticeToken, now, "the token is not accepted any more", "as", w.c.who())
		t.died(now, w.random())
	case r.answer.status >= http.StatusBadRequest && r.duty == tokenLookup: // not Vault's own; nothing is known
		t.lives(now)
	case r.answer.status >= http.StatusBadRequest: // not renewable, a batch token
		t.unrenewable(now, w.random())
	case r.duty == tokenLookup:
		w.well(now)
		l, scarce := lifeOfToken(r.answer)
		if t.granted == 0 {
			created, _ := seconds(r.answer.data["creation_ttl"])
			t.granted = max(l.ttl, created)
		}
		t.scarce = scarce
		w.revived(now)
		t.live(l, false, now, w.random())
	default:
		w.well(now)
		t.live(life{ttl: r.answer.ttl, renewable: r.answer.renewing}, true, now, w.random())
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
		t.failed(now, 0, w.random())
		w.count(r.login)
		w.notices.Say(noticeLogin, now, "login failed, the command keeps what it has", "reason", r.login.Error())
		return
	case r.same && (t.dead || !t.ends.IsZero()):
		t.failed(now, 0, w.random())
		switch {
		case t.dead:
			t.duty = tokenLookup // it may only have been another Vault that did not know it
		case t.renews:
			t.duty = tokenRenew // there is no other way, and it may still work
		}
		if t.dead {
			w.notices.Say(noticeLogin, now, "the token is not accepted any more and there is no other: "+w.c.method.another, "as", w.c.who())
		} else {
			w.notices.Say(noticeLogin, now, "the token cannot be renewed and there is no other: "+w.c.method.another, "ends", t.ends.UTC().Format(time.RFC3339))
		}
		return
	}
	w.notices.Over(noticeLogin, now, "logged in again", "as", w.c.who())
	w.notices.Over(noticeToken, now, "", "")
	w.well(now)
	dead, ended := t.dead, t.ends
	if dead {
		ended = now
	}
	w.formerEnds[t.serial] = ended
	t.begun(w.c.tokenGrant(), now, w.random())
	w.counts.logins++
	if !w.c.method.makes() { // nobody has said what it is
		t.duty, t.due = tokenLookup, now
	}
	w.leaveOldToken(dead, ended, now)
	w.handOnToken(ended, now)
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
