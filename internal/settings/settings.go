// Package settings has what a user can set: one struct, its defaults, its
// flags, their VAULTEXEC_* environment forms, what annotations and configuration
// files say instead, and the rules between them. A flag beats the environment, that
// beats annotations, those a configuration file, and that the default; each value remembers where it came
// from.
package settings

import (
	"slices"
	"time"

	"vaultexec/internal/env"
	"vaultexec/internal/ref"
	"vaultexec/internal/smallfile"
	"vaultexec/internal/supervise"
)

// Settings is everything that can be set. Field names decide the names of the
// environment variables (JWTPath is VAULTEXEC_JWT_PATH); flags.go gives each
// its flag of the same name.
//
// The fields carry split_words and never an envconfig name: with a name,
// envconfig v1.4 also takes the variable without the prefix, and a stray ROLE
// or MODE in a container would become a setting.
type Settings struct {
	// First, because envconfig stops at the first value that is wrong and how
	// to report that should be known by then.
	LogFormat      LogFormat `split_words:"true"`
	TerminationLog string    `split_words:"true"`
	LogLevel       LogLevel  `split_words:"true"`

	Auth           string `split_words:"true"`
	Role           string `split_words:"true"`
	AuthMount      string `split_words:"true"`
	JWTPath        string `split_words:"true"`
	RemoveJWT      bool   `split_words:"true"`
	RoleIDPath     string `split_words:"true"`
	SecretIDPath   string `split_words:"true"`
	RemoveSecretID bool   `split_words:"true"`
	Username       string `split_words:"true"`
	PasswordPath   string `split_words:"true"`
	TokenFile      string `split_words:"true"`
	Wrapped        bool   `split_words:"true"`
	Namespace      string `split_words:"true"`

	Secret      SecretList   `split_words:"true"`
	Env         VariableList `split_words:"true"`
	From        FromList     `split_words:"true"`
	EnvFile     EnvFileList  `split_words:"true"`
	Config      PathList     `split_words:"true"`
	Annotations string       `split_words:"true"`
	File        FileList     `split_words:"true"`

	FileEnv      FileVariableList       `split_words:"true"`
	FDEnv        DescriptorVariableList `split_words:"true"`
	Credentials  CredentialList         `split_words:"true"`
	RuntimeDir   string                 `split_words:"true"`
	RequireTmpfs bool                   `split_words:"true"`
	Template     TemplateList           `split_words:"true"`
	EnvTemplate  EnvTemplateList        `split_words:"true"`

	OnConflict Conflict `split_words:"true"`
	Pristine   bool     `split_words:"true"`
	Keep       GlobList `split_words:"true"`
	Drop       GlobList `split_words:"true"`
	Pass       GlobList `split_words:"true"`
	Case       Case     `split_words:"true"`
	Prefix     string   `split_words:"true"`

	OnChange    Reaction      `split_words:"true"`
	Refresh     time.Duration `split_words:"true"`
	Debounce    time.Duration `split_words:"true"`
	Splay       time.Duration `split_words:"true"`
	MinInterval time.Duration `split_words:"true"`
	Window      Window        `split_words:"true"`
	Once        bool          `split_words:"true"`

	Mode          Mode          `split_words:"true"`
	Init          Init          `split_words:"true"`
	StopSignal    Signal        `split_words:"true"`
	StopTimeout   time.Duration `split_words:"true"`
	Forward       Forward       `split_words:"true"`
	RewriteSignal RewriteList   `split_words:"true"`
	RemapExit     StatusList    `split_words:"true"`
	Restart       Restart       `split_words:"true"`
	User          User          `split_words:"true"`
	NoNewPrivs    bool          `split_words:"true"`

	StartupTimeout time.Duration `split_words:"true"`
	RequestTimeout time.Duration `split_words:"true"`
	Concurrency    int           `split_words:"true"`
	Revoke         Revoke        `split_words:"true"`

	Listen string `split_words:"true"`

	vaultEnv VaultEnv
	files    Files
	origins  map[string]string // flag's name -> where its value was set
}

// Mode is how the command is run.
type Mode string

const (
	ModeAuto      Mode = "auto"      // exec if nothing remains to be done afterwards
	ModeExec      Mode = "exec"      // vaultexec becomes the command
	ModeSupervise Mode = "supervise" // the command is vaultexec's child
)

// Init is when vaultexec takes the role of an init process.
type Init string

const (
	InitAuto   Init = "auto"   // as PID 1
	InitAlways Init = "always" // also elsewhere, as a child subreaper
	InitNever  Init = "never"
)

// Forward is where signals go.
type Forward string

const (
	ForwardGroup Forward = "group"
	ForwardChild Forward = "child"
)

// LogFormat is the form of log lines.
type LogFormat string

const (
	LogAuto LogFormat = "auto" // text on a terminal, JSON elsewhere
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// DefaultTerminationLog is where Kubernetes looks for a container's last
// words: terminationMessagePath of the Container v1 API.
const DefaultTerminationLog = "/dev/termination-log"

// Default returns the settings of a vaultexec that was told nothing.
func Default() *Settings {
	return &Settings{
		OnConflict:     Conflict(env.ConflictError),
		Case:           Case(ref.CaseKeep),
		Mode:           ModeAuto,
		Init:           InitAuto,
		StopSignal:     defaultStopSignal,
		StopTimeout:    30 * time.Second, // as Kubernetes, Docker's is 10 s
		Forward:        ForwardGroup,
		StartupTimeout: 2 * time.Minute,
		RequestTimeout: 10 * time.Second,
		Concurrency:    16,
		OnChange:       Reaction{Kind: supervise.ReactRestart, text: "restart"},
		Refresh:        time.Minute,
		Debounce:       2 * time.Second,
		MinInterval:    30 * time.Second,
		Restart:        Restart{text: restartNever},
		Revoke:         RevokeAuto,
		LogFormat:      LogAuto,
		TerminationLog: DefaultTerminationLog,
		origins:        map[string]string{},
	}
}

// Origin tells where a setting's value was set: "--role", "VAULTEXEC_ROLE",
// "agent.hcl:12" or "default". name is the flag's, without dashes.
func (s *Settings) Origin(name string) string {
	if o, ok := s.origins[name]; ok {
		return o
	}
	return "default"
}

// Pipe is a file among those that the settings were read from that is a pipe;
// empty: none is.
func (s *Settings) Pipe() string {
	files := append(slices.Clone(s.Config.Items), s.Annotations)
	for _, f := range s.EnvFile.Items {
		files = append(files, f.Path)
	}
	for _, t := range slices.Concat(s.EnvTemplates(), s.FileTemplates()) {
		files = append(files, t.From)
	}
	if i := slices.IndexFunc(files, smallfile.IsPipe); i >= 0 {
		return files[i]
	}
	return ""
}

// EnvTemplates are all templates that make variables.
func (s *Settings) EnvTemplates() []env.Template { return s.templates(false) }

// FileTemplates are all that make files.
func (s *Settings) FileTemplates() []env.Template { return s.templates(true) }

func (s *Settings) templates(files bool) []env.Template {
	all := slices.Concat(s.EnvTemplate.Items, s.Template.Items, s.files.Templates)
	return slices.DeleteFunc(all, func(t env.Template) bool { return (t.Dest != "") != files })
}

// IsSet tells whether a setting was given rather than left at its default.
func (s *Settings) IsSet(name string) bool { return s.origins[name] != "" }
