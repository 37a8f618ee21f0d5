package config

import (
	"fmt"
	"slices"
)

// moot is what has no effect here; why says so to the user, once.
func (d *decoder) moot(why string) field {
	return field{many: true, read: func(e entry) { d.withoutEffect(e, why) }}
}

// mootBut is moot, and says nothing where the value is one of the usual: those
// that whoever reads such files elsewhere takes where nothing is said, or that say
// what vaultexec does. The value is checked all the same.
func mootBut[T comparable](d *decoder, read func(*Given[T]) field, why string, usual ...T) field {
	return field{read: func(e entry) {
		var v Given[T]
		read(&v).read(e)
		if v.IsSet() && !slices.Contains(usual, v.Value) {
			d.withoutEffect(e, why)
		}
	}}
}

// mootUnlessEmpty is mootBut of a list.
func (d *decoder) mootUnlessEmpty(why string) field {
	return field{read: func(e entry) {
		var v Given[[]string]
		d.words(&v).read(e)
		if slices.ContainsFunc(v.Value, func(word string) bool { return word != "" }) {
			d.withoutEffect(e, why)
		}
	}}
}

// withoutEffect says it once a file: there may be many templates.
func (d *decoder) withoutEffect(e entry, why string) {
	text := fmt.Sprintf("%s has no effect: %s", join(d.within, e.key), why)
	if !slices.ContainsFunc(d.config.Notes, func(n Note) bool { return n.Text == text }) {
		d.config.Notes = append(d.config.Notes, Note{place(d.file, e.line), text})
	}
}

// covered is what needs no mention: vaultexec does it anyway, or better.
func (d *decoder) covered() field { return field{many: true, read: func(entry) {}} }

// refused is what vaultexec cannot do and must not pretend to.
func (d *decoder) refused(why string) field {
	return field{block: true, many: true, read: func(e entry) { d.bad(e.line, "%s %s", e.key, why) }}
}
