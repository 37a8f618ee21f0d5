package fetch

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"time"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// About is what is known of where a secret is from, and nothing of what it is.
type About struct {
	Path    string        // in the API
	Mount   string        // that holds it, with a slash at its end
	Engine  string        // KV v1, KV v2, database, ...
	Version string        // of KV v2, the one that was read; empty: there are none
	Leased  bool          // it has a lease
	TTL     time.Duration // of the lease, or of what it is; 0: no end is known
	Renews  bool          // the lease can be prolonged
	Upkeep  Upkeep
	Refresh time.Duration // with Every
}

// Upkeep is what a Watcher does to keep a secret good.
type Upkeep string

const (
	Never      Upkeep = "never"    // it cannot change, or nobody wants to know
	Every      Upkeep = "every"    // it is read again at intervals
	AtRotation Upkeep = "rotation" // it is read again when Vault has rotated it
	Renewing   Upkeep = "renewed"  // its lease is renewed, and replaced at the end
	Replacing  Upkeep = "replaced" // another is read before it ends
)

// Survey is Fetch with what is known of each secret, those below a path
// included. Unlike Fetch it returns what there is when something is missing, with
// the error that Fetch has for it. Refresh is that of Watch.
func (c *Client) Survey(ctx context.Context, refs []ref.Ref, refresh time.Duration) (map[ref.Source]secret.Fields, map[ref.Source]About, error) {
	b := newBatch(ctx, c)
	defer b.cancel(nil)
	snapshot := make(map[ref.Source]secret.Fields)
	err := b.gather(refs, snapshot)
	if errors.Is(err, context.Canceled) {
		return nil, nil, err
	}
	if err != nil {
		maps.Copy(snapshot, b.found())
		maps.DeleteFunc(snapshot, func(_ ref.Source, fields secret.Fields) bool { return fields == nil }) // not interpreted
	}
	return snapshot, b.survey(refresh), err
}

// survey is what the reads have told of their places.
func (b *batch) survey(refresh time.Duration) map[ref.Source]About {
	about := make(map[ref.Source]About)
	byTarget := b.byTarget()
	often := make(map[*read]time.Duration)
	for rd, refs := range b.wantedBy(byTarget) {
		often[rd] = refreshOf(refs, refresh)
	}
	for _, t := range b.targets {
		if t.read == nil {
			continue
		}
		about[t.Source] = t.read.about(often[t.read])
		if t.Below && t.read.answer != nil {
			b.walk(t.read, "", func(name string, rd *read) {
				about[memberOf(t.Source, name)] = rd.about(cmp.Or(often[rd], often[t.read]))
			})
		}
	}
	return about
}

// wantedBy are the references to each read.
func (b *batch) wantedBy(byTarget map[ref.Source]*target) map[*read][]ref.Ref {
	wanted := make(map[*read][]ref.Ref)
	for _, r := range b.refs {
		if t := byTarget[r.Source]; t != nil && t.read != nil {
			wanted[t.read] = append(wanted[t.read], r)
		}
	}
	return wanted
}

// about tells what the read has told of its place. Of one that was in vain that
// is where it went.
func (r *read) about(refresh time.Duration) About {
	a := About{Path: r.at.path, Mount: r.mount.prefix, Engine: r.mount.kind()}
	if r.answer == nil || r.fields == nil || r.at.list {
		return a
	}
	e := &entry{at: r.at, mount: r.mount, refresh: refresh}
	e.take(r.answer, r.fields, 0, time.Now(), 0)
	if meta, ok := r.answer.data["metadata"].(map[string]any); ok && r.mount.inKV2(r.at.path) {
		a.Version = secret.Of(meta["version"]).Text()
	}
	a.Leased, a.TTL, a.Renews = e.life.lease != "", e.life.ttl, e.life.renewable
	switch e.duty {
	case renew:
		a.Upkeep = Renewing
	case replace:
		a.Upkeep = Replacing
	case poll:
		if a.Upkeep, a.Refresh = Every, refresh; e.life.rotating {
			a.Upkeep = AtRotation
		}
	default:
		a.Upkeep = Never
	}
	return a
}
