package main

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// refusal is a secret that became something the command cannot be made of: it
// lost a key, say, or got a value that no environment can hold.
type refusal struct {
	sources []ref.Source // what shares the read
	err     error
}

// name is what messages call it; its source is what it is known by.
func (r refusal) name() string { return r.sources[0].String() }

func (r refusal) key() string { return fmt.Sprint(r.name(), r.sources[0].Version, r.sources[0].Body) }

// tryAgain is how soon what was refused is looked at again, without any news of
// it: the reason may have been the command, whose file is being replaced.
const tryAgain = time.Minute

// usable is what the command has, with all of the newer secrets that can be
// planned beside it: one that lost a key must not keep the others from it. Where
// two of them cannot be together, the first by name wins.
func (r *rotation) usable(newer map[ref.Source]secret.Fields) (map[ref.Source]secret.Fields, []refusal) {
	secrets := maps.Clone(r.given)
	var refused []refusal
	for _, sources := range together(newer) {
		if first := sources[0]; identity(newer[first]) == identity(r.given[first]) {
			continue // it did not change
		}
		next, err := r.with(secrets, sources, newer[sources[0]])
		switch {
		case err == nil:
			secrets = next
		case sources[0].Below:
			var others []refusal
			secrets, others = r.usableBelow(secrets, sources, newer[sources[0]])
			refused = append(refused, others...)
		default:
			refused = append(refused, refusal{sources, err})
		}
	}
	return secrets, refused
}

// with puts fields in the place of what sources have, if that can be planned.
func (r *rotation) with(secrets map[ref.Source]secret.Fields, sources []ref.Source, fields secret.Fields) (map[ref.Source]secret.Fields, error) {
	next := maps.Clone(secrets)
	for _, s := range sources {
		next[s] = fields
	}
	_, _, err := r.prep.plan(next)
	return next, err
}

// together are the sources by name, those that share a read in one.
func together(secrets map[ref.Source]secret.Fields) [][]ref.Source {
	byName := slices.SortedFunc(maps.Keys(secrets), func(a, b ref.Source) int {
		return cmp.Or(strings.Compare(a.String(), b.String()), cmp.Compare(a.Version, b.Version), strings.Compare(a.Body, b.Body))
	})
	var groups [][]ref.Source
	place := map[uintptr]int{} // identity of the fields -> in groups
	for _, source := range byName {
		id := identity(secrets[source])
		if i, ok := place[id]; ok {
			groups[i] = append(groups[i], source)
			continue
		}
		place[id] = len(groups)
		groups = append(groups, []ref.Source{source})
	}
	return groups
}

// identity is the same for fields of the same read, and for no others.
func identity(fields secret.Fields) uintptr { return reflect.ValueOf(fields).Pointer() }

// refuse says what cannot be used, now and then, and once that it can again.
func (r *rotation) refuse(refused []refusal, now time.Time) {
	for _, x := range refused {
		r.notices.Say(x.key(), now, "a changed secret cannot be used, the command keeps the last one: "+x.err.Error(),
			"secret", x.name(), "class", classOf(x.err))
	}
	for _, x := range r.refused {
		if !slices.ContainsFunc(refused, func(y refusal) bool { return x.key() == y.key() }) {
			r.notices.Over(x.key(), now, "a changed secret can be used again", "secret", x.name())
		}
	}
	r.refused = refused
}

// refusedSources are those of all refusals.
func refusedSources(refused []refusal) []ref.Source {
	var sources []ref.Source
	for _, x := range refused {
		sources = append(sources, x.sources...)
	}
	return sources
}
