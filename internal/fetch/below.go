package fetch

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"vaultexec/internal/secret"
)

// PATH/* is a walk: the folder is listed, what it lists is read or listed in
// turn. Each of that is a read of the batch as any other, so that a secret that
// a reference names as well, or that is below two paths, is read once.

// descend begins the reads of what a folder lists.
func (b *batch) descend(r *read) {
	names, problem := r.names()
	if problem != nil {
		return
	}
	b.mu.Lock()
	b.below += len(names)
	tooMany := b.below > b.c.mostBelow
	b.mu.Unlock()
	if tooMany {
		b.fail("", configError(fmt.Sprintf("%s: more than %d secrets and folders are below it and the other paths: name one further down", r.at.path, b.c.mostBelow)))
		return
	}
	for _, name := range names {
		b.open(r.mount.child(r.at, name), r.mount, false)
	}
}

// walk calls visit for each folder and secret below a folder, as far as it has
// been answered, with its name there; that of a folder ends in a slash.
func (b *batch) walk(folder *read, prefix string, visit func(name string, r *read)) {
	names, _ := folder.names()
	for _, name := range names {
		r := b.reads[folder.mount.child(folder.at, name)]
		if r == nil || r.answer == nil {
			continue // the batch has ended before
		}
		visit(prefix+name, r)
		if r.at.list {
			b.walk(r, prefix+name, visit)
		}
	}
}

// assemble makes the fields of a folder that a reference names: name below it
// -> the secret there as a map. What is deleted is left out; what is denied, or
// no secret, is not, because it may be one that the command cannot do without.
func (b *batch) assemble(folder *read) {
	var found troubles
	_, problem := folder.examine()
	found.note(problem)
	fields := secret.Fields{}
	deleted := 0
	b.walk(folder, "", func(name string, r *read) {
		_, problem := r.examine()
		switch {
		case problem != nil && problem.Kind.absent():
			deleted++
		case problem != nil:
			found.note(problem)
		case !r.at.list:
			fields[name] = asValue(r.fields)
		}
	})
	folder.fields, folder.others = fields, found.findings(folder.mount, folder.at.path)
	if len(fields) > 0 || folder.others != nil {
		return
	}
	folder.problem = &Finding{Kind: NotFound, Path: folder.at.path, Mount: folder.mount.String(), Status: folder.answer.status, List: true}
	if deleted > 0 {
		folder.problem.Reason = "what is listed there is deleted"
	}
}

// examine finds in the answer the fields of a secret, none of a folder, or what
// is wrong with it.
func (r *read) examine() (secret.Fields, *Finding) {
	if r.at.list {
		_, problem := r.names()
		return nil, problem
	}
	return r.interpret()
}

// asValue makes one value of a secret, as PATH/* has it.
func asValue(fields secret.Fields) secret.Value {
	object := make(map[string]any, len(fields))
	for name, v := range fields {
		object[name] = v.Any()
	}
	return secret.Of(object)
}

// troubles are what is wrong below a folder. Denials come to one finding for all
// folders and one for all secrets, because one rule in a policy mends them.
type troubles struct {
	lists, reads []*Finding // denied
	others       []*Finding
}

func (s *troubles) note(p *Finding) {
	switch {
	case p == nil:
	case p.Kind == Denied && p.List:
		s.lists = append(s.lists, p)
	case p.Kind == Denied:
		s.reads = append(s.reads, p)
	case p.List:
		s.others = append(s.others, p)
	default:
		f := *p
		f.Reason = p.Path + ": " + p.Reason
		s.others = append(s.others, &f)
	}
}

// findings are all of them, of those below a folder of the mount.
func (s *troubles) findings(m *mount, folder string) []*Finding {
	found := s.others
	if f := merged(s.lists); f != nil {
		f.Policy = m.listPolicy(folder)
		found = append(found, f)
	}
	if f := merged(s.reads); f != nil {
		if len(s.reads) > 1 {
			f.Policy = readPolicy(m.dataOf(folder) + "/*")
		}
		found = append(found, f)
	}
	return found
}

// merged is one finding that names the paths of all.
func merged(all []*Finding) *Finding {
	if len(all) == 0 {
		return nil
	}
	f := *all[0]
	paths := make([]string, len(all))
	for i, p := range all {
		paths[i] = p.Path
	}
	slices.Sort(paths)
	f.Path = strings.Join(paths, ", ")
	return &f
}

// hasBelow tells whether a secret below the folder has a key, given alone or
// behind the secret's name.
func (r *read) hasBelow(key string) bool {
	for name, v := range r.fields {
		object, _ := v.Any().(map[string]any)
		for field := range object {
			if key == field || key == name+"/"+field {
				return true
			}
		}
	}
	return false
}

// keyProblemBelow says what is wrong with a key that no secret below the folder
// has.
func (r *read) keyProblemBelow(key string) *Finding {
	f := &Finding{Kind: KeyMissing, Path: r.at.path, Mount: r.mount.String(), Status: r.answer.status, Key: key, List: true}
	keys := map[string]bool{}
	for name, v := range r.fields {
		object, _ := v.Any().(map[string]any)
		for field := range object {
			if strings.Contains(key, "/") {
				field = name + "/" + field
			}
			keys[field] = true
		}
	}
	f.suggest(key, slices.Collect(maps.Keys(keys)))
	return f
}
