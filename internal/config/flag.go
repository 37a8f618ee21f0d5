package config

import "strings"

// flag reads one of vaultexec's own settings: a scalar, a list of them, or a
// block of NAME = VALUE for those that are NAME=VALUE on the command line.
func (d *decoder) flag(e entry) {
	if len(e.labels) > 0 {
		d.bad(e.line, "%s takes no label", e.key)
		return
	}
	for _, other := range d.config.Flags {
		if other.Name == strings.ReplaceAll(e.key, "_", "-") { // on_change may stand in exec too
			d.bad(e.line, "%s is there already, in %s: remove one", e.key, other.Place)
			return
		}
	}
	f := Flag{Name: strings.ReplaceAll(e.key, "_", "-"), Place: place(d.file, e.line)}
	if e.value.kind == objectKind {
		for _, pair := range e.value.entries {
			if !pair.value.scalar() || len(pair.labels) > 0 {
				d.bad(pair.line, "%s.%s is a text", e.key, pair.key)
				return
			}
			word, ok := d.value(e.key, pair.value)
			if !ok {
				return
			}
			f.Values = append(f.Values, pair.key+"="+word)
		}
	} else {
		var list Given[[]string]
		d.words(&list).read(e)
		f.Values = list.Value
	}
	if len(f.Values) > 0 {
		d.config.Flags = append(d.config.Flags, f)
	}
}
