package env

import (
	"errors"
	"slices"
	"strings"

	"vaultexec/internal/ref"
)

// inherited is what is left of the inherited environment, by kind.
type inherited struct {
	literals   map[string]string // name -> value
	references []reference       // by name
}

// reference is a variable with references in its value.
type reference struct {
	name     string
	place    string // for messages
	segments []ref.Segment
}

// refs are its references.
func (r reference) refs() []ref.Ref {
	var refs []ref.Ref
	for _, s := range r.segments {
		if s.Ref != nil {
			refs = append(refs, *s.Ref)
		}
	}
	return refs
}

// join puts the value together. One that misses an optional reference is not
// complete: half a connection string is worse than none. (With ?default= in the
// reference, empty text can stand in.)
func (r reference) join(l lookup) (text string, complete bool) {
	var b strings.Builder
	complete = true
	for _, s := range r.segments {
		if s.Ref == nil {
			b.WriteString(s.Literal)
			continue
		}
		value, ok := l.value(r.place, *s.Ref)
		b.WriteString(value.Text())
		complete = complete && ok
	}
	return b.String(), complete
}

// checkKeys reports what is wrong with templates in place of keys.
func checkKeys(place string, segments []ref.Segment, rep *report) {
	for _, s := range segments {
		if s.Ref != nil {
			checkKey(place, *s.Ref, rep)
		}
	}
}

// readInherited sorts the inherited environment. In this order:
//
//   - An entry without a name or without = is left out: no getenv can find it.
//     Of two with one name the first counts, as for getenv(3) of glibc and musl
//     and for os.Getenv.
//   - --drop takes a variable away, whatever is in it.
//   - VAULTEXEC_* are vaultexec's own settings, references or not: only --pass
//     hands them on, as they are.
//   - References are sources and stay, --pristine or not, under VAULT_* names
//     too: such a variable is not vaultexec's login, it is made for the child.
//   - Literal VAULT_* are inherited by --pass alone, all other literals unless
//     --pristine, and then by --keep.
//
// A name that --env, --env-file and the like or the configuration certainly set is not
// looked at: nothing is fetched for it.
func readInherited(s *Sources, files []assigned, rep *report) inherited {
	in := inherited{literals: map[string]string{}}
	seen := map[string]bool{}
	certain := certainNames(s)
	for _, a := range files {
		if a.certain() {
			certain[a.name] = true
		}
	}
	for _, name := range templateNames(s.Templates) {
		certain[name] = true
	}
	for _, entry := range s.Inherited {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || name == "" || seen[name] {
			continue
		}
		seen[name] = true
		if certain[name] || ref.Match(s.Drop, name) {
			continue
		}
		if !strings.HasPrefix(name, "VAULTEXEC_") {
			segments, err := s.references(value)
			if err != nil {
				rep.add(finding(ClassConfig, "variable %s: %v", name, err).mendedBy("--drop " + shellWord(name)))
				continue
			}
			checkKeys("variable "+name, segments, rep)
			if segments != nil {
				in.references = append(in.references, reference{name, "variable " + name, segments})
				continue
			}
		}
		if s.inherits(name) {
			in.literals[name] = value
		}
	}
	slices.SortFunc(in.references, func(a, b reference) int { return strings.Compare(a.name, b.name) })
	return in
}

// references finds the references in an inherited value.
func (s *Sources) references(value string) ([]ref.Segment, error) {
	if s.TransitKey != "" && ref.Ciphertext(value) {
		r, err := ref.Decrypt(s.TransitMount, s.TransitKey, value)
		return []ref.Segment{{Ref: &r}}, err
	}
	segments, err := ref.ParseValue(value)
	for i := range segments {
		if r := segments[i].Ref; r != nil && r.Default == nil && s.IgnoreMissing {
			r.Optional = true
		}
	}
	return segments, err
}

func (s *Sources) inherits(name string) bool {
	if isVaults(name) {
		return ref.Match(s.Pass, name)
	}
	return !s.Pristine || ref.Match(s.Keep, name)
}

// isVaults tells whether a variable is a setting of Vault's client or of
// vaultexec.
func isVaults(name string) bool {
	return strings.HasPrefix(name, "VAULT_") || strings.HasPrefix(name, "VAULTEXEC_")
}

// certainNames are those that --env, --file-env, --fd-env and the configuration
// set whatever is fetched.
func certainNames(s *Sources) map[string]bool {
	names := map[string]bool{}
	for _, entry := range s.Custom {
		name, _, _ := strings.Cut(entry, "=")
		names[name] = true
	}
	note := func(variables []Variable, suffix string) {
		for _, v := range variables {
			if !v.Ref.Optional {
				names[v.Name+suffix] = true
			}
		}
	}
	note(s.Variables, "")
	note(s.FileVariables, pointerSuffix)
	note(s.DescriptorVariables, pointerSuffix)
	return names
}

// checkPass finds a --pass that can have no effect.
func checkPass(pattern string) error {
	literal := pattern
	if i := strings.IndexAny(pattern, `*?[\`); i >= 0 {
		literal = pattern[:i]
	}
	if i := min(len(literal), len("VAULT")); literal[:i] != "VAULT"[:i] {
		return errors.New("only VAULT_* and VAULTEXEC_* are held back, and this matches neither; other variables are inherited, with --pristine by --keep")
	}
	return nil
}
