package env

import (
	"path/filepath"
	"strings"

	"vaultexec/internal/ref"
)

// Credential is one --credentials [NAME=]REF.
type Credential struct {
	Name string // of the file; empty: each key is one
	Ref  ref.Ref
}

// credentialsVariable tells a program where its credentials are, one file each:
// systemd.exec(5), Credentials.
const credentialsVariable = "CREDENTIALS_DIRECTORY"

// credentialsName is that of the directory. No --file-env can have it.
const credentialsName = "credentials.d"

// ParseCredential reads the [NAME=]REF of --credentials. NAME is what stands
// before the first = if that can be no part of a reference, which has a slash in
// it before any.
func ParseCredential(text string) (Credential, error) {
	name, reference, named := strings.Cut(text, "=")
	if !named || strings.ContainsAny(name, "/?#") {
		name, reference = "", text
	} else if err := checkFileName(name); err != nil {
		return Credential{}, finding(ClassUsage, "--credentials %q: that is no file's name, %v", name, err)
	}
	r, err := ref.Parse(reference, ref.File)
	switch {
	case err != nil && name != "":
		return Credential{}, finding(ClassUsage, "--credentials %s: %v", name, err)
	case err != nil:
		return Credential{}, finding(ClassUsage, "--credentials takes [NAME=]REF: %v", err)
	}
	return Credential{name, r}, nil
}

// readCredentials checks every --credentials: together they are one directory,
// which is for vaultexec's files alone. A variable that is there already leads
// to the credentials of a service manager, which the command would lose without
// a word.
func (p *Planner) readCredentials(taken destinations, rep *report) {
	s := &p.sources
	t := tree{dest: filepath.Join(s.RuntimeDir, credentialsName), private: true}
	for _, c := range s.Credentials {
		var f file
		var errs []error
		if c.Name == "" {
			f, errs = readPart("--credentials "+c.Ref.String(), t.dest, c.Ref)
		} else {
			f, errs = readFile(File{Dest: c.Name, Ref: c.Ref, Place: "--credentials " + c.Name})
			f.alone = true
		}
		if f.check(s, errs, rep); len(errs) == 0 {
			t.parts = append(t.parts, f)
		}
	}
	if len(t.parts) == 0 {
		return
	}
	p.credentials = append(p.credentials, t)
	taken.private(s, t.dest, "--credentials", rep)
	for _, v := range s.Variables {
		if v.Name == credentialsVariable {
			rep.addf(ClassConflict, "variable %s is set by --env %[1]s and by --credentials: remove one", v.Name)
		}
	}
	if _, there := p.inherited.literals[credentialsVariable]; there && s.OnConflict != ConflictOverwrite && s.OnConflict != ConflictKeep {
		rep.add(finding(ClassConflict, "variable %s is there already, so --credentials would take the credentials of a service manager away: choose with --on-conflict overwrite or keep, or leave it out with --drop", credentialsVariable).mendedBy("--on-conflict overwrite"))
	}
}

// pointToCredentials plans the directory of --credentials and offers the variable
// that leads there, if there is anything to put into it.
func (p *Planner) pointToCredentials(l lookup, plan *Plan, offered map[string]candidate) {
	for _, t := range p.credentials {
		planned, ok := t.plan(&p.sources, l)
		if !ok {
			continue
		}
		plan.Trees = append(plan.Trees, planned)
		if _, there := p.inherited.literals[credentialsVariable]; !there || p.sources.OnConflict != ConflictKeep {
			offered[credentialsVariable] = candidate{name: credentialsVariable, value: planned.Dest, place: "--credentials"}
		}
	}
}
