package env

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// Item is a variable or a file that a command would get, and where it is from.
// It has no value.
type Item struct {
	File    bool   // it is a file, else a variable
	Name    string // of the variable, or of the file; empty: the names are not known, they are those of the secret's keys
	Place   string // where it is asked for, as messages name it
	Inline  bool   // its value is more than one reference: text, or others, are around each
	Origins []Origin
	There   bool   // it can be made of what was fetched
	Behind  string // the place of what has the name in its stead; empty: nothing has
}

// Origin is one of the places that an Item is made of.
type Origin struct {
	Asked  ref.Ref    // the reference as it was given
	Source ref.Source // what is read for it; of PATH/* the one secret
	Key    string     // empty: all of it
}

// Items are the variables that are not simply inherited, in the order of their
// names, and then the files in that of the settings. Secrets are what was fetched:
// not all that is needed may be there.
func (p *Planner) Items(secrets map[ref.Source]secret.Fields) []Item {
	l := lookup{secrets, &report{}, p.inheritedValue} // what is wrong with it Plan says
	variables := slices.Concat(p.variableItems(l), p.wholeItems(l))
	p.putBehind(variables, l)
	slices.SortStableFunc(variables, func(a, b Item) int { return strings.Compare(a.Name, b.Name) })
	return slices.Concat(variables, p.fileItems(l))
}

// one is the origin of what a reference names itself.
func one(r ref.Ref) Origin { return Origin{r, r.Source, r.Key} }

// variableItems are the variables whose names are known without the secrets.
func (p *Planner) variableItems(l lookup) []Item {
	var items []Item
	for _, entry := range p.sources.Custom {
		name, _, _ := strings.Cut(entry, "=")
		items = append(items, Item{Name: name, Place: "the configuration", There: true})
	}
	for _, v := range p.sources.Variables {
		_, ok := l.value("", v.Ref)
		items = append(items, Item{Name: v.Name, Place: "--env " + v.Name, Origins: []Origin{one(v.Ref)}, There: ok})
	}
	for _, f := range p.pointed {
		_, ok := f.plan(&p.sources, l)
		items = append(items, Item{Name: f.variable, Place: f.place, Origins: []Origin{one(f.ref)}, There: ok})
	}
	references := slices.Clone(p.inherited.references)
	for _, a := range p.assigned {
		references = append(references, a.reference)
	}
	for _, r := range references {
		item := Item{Name: r.name, Place: r.place, Inline: len(r.segments) > 1, There: true}
		for _, asked := range r.refs() {
			_, ok := l.value("", asked)
			item.There = item.There && ok
			item.Origins = append(item.Origins, one(asked))
		}
		items = append(items, item)
	}
	for _, r := range p.templates {
		if r.Dest == "" {
			items = append(items, p.templateItem(r, l))
		}
	}
	for _, t := range p.credentials {
		item := Item{Name: credentialsVariable, Place: "--credentials", There: true}
		for _, part := range t.parts {
			item.Origins = append(item.Origins, one(part.ref))
			_, found := part.each(&p.sources, l)
			item.There = item.There && (found || part.ref.Optional)
		}
		items = append(items, item)
	}
	return items
}

func (p *Planner) templateItem(r rendering, l lookup) Item {
	result, err := p.render(r, l.secrets)
	item := Item{File: r.Dest != "", Name: r.Name, Place: r.Place, There: err == nil && len(result.Missing) == 0}
	if item.File {
		item.Name = r.file.Dest
	}
	for _, u := range result.Used {
		item.Origins = append(item.Origins, one(u))
	}
	return item
}

// wholeItems are the variables that whole secrets name.
func (p *Planner) wholeItems(l lookup) []Item {
	var items []Item
	for _, r := range p.sources.Secrets {
		members, ok := l.each("", r)
		if !ok {
			items = append(items, Item{Place: wholeFlag(r) + r.String(), Origins: []Origin{one(r)}})
		}
		for _, m := range members {
			list := rename("", m.fields, p.sources.naming(r).behind(m, "_"), l.report)
			place := wholeFlag(r) + r.String()
			if r.Below {
				place += " (" + ref.Escape(m.ref.Path) + ")"
			}
			for _, f := range asVariables(place, m.ref, list, l.report) {
				items = append(items, Item{Name: f.name, Place: place, Origins: []Origin{{r, m.ref.Source, f.field}}, There: true})
			}
		}
	}
	for _, s := range p.sources.Renamed {
		members, ok := l.each(s.Place, s.Ref)
		if !ok {
			items = append(items, Item{Place: s.Place, Origins: []Origin{one(s.Ref)}})
		}
		for _, m := range members {
			for _, field := range slices.Sorted(maps.Keys(m.fields)) {
				for _, name := range s.Names(m.ref.Path, field) {
					items = append(items, Item{Name: name, Place: m.place, Origins: []Origin{{s.Ref, m.ref.Source, field}}, There: !m.fields[field].IsNull()})
				}
			}
		}
	}
	return items
}

// putBehind notes which variables another has the name of.
func (p *Planner) putBehind(variables []Item, l lookup) {
	offered, _ := p.offers(l, &Plan{})
	final := settle(offered, p.sources.OnConflict, l.report)
	for i, v := range variables {
		if winner, ok := final[v.Name]; ok && v.There && winner.place != v.Place {
			variables[i].Behind = winner.place
		}
	}
}

// fileItems are the files.
func (p *Planner) fileItems(l lookup) []Item {
	var items []Item
	for _, f := range p.files {
		_, ok := f.plan(&p.sources, l)
		items = append(items, Item{File: true, Name: f.dest, Place: f.place, Origins: []Origin{one(f.ref)}, There: ok})
	}
	for _, r := range p.templates {
		if r.Dest != "" {
			items = append(items, p.templateItem(r, l))
		}
	}
	for _, t := range p.trees {
		items = append(items, t.items(t.dest, l)...)
	}
	for _, t := range p.credentials {
		items = append(items, t.items("$"+credentialsVariable, l)...)
	}
	return items
}

// items are the files of a directory that messages call dir.
func (t tree) items(dir string, l lookup) []Item {
	var items []Item
	for _, part := range t.parts {
		if part.alone {
			_, ok := l.fields("", part.ref)
			items = append(items, Item{File: true, Name: filepath.Join(dir, part.dest), Place: part.place, Origins: []Origin{one(part.ref)}, There: ok})
			continue
		}
		members, ok := l.each("", part.ref)
		if !ok {
			items = append(items, Item{File: true, Place: part.place, Origins: []Origin{one(part.ref)}})
		}
		for _, m := range members {
			for _, n := range rename("", m.fields, ownNaming(m.ref), l.report) {
				if !n.value.IsNull() {
					items = append(items, Item{File: true, Name: filepath.Join(dir, m.name, n.name), Place: part.place,
						Origins: []Origin{{part.ref, m.ref.Source, n.field}}, There: true})
				}
			}
		}
	}
	return items
}

// Inheritance says what becomes of a variable that the command may inherit;
// empty: there is none of that name.
func (p *Planner) Inheritance(name string) string {
	if _, inherited := p.inherited.literals[name]; inherited {
		return "inherited"
	}
	if _, there := p.inheritedValue(name); !there {
		return ""
	}
	switch {
	case ref.Match(p.sources.Drop, name):
		return "not inherited: --drop says so"
	case isVaults(name):
		return "not inherited: --pass would hand it on"
	case p.sources.Pristine:
		return "not inherited: --pristine says so, and --keep would keep it"
	}
	return "inherited"
}
