package main

import (
	"maps"
	"slices"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// usableBelow does the work of usable for the secrets of PATH/*, each by itself:
// first those that are gone, whose names others may have now.
func (r *rotation) usableBelow(secrets map[ref.Source]secret.Fields, sources []ref.Source, newer secret.Fields) (map[ref.Source]secret.Fields, []refusal) {
	names := different(secrets[sources[0]], newer)
	for {
		var refused []refusal
		left := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			next, err := r.with(secrets, sources, exchanged(secrets[sources[0]], newer, name))
			if err == nil {
				secrets = next
				return true
			}
			x := refusal{err: err}
			for _, s := range sources {
				x.sources = append(x.sources, s.Member(name))
			}
			refused = append(refused, x)
			return false
		})
		if len(left) == 0 || len(left) == len(names) {
			return secrets, refused
		}
		names = left // one that could not be used may be usable after another
	}
}

// different are the names of secrets that have gone, and then of those that are
// new or other than before.
func different(older, newer secret.Fields) []string {
	var gone, others []string
	for name := range older {
		if _, there := newer[name]; !there {
			gone = append(gone, name)
		}
	}
	for name, v := range newer {
		if was, there := older[name]; !there || was.Text() != v.Text() {
			others = append(others, name)
		}
	}
	slices.Sort(gone)
	slices.Sort(others)
	return append(gone, others...)
}

// exchanged is the older with one secret as it is in the newer.
func exchanged(older, newer secret.Fields, name string) secret.Fields {
	fields := secret.Fields{}
	maps.Copy(fields, older)
	delete(fields, name)
	if v, there := newer[name]; there {
		fields[name] = v
	}
	return fields
}
