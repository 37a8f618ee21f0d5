package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// Update is a complete set of secrets, newer than the one before.
type Update struct {
	Generation int
	Secrets    map[ref.Source]secret.Fields // as Fetch returns them
	Expires    time.Time                    // when something that an older generation has ends; zero: never
}

// Watcher keeps secrets alive: it renews token and leases, reads anew what
// changes or ends, and hands on complete sets. It never gives up; while there
// is trouble the last set stays what it was.
//
// One goroutine, Run's, owns all of its state. Each request is made by a
// goroutine of its own, which ends with its answer, and Run waits for them.
type Watcher struct {
	c       *Client
	entries []*entry
	sources map[ref.Source]*entry
	token   tokenLife
	login   bool // the token itself is among the secrets
	notices notices
	limiter *rate.Limiter
	pause   time.Time // until then Vault wants to be left alone
	random  func() float64

	generation int
	former     []held
	formerEnds map[int]time.Time // of tokens before the one that is used: serial -> when it ends; zero: never
	updatec    chan Update       // the newest one, for one reader
	appliedc   chan int
	donec      chan struct{} // closed when Run has ended
	resultc    chan result
	wg         sync.WaitGroup // the requests

	counts counts
	mu     sync.Mutex
	status Status
}

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
	token  *tokenAnswer // in place of the others
}

// Watch is Fetch for secrets that are to be kept alive: it returns the first
// set and the Watcher, whose Run is the caller's to start. Refresh is how often
// a secret is read that neither says itself how long it lives nor has a
// reference that does; 0: not at all.
func (c *Client) Watch(ctx context.Context, refs []ref.Ref, refresh time.Duration) (*Watcher, map[ref.Source]secret.Fields, error) {
	b := newBatch(ctx, c, refs)
	secrets, err := b.fetch(refs)
	if err != nil {
		return nil, nil, err
	}
	w := &Watcher{
		c:          c,
		login:      b.login,
		sources:    make(map[ref.Source]*entry),
		notices:    notices{log: c.log, open: make(map[string]*notice)},
		formerEnds: make(map[int]time.Time),
		limiter:    rate.NewLimiter(requestsPerSecond, requestBurst),
		random:     rand.Float64,
		updatec:    make(chan Update, 1),
		appliedc:   make(chan int, 1),
		donec:      make(chan struct{}),
		resultc:    make(chan result),
		counts:     counts{errors: make(map[Class]int), lastSuccess: time.Now()},
	}
	now := time.Now()
	w.token.begun(c.tokenGrant(), now, w.random())
	if !c.method.makes() {
		w.token.duty, w.token.due = tokenLookup, now // nobody has said what it is
	}
	w.adopt(b, refs, refresh, now)
	w.report(now)
	return w, secrets, nil
}

// adopt makes entries of what a batch has read.
func (w *Watcher) adopt(b *batch, refs []ref.Ref, refresh time.Duration, now time.Time) {
	users := make(map[*read][]ref.Ref)
	byTarget := make(map[ref.Source]*read)
	for _, t := range b.targets {
		if t.read != nil {
			byTarget[t.Source] = t.read
		}
	}
	for _, r := range refs {
		if rd := byTarget[r.Source]; rd != nil {
			users[rd] = append(users[rd], r)
		}
	}
	entryOf := make(map[*read]*entry)
	for _, rd := range b.reads {
		e := &entry{
			at: rd.at, mount: rd.mount, reference: users[rd][0].Source.String(),
			refresh: refreshOf(users[rd], refresh),
		}
		if rd.fields != nil {
			e.take(rd.answer, rd.fields, w.token.serial, now, w.random())
		} else {
			e.plan(now, w.random())
		}
		entryOf[rd] = e
		w.entries = append(w.entries, e)
	}
	for s, rd := range byTarget {
		w.sources[s] = entryOf[rd]
	}
	slices.SortFunc(w.entries, func(a, b *entry) int { return a.due.Compare(b.due) })
}

// Updates has the newest set that differs from the one before. One that nobody
// has taken is replaced by a newer one.
func (w *Watcher) Updates() <-chan Update { return w.updatec }

// Applied tells that the command has moved to a generation: what only older
// ones need is revoked.
func (w *Watcher) Applied(generation int) {
	for {
		select {
		case w.appliedc <- generation:
			return
		case <-w.donec:
			return
		default:
		}
		select { // a newer one says it all
		case older := <-w.appliedc:
			generation = max(generation, older)
		default:
		}
	}
}

// Run keeps the secrets alive until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	defer close(w.donec)
	defer w.wg.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(w.dispatch(ctx, time.Now()))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case r := <-w.resultc:
			w.settle(r, time.Now())
		case generation := <-w.appliedc:
			w.release(ctx, generation)
		}
		w.report(time.Now())
	}
}

// dispatch starts the requests that are due and returns how long until the next.
func (w *Watcher) dispatch(ctx context.Context, now time.Time) time.Duration {
	next := time.Hour // a wake-up that finds nothing to do costs nothing
	soon := func(at time.Time) { next = min(next, max(0, at.Sub(now))) }
	if now.Before(w.pause) {
		return w.pause.Sub(now)
	}
	if t := &w.token; t.duty != tokenRest && !t.busy {
		switch {
		case now.Before(t.due):
			soon(t.due)
		case !w.limiter.AllowN(now, 1):
			return time.Second / requestsPerSecond
		default:
			t.busy = true
			duty := t.duty
			w.ask(ctx, func() result {
				answered := w.c.aboutToken(ctx, duty)
				return result{token: &answered}
			})
		}
	}
	if w.token.dead {
		return next // the others wait for a token
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

// settle notes what a request came to.
func (w *Watcher) settle(r result, now time.Time) {
	if r.token != nil {
		w.settleToken(*r.token, now)
		return
	}
	e := r.entry
	e.busy = false
	switch {
	case r.failed != nil:
		e.failed(now, patient(r.failed.retryAfter), w.random())
		w.trouble(r.failed, now)
	case r.answer.status == http.StatusForbidden:
		w.settleDenied(r, now)
	case r.duty == renew && r.answer.status >= http.StatusBadRequest:
		w.well(now)
		if deadLease(r.answer) {
			w.notices.say("lease "+e.reference, now, "the lease is gone before its time, new credentials are fetched", "secret", e.reference)
			e.early++
			e.ends = now // whoever has the credentials cannot wait for a window
			e.urge(now.Add(e.pause() - time.Second))
			return
		}
		e.unrenewable(now, e.ends, w.random())
	case r.duty == renew:
		w.well(now)
		e.renewed(r.answer, now, w.random())
		w.urgeOld(e, now)
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
		e.unrenewable(now, e.ends, w.random())
		return
	}
	finding := Finding{Reference: e.reference, Kind: Denied, Path: e.at.path, Mount: e.mount.String(), Status: r.answer.status, Policy: readPolicy(e.at.path)}
	w.notices.say(e.reference, now, "a secret cannot be read, the command keeps the last one", "reason", finding.String())
}

// settleRead takes a secret that was read, or notes why there is none.
func (w *Watcher) settleRead(r result, now time.Time) {
	e := r.entry
	rd := read{at: e.at, mount: e.mount, answer: r.answer}
	fields, problem := rd.interpret()
	if problem != nil {
		problem.Reference = e.reference
		absent := e.fields == nil && problem.Kind.absent()
		if absent { // as it was, and nobody insists on it
			e.plan(now, w.random())
			return
		}
		w.counts.errors[problem.Kind.class()]++
		e.failed(now, 0, w.random())
		w.notices.say(e.reference, now, "a secret cannot be read, the command keeps the last one", "reason", problem.String())
		return
	}
	w.notices.over(e.reference, now, "a secret can be read again", "secret", e.reference)
	w.notices.over("lease "+e.reference, now, "")
	ended := w.endOf(e)
	s := e.take(r.answer, fields, r.serial, now, w.random())
	s.former.ends = ended
	w.urgeOld(e, now)
	if !s.changed {
		return
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

// publish hands on the newest set.
func (w *Watcher) publish(now time.Time) {
	// What is over needs neither haste nor anybody to give it back.
	w.former = slices.DeleteFunc(w.former, func(h held) bool { return !h.ends.IsZero() && h.ends.Before(now) })
	u := Update{Generation: w.generation, Secrets: make(map[ref.Source]secret.Fields, len(w.sources))}
	for s, e := range w.sources {
		if e.fields != nil {
			u.Secrets[s] = e.fields
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
	select {
	case <-w.updatec:
	default:
	}
	w.updatec <- u // nobody else sends
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

// trouble notes that Vault could not be asked.
func (w *Watcher) trouble(f *failure, now time.Time) {
	w.counts.errors[f.class]++
	if f.retryAfter > 0 {
		w.pause = later(w.pause, now.Add(patient(f.retryAfter)))
	}
	w.notices.sayAfter(firstRepeat, noticeVault, now, "vault cannot be asked, the command keeps what it has",
		"address", w.c.address, "reason", f.reason, "class", f.class, "status", f.status)
}

// well notes that Vault has answered.
func (w *Watcher) well(now time.Time) {
	w.counts.lastSuccess = now
	w.notices.over(noticeVault, now, "vault answers again", "address", w.c.address)
}

// count counts an error that is not a failure of one request.
func (w *Watcher) count(err error) {
	if classed := (interface{ Class() string })(nil); errors.As(err, &classed) {
		w.counts.errors[Class(classed.Class())]++
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// counts are what has happened so far; they belong to the loop.
type counts struct {
	errors      map[Class]int
	logins      int // after the first
	lastSuccess time.Time
}

// Status is how the secrets are.
type Status struct {
	Fresh       int       // secrets that are as they should be
	Stale       int       // that could not be read when they were due
	Past        int       // whose life is over and that nothing has replaced
	NextExpiry  time.Time // of a secret; zero: none expires
	TokenEnds   time.Time // zero: never
	TokenDead   bool
	Errors      map[Class]int
	Logins      int // after the first
	LastSuccess time.Time
}

// Status returns how the secrets are.
func (w *Watcher) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// report makes the status anew, and says when a secret is past its life.
func (w *Watcher) report(now time.Time) {
	s := Status{TokenEnds: w.token.ends, TokenDead: w.token.dead, Errors: maps.Clone(w.counts.errors), Logins: w.counts.logins, LastSuccess: w.counts.lastSuccess}
	for _, e := range w.entries {
		ends := w.endOf(e)
		switch {
		case !ends.IsZero() && now.After(ends):
			s.Past++
			w.notices.say("past "+e.reference, now, "a secret is past its life and could not be replaced", "secret", e.reference, "ended", ends.UTC().Format(time.RFC3339))
		case e.tries > 0:
			s.Stale++
			fallthrough
		default:
			if e.tries == 0 {
				s.Fresh++
			}
			w.notices.over("past "+e.reference, now, "a secret was replaced after its life", "secret", e.reference)
		}
		s.NextExpiry = first(s.NextExpiry, ends)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = s
}
