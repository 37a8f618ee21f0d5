package env

import (
	"slices"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// Same tells whether two plans come to the same environment and files.
func (p Plan) Same(other Plan) bool {
	return slices.Equal(p.Environ, other.Environ) && slices.EqualFunc(p.Files, other.Files, PlannedFile.same) &&
		slices.EqualFunc(p.Trees, other.Trees, PlannedTree.same) &&
		slices.EqualFunc(p.Descriptors, other.Descriptors, PlannedDescriptor.same)
}

func (f PlannedFile) same(other PlannedFile) bool {
	return f.Dest == other.Dest && f.Mode == other.Mode && f.UID == other.UID && f.GID == other.GID &&
		f.Content.Text() == other.Content.Text()
}

// Since is what an older plan did not have as it is now.
func (p Plan) Since(older Plan) Output {
	return Output{
		Files:    slices.DeleteFunc(slices.Clone(p.Files), func(f PlannedFile) bool { return slices.ContainsFunc(older.Files, f.same) }),
		Trees:    slices.DeleteFunc(slices.Clone(p.Trees), func(t PlannedTree) bool { return slices.ContainsFunc(older.Trees, t.same) }),
		InMemory: p.InMemory,
	}
}

// Changed are the references that have other values after than before, in the
// order of the settings, those of templates last. One whose secret has changed
// elsewhere is not among them, nor is what a template uses that makes the same of it.
func (p *Planner) Changed(before, after map[ref.Source]secret.Fields) []ref.Ref {
	refs := p.named()
	for _, r := range p.templates {
		was, _ := p.render(r, before) // Plan reports what is wrong
		if is, _ := p.render(r, after); is.Text != was.Text {
			refs = append(refs, is.Used...)
		}
	}
	return slices.DeleteFunc(refs, func(r ref.Ref) bool {
		return p.taken(r, before).Same(p.taken(r, after))
	})
}

// taken are the fields that a reference takes, as far as they are there, or what a
// template in place of a key makes of them.
func (p *Planner) taken(r ref.Ref, secrets map[ref.Source]secret.Fields) secret.Fields {
	all := secrets[r.Source]
	if r.Template != "" {
		v, _ := lookup{secrets, &report{}, p.inheritedValue}.compute("", r)
		return secret.Fields{r.Template: v}
	}
	if r.Key != "" {
		if v := valueOf(r, all); !v.IsNull() {
			return secret.Fields{r.Key: v}
		}
		return nil
	}
	fields := secret.Fields{}
	if r.Below {
		for name, v := range all {
			object := objectOf(v)
			if len(object) == 0 {
				fields[name] = secret.Value{}
			}
			for field, v := range object {
				if r.SelectsBelow(name, field) {
					fields[name+"\x00"+field] = secret.Of(v)
				}
			}
		}
		return fields
	}
	for name, v := range all {
		if r.Selects(name) {
			fields[name] = v
		}
	}
	return fields
}

// followed is what is there once a file has been replaced by a later one.
func followed(files []writtenFile, later writtenFile) []writtenFile {
	var kept []writtenFile
	for _, f := range files {
		switch {
		case f.dest == later.dest && f.backup: // it is the backup now
			f.dest += backupSuffix
			kept = append(kept, f)
		case f.dest == later.dest || later.backup && f.dest == later.dest+backupSuffix:
		default:
			kept = append(kept, f)
		}
	}
	return append(kept, later)
}

// Follow takes over what a later Write of newer files made: what it replaced
// is its to remove from now on.
func (w *Written) Follow(later *Written) {
	for _, l := range later.files {
		w.files = followed(w.files, l)
	}
	w.trees = slices.DeleteFunc(w.trees, func(t writtenTree) bool {
		return slices.ContainsFunc(later.trees, func(l writtenTree) bool { return l.Dest == t.Dest && l.Link == t.Link })
	})
	w.trees = append(w.trees, later.trees...)
	w.dirs = append(w.dirs, later.dirs...)
}
