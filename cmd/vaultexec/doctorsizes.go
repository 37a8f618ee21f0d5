package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"vaultexec/internal/env"
	"vaultexec/internal/fetch"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// largeEnviron is more than some kernels and runtimes take of an environment.
const largeEnviron = 1 << 20

// variable is one of the command's, and what it takes.
type variable struct {
	name string
	size int // of NAME=VALUE with its end
}

// examinePlan looks at what the command would get.
func (d *doctor) examinePlan(ctx context.Context, secrets map[ref.Source]secret.Fields) {
	if d.planner == nil {
		return
	}
	if !d.addFiles(ctx, &secrets) {
		d.skipped("sizes", "not everything was read")
		return
	}
	plan, err := d.planner.Plan(secrets)
	if err != nil {
		d.findings("sizes", err, d.planner.Items(secrets))
		return
	}
	d.examineSizes(plan.Environ, d.planner.Items(secrets), env.SystemLimits())
}

// examineSizes compares them with what the system takes.
func (d *doctor) examineSizes(environ []string, items []env.Item, limits env.Limits) {
	total := 0
	all := make([]variable, len(environ))
	for i, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		all[i] = variable{name, len(entry) + 1}
		total += all[i].size
	}
	slices.SortStableFunc(all, func(a, b variable) int { return cmp.Compare(b.size, a.size) })
	healthy := true
	for _, v := range all {
		if limits.String > 0 && v.size > limits.String {
			healthy = false
			d.failed("sizes", env.ClassNotRepresentable, fmt.Sprintf("variable %s takes %d bytes, and this system passes at most %d in one", printable(v.name), v.size, limits.String), d.handOver(v.name, items))
		}
	}
	if !healthy {
		return
	}
	detail := fmt.Sprintf("%d variables take %d bytes", len(environ), total)
	if len(all) == 0 {
		d.ok("sizes", detail)
		return
	}
	detail += fmt.Sprintf(", %s the most with %d", printable(all[0].name), all[0].size)
	if limits.String > 0 {
		detail += fmt.Sprintf(" (at most %d each)", limits.String)
	}
	fix := d.handOver(all[0].name, items)
	switch {
	case env.CheckLimits(nil, environ, limits) != nil:
		d.failed("sizes", env.ClassNotRepresentable, fmt.Sprintf("%s, and this system passes at most %d of arguments and environment together", detail, limits.Total), fix)
	case total > largeEnviron:
		d.warn("sizes", fmt.Sprintf("%s\nother systems take at most %d", detail, largeEnviron), fix)
	default:
		d.ok("sizes", detail)
	}
}

// handOver is how the command gets a value that is too large for a variable: in a
// file in memory, whose name is in NAME_FILE, or at a place of its own.
func (d *doctor) handOver(name string, items []env.Item) fetch.Fix {
	i := slices.IndexFunc(items, func(i env.Item) bool { return !i.File && i.Name == name && i.Behind == "" })
	if i < 0 {
		return fetch.Paste("--drop "+fetch.ShellWord(name)+"   # it is inherited", "--pristine   # inherits nothing")
	}
	item := items[i]
	kind, _, _ := strings.Cut(item.Place, " ")
	if kind == "--env-template" {
		return d.handOverTemplate(name)
	}
	if len(item.Origins) != 1 || item.Inline {
		return fetch.Paste("--drop " + fetch.ShellWord(name) + "   # and --fd-env NAME=REF for each value that " + item.Place + " makes it of")
	}
	o := item.Origins[0]
	one := ref.Ref{Source: o.Source, Key: o.Key}
	if !o.Asked.Below {
		one = o.Asked
		one.Prefix, one.Case, one.Only, one.Except, one.PathNames, one.Key = nil, ref.CaseDefault, nil, nil, false, o.Key
	}
	rest, where := "", "in place of "+item.Place
	if whole := (asking{place: item.Place, ref: o.Asked}); kind == "--secret" || kind == "--from" { // the others stay
		key := o.Key
		if o.Asked.Below {
			key = strings.TrimPrefix(o.Source.Path, o.Asked.Path+"/") + "/" + key
		}
		whole.ref.Except = append(slices.Clone(whole.ref.Except), key)
		rest = whole.flag() + " "
	}
	if kind == "variable" && !strings.HasSuffix(item.Place, ")") { // it is inherited, and would stay
		rest = "--drop " + fetch.ShellWord(name) + " "
	}
	if kind == "--from" {
		return fetch.Paste(rest + "  # and the command reads " + fetch.ShellWord(o.Source.File) + " itself")
	}
	instead := func(flag, name string) string {
		return rest + flag + " " + fetch.ShellWord(name+"="+one.Written()) + "   # " + where
	}
	return fetch.Paste(instead("--fd-env", name), instead("--file", filepath.Join(d.inMemoryDir(), strings.ToLower(name))))
}

// setExplicitly is how a variable is set that no whole secret sets by itself.
func (d *doctor) setExplicitly(name string, items []env.Item) fetch.Fix {
	for _, i := range items {
		if i.Name == name && !i.File && len(i.Origins) == 1 {
			o := i.Origins[0]
			one, whole := ref.Ref{Source: o.Source, Key: o.Key}, asking{place: i.Place, ref: o.Asked}
			whole.ref.Except = append(slices.Clone(whole.ref.Except), o.Key)
			return fetch.Paste(whole.flag()+"   # leaves it out", whole.flag()+" --env "+fetch.ShellWord(name+"="+one.Written())+"   # if that is meant")
		}
	}
	return whereSet
}

// handOverTemplate is the same for what a template makes, which is in a file or in
// the flag.
func (d *doctor) handOverTemplate(name string) fetch.Fix {
	file := strings.ToLower(name) + ".tmpl"
	note := "   # with the template of --env-template " + name + " in that file"
	for _, t := range d.settings.EnvTemplates() {
		if t.Name == name && t.From != "" {
			file, note = t.From, "   # in place of --env-template "+name
		}
	}
	return fetch.Paste("--template " + fetch.ShellWord(file+":"+filepath.Join(d.inMemoryDir(), strings.ToLower(name))) + note)
}
