package fetch

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"vaultexec/internal/notice"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

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
	trees   map[ref.Source]*tree // of PATH/*
	token   tokenLife
	login   bool          // the token itself is among the secrets
	refresh time.Duration // of what says nothing of it
	growth  growth
	notices *notice.Notices
	limiter *rate.Limiter
	pause   time.Time // until then Vault wants to be left alone
	random  func() float64

	generation int
	former     []held
	formerEnds map[int]time.Time // of tokens before the one that is used: serial -> when it ends; zero: never
	updatec    chan Update       // the newest one, for one reader
	appliedc   chan int
	unusablec  chan []ref.Source // the newest ones, from one writer
	donec      chan struct{}     // closed when Run has ended
	resultc    chan result
	wg         sync.WaitGroup // the requests

	counts counts
	mu     sync.Mutex
	status Status
}

// Watch is Fetch for secrets that are to be kept alive: it returns the first
// set and the Watcher, whose Run is the caller's to start. Refresh is how often
// a secret is read that neither says itself how long it lives nor has a
// reference that does; 0: not at all.
func (c *Client) Watch(ctx context.Context, refs []ref.Ref, refresh time.Duration) (*Watcher, map[ref.Source]secret.Fields, error) {
	b := newBatch(ctx, c)
	defer b.cancel(nil)
	secrets := make(map[ref.Source]secret.Fields)
	if err := b.gather(refs, secrets); err != nil {
		return nil, nil, err
	}
	w := &Watcher{
		c:          c,
		login:      b.login,
		refresh:    refresh,
		sources:    make(map[ref.Source]*entry),
		trees:      make(map[ref.Source]*tree),
		notices:    notice.To(c.log),
		formerEnds: make(map[int]time.Time),
		limiter:    rate.NewLimiter(requestsPerSecond, requestBurst),
		random:     rand.Float64,
		updatec:    make(chan Update, 1),
		appliedc:   make(chan int, 1),
		unusablec:  make(chan []ref.Source, 1),
		donec:      make(chan struct{}),
		resultc:    make(chan result),
		counts:     counts{errors: make(map[Class]int), lastSuccess: time.Now()},
	}
	now := time.Now()
	grant, granted := c.tokenGrant()
	if !c.method.makes() {
		granted = now
	}
	w.token.begun(grant, granted, w.random())
	if !c.method.makes() {
		w.token.duty, w.token.due = tokenLookup, now // nobody has said what it is
	}
	if c.method.changed != nil {
		w.token.peek.due = now.Add(peekEvery)
	}
	w.adopt(b, now)
	w.report(now)
	return w, secrets, nil
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

// Unusable tells which secrets the command keeps older values of, because what
// they have become is of no use to it. It replaces what was told before; one
// goroutine may call it.
func (w *Watcher) Unusable(sources []ref.Source) {
	select {
	case <-w.unusablec:
	default:
	}
	w.unusablec <- sources // nobody else sends
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
		case sources := <-w.unusablec:
			w.mark(sources)
		}
		w.report(time.Now())
	}
}
