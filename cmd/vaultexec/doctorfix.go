package main

import (
	"errors"
	"regexp"
	"strings"

	"vaultexec/internal/env"
	"vaultexec/internal/fetch"
	"vaultexec/internal/ref"
)

// asking is a reference and where it is given, to be given otherwise.
type asking struct {
	place  string // as messages name it: --env NAME, --secret REF, variable NAME
	ref    ref.Ref
	inline bool // the value there is more than the reference
}

// asked are the places that ask for a reference.
func (d *doctor) asked(reference string) []asking {
	var all []asking
	seen := map[string]bool{}
	for _, i := range d.planner.Items(nil) {
		for _, o := range i.Origins {
			if o.Asked.String() == reference && !seen[i.Place] {
				seen[i.Place] = true
				all = append(all, asking{i.Place, o.Asked, i.Inline})
			}
		}
	}
	return all
}

// flag is what asks for it, as a shell takes it.
func (a asking) flag() string {
	text := a.ref.Written()
	if a.inline { // what is around it may be secret, and is not shown
		return inline(text)
	}
	kind, name, _ := strings.Cut(a.place, " ")
	switch kind {
	case "--secret", "--from":
		return kind + " " + fetch.ShellWord(text)
	case "--env", "--file", "--file-env", "--fd-env":
		return kind + " " + fetch.ShellWord(name+"="+text)
	case "--credentials":
		return kind + " " + fetch.ShellWord(text)
	case "variable":
		if name, _, ok := strings.Cut(name, " ("); ok { // of --env-file
			return name + "=vault:" + text
		}
		return "export " + fetch.ShellWord(name+"=vault:"+text)
	}
	return text
}

// inline is a reference as it stands in a text.
func inline(reference string) string { return "${vault:" + reference + "}" }

// insteadOf says what that takes the place of, and where.
func (a asking) insteadOf(reference string) string {
	if a.inline {
		reference = inline(reference)
	}
	return "   # in place of " + reference + a.where()
}

// where says where to write that, if a shell's command line is not the place.
func (a asking) where() string {
	switch kind, name, _ := strings.Cut(a.place, " "); {
	case a.inline:
		return ", in " + a.place
	case kind == "variable" && strings.HasSuffix(name, ")"):
		_, file, _ := strings.Cut(name, " (")
		return ", in " + strings.TrimSuffix(file, ")")
	case kind == "variable", a.flag() != a.ref.Written():
		return ""
	}
	return ", in " + a.place
}

// findings are failures of a plan, each with its own fix; items are what is planned.
func (d *doctor) findings(check string, err error, items []env.Item) {
	var found env.Findings
	if !errors.As(err, &found) {
		d.failed(check, classOf(err), err.Error(), whereSet)
		return
	}
	for _, f := range found {
		d.failed(check, f.Class(), f.Error(), d.mendPlan(f, items))
	}
}

// inFile finds the line of a file that a message begins with: the whole, the file,
// which can have any characters in its name, and the line. The expression is
// compiled here: package init is in front of every container.
func inFile(message string) []string {
	line := regexp.MustCompile(`^([^-].*?):([0-9]+)[:,]`).FindStringSubmatch(message)
	if line == nil || strings.Contains(line[1], ": ") { // it begins with another place
		return nil
	}
	return line
}

func (d *doctor) mendPlan(f *env.Finding, items []env.Item) fetch.Fix {
	line := inFile(f.Error())
	switch {
	case f.Fix() != "":
		return fetch.Paste(f.Fix())
	case f.Variable() != "" && f.Class() == env.ClassConfig:
		return d.setExplicitly(f.Variable(), items)
	case f.Variable() != "":
		return d.handOver(f.Variable(), items)
	case line != nil:
		return fetch.Paste("${EDITOR:-vi} +" + line[2] + " " + fetch.ShellWord(line[1]))
	}
	return whereSet
}

// whereSet is for settings of which the message says what is wrong, and that can be
// mended only where they are set.
var whereSet = fetch.Paste("vaultexec explain   # with the same flags: which settings there are, and where each is set")
