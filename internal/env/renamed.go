package env

import (
	"maps"
	"slices"

	"vaultexec/internal/ref"
)

// Renamed is a whole secret whose variables are named in a way of its own, as the
// secret blocks of a configuration file have it.
type Renamed struct {
	Ref   ref.Ref
	Place string                      // where it is asked for, for messages
	Names func(field string) []string // the variables of a field; none: it is left out
}

// renamed are the variables of those secrets, in their order.
func (p *Planner) renamed(l lookup) []candidate {
	var offered []candidate
	for _, s := range p.sources.Renamed {
		fields, ok := l.fields(s.Place, s.Ref)
		if !ok {
			continue
		}
		first := map[string]string{} // name -> field
		for _, field := range slices.Sorted(maps.Keys(fields)) {
			value := fields[field]
			if value.IsNull() {
				continue
			}
			for _, name := range s.Names(field) {
				other, twice := first[name]
				switch {
				case twice && other != field:
					l.report.addf(ClassConflict, "%s: the fields %q and %q both become %s: give one of them another name", s.Place, other, field, name)
				case !isPortable(name):
					l.report.addf(ClassNotRepresentable, "%s: the field %q becomes %q, which is no variable's name: name it with key and format, or leave it out with except", s.Place, field, name)
				default:
					first[name] = field
					offered = append(offered, candidate{name, value.Text(), s.Place})
				}
			}
		}
	}
	return offered
}
