package env

import (
	"maps"
	"slices"

	"vaultexec/internal/ref"
)

// Renamed is a whole secret whose variables are named in a way of its own, as the
// secret blocks of a configuration file have it, or all secrets below a path.
type Renamed struct {
	Ref   ref.Ref
	Place string                            // where it is asked for, for messages
	Names func(path, field string) []string // the variables of a field of the secret at a path; none: it is left out
}

// renamed are the variables of those secrets, in their order.
func (p *Planner) renamed(l lookup) []candidate {
	var offered []candidate
	for _, s := range p.sources.Renamed {
		members, _ := l.each(s.Place, s.Ref)
		for _, m := range members {
			offered = append(offered, s.variables(m, l.report)...)
		}
	}
	return offered
}

func (s Renamed) variables(m member, rep *report) []candidate {
	var offered []candidate
	first := map[string]string{} // name -> field
	for _, field := range slices.Sorted(maps.Keys(m.fields)) {
		value := m.fields[field]
		if value.IsNull() {
			continue
		}
		for _, name := range s.Names(m.ref.Path, field) {
			other, twice := first[name]
			switch {
			case twice && other != field:
				rep.addf(ClassConflict, "%s: the fields %q and %q both become %s: give one of them another name", m.place, other, field, name)
			case !isPortable(name):
				rep.addf(ClassNotRepresentable, "%s: the field %q becomes %q, which is no variable's name: name it with key and format, or leave it out with except", m.place, field, name)
			default:
				first[name] = field
				offered = append(offered, candidate{name: name, value: value.Text(), place: m.place})
			}
		}
	}
	return offered
}
