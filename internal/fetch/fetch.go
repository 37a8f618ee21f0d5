package fetch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// Fetch reads what the references name: each secret once, however many
// references and spellings share it, up to Concurrency requests at a time.
//
// The snapshot has the fields of every source that is there; sources that
// share a secret share the map, which is not to be changed. A source that is
// missing and that nobody insists on (optional, default) is not in it. A field
// that is null in Vault is in its map as a null Value.
//
// The error is a *MissingError with all that is missing, an *Error where Vault
// could not be asked, or context.Canceled. One that is missing for good ends the
// patience with the others.
func (c *Client) Fetch(ctx context.Context, refs []ref.Ref) (map[ref.Source]secret.Fields, error) {
	b := newBatch(ctx, c)
	defer b.cancel(nil)
	snapshot := make(map[ref.Source]secret.Fields)
	if err := b.gather(refs, snapshot); err != nil {
		return nil, err
	}
	return snapshot, nil
}

// maxRounds is how often what is read may make more wanted: names in a secret
// that lead to secrets with names are two.
const maxRounds = 10

// gather reads into the snapshot what the references name, and what that makes
// wanted.
func (b *batch) gather(refs []ref.Ref, snapshot map[ref.Source]secret.Fields) error {
	for range maxRounds {
		for _, group := range groupBy(b.add(refs), firstSegments(1)) {
			b.wg.Go(func() { b.resolve(group) })
		}
		b.wg.Wait()
		fetched, err := b.conclude(b.refs)
		if err != nil {
			return err
		}
		maps.Copy(snapshot, fetched)
		if refs = b.c.wanted(snapshot); len(refs) == 0 {
			return nil
		}
	}
	return configError(fmt.Sprintf("a template asks for more secrets after each of %d rounds, %s for one: it has to come to an end", maxRounds, refs[0]))
}

// wanted is what the secrets make wanted beside themselves.
func (c *Client) wanted(secrets map[ref.Source]secret.Fields) []ref.Ref {
	if c.wants == nil {
		return nil
	}
	return slices.DeleteFunc(c.wants(secrets), func(r ref.Ref) bool { _, there := secrets[r.Source]; return there })
}

// batch is one Fetch. Its targets and reads are written by the goroutine that
// works on them, and read after wg.Wait.
type batch struct {
	c       *Client
	ctx     context.Context // ends with the first error that is not a finding
	cancel  context.CancelCauseFunc
	wg      sync.WaitGroup
	refs    []ref.Ref // all that were asked for
	targets []*target
	insists map[ref.Source]bool // some reference excuses nothing
	login   bool                // the token itself is asked for

	mu       sync.Mutex
	reads    map[location]*read
	below    int         // how many of them PATH/* has brought
	err      error       // what ended the batch
	hopeless *time.Timer // ends the patience with what is still asked for; nil: all may be well
}

// errHopeless is the cause of the end of a batch that cannot succeed any more.
var errHopeless = errors.New("another reference cannot be resolved")

// hopelessPatience is what the others get once one reference is refused for
// good: enough to report most of what is wrong together, not more.
const hopelessPatience = 2 * time.Second

// target is one distinct source and what became of it. Of read, refusal and
// wrong exactly one is set in the end.
type target struct {
	ref.Source
	namespace string // the one that applies
	mount     *mount
	read      *read
	refusal   *answer // of the question for the mount
	wrong     string  // why the source cannot be asked for
}

// typed is the target's path as the user wrote it. That of PATH/* is beside the
// secrets in PATH.
func (t *target) typed() string {
	if t.Below {
		return t.Path + "/*"
	}
	return t.Path
}

// read is one GET of a secret, one LIST of a folder, or one write that answers
// with a secret.
type read struct {
	at     location
	mount  *mount
	answer *answer
	asked  time.Time // when the try began that was answered: it lives since then, or a moment later

	known   *entry // of a watcher, which has it; nil: it is read
	fields  secret.Fields
	whole   secret.Fields // the answer itself, for ref.WholeAnswer
	problem *Finding      // why there are no fields
	others  []*Finding    // of a folder that a reference names: what else is wrong below it
	insists bool          // of a reference that excuses nothing
}

func newBatch(ctx context.Context, c *Client) *batch {
	b := &batch{c: c, reads: make(map[location]*read), insists: make(map[ref.Source]bool)}
	b.ctx, b.cancel = context.WithCancelCause(ctx)
	return b
}

// add makes targets of the references, and returns those that are new.
func (b *batch) add(refs []ref.Ref) []*target {
	seen := make(map[ref.Source]bool)
	for _, t := range b.targets {
		seen[t.Source] = true
	}
	old := len(b.targets)
	b.refs = append(b.refs, refs...)
	for _, r := range refs {
		b.insists[r.Source] = b.insists[r.Source] || !r.Optional && r.Default == nil
		if seen[r.Source] {
			continue
		}
		seen[r.Source] = true
		if r.Login {
			b.login = true
			continue
		}
		namespace := b.c.namespace
		if r.Namespace != "" {
			namespace = r.Namespace
		}
		b.targets = append(b.targets, &target{Source: r.Source, namespace: namespace})
	}
	return b.targets[old:]
}

// resolve finds the mount of each target of a group and starts its read. It
// asks for the first target only; what the answer does not settle is split
// into smaller groups that are asked for side by side.
func (b *batch) resolve(group []*target) {
	first := group[0]
	m := b.c.mounts.find(first.namespace, first.Path)
	if m == nil {
		var refusal *answer
		var err error
		m, refusal, err = b.c.askMount(b.ctx, first.namespace, first.Path)
		if err != nil {
			b.fail("asking for the mount of "+first.Path, err)
			return
		}
		if m == nil {
			b.refused(group, refusal)
			return
		}
	}
	var rest []*target
	for _, t := range group {
		if m.holds(t.Path) {
			b.start(t, m)
		} else {
			rest = append(rest, t)
		}
	}
	// Another mount will most likely be as deep as this one.
	for _, group := range groupBy(rest, firstSegments(strings.Count(m.prefix, "/"))) {
		b.wg.Go(func() { b.resolve(group) })
	}
}

// refused settles the targets that the refusal for the first is valid for:
// those beside it. A mount that holds one of them holds them all.
func (b *batch) refused(group []*target, refusal *answer) {
	if refusal.rejectsToken() {
		b.fail("", b.c.tokenRejected(refusal)) // words are its own
		return
	}
	first := group[0]
	var rest []*target
	for _, t := range group {
		if path.Dir(t.typed()) == path.Dir(first.typed()) {
			t.refusal = refusal
			b.giveUpSoon()
		} else {
			rest = append(rest, t)
		}
	}
	for _, group := range groupBy(rest, path.Dir) {
		b.wg.Go(func() { b.resolve(group) })
	}
}

// start reads the target's secret, unless that is being done already.
func (b *batch) start(t *target, m *mount) {
	t.mount = m
	if t.wrong = m.objection(t.Source); t.wrong != "" {
		return
	}
	t.read = b.open(m.location(t.namespace, t.Source), m, b.insists[t.Source])
}

// open is the read of a location, which begins if it has not yet.
func (b *batch) open(at location, m *mount, insists bool) *read {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, shared := b.reads[at]
	if !shared {
		r = &read{at: at, mount: m}
		b.reads[at] = r
		b.wg.Go(func() { b.perform(r) })
	}
	r.insists = r.insists || insists
	return r
}

func (b *batch) perform(r *read) {
	words := "reading " + r.at.path
	switch {
	case r.at.body != "":
		words = "writing to " + r.at.path
	case r.at.list:
		words = "listing " + r.at.path
	}
	var a *answer
	fetch := b.c.fetching(r.at, &a)
	err := b.c.retry(b.ctx, words, r.at.namespace, func(ctx context.Context, client *api.Client) error {
		r.asked = time.Now()
		return fetch(ctx, client)
	})
	if err != nil {
		b.fail(words, err)
		return
	}
	if a.rejectsToken() {
		b.fail(words, b.c.tokenRejected(a))
	}
	r.answer = a
	if r.at.list && !r.at.names {
		b.descend(r)
	}
	b.mu.Lock()
	final := a.status >= http.StatusBadRequest && (a.status != http.StatusNotFound || r.insists)
	b.mu.Unlock()
	if final {
		b.giveUpSoon()
	}
}

// giveUpSoon makes an end of the patience: whatever the others answer, the
// batch has failed. What they say in time is reported too.
func (b *batch) giveUpSoon() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hopeless == nil {
		b.hopeless = time.AfterFunc(hopelessPatience, func() { b.cancel(errHopeless) })
	}
}

// fail ends the batch: this is not about one reference. The first error is
// kept, the others follow from it; but when the deadline strikes, all end at
// the same moment, and one that knows why is better than one that was still
// in the queue.
func (b *batch) fail(words string, err error) {
	var final *failure
	if errors.As(err, &final) {
		err = b.c.fatal(words, final)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var kept *Error
	if b.err == nil || errors.As(b.err, &kept) && kept.vague && err != context.Canceled {
		b.err = err
	}
	b.cancel(nil)
}

// objection says why the mount has no such source, or nothing.
func (m *mount) objection(s ref.Source) string {
	switch {
	case s.Below && m.kv == 0:
		return fmt.Sprintf("only KV can list its secrets, and %s is %s: name each secret", m.prefix, m.engine)
	case s.Below:
	case s.Path+"/" == m.prefix && s.View != ref.Names:
		return fmt.Sprintf("%s is a mount, not a secret below it", s.Path)
	case s.Version != 0 && !m.inKV2(m.locate(s.Path)):
		return fmt.Sprintf("version %d cannot be asked for: only secrets of KV v2 have versions", s.Version)
	}
	return ""
}

// groupBy splits targets by namespace and a part of their paths, in order of
// appearance.
func groupBy(targets []*target, part func(path string) string) [][]*target {
	type key struct{ namespace, part string }
	index := make(map[key]int)
	var groups [][]*target
	for _, t := range targets {
		k := key{t.namespace, part(t.typed())}
		i, ok := index[k]
		if !ok {
			i = len(groups)
			index[k] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], t)
	}
	return groups
}

// firstSegments is the part of a path up to its n-th slash.
func firstSegments(n int) func(path string) string {
	return func(path string) string {
		end := 0
		for range n {
			i := strings.IndexByte(path[end:], '/')
			if i < 0 {
				return path
			}
			end += i + 1
		}
		return path[:end]
	}
}
