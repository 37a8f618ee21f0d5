package fetch

import "time"

// tokenDuty is what has to be done about the token.
type tokenDuty int

const (
	tokenRest   tokenDuty = iota // it lives for ever, or nothing can be done
	tokenLookup                  // ask what it is, or whether it still is
	tokenRenew                   // renew it
	tokenLogin                   // log in again, or look for another where it came from
	tokenPeek                    // see whether there is another; beside the rest, see peek
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
	renewed bool          // it was, so that its policies allow it
	next    time.Time     // when renewal or login were due, before a lookup came between

	duty  tokenDuty
	due   time.Time
	tries int
	busy  bool
	since time.Time // when it became the token
	peek  peek
	brief int // tokens in a row that were dead before half their life
}

// peekEvery is how often the place is looked at where another token may be.
const peekEvery = 10 * time.Second

// peek is the look there, beside what is due for the token itself.
type peek struct {
	due   time.Time // zero: never
	found bool      // the login that is due is one with another token, and this one may well live
	fails int       // such logins in a row that failed
}

// seen notes what a look came to.
func (t *tokenLife) seen(another bool, now time.Time) {
	t.peek.due = now.Add(peekEvery)
	if another {
		t.peek.found, t.duty, t.due = true, tokenLogin, now
	}
}

// useless notes that the other token that was found is of no use, for now.
func (t *tokenLife) useless(now time.Time, random float64) {
	t.peek.found = false
	t.peek.fails++
	t.peek.due = now.Add(max(peekEvery, calm(t.peek.fails, random)))
	t.resume(now)
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
	t.peek.found, t.peek.fails = false, 0
	t.granted, t.scarce, t.renewed = l.ttl, false, false
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
	t.resume(now)
}

// resume goes on with what was due for a token that lives.
func (t *tokenLife) resume(now time.Time) {
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
