package env

import (
	"fmt"
	"slices"
	"strings"

	"vaultexec/internal/ref"
)

// The classes of what this package finds wrong. A class goes into the
// termination log and decides the exit code; the text is for people.
const (
	ClassUsage            = "usage"             // a flag that cannot be read
	ClassConfig           = "config"            // settings that make no sense, alone or together
	ClassMissing          = "missing"           // a secret or a key that is not there
	ClassConflict         = "conflict"          // two sources want one name
	ClassNotRepresentable = "not_representable" // a name or value that its target cannot hold
	ClassTemplate         = "template"          // a template that cannot be rendered
	ClassWriteFailed      = "write_failed"      // the file system refused
)

// Finding is one thing that is wrong: a sentence that says where, why, and
// what to do. It never contains a value.
type Finding struct {
	class, text string
	reference   string // that it is about, if it is one
	variable    string // that cannot be made as it is, if it is one
	fix         string // the flag or the command that mends it, where one does
}

func (f *Finding) Error() string { return f.text }

// Class is one of the Class constants.
func (f *Finding) Class() string { return f.class }

// Findings is everything that is wrong, in the order of the settings.
type Findings []*Finding

// Error gives one line for each finding.
func (fs Findings) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.text
	}
	return strings.Join(lines, "\n")
}

// Class is that of the first finding.
func (fs Findings) Class() string { return fs[0].class }

// Unwrap lets errors.As reach each Finding.
func (fs Findings) Unwrap() []error {
	errs := make([]error, len(fs))
	for i, f := range fs {
		errs[i] = f
	}
	return errs
}

// Reference is the reference that it is about; empty: it is not about one.
func (f *Finding) Reference() string { return f.reference }

// Variable is the variable that cannot be made as it is; empty: it is not about one.
func (f *Finding) Variable() string { return f.variable }

// Fix is the flag or the command that mends it, as a shell takes it; empty: it takes
// more than one, or somebody has to decide.
func (f *Finding) Fix() string { return f.fix }

func (f *Finding) mendedBy(fix string) *Finding { f.fix = fix; return f }

// mendedByCase is for a flag that has no say where a reference has its own word.
func (f *Finding) mendedByCase(flag string, own bool) *Finding {
	if own {
		return f
	}
	return f.mendedBy(flag)
}

func (f *Finding) about(variable string) *Finding { f.variable = variable; return f }

func finding(class, format string, args ...any) *Finding {
	return &Finding{class: class, text: fmt.Sprintf(format, args...)}
}

// report collects findings, so that a user sees all of them at once.
type report struct{ findings Findings }

// add drops a repetition: one missing key may be asked for in two ways.
func (r *report) add(f *Finding) {
	if !slices.ContainsFunc(r.findings, func(g *Finding) bool { return *g == *f }) {
		r.findings = append(r.findings, f)
	}
}

func (r *report) addf(class, format string, args ...any) { r.add(finding(class, format, args...)) }

// of adds what is wrong with one reference.
func (r *report) of(asked ref.Ref, class, format string, args ...any) {
	f := finding(class, format, args...)
	f.reference = asked.String()
	r.add(f)
}

// err is nil, not an empty Findings, where nothing is wrong.
func (r *report) err() error {
	if len(r.findings) == 0 {
		return nil
	}
	return r.findings
}
