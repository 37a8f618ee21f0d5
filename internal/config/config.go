// Package config reads configuration files: those of Vault Agent and of
// envconsul, as they are, and what vaultexec has beyond them. HCL (version 1,
// which is Vault's) and JSON are one language here, read into one typed Config;
// package annotations makes the same of a pod's annotations.
//
// Everything that is wrong with the files is reported together, a sentence
// each with its file and line. No message repeats a value, because a value may
// be a secret; names of keys and of files are fine to print.
//
// The package reads files and nothing else: what the keys come to is decided by
// whoever gets the Config.
package config

import (
	"io/fs"
	"time"
)

// Given is a value with the place where it was set: "agent.hcl:12", or
// "annotation vault.hashicorp.com/role". No place means that it was not.
type Given[T any] struct {
	Value T
	Place string
}

// IsSet tells whether there is a value.
func (g Given[T]) IsSet() bool { return g.Place != "" }

// Config is what files and annotations say.
type Config struct {
	Vault          Vault
	AutoAuth       AutoAuth
	TemplateConfig TemplateConfig
	Templates      []Template
	EnvTemplates   []Template // Name is the variable's
	Secrets        []Secret
	Exec           Exec

	ExitAfterAuth Given[bool]
	LogLevel      Given[string] // in Vault's words: trace, debug, info, notice, warn, error, ...
	LogFormat     Given[string] // standard or json
	PIDFile       Given[string] // of vaultexec's process id
	Upcase        Given[bool]   // of the names that Secrets give
	Sanitize      Given[bool]   // likewise
	Wait          Given[time.Duration]

	Flags []Flag // vaultexec's own settings, by the flags' names
	Notes []Note // what has no effect here
}

// Flag is a setting that is called as the flag is: stop_timeout for
// --stop-timeout. Values has one word for each time that the flag would be given.
type Flag struct {
	Name   string
	Values []string
	Place  string
}

// Note is something that was understood and has no effect.
type Note struct{ Place, Text string }

// Vault is how the server is reached.
type Vault struct {
	Place         string // of the block; empty: there is none
	Address       Given[string]
	Namespace     Given[string]
	CACert        Given[string]
	CACertBytes   Given[string]
	CAPath        Given[string]
	ClientCert    Given[string]
	ClientKey     Given[string]
	TLSServerName Given[string]
	TLSSkipVerify Given[bool]
	Proxy         Given[string]        // of HTTPS alone
	Timeout       Given[time.Duration] // of one request

	// envconsul keeps its login here.
	Token       Given[string]
	TokenFile   Given[string]
	UnwrapToken Given[bool]
	Role        Given[string] // of the kubernetes login, as are the next two
	JWTPath     Given[string]
	AuthMount   Given[string]
	Refresh     Given[time.Duration]
}

// AutoAuth is the login and where its token goes.
type AutoAuth struct {
	Place  string // of the block; empty: there is none
	Method Method
	Sinks  []Sink
}

// Method is the way to log in.
type Method struct {
	Place     string
	Type      string        // in lower case
	MountPath Given[string] // with auth/ before it
	Namespace Given[string]
	Config    map[string]Given[string] // parameter -> its value as text
}

// Sink is a file that gets the token.
type Sink struct {
	Place        string
	Path         Given[string]
	Mode         Given[fs.FileMode]
	Owner, Group Given[int]
}

// TemplateConfig is what all templates have in common.
type TemplateConfig struct {
	Place   string               // of the block; empty: there is none
	Refresh Given[time.Duration] // static_secret_render_interval
	MaxConn Given[int]           // max_connections_per_host

	ExitOnFailure Given[bool] // exit_on_retry_failure
	ExitByDefault Given[bool] // what that is where neither annotations nor files say
}

// Template is one file, or one variable, made of a template.
type Template struct {
	Place       string
	Name        string // of the variable; empty: it is a file
	Source      Given[string]
	Contents    Given[string]
	Destination Given[string]

	LeftDelimiter     Given[string]
	RightDelimiter    Given[string]
	ErrorOnMissingKey Given[bool]
	FunctionDenylist  []string
	SandboxPath       Given[string]

	CreateDestDirs Given[bool]
	Backup         Given[bool]
	Perms          Given[fs.FileMode]
	User, Group    Given[string] // names or numbers

	Command        Given[[]string] // argv to run when the file has changed
	CommandTimeout Given[time.Duration]
	Wait           Given[time.Duration]
	OnChange       Given[string] // beyond the agent: as --on-change has it
}

// Secret is a secret whose keys become variables.
type Secret struct {
	Place    string
	Path     Given[string]
	Prefix   Given[string] // beyond envconsul: instead of the path
	NoPrefix Given[bool]
	Format   Given[string]
	Keys     []Key           // empty: all of them
	Params   []Given[string] // beyond envconsul: NAME=VALUE, as references have them
}

// Key is one key of a secret that is taken, and the name it gets.
type Key struct {
	Place  string
	Name   Given[string]
	Format Given[string]
}

// Exec is the command and its life.
type Exec struct {
	Place   string // of the block; empty: there is none
	Command Given[[]string]

	RestartOnSecretChanges Given[string] // always or never
	StopSignal             Given[string]
	KillTimeout            Given[time.Duration]
	ReloadSignal           Given[string]
	Splay                  Given[time.Duration]
	Stdout, Stderr         Given[string] // files that the command's output is added to

	Pristine  Given[bool]
	Custom    Given[[]string] // NAME=VALUE
	Allowlist Given[[]string]
	Denylist  Given[[]string]
}
