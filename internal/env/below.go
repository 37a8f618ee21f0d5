package env

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// member is one of the secrets that PATH/* takes.
type member struct {
	name   string        // below PATH
	ref    ref.Ref       // to it alone
	place  string        // for messages
	fields secret.Fields // that are taken of it, null ones included
}

// members are the secrets that PATH/* takes, by name. One of which no field is
// taken is left out.
func (l lookup) members(place string, r ref.Ref) (_ []member, ok bool) {
	all, ok := l.all(place, r)
	if !ok {
		return nil, false
	}
	var list []member
	keys := map[string]bool{} // alone, and behind the secret's name
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := member{name: name, ref: r, fields: secret.Fields{}}
		m.ref.Source = r.Member(name)
		m.place = fmt.Sprintf("%s (%s)", place, ref.Escape(m.ref.Path))
		object := objectOf(all[name])
		for field, v := range object {
			keys[field], keys[name+"/"+field] = true, true
			if r.SelectsBelow(name, field) {
				m.fields[field] = secret.Of(v)
			}
		}
		if len(m.fields) > 0 || len(object) == 0 {
			list = append(list, m)
		}
	}
	if !r.Optional {
		for _, name := range r.Misses(func(name string) bool { return keys[name] }) {
			l.report.addf(ClassMissing, "%s: there is no field %q for only=%s", place, name,
				didYouMean(name, slices.Collect(maps.Keys(keys))))
		}
	}
	return list, true
}

// objectOf is a secret as PATH/* has it: all of its fields in one value.
func objectOf(v secret.Value) map[string]any {
	object, _ := v.Any().(map[string]any)
	return object
}

// behind makes names begin with that of the secret too, where names=path asks
// for it; between says what stands for a slash.
func (n naming) behind(m member, between string) naming {
	if m.ref.PathNames {
		n.prefix += strings.ReplaceAll(m.name, "/", between) + between
	}
	return n
}

// each are the secrets that a reference takes whole: the one, or all below a
// path.
func (l lookup) each(place string, r ref.Ref) (_ []member, ok bool) {
	if r.Below {
		return l.members(place, r)
	}
	fields, ok := l.fields(place, r)
	if !ok {
		return nil, false
	}
	return []member{{ref: r, place: place, fields: fields}}, true
}

// contentBelow is what a file has of PATH/*: nested by the paths where the
// format has structure, else the fields of all secrets in one.
func (f file) contentBelow(place string, s *Sources, l lookup) (_ content, ok bool) {
	members, ok := l.members(place, f.ref)
	if !ok {
		return content{}, false
	}
	before := len(l.report.findings)
	var list []named
	switch {
	case f.format.nests:
		list = nest(place, members, l.report)
	case f.format.variables:
		list = f.join(place, members, s, l.report, func(m member) []named {
			list := rename(m.place, m.fields, s.naming(f.ref).behind(m, "_"), l.report)
			return asVariables(m.place, m.ref, list, l.report)
		})
		checkReserved(place, list, l.report)
	default: // properties, whose names have dots between their parts
		list = f.join(place, members, s, l.report, func(m member) []named {
			return rename(m.place, m.fields, ownNaming(f.ref).behind(m, "."), l.report)
		})
	}
	return content{fields: list}, len(l.report.findings) == before
}

// join makes one list of the secrets' fields. A name that two of them have is a
// conflict, as it is among variables.
func (f file) join(place string, members []member, s *Sources, rep *report, fieldsOf func(member) []named) []named {
	joined, from := map[string]named{}, map[string]member{}
	for _, m := range members {
		for _, field := range fieldsOf(m) {
			other, clash := from[field.name]
			if clash && s.OnConflict == ConflictKeep {
				continue
			}
			if clash && s.OnConflict != ConflictOverwrite {
				rep.add(finding(ClassConflict, "%s: %s comes from %s and from %s: leave one out with except=%s, tell them apart with names=path, or choose with --on-conflict keep or overwrite",
					place, field.name, other.ref, m.ref, m.name+"/"+field.field).mendedBy("--on-conflict overwrite"))
				continue
			}
			field.field = m.name + "/" + field.field // for the messages of the format
			joined[field.name], from[field.name] = field, m
		}
	}
	return slices.SortedFunc(maps.Values(joined), func(a, b named) int { return strings.Compare(a.name, b.name) })
}

// branch is a folder, a secret, or both, in a file that nests.
type branch struct {
	keys  map[string]any
	below map[string]*branch
}

// nest makes a tree of the secrets, by their names.
func nest(place string, members []member, rep *report) []named {
	root := &branch{below: map[string]*branch{}}
	for _, m := range members {
		at := root
		for element := range strings.SplitSeq(m.name, "/") {
			if at.below[element] == nil {
				at.below[element] = &branch{keys: map[string]any{}, below: map[string]*branch{}}
			}
			at = at.below[element]
		}
		for _, f := range rename(m.place, m.fields, ownNaming(m.ref), rep) {
			at.keys[f.name] = f.value.Any()
		}
	}
	var list []named
	for name, v := range root.object(place, "", rep) {
		list = append(list, named{name, name, secret.Of(v)})
	}
	slices.SortFunc(list, func(a, b named) int { return strings.Compare(a.name, b.name) })
	return list
}

// object is the branch as JSON has it. A secret may have the name of a folder,
// and then a key the name of something in that.
func (b *branch) object(place, path string, rep *report) map[string]any {
	object := map[string]any{}
	maps.Copy(object, b.keys)
	for name, below := range b.below {
		if _, clash := b.keys[name]; clash {
			rep.addf(ClassConflict, "%s: %q is a key of the secret %s, and %s has more below it: leave the key out with except=%s",
				place, name, strings.TrimSuffix(path, "/"), path+name, path+name)
		}
		object[name] = below.object(place, path+name+"/", rep)
	}
	return object
}
