package env

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// Plan is what the child gets. Environ is plain text, as execve wants it; the
// Plan itself does not print.
type Plan struct {
	Environ []string // NAME=value, sorted by name, each name once
	Output
	Descriptors []PlannedDescriptor // by number
}

// Output is what is to be written.
type Output struct {
	Files    []PlannedFile // in the order of the settings
	Trees    []PlannedTree // likewise
	InMemory bool          // the file system must be tmpfs(5) or ramfs
}

func (Plan) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(secret.Placeholder)) }
func (Plan) LogValue() slog.Value         { return slog.StringValue(secret.Placeholder) }
func (Plan) MarshalText() ([]byte, error) { return []byte(secret.Placeholder), nil }

// candidate is a variable as one of the sources offers it.
type candidate struct {
	name  string
	value string
	place string // that source, for messages
	below bool   // of PATH/*, and its name is that of a key alone
}

// Plan makes the child's environment and files of what was fetched: source ->
// its fields, absent where there is no such secret. It returns everything that
// is wrong together.
func (p *Planner) Plan(secrets map[ref.Source]secret.Fields) (Plan, error) {
	var rep report
	l := lookup{secrets, &rep, p.inheritedValue}
	var plan Plan
	offered, files := p.offers(l, &plan)
	final := settle(offered, p.sources.OnConflict, &rep)
	plan.Environ = make([]string, 0, len(final))
	for _, name := range slices.Sorted(maps.Keys(final)) {
		c := final[name]
		if strings.Contains(c.value, "\x00") {
			rep.add(finding(ClassNotRepresentable, "%s: the value of variable %s has a NUL byte in it, which no environment can hold: use --file, or leave it out with except=", c.place, name).about(name))
		}
		plan.Environ = append(plan.Environ, name+"="+c.value)
	}
	for _, f := range p.files {
		if planned, ok := f.plan(&p.sources, l); ok {
			plan.Files = append(plan.Files, planned)
		}
	}
	plan.Files = append(plan.Files, files...)
	p.planTrees(l, &plan)
	if err := rep.err(); err != nil {
		return Plan{}, err
	}
	plan.InMemory = p.sources.InMemory
	if p.sources.Owner != nil {
		plan.own(*p.sources.Owner)
	}
	return plan, nil
}

// offers are the variables of all sources. What those of --file-env and the like
// point to goes into the plan; the files of templates are returned.
func (p *Planner) offers(l lookup, plan *Plan) (offers, []PlannedFile) {
	explicit := map[string]candidate{}
	p.assign(l, explicit)
	variables, files := p.rendered(l.secrets, l.report)
	maps.Copy(explicit, variables)
	maps.Copy(explicit, p.explicit(l, plan))
	return offers{
		explicit:   explicit,
		references: p.references(l),
		whole:      append(p.whole(l), p.renamed(l)...),
		literals:   p.inherited.literals,
	}, files
}

// own gives an owner to every file that does not say its own. One that the agent
// would leave as it is (Lasting) stays who it was.
func (p *Plan) own(o Owner) {
	give := func(f *PlannedFile) {
		if f.UID == -1 && f.GID == -1 && !f.Lasting {
			f.UID, f.GID = o.UID, o.GID
		}
	}
	for i := range p.Files {
		give(&p.Files[i])
	}
	for i := range p.Descriptors {
		give(&p.Descriptors[i].File)
	}
	for i := range p.Trees {
		t := &p.Trees[i]
		if t.UID == -1 && t.GID == -1 && !t.Private {
			t.UID, t.GID = o.UID, o.GID
		}
		for j := range t.Files {
			give(&t.Files[j])
		}
	}
}

// explicit are the variables of --env and those that point to files, which go
// into the plan, and those that the configuration sets outright, which win.
func (p *Planner) explicit(l lookup, plan *Plan) map[string]candidate {
	offered := map[string]candidate{}
	for _, v := range p.sources.Variables {
		place := "--env " + v.Name
		if value, ok := l.value(place, v.Ref); ok {
			offered[v.Name] = candidate{name: v.Name, value: value.Text(), place: place}
		}
	}
	p.point(l, plan, offered)
	p.pointToCredentials(l, plan, offered)
	for _, entry := range p.sources.Custom {
		name, value, _ := strings.Cut(entry, "=")
		offered[name] = candidate{name: name, value: value, place: "the configuration"}
	}
	return offered
}

// references are the inherited variables with references in them.
func (p *Planner) references(l lookup) []candidate {
	var offered []candidate
	for _, r := range p.inherited.references {
		if text, complete := r.join(l); complete {
			offered = append(offered, candidate{name: r.name, value: text, place: r.place})
		}
	}
	return offered
}

// whole are the variables of --secret and --from, in the order of the flags.
func (p *Planner) whole(l lookup) []candidate {
	var offered []candidate
	for _, r := range p.sources.Secrets {
		place := wholeFlag(r) + r.String()
		members, _ := l.each(place, r)
		for _, m := range members {
			list := rename(m.place, m.fields, p.sources.naming(r).behind(m, "_"), l.report)
			for _, f := range asVariables(m.place, m.ref, list, l.report) {
				offered = append(offered, candidate{f.name, f.value.Text(), m.place, r.Below && !r.PathNames})
			}
		}
	}
	return offered
}

// wholeFlag is the one that a whole secret is from, for messages.
func wholeFlag(r ref.Ref) string {
	if r.File != "" {
		return "--from "
	}
	return "--secret "
}

// offers are the variables of all sources, the strongest source first.
type offers struct {
	explicit   map[string]candidate // name -> --env, --file-env, --fd-env and --credentials, or the configuration's
	references []candidate          // inherited, with references
	whole      []candidate          // --secret, --from and secret blocks, in order
	literals   map[string]string    // name -> inherited value
}

// settle is the precedence of vaultexec. From strong to weak:
//
//  1. what the configuration sets outright (exec.env.custom)
//  2. --env NAME=REF, a line of --env-file which is weaker, NAME_FILE of --file-env and --fd-env, and the variable of
//     --credentials, replaces whatever else has the name, without a word
//  3. references inside inherited variables
//  4. whole secrets, in the order given
//  5. literal inherited variables
//
// Since nobody writes down the names in a whole secret, one that is already
// there as 3, as 5 or from an earlier secret is a conflict: an error, or what
// was there stays (keep), or the whole secret's wins, among secrets the later
// one's (overwrite). The secrets of PATH/* are whole secrets in the order of
// their names. A source that has nothing to give, because it is optional
// and missing, takes no part.
func settle(o offers, policy Conflict, rep *report) map[string]candidate {
	final := map[string]candidate{}
	for name, value := range o.literals {
		final[name] = candidate{name: name, value: value, place: "the inherited variable"}
	}
	for _, c := range o.references {
		final[c.name] = c
	}
	for _, c := range o.whole {
		if _, replaced := o.explicit[c.name]; replaced {
			continue
		}
		if isReserved(c.name) {
			rep.add(finding(ClassConfig, "%s: %s decides which programs or libraries run, so no secret sets it by itself: leave it out with except=, or set it with --env %s=REF", c.place, c.name, c.name).about(c.name))
			continue
		}
		there, clash := final[c.name]
		switch {
		case !clash || policy == ConflictOverwrite:
			final[c.name] = c
		case policy != ConflictKeep:
			rename := "rename it with prefix="
			if c.below {
				rename = "put the secret's path before it with names=path"
			}
			rep.add(finding(ClassConflict, "variable %s comes from %s and from %s: leave it out with except=, %s, choose with --on-conflict keep or overwrite, or set it with --env %s=REF", c.name, there.place, c.place, rename, c.name).about(c.name).mendedBy("--on-conflict overwrite"))
		}
	}
	maps.Copy(final, o.explicit)
	return final
}
