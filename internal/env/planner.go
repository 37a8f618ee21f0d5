package env

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"vaultexec/internal/nearest"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// Planner knows everything that can be known before anything is fetched. It
// does not change: Plan may be called for each rotation.
type Planner struct {
	sources     Sources
	inherited   inherited
	assigned    []assigned // by --env-file
	files       []file
	pointed     []pointed
	trees       []tree
	credentials []tree // that of --credentials, or none
	templates   []rendering
	first       []ref.Ref // what the templates want of nothing yet
}

// NewPlanner checks the sources, all of them, and returns everything that is
// wrong together.
func NewPlanner(s Sources) (*Planner, error) {
	var rep report
	checkChoices(&s, &rep)
	checkPatterns(&s, &rep)
	checkVariables(&s, &rep)
	checkCustom(&s, &rep)
	checkPrefixes(&s, &rep)
	p := &Planner{sources: s}
	if rep.err() == nil { // with malformed patterns there is no telling what is inherited
		p.assigned = readAssigned(&s, &rep)
		p.inherited = readInherited(&s, p.assigned, &rep)
	}
	taken := destinations{}
	p.pointed = readPointed(&s, taken, &rep)
	p.files = readFiles(&s, taken, &rep)
	p.trees = readTrees(&s, &rep)
	p.readCredentials(taken, &rep)
	p.templates = readTemplates(&s, taken, &rep)
	if err := rep.err(); err != nil {
		return nil, err
	}
	p.first = p.Wanted(nil)
	return p, nil
}

// Refs is what must be fetched to begin with, sources given twice included. What
// is fetched may make templates want more: see Wanted.
func (p *Planner) Refs() []ref.Ref { return append(p.named(), p.first...) }

// named is what the settings themselves name.
func (p *Planner) named() []ref.Ref {
	var refs []ref.Ref
	for _, v := range p.sources.Variables {
		refs = append(refs, v.Ref)
	}
	for _, f := range p.pointed {
		refs = append(refs, f.ref)
	}
	for _, a := range p.assigned {
		refs = append(refs, a.refs()...)
	}
	for _, r := range p.inherited.references {
		refs = append(refs, r.refs()...)
	}
	refs = append(refs, p.sources.Secrets...)
	for _, s := range p.sources.Renamed {
		refs = append(refs, s.Ref)
	}
	for _, f := range p.files {
		refs = append(refs, f.ref)
	}
	for _, t := range slices.Concat(p.trees, p.credentials) {
		for _, part := range t.parts {
			refs = append(refs, part.ref)
		}
	}
	return refs
}

// A Planner holds inherited values.

func (*Planner) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(secret.Placeholder)) }
func (*Planner) LogValue() slog.Value       { return slog.StringValue(secret.Placeholder) }

func checkChoices(s *Sources, rep *report) {
	policies := []string{string(ConflictError), string(ConflictKeep), string(ConflictOverwrite)}
	if got := string(s.OnConflict); got != "" && !slices.Contains(policies, got) {
		rep.addf(ClassConfig, "--on-conflict is error, keep or overwrite, not %q%s", got, didYouMean(got, policies))
	}
	cases := []string{string(ref.CaseKeep), string(ref.CaseUpper)}
	if got := string(s.Case); got != "" && !slices.Contains(cases, got) {
		rep.addf(ClassConfig, "--case is keep or upper, not %q%s", got, didYouMean(got, cases))
	}
	if len(s.Keep) > 0 && !s.Pristine {
		rep.add(finding(ClassConfig, "--keep says what --pristine leaves, and --pristine is not set: add it, or remove --keep").mendedBy("--pristine"))
	}
}

func checkPatterns(s *Sources, rep *report) {
	for _, flag := range []struct {
		name     string
		patterns []string
	}{{"--keep", s.Keep}, {"--drop", s.Drop}, {"--pass", s.Pass}} {
		for _, pattern := range flag.patterns {
			err := ref.CheckGlob(pattern)
			if err == nil && flag.name == "--pass" {
				if err = checkPass(pattern); err != nil {
					err = fmt.Errorf("pattern %q: %v", pattern, err)
				}
			}
			if err != nil {
				rep.addf(ClassConfig, "%s: %v", flag.name, err)
			}
		}
	}
}

func checkVariables(s *Sources, rep *report) {
	first := map[string]ref.Ref{}
	for _, v := range s.Variables {
		if err := checkName(v.Name); err != nil {
			rep.addf(ClassConfig, "--env %q: %v", v.Name, err)
			continue
		}
		if !v.Ref.IsOne() {
			rep.addf(ClassConfig, "--env %s: one variable takes one key: add #KEY to %s", v.Name, v.Ref)
		}
		checkKey("--env "+v.Name, v.Ref, rep)
		if other, ok := first[v.Name]; ok {
			rep.addf(ClassConflict, "--env %s is given twice, with %s and %s: remove one", v.Name, other, v.Ref)
			continue
		}
		first[v.Name] = v.Ref
	}
}

func checkCustom(s *Sources, rep *report) {
	for _, entry := range s.Custom {
		name, _, ok := strings.Cut(entry, "=")
		if !ok {
			rep.addf(ClassConfig, "a variable of the configuration is NAME=VALUE, and there is one without =") // it may be a value
		} else if err := checkName(name); err != nil {
			rep.addf(ClassConfig, "variable %q of the configuration: %v", name, err)
		}
	}
}

// checkPrefixes finds a prefix that spoils every name, which a reference may
// bring along or take from the settings.
func checkPrefixes(s *Sources, rep *report) {
	if n := s.naming(ref.Ref{}); n.spoils() {
		rep.add(finding(ClassConfig, "--prefix %q cannot begin a variable's name: a name is letters, digits and _, and begins with no digit", s.Prefix).mendedBy("--prefix " + portable(s.Prefix)))
		return
	}
	for _, r := range s.Secrets {
		if n := s.naming(r); n.spoils() {
			rep.addf(ClassConfig, "%s%s: prefix %q cannot begin a variable's name: a name is letters, digits and _, and begins with no digit", wholeFlag(r), r, n.prefix)
		}
	}
}

// portable is the prefix that was meant: what no name has in it becomes a _.
func portable(prefix string) string {
	prefix = strings.Map(func(r rune) rune {
		if isPortable("_" + string(r)) {
			return r
		}
		return '_'
	}, prefix)
	if !isPortable(prefix) {
		return "_" + prefix
	}
	return prefix
}

func (n naming) spoils() bool { return n.prefix != "" && !isPortable(n.name("")) }

func didYouMean(got string, among []string) string {
	if near := nearest.To(got, among); len(near) > 0 {
		return ": did you mean " + near[0] + "?"
	}
	return ""
}
