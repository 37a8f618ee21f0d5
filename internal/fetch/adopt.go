package fetch

import (
	"slices"
	"time"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// usage is who wants what a batch has read.
type usage struct {
	refs   []ref.Ref  // to it, and to what it lies below
	source ref.Source // that names it in messages
	named  bool       // by a reference to it alone
}

// usages finds them for each read.
func (b *batch) usages(refs []ref.Ref) map[*read]*usage {
	users := make(map[*read]*usage, len(b.reads))
	use := func(rd *read, r ref.Ref, s ref.Source) *usage {
		u := users[rd]
		if u == nil {
			u = &usage{source: s}
			users[rd] = u
		}
		u.refs = append(u.refs, r)
		return u
	}
	byTarget := b.byTarget()
	for _, r := range refs { // first, because their own names are for messages
		if t := byTarget[r.Source]; t != nil && t.read != nil {
			use(t.read, r, r.Source).named = !r.Below
		}
	}
	for _, r := range refs {
		if t := byTarget[r.Source]; r.Below && t != nil && t.read != nil {
			b.walk(t.read, "", func(name string, rd *read) { use(rd, r, memberOf(r.Source, name)) })
		}
	}
	return users
}

// adopt makes entries of what a batch has read, and trees of what of it lies
// below a path.
func (w *Watcher) adopt(b *batch, now time.Time) {
	users := b.usages(b.refs)
	entryOf := make(map[*read]*entry)
	had := make(map[location]*entry, len(w.entries))
	for _, e := range w.entries {
		had[e.at] = e
	}
	for _, rd := range b.reads {
		u := users[rd]
		if rd.known != nil {
			e := rd.known
			if e.named = e.named || u != nil; e.named && e.dropped {
				e.dropped = false
				w.entries = append(w.entries, e)
			}
			entryOf[rd] = e
			continue
		}
		if e := had[rd.at]; e != nil { // it was not there until now
			if rd.fields != nil {
				e.gone = false
				e.take(rd.answer, rd.fields, w.token.serial, rd.asked, w.random())
			}
			e.named = true
			entryOf[rd] = e
			continue
		}
		e := &entry{at: rd.at, mount: rd.mount, reference: u.source.String(), refresh: refreshOf(u.refs, w.refresh), named: u.named, asked: now}
		switch {
		case rd.at.list:
			names, _ := rd.names() // the batch has looked at what is wrong with them
			e.list(names)
			if rd.at.names {
				e.fields = rd.fields
			}
			e.plan(now, w.random())
		case rd.fields != nil:
			e.take(rd.answer, rd.fields, w.token.serial, rd.asked, w.random())
		default:
			e.gone = true
			e.plan(now, w.random())
		}
		entryOf[rd] = e
		w.entries = append(w.entries, e)
	}
	treeOf := make(map[*read]*tree)
	for _, t := range b.targets {
		switch {
		case t.read == nil:
		case t.Below:
			if treeOf[t.read] == nil {
				treeOf[t.read] = b.tree(t, entryOf)
			}
			w.trees[t.Source] = treeOf[t.read]
		default:
			w.sources[t.Source] = entryOf[t.read]
		}
	}
	slices.SortFunc(w.entries, func(a, b *entry) int { return a.due.Compare(b.due) })
}

// tree makes one of the entries below a target.
func (b *batch) tree(target *target, entryOf map[*read]*entry) *tree {
	root := entryOf[target.read]
	t := &tree{
		source: target.Source, refresh: root.refresh, root: root,
		nodes: make(map[string]*entry), shown: make(map[string]secret.Fields), fields: target.read.fields,
	}
	t.plant("", root)
	b.walk(target.read, "", func(name string, rd *read) {
		e := entryOf[rd]
		t.plant(name, e)
		if e.fields != nil {
			t.shown[name] = e.fields
		}
	})
	return t
}
