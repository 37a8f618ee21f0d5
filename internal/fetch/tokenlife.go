package fetch

import (
	"context"
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
	t.granted = l.ttl
	t.live(l, now, random)
}

// live notes how long the token has, from now on, and plans what is next.
func (t *tokenLife) live(l life, now time.Time, random float64) {
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
	case exhausted(t.granted, l.ttl):
		t.duty, t.due = tokenLogin, now.Add(shortly(l.ttl, random))
	default:
		t.duty = tokenRenew
	}
}

// failed decides when to try again what is due.
func (t *tokenLife) failed(now time.Time, retryAfter time.Duration, random float64) {
	t.tries++
	t.due = now.Add(max(beforeEnd(calm(t.tries, random), t.ends, now), retryAfter))
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
	t.dead, t.duty, t.tries, t.due = true, tokenLogin, 0, now
	if t.brief > 0 {
		t.due = now.Add(calm(t.brief, random))
	}
}

// suspect asks Vault whether the token is good, after a 403 to a request that
// began at a time: unless Vault has said so since.
func (t *tokenLife) suspect(began, now time.Time) {
	if t.busy || t.dead || t.duty == tokenLookup || t.known.After(began) {
		return
	}
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
		ctx, cancel := context.WithTimeout(ctx, 3*c.requestTimeout)
		defer cancel()
		r.login = c.Login(ctx)
		r.same = r.login == nil && c.auth != AuthKubernetes && c.api.Token() == before
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
			t.suspect(time.Time{}, now) // it may not renew itself, or it is dead
			if t.duty != tokenLookup {
				t.unrenewable(now, w.random())
			}
			return
		}
		if r.duty == tokenLookup && r.answer.deniesLookup() {
			t.live(life{ttl: max(0, t.ends.Sub(now))}, now, w.random()) // nothing is known, so nothing changes
			return
		}
		w.notices.say(noticeToken, now, "the token is not accepted any more", "as", w.c.who())
		t.died(now, w.random())
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
		t.live(l, now, w.random())
	default:
		w.well(now)
		t.live(life{ttl: r.answer.ttl, renewable: r.answer.renewing}, now, w.random())
	}
}

// loggedIn notes what a login came to.
func (w *Watcher) loggedIn(r tokenAnswer, now time.Time) {
	t := &w.token
	switch {
	case r.login != nil:
		t.failed(now, 0, w.random())
		w.count(r.login)
		w.notices.say(noticeLogin, now, "login failed, the command keeps what it has", "reason", r.login.Error())
		return
	case r.same && (t.dead || !t.ends.IsZero()):
		t.failed(now, 0, w.random())
		if t.renews && !t.dead {
			t.duty = tokenRenew // there is no other way, and it may still work
		}
		if t.dead {
			w.notices.say(noticeLogin, now, "the token is not accepted any more and there is no other: log in again (vault login)", "as", w.c.who())
		} else {
			w.notices.say(noticeLogin, now, "the token cannot be renewed and there is no other: log in again (vault login)", "ends", t.ends.UTC().Format(time.RFC3339))
		}
		return
	}
	w.notices.over(noticeLogin, now, "logged in again", "as", w.c.who())
	w.notices.over(noticeToken, now, "", "")
	w.well(now)
	dead, ended := t.dead, t.ends
	w.formerEnds[t.serial] = ended
	t.begun(w.c.tokenGrant(), now, w.random())
	w.counts.logins++
	if w.c.auth != AuthKubernetes { // nobody has said what it is
		t.duty, t.due = tokenLookup, now
	}
	w.leaveOldToken(dead, ended, now)
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
		switch {
		case e.life.lease != "" && e.serial != w.token.serial:
			e.urge(at)
		case e.tries > 0 && !e.busy:
			e.due = now
		}
	}
}

// overlap is how long the replacement of leases after a login may wait, so that
// replicas that began together do not all come at once.
const overlap = 10 * time.Second
