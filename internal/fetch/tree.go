package fetch

import (
	"slices"
	"strings"
	"time"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// tree is what lies below a path that a reference takes whole (PATH/*). Each
// folder and each secret in it is an entry with a schedule of its own; the tree
// knows which of them the command has.
//
// A secret that has come or gone is not acted upon before everything that the
// listings name is known, and one that has gone not before all the rest was
// asked for once more. So secrets that are moved come and go in one update, and
// ten that are deleted together are not ten updates. When nothing at all is
// left, that is no wish of anybody's: the command keeps what it has.
type tree struct {
	source    ref.Source // that names it
	refresh   time.Duration
	root      *entry
	nodes     map[string]*entry        // name below the path -> secret, or folder if a slash ends it; "" -> root
	shown     map[string]secret.Fields // name -> what the command has of a secret
	fields    secret.Fields            // shown as PATH/* has it; nil: to be made anew
	unsettled bool                     // shown may not be what there is
	grown     bool                     // there are listings that survey has not seen
	fresh     int                      // nodes that were never asked for
	doubt     time.Time                // since when secrets seem to be gone; zero: none
}

// place is where an entry is in a tree.
type place struct {
	tree *tree
	name string
}

// all are the secrets as the reference has them.
func (t *tree) all() secret.Fields {
	if t.fields == nil {
		t.fields = make(secret.Fields, len(t.shown))
		for name, fields := range t.shown {
			t.fields[name] = asValue(fields)
		}
	}
	return t.fields
}

// shown makes the newest fields of an entry those that the command has, and
// tells whether it has them at all: not those of a secret that a tree has only
// come to know of.
func (e *entry) shown() bool {
	shown := e.named
	for _, p := range e.places {
		if _, has := p.tree.shown[p.name]; has {
			p.tree.shown[p.name], p.tree.fields = e.fields, nil
			shown = true
		}
	}
	return shown
}

// known tells whether Vault has ever said what is there.
func (e *entry) known() bool { return e.fields != nil || e.names != nil || e.gone || e.denied }

// alive tells whether there is a secret, as far as is known.
func (e *entry) alive() bool { return e.fields != nil && !e.gone }

// displayed tells whether a tree has it.
func (e *entry) displayed() bool {
	return slices.ContainsFunc(e.places, func(p place) bool { _, shown := p.tree.shown[p.name]; return shown })
}

// unsettle notes that an entry has changed in a way that trees look at.
func (e *entry) unsettle() {
	for _, p := range e.places {
		p.tree.unsettled = true
	}
}

// settleList takes the names in a folder, or notes why there are none.
func (w *Watcher) settleList(rd *read, e *entry, now time.Time) {
	names, problem := rd.names()
	if problem != nil {
		w.unreadable(e, problem, now)
		return
	}
	w.notices.Over(e.reference, now, "a folder can be listed again", "folder", e.reference)
	changed := !slices.Equal(names, e.names) || e.names == nil
	if changed {
		e.list(names)
		e.unsettle()
		for _, p := range e.places {
			p.tree.grown = true
		}
	}
	e.denied = false
	e.plan(now, w.random())
	if changed && e.at.names {
		e.fields = keysOf(names)
		w.generation++
		w.publish(now)
	}
}

// list makes the names those of the folder.
func (e *entry) list(names []string) {
	e.names = names
	if names == nil {
		e.names = []string{} // it is known that there are none
	}
}

// review looks at the trees of an entry after a request for it, the first or a
// later one.
func (w *Watcher) review(e *entry, first bool, now time.Time) {
	for _, p := range slices.Clone(e.places) {
		t := p.tree
		if first {
			t.fresh--
		}
		if t.unsettled && t.refresh > 0 && (t.fresh == 0 || t.grown) {
			w.reconsider(t, e.asked, now)
		}
	}
}

// reconsider makes the tree what there is, once that is beyond doubt. What made
// it look is the answer to a request that began at a time.
func (w *Watcher) reconsider(t *tree, began, now time.Time) {
	listed := w.survey(t, now)
	if t.fresh > 0 {
		return // they are asked for now, and then this is looked at again
	}
	alive := make(map[string]secret.Fields)
	for name, e := range listed {
		if e.alive() {
			alive[name] = e.fields
		}
	}
	var gone, come []string
	for name := range t.shown {
		if _, there := alive[name]; !there {
			gone = append(gone, name)
		}
	}
	for name := range alive {
		if _, there := t.shown[name]; !there {
			come = append(come, name)
		}
	}
	about := "empty " + t.root.reference
	switch {
	case len(gone) == 0:
		t.doubt = time.Time{}
	case len(alive) == 0:
		t.doubt = time.Time{}
		w.notices.Say(about, now, "no secret is left below a path, the command keeps the last ones", "path", t.root.reference)
		return
	case !w.certain(t, listed, began, now):
		return
	}
	w.notices.Over(about, now, "there are secrets below the path again", "path", t.root.reference)
	t.unsettled, t.doubt = false, time.Time{}
	t.shown, t.fields = alive, nil
	w.prune(t, listed, now)
	if len(gone) == 0 && len(come) == 0 {
		return
	}
	slices.Sort(gone)
	slices.Sort(come)
	w.c.log.Info("secrets below a path have come or gone", "path", t.root.reference, "new", few(come), "gone", few(gone))
	w.generation++
	w.publish(now)
}

// certain tells whether everything in the tree was asked for since secrets seem
// to be gone, and sees to it that it is.
func (w *Watcher) certain(t *tree, listed map[string]*entry, began, now time.Time) bool {
	if t.doubt.IsZero() {
		t.doubt = began
	}
	certain := true
	for _, e := range listed {
		switch {
		case e.asked.Before(t.doubt):
			certain = false
			if !e.busy && (e.duty == rest || e.due.After(now)) {
				e.duty, e.due = poll, now
			}
		case !e.known():
			certain = false // it may be what took the place of what is gone
		}
	}
	return certain
}

// survey finds the folders and secrets that the listings name, and makes entries
// of those that are new.
func (w *Watcher) survey(t *tree, now time.Time) map[string]*entry {
	t.grown = false
	listed := map[string]*entry{"": t.root}
	var byLocation map[location]*entry // made when it is needed
	var down func(name string, folder *entry)
	down = func(name string, folder *entry) {
		for _, n := range folder.names {
			full := name + n
			e := t.nodes[full]
			if e == nil {
				if len(t.nodes) > w.c.mostBelow {
					w.notices.Say("many "+t.root.reference, now, "there is too much below a path, the command goes on without some of it", "path", t.root.reference, "most", w.c.mostBelow)
					continue
				}
				if byLocation == nil {
					byLocation = make(map[location]*entry, len(w.entries))
					for _, e := range w.entries {
						byLocation[e.at] = e
					}
				}
				at := folder.mount.child(folder.at, n)
				if e = byLocation[at]; e == nil {
					e = &entry{at: at, mount: folder.mount, reference: memberOf(t.source, full).String(), duty: poll, due: now}
					w.entries = append(w.entries, e)
				}
				t.plant(full, e)
			}
			listed[full] = e
			if e.at.list {
				down(full, e)
			}
		}
	}
	down("", t.root)
	return listed
}

// plant puts an entry into the tree.
func (t *tree) plant(name string, e *entry) {
	t.nodes[name] = e
	if e.asked.IsZero() {
		t.fresh++
	}
	e.places = append(e.places, place{t, name})
	if t.refresh > 0 && (e.refresh == 0 || t.refresh < e.refresh) {
		e.refresh = t.refresh
	}
}

// memberOf is what has a name below a source; a slash ends that of a folder.
func memberOf(s ref.Source, name string) ref.Source {
	bare, folder := strings.CutSuffix(name, "/")
	s = s.Member(bare)
	s.Below = folder
	return s
}

// prune forgets what the listings do not name any more, and the values that
// nobody has.
func (w *Watcher) prune(t *tree, listed map[string]*entry, now time.Time) {
	dropped := make(map[*entry]bool)
	for name, e := range t.nodes {
		if listed[name] == nil {
			delete(t.nodes, name)
			e.places = slices.DeleteFunc(e.places, func(p place) bool { return p == place{t, name} })
			dropped[e] = !e.named && len(e.places) == 0
		}
		if e.gone && !e.named && !e.displayed() {
			e.fields, e.version = nil, ""
		}
	}
	w.entries = slices.DeleteFunc(w.entries, func(e *entry) bool {
		if !dropped[e] {
			return false
		}
		e.dropped = true
		w.notices.Over(e.reference, now, "")
		return true
	})
}

// few are names for a line of the log.
func few(names []string) []string {
	if len(names) > maxOthers {
		return append(slices.Clone(names[:maxOthers]), "...")
	}
	return names
}
