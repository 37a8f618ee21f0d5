// Package env turns settings and fetched secrets into the environment of the
// child and a plan of files, and has the one small writer of those files.
//
// Planning is pure: NewPlanner says what is to be fetched and everything that
// is wrong before that, Plan does the rest. Both report all findings together
// and in the same order each time. Only NewPlanner looks outside, at the user
// database for owner=, and only Write and Remove change anything. The process's
// own environment, Vault and processes are the business of others.
//
// No error of this package contains a value of a secret or of a variable;
// names, paths and sizes are fine to print.
package env

import (
	"fmt"
	"log/slog"
	"strings"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// Conflict is what happens when a whole secret has a name that something else
// in the environment has too.
type Conflict string

const (
	ConflictError     Conflict = "error"     // say so and start nothing; also what "" means
	ConflictKeep      Conflict = "keep"      // what was there first stays
	ConflictOverwrite Conflict = "overwrite" // what comes later wins
)

// Variable is one --env NAME=REF.
type Variable struct {
	Name string
	Ref  ref.Ref // with a key
}

// File is one --file DEST=REF.
type File struct {
	Dest  string // a relative one is relative to the working directory
	Ref   ref.Ref
	Place string // in messages; empty: --file DEST
}

// Sources is everything that environment and files are made of.
type Sources struct {
	Inherited []string // NAME=value, as os.Environ has it

	Secrets   []ref.Ref // variables named by the secret: --secret and --from, in the order given
	Renamed   []Renamed // after those
	Variables []Variable
	EnvFiles  []EnvFile // --env-file, in the order given
	Files     []File
	Custom    []string   // NAME=value of the configuration: stronger than all others
	Templates []Template // files and variables that templates make

	FileVariables       []Variable   // --file-env; each key and format that a file can have
	DescriptorVariables []Variable   // --fd-env, likewise
	Credentials         []Credential // --credentials
	RuntimeDir          string       // absolute; where the files of FileVariables and Credentials are, and nothing of others; empty: nothing is written
	FirstDescriptor     int          // of DescriptorVariables: they are numbered from here on

	Owner    *Owner // of files that do not say theirs; nil: as they come
	InMemory bool   // files must be on a file system in memory

	OnConflict Conflict
	Case       ref.Case // of names from whole secrets that do not say it themselves
	Prefix     string   // likewise

	// What vault-env would make of inherited variables.
	TransitMount  string // of the transit engine
	TransitKey    string // decrypts values that it encrypted; empty: they are left as they are
	IgnoreMissing bool   // of a missing secret there is no variable

	// What becomes of inherited variables: globs of their names.
	Pristine bool     // inherit no literal one
	Keep     []string // but these; only with Pristine
	Drop     []string // never these, references neither
	Pass     []string // of VAULT_* and VAULTEXEC_*, inherit these
}

// Owner is who a file belongs to.
type Owner struct{ UID, GID int }

// ParseVariable reads the NAME=REF of --env.
func ParseVariable(text string) (Variable, error) {
	name, reference, ok := strings.Cut(text, "=")
	if !ok { // not repeated: what has no = in it may be a value in the wrong place
		return Variable{}, finding(ClassUsage, "--env takes NAME=REF, and there is no = in what was given")
	}
	if err := checkName(name); err != nil {
		return Variable{}, finding(ClassUsage, "--env %q: %v", name, err)
	}
	r, err := ref.Parse(reference, ref.Variable)
	if err != nil {
		return Variable{}, finding(ClassUsage, "--env %s: %v", name, err)
	}
	return Variable{name, r}, nil
}

// ParseFile reads the DEST=REF of --file. DEST ends at the first =.
func ParseFile(text string) (File, error) {
	dest, reference, ok := strings.Cut(text, "=")
	if !ok {
		return File{}, finding(ClassUsage, "--file takes DEST=REF, and there is no = in what was given")
	}
	if err := checkDest(dest); err != nil {
		return File{}, finding(ClassUsage, "--file %q: %v", dest, err)
	}
	r, err := ref.Parse(reference, ref.File)
	if err != nil {
		return File{}, finding(ClassUsage, "--file %s: %v", dest, err)
	}
	return File{Dest: dest, Ref: r}, nil
}

// Inherited variables are as secret as fetched ones: nothing of Sources is
// ever printed.

func (Sources) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(secret.Placeholder)) }
func (Sources) LogValue() slog.Value       { return slog.StringValue(secret.Placeholder) }
func (Sources) MarshalText() ([]byte, error) {
	return []byte(secret.Placeholder), nil
}
