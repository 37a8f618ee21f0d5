package env

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
	"vaultexec/internal/smallfile"
	"vaultexec/internal/template"
)

// Template is a file or a variable that a template makes.
type Template struct {
	Place string // in messages: --template SRC, or a file and line
	Text  string // of the template
	From  string // the file that it was read from; empty: none
	Dest  string // the file; a relative one is relative to the working directory
	Name  string // the variable, in place of Dest

	Mode  string // of the file, octal; empty: 0400
	Owner string // USER[:GROUP]

	OnChange    string   // as a reference has it; empty: as the settings say
	Left, Right string   // delimiters; empty: {{ and }}
	Lenient     bool     // a missing key is written as <no value>
	Sandbox     string   // the directory that the function file is limited to
	Deny        []string // globs of functions that it may not use

	Block *Block // it is a template block, which the agent reads too; nil: it is not
}

// Block is what a template block has beyond other templates. Its file is made as
// the agent makes it: with any Mode that it asks for; where it asks for none,
// that of the file that is there stays, and a new one has 0644. So have its
// directories 0755.
type Block struct {
	NoDirs  bool          // the directory has to be there
	Backup  bool          // the old file is kept, as DEST.bak
	Command []string      // run when the file has changed; then OnChange is none
	Timeout time.Duration // of Command; 0: defaultCommandTimeout
}

const (
	blockMode    fs.FileMode = 0o644
	blockDirMode fs.FileMode = 0o755

	// defaultCommandTimeout is what the agent gives a command.
	defaultCommandTimeout = 30 * time.Second
)

// ParseTemplate reads the SRC:DEST[?PARAM=VALUE&...] of --template, and the
// template in SRC.
func ParseTemplate(spec string) (Template, error) {
	src, rest, ok := strings.Cut(spec, ":")
	if !ok || src == "" || rest == "" {
		return Template{}, finding(ClassUsage, "--template takes SRC:DEST, a template and the file that it makes, not %q", spec)
	}
	dest, query, _ := strings.Cut(rest, "?")
	t := Template{Place: "--template " + src, From: src, Dest: dest}
	if err := checkDest(dest); err != nil {
		return t, finding(ClassUsage, "%s: %v", t.Place, err)
	}
	if err := t.setParams(query); err != nil {
		return t, finding(ClassUsage, "%s: %v", t.Place, err)
	}
	text, err := ReadTemplate(src)
	if err != nil {
		return t, finding(ClassConfig, "--template: the template %v", err)
	}
	t.Text = text
	return t, nil
}

// ParseEnvTemplate reads the NAME=TEMPLATE of --env-template; NAME=@FILE has the
// template in a file.
func ParseEnvTemplate(spec string) (Template, error) {
	name, text, ok := strings.Cut(spec, "=")
	if !ok {
		return Template{}, finding(ClassUsage, "--env-template takes NAME=TEMPLATE or NAME=@FILE, and there is no = in what was given")
	}
	t := Template{Place: "--env-template " + name, Name: name, Text: text}
	if err := checkName(name); err != nil {
		return t, finding(ClassUsage, "--env-template %q: %v", name, err)
	}
	if file, ok := strings.CutPrefix(text, "@"); ok {
		var err error
		t.From = file
		if t.Text, err = ReadTemplate(file); err != nil {
			return t, finding(ClassConfig, "%s: the template %v", t.Place, err)
		}
	}
	return t, nil
}

// maxTemplate is more than any template.
const maxTemplate = 1 << 20

// ReadTemplate reads a file with a template. Its error names the file.
func ReadTemplate(file string) (string, error) {
	return smallfile.Read(file, maxTemplate)
}

// setParams reads what may follow the destination of a template.
func (t *Template) setParams(query string) error {
	if query == "" {
		return nil
	}
	texts := map[string]*string{"mode": &t.Mode, "owner": &t.Owner, "on_change": &t.OnChange, "left": &t.Left, "right": &t.Right, "sandbox": &t.Sandbox}
	for _, word := range strings.Split(query, "&") {
		name, escaped, _ := strings.Cut(word, "=")
		value, err := url.PathUnescape(escaped)
		to, known := texts[name]
		switch {
		case err != nil:
			return fmt.Errorf("parameter %s has a %% that is not followed by two hexadecimal digits: write %%25 for the sign itself", name)
		case name == "missing" && (value == "error" || value == "zero"):
			t.Lenient = value == "zero"
		case name == "missing":
			return fmt.Errorf("parameter missing is error or zero, not %q", value)
		case !known:
			return fmt.Errorf("unknown parameter %q: there are left, missing, mode, on_change, owner, right, sandbox", name)
		default:
			*to = value
		}
	}
	return nil
}

// rendering is a Template that has been checked.
type rendering struct {
	Template
	parsed *template.Template
	file   PlannedFile // of a file: where and how
}

// readTemplates checks every template.
func readTemplates(s *Sources, taken destinations, rep *report) []rendering {
	var list []rendering
	variables := map[string]string{} // name -> who makes it
	for _, v := range s.Variables {
		variables[v.Name] = "--env " + v.Name
	}
	for _, t := range s.Templates {
		r, err := readRendering(t)
		if err != nil {
			rep.add(finding(ClassConfig, "%v", err).mendedBy(t.edit(err)))
			continue
		}
		if other, twice := variables[t.Name]; twice && t.Dest == "" {
			rep.addf(ClassConflict, "%s and %s both make variable %s: remove one", t.Place, other, t.Name)
			continue
		}
		if t.Dest == "" {
			variables[t.Name] = t.Place
		} else if !taken.output(r.file.Dest, t.Place, rep) {
			continue
		}
		list = append(list, r)
	}
	return list
}

// readRendering parses a template. Its errors name the place.
func readRendering(t Template) (rendering, error) {
	r := rendering{Template: t, file: PlannedFile{Dest: filepath.Clean(t.Dest), Mode: defaultMode, UID: -1, GID: -1, Place: t.Place}}
	var err error
	switch {
	case t.Block != nil:
		err = t.asBlock(&r.file)
	case t.Mode != "":
		r.file.Mode, err = parseMode(t.Mode)
	}
	if err == nil && t.Owner != "" {
		r.file.UID, r.file.GID, err = parseOwner(t.Owner)
	}
	if err != nil {
		return r, fmt.Errorf("%s: %v", t.Place, err)
	}
	if t.Dest == "" {
		err = checkName(t.Name)
	} else {
		err = checkDest(t.Dest)
	}
	if err != nil {
		return r, fmt.Errorf("%s: %v", t.Place, err)
	}
	if t.OnChange != "" {
		if err := ref.CheckOnChange(t.OnChange); err != nil {
			return r, fmt.Errorf("%s: on_change %v", t.Place, err)
		}
	}
	r.parsed, err = template.Parse(t.Text, template.Options{Place: t.Place, Left: t.Left, Right: t.Right, Lenient: t.Lenient, Sandbox: t.Sandbox, Deny: t.Deny})
	return r, err
}

// asBlock makes a file what the agent makes of a template block.
func (t Template) asBlock(f *PlannedFile) error {
	f.Mode, f.Lasting, f.KeepsOwner = blockMode, true, true
	if t.Mode != "" {
		n, err := strconv.ParseUint(t.Mode, 8, 32)
		if err != nil || n > 0o777 {
			return fmt.Errorf("perms=%s is no permissions, as in 0640", t.Mode)
		}
		f.Mode, f.Lasting = fs.FileMode(n), false
	}
	f.DirMode, f.NoDirs, f.Backup = blockDirMode, t.Block.NoDirs, t.Block.Backup
	if len(t.Block.Command) > 0 {
		f.Commands = []Command{{t.Block.Command, cmp.Or(t.Block.Timeout, defaultCommandTimeout), t.Place}}
	}
	return nil
}

// render executes a template with what was fetched.
func (p *Planner) render(r rendering, secrets map[ref.Source]secret.Fields) (template.Result, error) {
	result, err := r.parsed.Execute(template.Data{Secrets: secrets, Env: p.inheritedValue})
	for _, refs := range [][]ref.Ref{result.Used, result.Missing} {
		for i := range refs {
			refs[i].OnChange = r.OnChange
		}
	}
	return result, err
}

// inheritedValue is what getenv would find.
func (p *Planner) inheritedValue(name string) (string, bool) {
	for _, entry := range p.sources.Inherited {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// edit is the command that opens the template where it is wrong; empty: it is in no
// file, or something else is wrong.
func (t Template) edit(err error) string {
	var wrong *template.Error
	if t.From == "" || !errors.As(err, &wrong) || wrong.Line() == "" {
		return ""
	}
	return "${EDITOR:-vi} +" + wrong.Line() + " " + shellQuote(t.From)
}

// Wanted is what the templates ask for that has not been fetched: it depends on
// what has been, as where a template goes through a list of names.
func (p *Planner) Wanted(secrets map[ref.Source]secret.Fields) []ref.Ref {
	var wanted []ref.Ref
	for _, r := range p.templates {
		result, _ := p.render(r, secrets) // Plan reports what is wrong
		wanted = append(wanted, result.Missing...)
	}
	return wanted
}

// Templates tells whether there are any.
func (p *Planner) Templates() bool { return len(p.templates) > 0 }

// Reactions are references with every on_change that there is.
func (p *Planner) Reactions() []ref.Ref {
	refs := p.named()
	for _, r := range p.templates {
		refs = append(refs, ref.Ref{OnChange: r.OnChange})
	}
	return refs
}

// rendered are the variables and files that templates make.
func (p *Planner) rendered(secrets map[ref.Source]secret.Fields, rep *report) (variables map[string]candidate, files []PlannedFile) {
	variables = map[string]candidate{}
	for _, r := range p.templates {
		result, err := p.render(r, secrets)
		if err == nil && len(result.Missing) > 0 {
			err = fmt.Errorf("%s: %s is missing", r.Place, result.Missing[0])
		}
		switch {
		case err != nil:
			rep.add(finding(ClassTemplate, "%v", err).mendedBy(r.edit(err)))
		case r.Dest == "":
			variables[r.Name] = candidate{name: r.Name, value: result.Text, place: r.Place}
		default:
			f := r.file
			f.Content = secret.Of(result.Text)
			files = append(files, f)
		}
	}
	return variables, files
}

// templateNames are the variables that templates certainly make.
func templateNames(templates []Template) []string {
	var names []string
	for _, t := range templates {
		if t.Dest == "" {
			names = append(names, t.Name)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
