package fetch

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// conclude makes the snapshot, or else the findings, after all reads.
func (b *batch) conclude(refs []ref.Ref) (map[ref.Source]secret.Fields, error) {
	if b.hopeless != nil {
		b.hopeless.Stop()
	}
	if b.err != nil && !errors.Is(b.err, context.DeadlineExceeded) {
		return nil, b.err // canceled, or Vault itself is out of reach
	}
	for _, r := range b.reads {
		switch {
		case r.answer == nil:
		case r.at.names:
			r.fields, r.problem = r.namesAsFields()
		case !r.at.list:
			r.fields, r.problem = r.interpret()
			r.whole = r.answer.whole()
		}
	}
	for _, t := range b.targets {
		if t.Below && t.read != nil && t.read.answer != nil {
			b.assemble(t.read)
		}
	}
	snapshot, byTarget := b.found(), b.byTarget()
	if b.login {
		fields, err := b.c.ownToken()
		if err != nil {
			return nil, err
		}
		snapshot[ref.Source{Login: true}] = fields
	}
	var found []located
	for _, r := range refs {
		if t := byTarget[r.Source]; t != nil && t.answered() {
			found = append(found, t.findings(r)...)
		}
	}
	switch {
	case len(found) > 0:
		return nil, b.missing(found)
	case b.err != nil:
		return nil, b.err
	}
	return snapshot, nil
}

// found are the fields of every target that has them, once the reads have been
// interpreted.
func (b *batch) found() map[ref.Source]secret.Fields {
	found := make(map[ref.Source]secret.Fields, len(b.targets))
	for _, t := range b.targets {
		if t.answered() && t.problem() == nil && t.read.others == nil {
			found[t.Source] = t.read.view(t.View)
		}
	}
	return found
}

func (b *batch) byTarget() map[ref.Source]*target {
	byTarget := make(map[ref.Source]*target, len(b.targets))
	for _, t := range b.targets {
		byTarget[t.Source] = t
	}
	return byTarget
}

// answered tells whether it is known what became of the target.
func (t *target) answered() bool {
	return t.wrong != "" || t.refusal != nil || t.read != nil && (t.read.answer != nil || t.read.known != nil)
}

// view is what a source wants of the read.
func (r *read) view(v ref.View) secret.Fields {
	if v == ref.WholeAnswer {
		return r.whole
	}
	return r.fields
}

// findings are what is wrong with one reference to the target.
func (t *target) findings(r ref.Ref) []located {
	excused := r.Optional || r.Default != nil
	var found []located
	add := func(p *Finding) {
		if p == nil || excused && p.Kind.absent() {
			return
		}
		f := *p
		f.Reference, f.Version, f.excused = r.String(), r.Version, excused
		f.typed, f.wanted, f.namespace, f.engine = r.Path, r.Key, t.namespace, t.mount
		found = append(found, located{f, t})
	}
	if p := t.problem(); p != nil {
		add(p)
		return found
	}
	for _, p := range t.read.others {
		add(p)
	}
	if r.Below {
		if t.read.others == nil { // else the name may be in what is not there
			for _, name := range r.Misses(t.read.hasBelow) {
				add(t.read.keyProblemBelow(name))
			}
		}
		return found
	}
	add(t.read.keyProblem(r.Key))
	for _, name := range r.Misses(func(name string) bool { _, there := t.read.fields[name]; return there }) {
		add(t.read.keyProblem(name))
	}
	return found
}

// missing makes the error of the findings, each once.
func (b *batch) missing(found []located) *MissingError {
	b.findSiblings(found)
	order := func(a, b located) int {
		return cmp.Or(cmp.Compare(a.Reference, b.Reference), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Path, b.Path))
	}
	slices.SortStableFunc(found, order)
	err := &MissingError{Identity: b.c.who(), Unasked: b.err}
	for i, f := range found {
		if i == 0 || order(f, found[i-1]) != 0 {
			err.Findings = append(err.Findings, f.Finding)
		}
	}
	return err
}

// located is a finding and where to look for what was meant.
type located struct {
	Finding
	target *target
}

// problem says why the target has no fields, nil if it has.
func (t *target) problem() *Finding {
	switch {
	case t.wrong != "":
		return &Finding{Kind: Impossible, Reason: t.wrong, Mount: t.mount.String(), fix: t.mount.mendObjection(t.Source)}
	case t.refusal != nil:
		f := mountProblem(t.Path, t.refusal)
		if t.Below && f.Policy != "" {
			f.Policy = guessedFolderPolicy(t.Path)
		}
		return f
	}
	return t.read.problem
}

// mountProblem explains a refusal to name the mount of a path.
func mountProblem(typed string, a *answer) *Finding {
	f := &Finding{Kind: Impossible, Path: typed, Status: a.status, Reason: "Vault does not say which mount holds it"}
	if said := flatten(a.said); said != "" {
		f.Reason += ": " + said
	}
	if a.status == http.StatusForbidden {
		f.Kind, f.Reason = MountDenied, ""
		f.Policy = guessedPolicy(typed)
	}
	return f
}

// interpret finds the fields in the answer, or what is wrong with it.
func (r *read) interpret() (secret.Fields, *Finding) {
	a := r.answer
	f := &Finding{Path: r.at.path, Mount: r.mount.String(), Status: a.status}
	switch a.status {
	case http.StatusNotFound:
		f.Kind, f.Reason = NotFound, flatten(a.said)
		if meta, ok := a.data["metadata"].(map[string]any); ok && r.mount.inKV2(r.at.path) {
			f.Kind, f.Reason = removal(meta)
			f.newest = number(meta["version"])
		}
		return nil, f
	case http.StatusForbidden:
		f.Kind, f.Policy = Denied, readPolicy(r.at.path)
		return nil, f
	case http.StatusMethodNotAllowed:
		f.Kind, f.Reason = Unreadable, "it cannot be read: "+cmp.Or(flatten(a.said), "unsupported operation")
		return nil, f
	case http.StatusBadRequest:
		f.Kind, f.Reason = Impossible, "Vault refuses it: "+cmp.Or(flatten(a.said), "no reason given")
		return nil, f
	}
	data := a.data
	if data != nil && r.mount.inKV2(r.at.path) {
		data, _ = a.data["data"].(map[string]any)
	}
	if data == nil {
		f.Kind, f.Reason = Unreadable, a.dataless()
		return nil, f
	}
	fields := make(secret.Fields, len(data))
	for name, v := range data {
		fields[name] = secret.Of(v)
	}
	return fields, nil
}

// dataless says what an answer has in place of data.
func (a *answer) dataless() string {
	switch {
	case a.mimeType != "":
		return "it answers with " + a.mimeType + ", not with fields"
	case a.wrapped:
		return "it is handed out wrapped only: a control group or a policy's wrapping TTL asks for that"
	case a.auth:
		return "it answers with a login, not with fields"
	}
	return "it answers without data"
}

// removal tells how a version of KV v2 went: metadata is what Vault's 404
// says about it.
func removal(meta map[string]any) (Kind, string) {
	if meta["destroyed"] == true {
		return Destroyed, ""
	}
	at, _ := meta["deletion_time"].(string)
	return Deleted, at
}

// keyProblem says what is wrong with one key of a secret that is there. No key
// means all of them, and nothing is wrong.
func (r *read) keyProblem(key string) *Finding {
	if key == "" {
		return nil
	}
	v, ok := r.fields[key]
	if ok && !v.IsNull() {
		return nil
	}
	f := &Finding{Kind: KeyMissing, Path: r.at.path, Mount: r.mount.String(), Status: r.answer.status, Key: key}
	if ok {
		f.Kind = KeyNull
		return f
	}
	names := make([]string, 0, len(r.fields))
	for name := range r.fields {
		names = append(names, name)
	}
	f.suggest(key, names)
	return f
}

// deniesLookup tells that a token may not look itself up, which says nothing
// against it. A token that is not known is refused without a list, by older
// servers too.
func (a *answer) deniesLookup() bool {
	return !a.rejectsToken() && !(len(a.said) == 1 && a.said[0] == "permission denied")
}

// rejectsToken recognizes the answer to a token that Vault does not know (any
// more); a token that is merely not allowed gets permission denied alone.
func (a *answer) rejectsToken() bool {
	return a.status == http.StatusForbidden && strings.Contains(flatten(a.said), "invalid token")
}

// findSiblings looks beside the paths that hold no secret for what may have
// been meant. It asks each directory once, tries once, and does not mind.
func (b *batch) findSiblings(found []located) {
	siblings := make(map[location][]string)
	for i := range found {
		f := &found[i]
		if f.Kind != NotFound {
			continue
		}
		if f.List && f.target.mount.isRoot(f.Path) {
			continue // nothing is beside it
		}
		dir := location{namespace: f.target.namespace, path: f.target.mount.directory(f.Path), list: true}
		names, asked := siblings[dir]
		if !asked {
			names = b.c.list(b.ctx, dir)
			siblings[dir] = names
		}
		if f.List {
			f.suggestFolder(f.target.Path, names)
			continue
		}
		if f.target.mount.inKV2(f.Path) && slices.Contains(names, path.Base(f.Path)) {
			f.Kind = VersionMissing // the secret is listed, what was read of it is not there
			continue
		}
		f.suggestSibling(f.target.Path, names)
	}
}
