package fetch

import (
	"time"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// duty is what has to be done about a secret.
type duty int

const (
	rest    duty = iota // nothing: it cannot change
	poll                // read it again, to see whether it changed
	renew               // renew its lease
	replace             // read it anew, because what there is comes to its end
)

// entry is one secret, or a folder of secrets, that is kept alive: what was read last, and what is to be
// done next. It is changed by the watcher's loop only, and its methods neither
// wait nor ask for the time.
type entry struct {
	at        location
	mount     *mount
	reference string // as messages name it
	refresh   time.Duration

	fields  secret.Fields // nil: there is no such secret
	whole   secret.Fields // the answer that they are of
	names   []string      // of a folder; nil: it was never listed
	version string        // of KV v2: number and time
	life    life
	serial  int       // of the token that the lease was made with
	ends    time.Time // of life; zero: never
	read    time.Time // when fields were read

	unusable bool      // the command does not take fields and keeps older ones
	former   time.Time // when what the command took before fields ends; zero: never

	duty  duty
	due   time.Time
	tries int // without success, in a row

	overdue int  // reads of a static role whose time was over, in a row
	early   int  // replacements before half of a life had passed, in a row
	busy    bool // a request is under way
	denied  bool // the policies do not open it, and the token is good

	named   bool      // a reference names it, and not only what it lies below
	places  []place   // in the trees of PATH/*
	asked   time.Time // when the request began that has told the newest of it; zero: none has
	gone    bool      // Vault said last that there is no such secret
	dropped bool      // nobody wants it any more
}

// succession is what an answer came to.
type succession struct {
	changed bool
	former  held // what it replaces, if that had a lease
}

// held is a lease that was replaced and that the child may still live on.
type held struct {
	namespace string
	lease     string
	ends      time.Time // zero: the secret had no end
	until     int       // the generation with which the child no longer needs it
}

// take makes the fields of an answer those of the entry.
func (e *entry) take(a *answer, fields secret.Fields, serial int, now time.Time, random float64) succession {
	var s succession
	version := versionOf(e.mount, a)
	switch {
	case e.fields == nil:
		s.changed = true
	case version != "":
		s.changed = version != e.version
	default:
		s.changed = differ(e.fields, fields, e.life.rotating)
	}
	if s.changed {
		s.former = held{namespace: e.at.namespace, lease: e.life.lease, ends: e.ends}
		e.fields, e.whole = fields, a.whole() // else the old ones stay, and with them the ttl that they were read with
	}
	lived := now.Sub(e.read)
	if e.duty == replace && e.life.ttl > 0 && lived < e.life.ttl/2 {
		e.early++
	} else {
		e.early = 0
	}
	e.version, e.life, e.serial, e.read = version, lifeOf(e.mount, a, now), serial, now
	e.ends = time.Time{}
	if e.life.ttl > 0 && !e.life.rotating {
		e.ends = now.Add(e.life.ttl)
	}
	e.denied = false
	e.plan(now, random)
	return s
}

// plan decides what is next after a success.
func (e *entry) plan(now time.Time, random float64) {
	e.tries = 0
	if e.life.ttl > 0 {
		e.overdue = 0
	}
	var wait time.Duration
	switch l := e.life; {
	case l.lease != "" && l.renewable && l.ttl > 0:
		e.duty, wait = renew, prolong(l.ttl, random)
	case l.ttl > 0 && !l.rotating:
		e.duty, wait = replace, max(prolong(l.ttl, random), e.pause())
	case l.lease != "", e.at.version != 0, e.at.body != "":
		e.duty = rest // a lease without an end, a version, something made for us alone
	case l.rotating && l.ttl == 0: // its rotation is overdue
		e.overdue++
		e.duty, wait = poll, calm(e.overdue, random)
	case l.rotating && (e.refresh == 0 || l.ttl+afterRotation < earlier(e.refresh, random)):
		e.duty, wait = poll, l.ttl+afterRotation
	case e.refresh > 0: // rotations by hand too
		e.duty, wait = poll, earlier(e.refresh, random)
	default:
		e.duty = rest
	}
	e.due = now.Add(wait)
}

// afterRotation is how long after Vault's own rotation of a static role it is
// read again: the ttl is in whole seconds, and Vault takes a moment.
const afterRotation = time.Second

// earlier shortens an interval by up to a fifth. Jitter must not lengthen it:
// the interval is a promise.
func earlier(d time.Duration, random float64) time.Duration {
	return d - time.Duration(random*float64(d)/5)
}

// pause keeps replacements that do not last from becoming a storm.
func (e *entry) pause() time.Duration {
	if e.early == 0 {
		return 0
	}
	return min(maxPause, time.Second<<min(e.early-1, 10))
}

const maxPause = 5 * time.Minute

// renewed notes that Vault prolonged the lease.
func (e *entry) renewed(a *answer, now time.Time, random float64) {
	e.denied = false
	if exhausted(e.life.ttl, a.ttl) || !a.renewing {
		e.unrenewable(now, now.Add(a.ttl), random)
		return
	}
	e.ends = now.Add(a.ttl)
	e.plan(now, random)
	e.due = now.Add(prolong(a.ttl, random))
}

// unrenewable turns to the replacement of a lease that ends. There is nothing to
// wait for: what is left is the time to move in.
func (e *entry) unrenewable(now, ends time.Time, random float64) {
	e.duty, e.tries, e.ends = replace, 0, ends
	e.due = now.Add(max(shortly(ends.Sub(now), random), e.pause()))
}

// urge makes the entry read anew at a time, unless that was due earlier.
func (e *entry) urge(at time.Time) {
	if e.duty != replace || at.Before(e.due) {
		e.duty, e.due = replace, at
	}
}

// failed decides when to try again. No failure is final: policies, roles and
// certificates come back.
func (e *entry) failed(now time.Time, retryAfter time.Duration, random float64) {
	e.tries++
	wait := calm(e.tries, random)
	if e.duty == poll && e.refresh > 0 {
		wait = min(wait, max(e.refresh, time.Second))
	}
	wait = beforeEnd(wait, e.ends, now)
	if e.duty == renew { // the more often, the nearer the last chance is
		wait = beforeEnd(wait, e.ends.Add(-lastChance(e.life.ttl)), now)
	}
	e.due = now.Add(max(wait, retryAfter))
	if e.duty != renew {
		return
	}
	// Near the end another is read instead of a renewal; not sooner, because
	// that would change the credentials although nothing is wrong with them.
	if chance := e.ends.Add(-lastChance(e.life.ttl)); !e.due.Before(chance) {
		e.duty = replace
		e.due = now.Add(max(0, chance.Sub(now), retryAfter))
	}
}

// patient is for how long a Retry-After is heeded: leases and the token live on
// meanwhile, and a server or a proxy may ask for years.
func patient(retryAfter time.Duration) time.Duration { return min(retryAfter, maxPause) }

// beforeEnd shortens a pause that would use up most of what is left.
func beforeEnd(wait time.Duration, ends, now time.Time) time.Duration {
	if left := ends.Sub(now); !ends.IsZero() && left > 0 {
		return min(wait, max(time.Second, left/2))
	}
	return wait
}

// calm is the pause between tries while the child runs: it doubles from a
// second to a minute, and a random half of it is left out.
func calm(tries int, random float64) time.Duration {
	ceiling := min(time.Minute, time.Second<<min(tries-1, 10))
	return ceiling - time.Duration(random*float64(ceiling)/2)
}

// versionOf is what tells a version of KV v2 from every other one: its number,
// and its time because a secret that was removed wholly starts from 1 again.
func versionOf(m *mount, a *answer) string {
	meta, ok := a.data["metadata"].(map[string]any)
	if !ok || m.kv != 2 {
		return ""
	}
	return secret.Of(meta["version"]).Text() + " " + secret.Of(meta["created_time"]).Text()
}

// differ compares what was read with what there was. The ttl of a static role
// counts down and is no change.
func differ(before, after secret.Fields, rotating bool) bool {
	if len(before) != len(after) {
		return true
	}
	for name, v := range after {
		was, ok := before[name]
		if !ok || was.IsNull() != v.IsNull() {
			return true
		}
		if was.Text() != v.Text() && (!rotating || name != "ttl") {
			return true
		}
	}
	return false
}

// refreshOf is how often a secret is read that several references share: as
// often as the most demanding of them wants.
func refreshOf(refs []ref.Ref, fallback time.Duration) time.Duration {
	var shortest time.Duration
	for _, r := range refs {
		d := fallback
		if r.Refresh != nil {
			d = *r.Refresh
		}
		if d > 0 && (shortest == 0 || d < shortest) {
			shortest = d
		}
	}
	return shortest
}
