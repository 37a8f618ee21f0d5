// Package template renders Go templates (text/template) with the functions that
// Vault Agent's have, by the names and in the argument order of consul-template
// (its docs/templating-language.md), so that templates render the same bytes.
//
// It is pure: which secrets a template wants is found by executing it. What the
// lookup does not have is listed, the output is thrown away, and the caller comes
// again when it is there; a template may ask for more then, as in a range over
// names that were a secret themselves.
//
// No error of this package has a value of a secret in it: the errors of
// text/template do, so only what is known to be harmless is repeated.
package template

import (
	"maps"
	"slices"
	"strings"
	text "text/template"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// Options are how a template is read and what it may do.
type Options struct {
	Place       string   // the template in messages: a flag, or a file and line
	Left, Right string   // delimiters; empty: {{ and }}
	Lenient     bool     // a missing key is written as <no value>, not an error
	Sandbox     string   // the directory that file is limited to; empty: anywhere
	Deny        []string // globs of functions that it may not use
	Sprig       bool     // sprig's functions have their own names too, before others of these names
}

// Template is a template that was parsed.
type Template struct {
	options Options
	source  string
	tree    *text.Template
}

// Data is what a template is executed with.
type Data struct {
	Secrets map[ref.Source]secret.Fields // what is there
	Fields  secret.Fields                // what . is; nil: nothing
	Env     func(name string) (string, bool)
}

// Parse reads a template. Its error names the line.
func Parse(source string, o Options) (*Template, error) {
	t := text.New("template").Delims(o.Left, o.Right)
	if o.Lenient {
		t.Option("missingkey=zero")
	} else {
		t.Option("missingkey=error")
	}
	t.Funcs(used(source, o.functions()))
	if _, err := t.Parse(source); err != nil {
		return nil, o.parseError(err)
	}
	return &Template{o, source, t}, nil
}

// Result is what an execution came to. Of Text and Missing one is empty.
type Result struct {
	Text    string
	Used    []ref.Ref // every secret that it asked for, in the order of asking
	Missing []ref.Ref // those that Data does not have
}

// Execute renders the template. A secret that is missing is no error: the
// template is executed as if it were empty, to find what else it wants.
func (t *Template) Execute(d Data) (Result, error) {
	e := &execution{options: t.options, source: t.source, data: d}
	copied, err := t.tree.Clone() // with some functions of its own: executions may be side by side
	if err != nil {
		panic("BUG: a template that was not executed cannot be cloned: " + err.Error())
	}
	own := used(t.source, e.functions())
	maps.DeleteFunc(own, func(name string, _ any) bool { return t.options.denies(name) }) // they stay what refuses
	e.template = copied.Funcs(own)
	var out limited
	err = e.template.Execute(&out, d.dot())
	r := Result{Used: e.used, Missing: e.missing}
	switch {
	case len(e.missing) > 0: // an error may come of what is not there yet
		return r, nil
	case err != nil:
		return Result{Used: e.used}, t.options.executeError(err)
	}
	r.Text = out.String()
	return r, nil
}

// dot is what a template begins with: a field that is null is none.
func (d Data) dot() any {
	if d.Fields == nil {
		return nil
	}
	fields := make(map[string]any, len(d.Fields))
	for name, v := range d.Fields {
		if !v.IsNull() {
			fields[name] = copied(v.Any())
		}
	}
	return fields
}

// execution is one execution of a template; some functions are its methods.
type execution struct {
	options  Options
	source   string
	data     Data
	template *text.Template
	used     []ref.Ref
	missing  []ref.Ref
	scratch  scratch
	answers  map[ref.Source]*Secret // given before, with what the template did to them
	loops    uint64                 // how many numbers loop, until and others have given
	depth    int                    // of executeTemplate in executeTemplate
}

// ask gives the fields of a source, or notes that they are missing.
func (e *execution) ask(s ref.Source) (secret.Fields, bool) {
	r := ref.Ref{Source: s}
	if !slices.ContainsFunc(e.used, func(u ref.Ref) bool { return u.Source == s }) {
		e.used = append(e.used, r)
	}
	fields, there := e.data.Secrets[s]
	if !there && !slices.ContainsFunc(e.missing, func(m ref.Ref) bool { return m.Source == s }) {
		e.missing = append(e.missing, r)
	}
	return fields, there
}

// functions are all that a template can call. Those of an execution are there by
// name; each execution puts its own in their place.
func (o Options) functions() text.FuncMap {
	all := text.FuncMap{}
	for _, some := range []text.FuncMap{textFunctions(), encodingFunctions(), collectionFunctions(), mathFunctions(), sprigFunctions(), printFunctions()} {
		maps.Copy(all, some)
	}
	if o.Sprig {
		for name, f := range sprigFunctions() {
			all[strings.TrimPrefix(name, "sprig_")] = f
		}
	}
	maps.Copy(all, (&execution{options: o}).functions())
	for name, why := range unsupported() {
		all[name] = refusing(name, why)
	}
	for name, why := range sprigRefused() {
		all["sprig_"+name] = refusing("sprig_"+name, why)
		if o.Sprig && all[name] == nil {
			all[name] = refusing(name, why)
		}
	}
	for name := range all {
		if o.denies(name) {
			all[name] = refusing(name, "function_denylist forbids it")
		}
	}
	return all
}

// used leaves out functions that a source does not name: text/template copies its
// table for each execution.
func used(source string, functions text.FuncMap) text.FuncMap {
	maps.DeleteFunc(functions, func(name string, _ any) bool { return !strings.Contains(source, name) })
	return functions
}

// functions are those that depend on the execution.
func (e *execution) functions() text.FuncMap {
	own := text.FuncMap{}
	for _, some := range []text.FuncMap{e.vaultFunctions(), e.ownFunctions(), e.numberFunctions()} {
		maps.Copy(own, some)
	}
	if e.options.Sprig {
		for name, f := range e.numberFunctions() {
			own[strings.TrimPrefix(name, "sprig_")] = f
		}
	}
	return own
}

// denies tells whether a template may not use a function.
func (o Options) denies(name string) bool { return ref.Match(o.Deny, name) }

// refusing is a function that only says why it is none.
func refusing(name, why string) any {
	return func(...any) (any, error) { return nil, failf("%s: %s", name, why) }
}

const consul = "it reads from Consul or Nomad, and vaultexec knows Vault only"

// unsupported maps functions of consul-template that there are not -> why. It is
// a function, as are the tables of functions, so that whoever renders nothing
// pays nothing before main.
func unsupported() map[string]string {
	return map[string]string{
		"datacenters": consul, "exportedServices": consul, "key": consul, "keyExists": consul, "keyOrDefault": consul, "ls": consul,
		"safeLs": consul, "node": consul, "nodes": consul, "partitions": consul, "peerings": consul, "service": consul, "connect": consul,
		"services": consul, "tree": consul, "safeTree": consul, "caRoots": consul, "caLeaf": consul, "byKey": consul, "byPort": consul,
		"byTag": consul, "byMeta": consul, "nomadServices": consul, "nomadService": consul, "nomadVarList": consul,
		"nomadVarListSafe": consul, "nomadVar": consul, "nomadVarExists": consul,
		"explode":     "it takes the pairs of Consul's ls and tree: explodeMap takes a map",
		"plugin":      "a template runs no programs here",
		"writeToFile": "a template has one output here: give the other file a --template or a --file of its own",
		"spew_dump":   noSpew, "spew_printf": noSpew, "spew_sdump": noSpew, "spew_sprintf": noSpew,
	}
}

const noSpew = "it prints secrets for debugging: use toJSON where their form is wanted"
