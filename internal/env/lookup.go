package env

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// lookup finds references in what was fetched, and reports what is not there.
type lookup struct {
	secrets map[ref.Source]secret.Fields
	report  *report
	env     func(name string) (value string, ok bool) // for templates
}

// value is that of one key. A key that is null is missing, like one that is
// not there at all. ok is false where the variable or file is not to be made:
// the reference is optional, or the lack of it has been reported.
func (l lookup) value(place string, r ref.Ref) (_ secret.Value, ok bool) {
	v := valueOf(r, l.secrets[r.Source])
	if r.Template != "" {
		var failed bool
		if v, failed = l.compute(place, r); failed {
			return secret.Value{}, false
		}
	}
	switch {
	case !v.IsNull():
		return l.decode(place, r, v)
	case r.Default != nil:
		return secret.Of(*r.Default), true
	case r.Optional:
	case len(r.Inner) > 0: // vals has neither optional nor default=
		l.report.of(r, ClassMissing, "%s: %s is missing: the value of the key %q is no map with such a key in it: correct it", place, r, r.Key)
	default:
		l.report.of(r, ClassMissing, "%s: %s is missing: correct it, or add optional or default= to the reference", place, r)
	}
	return secret.Value{}, false
}

// valueOf is what a reference to one key takes of a secret; null where there is no
// such key, or none within it.
func valueOf(r ref.Ref, fields secret.Fields) secret.Value {
	v := fields[r.Key]
	for _, key := range r.Inner {
		object, _ := v.Any().(map[string]any)
		v = secret.Of(object[key])
	}
	return v
}

// decode undoes what a reference says the value is encoded in. What does not
// decode is not repeated: it is a secret all the same.
func (l lookup) decode(place string, r ref.Ref, v secret.Value) (_ secret.Value, ok bool) {
	if r.Decode == "" {
		return v, true
	}
	// White space is how base64 is often wrapped; padding is often left out.
	packed := strings.TrimRight(strings.Join(strings.Fields(v.Text()), ""), "=")
	decoded, err := base64.RawStdEncoding.DecodeString(packed)
	if err != nil {
		l.report.of(r, ClassNotRepresentable, "%s: %s is not base64, as decode= says: correct it, or remove decode=", place, r)
		return secret.Value{}, false
	}
	return secret.Of(string(decoded)), true
}

// fields are those that a reference takes of a secret, null ones included: all,
// those chosen with only= and except=, or the one key.
func (l lookup) fields(place string, r ref.Ref) (_ secret.Fields, ok bool) {
	if r.IsOne() {
		v, ok := l.value(place, r)
		return secret.Fields{r.Key + r.Template: v}, ok
	}
	all, ok := l.all(place, r)
	if !ok {
		return nil, false
	}
	taken := secret.Fields{}
	for field, v := range all {
		if r.Selects(field) {
			taken[field] = v
		}
	}
	if !r.Optional {
		for _, name := range r.Misses(func(name string) bool { _, there := all[name]; return there }) {
			l.report.addf(ClassMissing, "%s: there is no field %q for only=%s", place, name,
				didYouMean(name, slices.Collect(maps.Keys(all))))
		}
	}
	return taken, true
}

// all is everything that was fetched for a reference.
func (l lookup) all(place string, r ref.Ref) (_ secret.Fields, ok bool) {
	all, ok := l.secrets[r.Source]
	if !ok && !r.Optional {
		l.report.addf(ClassMissing, "%s: %s is missing: correct it, or add optional to the reference", place, r)
	}
	return all, ok
}

// named is a field of a secret under the name it gets.
type named struct {
	name, field string
	value       secret.Value
}

// rename gives fields their names, by name. Two fields that come to one name
// are reported, and the second left out.
func rename(place string, fields secret.Fields, n naming, rep *report) []named {
	var list []named
	first := map[string]string{} // name -> field
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		name := n.name(field)
		if other, ok := first[name]; ok {
			rep.add(finding(ClassConflict, "%s: the fields %q and %q both become %s: leave one out with except=, or use case=keep", place, other, field, name).mendedByCase("--case keep", n.own))
			continue
		}
		first[name] = field
		list = append(list, named{name, field, fields[field]})
	}
	slices.SortFunc(list, func(a, b named) int { return strings.Compare(a.name, b.name) })
	return list
}

// asVariables leaves of the fields those that make a variable: none that are
// null, and none whose name no shell takes, which are reported.
func asVariables(place string, r ref.Ref, list []named, rep *report) []named {
	var variables []named
	own := r.Case != ref.CaseDefault
	for _, f := range list {
		switch {
		case f.value.IsNull():
		case !isPortable(f.name) && r.File != "":
			rep.add(finding(ClassNotRepresentable, "%s: the field %q gives no variable's name: use case=upper, or leave it out with except=", place, f.field).mendedByCase("--case upper", own))
		case !isPortable(f.name) && r.Template != "":
			rep.addf(ClassNotRepresentable, "%s: a template in place of the key has no name in this format: name the variable with --env NAME=%s", place, r)
		case !isPortable(f.name):
			rep.add(finding(ClassNotRepresentable, "%s: the field %q gives no variable's name: use case=upper, or leave it out with except= and name it with --env 'NAME=%s#%s'", place, f.field, ref.Escape(r.Path), ref.Escape(f.field)).mendedByCase("--case upper", own))
		default:
			variables = append(variables, f)
		}
	}
	return variables
}
