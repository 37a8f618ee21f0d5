package fetch

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"vaultexec/internal/nearest"
	"vaultexec/internal/ref"
)

// Kind is what became of a reference that could not be resolved.
type Kind int

const (
	Impossible     Kind = iota // the reference cannot be right: a version of KV v1, a mount, 400
	Denied                     // the policies do not open the path
	MountDenied                // nor anything else below its mount, or there is no mount
	Unreadable                 // there is something, but no secret: 405, wrapped, not JSON
	NotFound                   // no secret there
	VersionMissing             // a secret, but not the version
	Deleted                    // the version is deleted and can come back
	Destroyed                  // the version is destroyed for good
	KeyMissing                 // a secret without the key
	KeyNull                    // the key is null
)

// absent tells whether it is what optional and default are for. A denied path
// is not: the secret may well be there.
func (k Kind) absent() bool { return k >= NotFound }

func (k Kind) class() Class {
	switch k {
	case Impossible:
		return ClassConfig
	case Denied, MountDenied:
		return ClassDenied
	case KeyMissing, KeyNull:
		return ClassKeyMissing
	}
	return ClassNotFound
}

// gravity orders classes for MissingError.Class, the gravest last.
var gravity = []Class{ClassKeyMissing, ClassNotFound, ClassDenied, ClassConfig}

// MissingError has all that Fetch could not resolve, sorted by reference.
type MissingError struct {
	Findings []Finding
	Identity string // who asked: the role, or where the token is from
	Unasked  error  // why Vault could not be asked for the others; nil: it was
}

// Class is that of the gravest finding.
func (e *MissingError) Class() string {
	gravest := 0
	for _, f := range e.Findings {
		gravest = max(gravest, slices.Index(gravity, f.Kind.class()))
	}
	return string(gravity[gravest])
}

// Error has one line for each finding.
func (e *MissingError) Error() string {
	var b strings.Builder
	noun := "references"
	if len(e.Findings) == 1 {
		noun = "reference"
	}
	fmt.Fprintf(&b, "%d %s cannot be resolved with %s:", len(e.Findings), noun, e.Identity)
	for _, f := range e.Findings {
		b.WriteString("\n  " + f.String())
	}
	if e.Unasked != nil {
		b.WriteString("\nand that may not be all: " + e.Unasked.Error())
	}
	return b.String()
}

// Finding is one reference that could not be resolved. It has names of paths
// and keys in it, never a value.
type Finding struct {
	Reference string   // PATH#KEY as the user wrote it
	Version   int      // that was asked for; 0 means the newest
	Kind      Kind     //
	Reason    string   // what Vault adds; of Deleted: when
	Path      string   // in the API
	Key       string   // that is missing
	Mount     string   // and its KV version or engine; empty if Vault did not say
	Status    int      // of HTTP
	Near      []string // keys, or paths as the user would write them, that may have been meant
	Others    []string // all there is, where that is little and nothing is near
	Policy    string   // that would open the path
	List      bool     // the path is a folder's, for PATH/*

	excused bool // the reference has optional or default

	// What only Mend needs, beside that.
	typed     string // path of the reference
	wanted    string // its key
	namespace string
	engine    *mount // nil: Vault did not say
	newest    int    // version, of Deleted; 0: not known
	fix       Fix    // that is known where the finding is made
}

// String is one line: the reference, what is wrong, the facts, what to do.
func (f Finding) String() string {
	reference := f.Reference
	if f.Version != 0 {
		reference += fmt.Sprintf(" (version %d)", f.Version)
	}
	line := reference + ": " + f.what()
	if facts := f.facts(); facts != "" {
		line += " (" + facts + ")"
	}
	if advice := f.advice(); advice != "" {
		line += "; " + advice
	}
	return line
}

func (f Finding) what() string {
	switch f.Kind {
	case Denied:
		if f.List {
			return "permission denied listing " + f.Path
		}
		return "permission denied reading " + f.Path
	case MountDenied:
		return "permission denied: the policies open nothing below its mount, or there is no mount for it"
	case NotFound:
		if f.Version != 0 {
			return fmt.Sprintf("no secret at %s, or no version %d of it", f.Path, f.Version)
		}
		text := "no secret at " + f.Path
		if f.List {
			text = "no secret below " + f.Path
		}
		if f.Reason != "" {
			text += ": " + f.Reason
		}
		return text
	case VersionMissing:
		if f.Version == 0 {
			return f.Path + " has no version to read"
		}
		return fmt.Sprintf("%s has no version %d", f.Path, f.Version)
	case Deleted:
		if at, err := time.Parse(time.RFC3339Nano, f.Reason); err == nil {
			return fmt.Sprintf("%s was deleted at %s", f.Path, at.UTC().Format(time.RFC3339))
		}
		return f.Path + " is deleted"
	case Destroyed:
		return f.Path + " is destroyed"
	case KeyMissing:
		if f.List {
			return fmt.Sprintf("no secret below %s has the key %s", f.Path, ref.Escape(f.Key))
		}
		return fmt.Sprintf("no key %s in %s", ref.Escape(f.Key), f.Path)
	case KeyNull:
		return fmt.Sprintf("key %s is null in %s", ref.Escape(f.Key), f.Path)
	}
	return f.Reason // Impossible, Unreadable
}

func (f Finding) facts() string {
	var facts []string
	if f.Mount != "" {
		facts = append(facts, f.Mount)
	}
	if f.Status != 0 {
		facts = append(facts, fmt.Sprintf("HTTP %d", f.Status))
	}
	return strings.Join(facts, ", ")
}

func (f Finding) advice() string {
	var advice []string
	switch {
	case f.Policy != "":
		advice = append(advice, "it takes this in a policy: "+f.Policy)
	case f.Kind == Deleted:
		advice = append(advice, "vault kv undelete brings it back")
	case len(f.Near) > 0:
		advice = append(advice, "did you mean "+f.near()+"?")
	case len(f.Others) > 0:
		where := "beside it there is "
		if f.Kind == KeyMissing {
			where = "its keys are "
		}
		if f.Kind == KeyMissing && f.List {
			where = "the keys there are "
		}
		advice = append(advice, where+ref.Escape(strings.Join(f.Others, ", ")))
	}
	if f.excused {
		advice = append(advice, "optional and default excuse what is missing, and this may not be")
	}
	return strings.Join(advice, "; ")
}

// near are the names that may have been meant, as the user has to write them.
func (f Finding) near() string {
	near := make([]string, len(f.Near))
	for i, name := range f.Near {
		near[i] = ref.Escape(name)
		if f.List && f.Kind == NotFound {
			near[i] += "/*"
		}
	}
	return strings.Join(near, " or ")
}

// maxOthers is how many names are worth a line.
const maxOthers = 10

// suggest notes the names that may have been meant.
func (f *Finding) suggest(name string, names []string) {
	slices.Sort(names)
	f.Near = nearest.To(name, names)
	if len(names) <= maxOthers {
		f.Others = names
	}
}

// suggestSibling does that for a path as the user typed it, given the names
// beside it.
func (f *Finding) suggestSibling(typed string, names []string) {
	dir, name := path.Split(typed)
	if slices.Contains(names, name) {
		return // nothing is nearer than itself
	}
	if slices.Contains(names, name+"/") {
		f.Reason = "it is a folder, name a secret below it, or all of them with /*"
		return
	}
	f.suggest(name, names)
	for i, near := range f.Near {
		f.Near[i] = dir + near
	}
}

// suggestFolder does that for PATH/*.
func (f *Finding) suggestFolder(typed string, names []string) {
	dir, name := path.Split(typed)
	if slices.Contains(names, name) && !slices.Contains(names, name+"/") {
		f.Reason = "it is a secret, not a folder: leave out the /*"
		return
	}
	var folders []string
	for _, n := range names {
		if folder, ok := strings.CutSuffix(n, "/"); ok && folder != name {
			folders = append(folders, folder)
		}
	}
	for _, near := range nearest.To(name, folders) {
		f.Near = append(f.Near, dir+near)
	}
}

// guessedPolicy is what a policy has to say where the mount is not known.
func guessedPolicy(typed string) string {
	policies := guessedPolicies(typed)
	if len(policies) == 1 {
		return policies[0]
	}
	mount, _, _ := strings.Cut(typed, "/")
	return fmt.Sprintf("%s or, if %s/ is a KV v2 mount, %s", policies[0], mount, policies[1])
}

// guessedPolicies are the two that it may be, or the one. The first element is
// the mount most of the time; the user knows.
func guessedPolicies(typed string) []string {
	mount, name, _ := strings.Cut(typed, "/")
	if strings.HasPrefix(name, "data/") || strings.HasPrefix(name, "metadata/") {
		return []string{readPolicy(typed)}
	}
	return []string{readPolicy(typed), readPolicy(mount + "/data/" + name)}
}
