package from

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"vaultexec/internal/notice"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// Watcher notices when files change, and hands on what they have then. The
// kernel tells of most changes; looking every now and then finds the others: on
// NFS, under a mount that was replaced, where watches have run out. It never
// gives up: what is deleted, empty or cannot be read stays what it was.
//
// One goroutine, Run's, owns all of its state. Each look at a place is a
// goroutine of its own, which ends with it, and Run waits for them: a file system
// that does not answer holds up only what is on it, and Run's end.
type Watcher struct {
	places  []*watched
	notices *notice.Notices
	random  func() float64

	kernel kernel // nil: Run asks fsnotify for it
	eventc <-chan fsnotify.Event
	errorc <-chan error

	updatec chan map[ref.Source]secret.Fields // the newest one, for one reader
	resultc chan result
	wg      sync.WaitGroup // the looks

	mu     sync.Mutex
	status Status
}

// kernel is what of fsnotify.Watcher is used.
type kernel interface {
	Add(dir string) error
	Remove(dir string) error
	Close() error
}

// watched is a place and what is known of it.
type watched struct {
	*place
	interval time.Duration // between looks that nothing asks for; 0: there are none
	due      time.Time     // of the next look; zero: when the kernel tells
	busy     bool          // somebody looks
	again    bool          // and something has changed meanwhile
	newer    *reading      // what the last look has found, if it differs; it counts when the next one finds the same
	tries    int           // looks in a row that found nothing to be used
	points   points
}

// result is what came of a look.
type result struct {
	of      *watched
	reading reading
	err     *Error
	points  points
	found   bool  // a directory that was not watched while it was read
	refused error // why the kernel will not tell
}

// Status is how the places are.
type Status struct {
	Fresh int // places that are as they should be
	Stale int // that cannot be read, or are not there any more
}

// lastPause is how long a place that cannot be read is left alone at most.
const lastPause = time.Minute

// Watch is Fetch for what is to be watched: it returns the first set and the
// Watcher, whose Run is the caller's to start.
func (f *Files) Watch(ctx context.Context) (*Watcher, map[ref.Source]secret.Fields, error) {
	secrets, err := f.Fetch(ctx)
	if err != nil {
		return nil, nil, err
	}
	w := &Watcher{
		notices: notice.To(f.log),
		random:  rand.Float64,
		updatec: make(chan map[ref.Source]secret.Fields, 1),
		resultc: make(chan result),
	}
	for _, p := range f.places {
		interval := time.Duration(0)
		for _, r := range p.refs {
			own := f.refresh
			if r.Refresh != nil {
				own = *r.Refresh
			}
			if own > 0 && (interval == 0 || own < interval) {
				interval = own
			}
		}
		// The first look is to watch first and then see what was missed.
		w.places = append(w.places, &watched{place: p, interval: interval, due: time.Now()})
	}
	w.report()
	return w, secrets, nil
}

// Updates has the newest set that differs from the one before. What did not
// change is the same map in both. One that nobody has taken is replaced.
func (w *Watcher) Updates() <-chan map[ref.Source]secret.Fields { return w.updatec }

// Status returns how the places are.
func (w *Watcher) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	defer w.wg.Wait()
	if w.kernel == nil {
		w.open()
	}
	defer w.kernel.Close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(w.dispatch(ctx, time.Now()))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case event := <-w.eventc:
			w.note(event.Name, time.Now())
		case <-w.errorc: // most likely there were too many to tell
			for _, p := range w.places {
				p.touch(time.Now())
			}
		case r := <-w.resultc:
			w.settle(r, time.Now())
			w.report()
		}
	}
}

// deaf stands in where the kernel cannot tell anything.
type deaf struct{ err error }

func (d deaf) Add(string) error  { return d.err }
func (deaf) Remove(string) error { return nil }
func (deaf) Close() error        { return nil }

func (w *Watcher) open() {
	k, err := fsnotify.NewWatcher()
	if err != nil {
		w.kernel = deaf{err}
		return
	}
	w.kernel, w.eventc, w.errorc = k, k.Events, k.Errors
}

// dispatch starts what is due and returns how long it is until something is.
func (w *Watcher) dispatch(ctx context.Context, now time.Time) time.Duration {
	next := time.Hour
	for _, p := range w.places {
		switch {
		case p.busy || p.due.IsZero():
		case p.due.After(now):
			next = min(next, p.due.Sub(now))
		default:
			p.busy, p.due = true, time.Time{}
			w.wg.Go(func() { w.look(ctx, p) })
		}
	}
	return next
}

// look asks to be told of changes, then reads. In a directory that is found by
// that, something may have changed before anybody asked.
func (w *Watcher) look(ctx context.Context, p *watched) {
	r := result{of: p, points: pointsOf(p.source.File)}
	for dir := range r.points {
		if err := w.kernel.Add(dir); err != nil && !isMissing(err) {
			r.refused = err
		}
	}
	r.reading, r.err = p.read()
	for _, dir := range r.reading.dirs {
		dir = canonical(dir)
		_, added := r.points[dir]
		r.points[dir] = nil
		if added {
			continue
		}
		_, before := p.points[dir]
		r.found = w.kernel.Add(dir) == nil && !before || r.found
	}
	select {
	case w.resultc <- r:
	case <-ctx.Done():
	}
}

// note finds whom an event is about. While a place is looked at it may be about a
// point that the look has found.
func (w *Watcher) note(path string, now time.Time) {
	for _, p := range w.places {
		if p.busy || p.points.about(path) {
			p.touch(now)
		}
	}
}

// touch makes a place be looked at soon. More changes do not delay that: what is
// half written is looked at once more.
func (p *watched) touch(now time.Time) {
	soon := now.Add(settleTime)
	switch {
	case p.busy:
		p.again = true
	case p.due.IsZero() || p.due.After(soon):
		p.due = soon
	}
}

// settle takes note of what a look has found.
func (w *Watcher) settle(r result, now time.Time) {
	p := r.of
	p.busy = false
	w.turnTo(p, r, now)
	problem := r.err
	switch {
	case problem != nil && p.fields == nil && !problem.lasts():
		problem = nil // optional, and not there as it has not been before
	case problem == nil:
		problem = r.reading.trouble
	}
	w.judge(p, problem, now)
	switch {
	case r.err != nil, r.reading.fields.Same(p.fields):
		p.newer = nil
	case p.newer == nil || !p.newer.same(r.reading):
		p.newer = &r.reading
		p.touch(now)
	default:
		p.newer = nil
		p.take(r.reading)
		w.publish()
	}
	if p.again {
		p.again = false
		p.touch(now)
	}
}

// judge says what is wrong with a place, or that nothing is any more, and when it
// is looked at again.
func (w *Watcher) judge(p *watched, problem *Error, now time.Time) {
	name := p.source.String()
	if problem != nil {
		w.notices.SayAfter(tornPatience, name, now, "a file of --from cannot be used, the command keeps its last values: "+problem.text, "class", problem.class)
		p.due = now.Add(min(lastPause, settleTime<<p.tries))
		p.tries = min(p.tries+1, 10)
		return
	}
	w.notices.Over(name, now, "a file of --from can be used again", "file", name)
	p.tries, p.due = 0, time.Time{}
	if p.interval > 0 {
		p.due = now.Add(p.interval - time.Duration(w.random()*float64(p.interval)/5))
	}
}

// turnTo takes over where changes of a place show now.
func (w *Watcher) turnTo(p *watched, r result, now time.Time) {
	before := p.points
	p.points, p.again = r.points, p.again || r.found
	for dir := range before {
		if !slices.ContainsFunc(w.places, func(q *watched) bool { _, used := q.points[dir]; return used }) {
			_ = w.kernel.Remove(dir) // it may be gone itself
		}
	}
	if r.refused != nil {
		w.notices.Say("kernel", now, "changes of files are not told by the kernel, so they are found every --refresh: "+r.refused.Error())
	}
}

// publish hands on the newest set. One that nobody has taken is replaced.
func (w *Watcher) publish() {
	secrets := map[ref.Source]secret.Fields{}
	for _, p := range w.places {
		if p.fields != nil {
			secrets[p.source] = p.fields
		}
	}
	select {
	case <-w.updatec:
	default:
	}
	w.updatec <- secrets // nobody else sends
}

// report makes the status anew.
func (w *Watcher) report() {
	var s Status
	for _, p := range w.places {
		switch {
		case p.tries > 0:
			s.Stale++
		case p.fields != nil:
			s.Fresh++
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = s
}
