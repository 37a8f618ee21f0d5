package settings

import (
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// Group is a part of the flags that belongs together in the help.
type Group struct {
	Title string
	Flags *pflag.FlagSet
}

// value is what the settings' own types are: pflag.Value but for Type.
type value interface {
	String() string
	Set(string) error
}

// typed adds to a value the word for its argument in the help.
type typed struct {
	value
	word string
}

func (t typed) Type() string { return t.word }

// Groups binds the flags to s: parsing them changes s.
func (s *Settings) Groups() []Group {
	groups := []Group{
		s.loginFlags(), s.sourceFlags(), s.outputFlags(), s.environmentFlags(),
		s.rotationFlags(), s.childFlags(), s.resilienceFlags(), s.reportingFlags(),
	}
	for _, g := range groups {
		g.Flags.SortFlags = false
	}
	return groups
}

// EnvName is the environment form of a flag.
func EnvName(flag string) string {
	return prefix + "_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func group(title string) Group {
	return Group{title, pflag.NewFlagSet(title, pflag.ContinueOnError)}
}

func (g Group) text(p *string, name, word, usage string) {
	g.Flags.Var(typed{(*text)(p), word}, name, usage)
}

func (g Group) add(v value, name, word, usage string) { g.Flags.Var(typed{v, word}, name, usage) }

func (g Group) yes(p *bool, name, usage string) { g.Flags.BoolVar(p, name, false, usage) }

func (g Group) duration(p *time.Duration, name, usage string) {
	g.Flags.Var(typed{(*duration)(p), "DURATION"}, name, usage)
}

func (s *Settings) loginFlags() Group {
	g := group("Login")
	g.text(&s.Auth, "auth", "METHOD", "kubernetes, jwt, approle, cert, userpass, ldap, token or token-file; kubernetes when --role is set, else token: VAULT_TOKEN, else what 'vault login' left")
	g.text(&s.Role, "role", "NAME", "role to log in with (kubernetes, jwt, cert)")
	g.text(&s.AuthMount, "auth-mount", "PATH", "where the auth method is mounted (default the method's name)")
	g.text(&s.JWTPath, "jwt-path", "FILE", "JWT, read anew at each login (kubernetes, jwt; default the pod's service account token)")
	g.yes(&s.RemoveJWT, "remove-jwt", "remove the file of --jwt-path when it has been used (jwt)")
	g.text(&s.RoleIDPath, "role-id-path", "FILE", "role ID (approle)")
	g.text(&s.SecretIDPath, "secret-id-path", "FILE", "secret ID (approle)")
	g.yes(&s.RemoveSecretID, "remove-secret-id", "remove the secret ID's file when it has been used")
	g.text(&s.Username, "username", "NAME", "who logs in (userpass, ldap)")
	g.text(&s.PasswordPath, "password-path", "FILE", "password (userpass, ldap; default: it is asked for on the terminal)")
	g.text(&s.TokenFile, "token-file", "FILE", "token that another agent keeps there (token-file)")
	g.yes(&s.Wrapped, "wrapped", "the token (token, token-file) or the secret ID (approle, of the role that --role names) is a wrapping token, to be unwrapped once")
	g.text(&s.Namespace, "namespace", "NAME", "Vault namespace; VAULT_NAMESPACE where not set")
	return g
}

func (s *Settings) sourceFlags() Group {
	g := group("Sources")
	g.add(&s.Secret, "secret", "REF", "one variable for each key of a secret, or of all secrets below PATH/*; may be repeated")
	g.add(&s.Env, "env", "NAME=REF", "one variable from one key; may be repeated")
	g.add(&s.From, "from", "PATH", "variables from a file or a directory that others write, such as /vault/secrets or a volume of a Kubernetes Secret; may be repeated")
	g.add(&s.EnvFile, "env-file", "FILE", "NAME=VALUE lines, values literal or with references; nothing is expanded; may be repeated")
	g.add(&s.Config, "config", "FILE", "configuration of Vault Agent or envconsul, HCL or JSON, or a directory of it; may be repeated")
	g.text(&s.Annotations, "annotations", "FILE", "the Agent Injector's annotations of the pod, in a file of a Downward API volume")
	g.add(&s.EnvTemplate, "env-template", "NAME=TEXT", "one variable from a template, or NAME=@FILE; may be repeated")
	return g
}

func (s *Settings) outputFlags() Group {
	g := group("Outputs")
	g.add(&s.File, "file", "DEST=REF", "a file from one key, or from a secret as json, yaml, dotenv, export or properties, or with a slash at its end a directory with a file for each key; may be repeated")
	g.add(&s.FileEnv, "file-env", "NAME=REF", "a private file in memory, its path in NAME_FILE; may be repeated")
	g.add(&s.FDEnv, "fd-env", "NAME=REF", "a sealed file without a name that the command inherits, its path (/proc/self/fd/N) in NAME_FILE; may be repeated")
	g.add(&s.Credentials, "credentials", "[NAME=]REF", "private files in memory, one for each key or one under a name, in $CREDENTIALS_DIRECTORY; may be repeated")
	g.text(&s.RuntimeDir, "runtime-dir", "DIR", "where the files of --file-env and --credentials are (default a new directory in $XDG_RUNTIME_DIR or /dev/shm)")
	g.yes(&s.RequireTmpfs, "require-tmpfs", "write no file to a file system that is not in memory")
	g.add(&s.Template, "template", "SRC:DEST", "a file from a template; may be repeated")
	return g
}

func (s *Settings) environmentFlags() Group {
	g := group("Environment of the command")
	g.add(&s.OnConflict, "on-conflict", "POLICY", "when a secret names a variable that is there already: error, keep or overwrite")
	g.yes(&s.Pristine, "pristine", "inherit nothing but references and what --keep names")
	g.add(&s.Keep, "keep", "GLOB", "with --pristine, inherit these all the same; may be repeated")
	g.add(&s.Drop, "drop", "GLOB", "do not inherit these; may be repeated")
	g.add(&s.Pass, "pass", "GLOB", "hand these VAULT_* or VAULTEXEC_* variables on, which are kept back otherwise; may be repeated")
	g.add(&s.Case, "case", "CASE", "names made of keys: keep them, or upper")
	g.text(&s.Prefix, "prefix", "TEXT", "put before names made of keys")
	return g
}

func (s *Settings) rotationFlags() Group {
	g := group("Rotation")
	g.add(&s.OnChange, "on-change", "REACTION", "what a changed secret does: restart, signal:NAME, exec:COMMAND, exit or none")
	g.duration(&s.Refresh, "refresh", "how often secrets without a lease are read again; 0: never")
	g.duration(&s.Debounce, "debounce", "quiet time after a change before it is applied")
	g.duration(&s.Splay, "splay", "random time on top of it, so that replicas do not move together")
	g.duration(&s.MinInterval, "min-interval", "least time between restarts for changed secrets")
	g.add(&s.Window, "window", "CRON/DURATION", "apply changes only then, as in '0 3 * * */2h'; a credential that ends earlier does not wait")
	g.yes(&s.Once, "once", "fetch once and never again")
	return g
}

func (s *Settings) childFlags() Group {
	g := group("Command as a child")
	g.add(&s.Mode, "mode", "MODE", "exec (become the command), supervise (stay as its parent), or auto: exec if nothing is left to do")
	g.add(&s.Init, "init", "WHEN", "reap orphans and outlive the supervisor: auto (as PID 1), always or never")
	g.add(&s.StopSignal, "stop-signal", "SIGNAL", "what the command gets when vaultexec gets TERM")
	g.duration(&s.StopTimeout, "stop-timeout", "time from the stop signal to KILL")
	g.add(&s.Forward, "forward", "TARGET", "signals go to the command's whole group, or to the child alone")
	g.add(&s.RewriteSignal, "rewrite-signal", "FROM:TO", "forward one signal as another, or drop it (FROM:0); may be repeated")
	g.add(&s.RemapExit, "remap-exit", "STATUS", "give back 0 for this exit status; may be repeated")
	g.add(&s.User, "user", "USER[:GROUP]", "run the command as this user, so that only vaultexec can read what it logs in with; files are for that user")
	g.yes(&s.NoNewPrivs, "no-new-privs", "the command gains no privileges by executing a program, set-user-ID or other")
	g.add(&s.Restart, "restart", "FAILURES", "when the command ends by itself: never, on-failure or on-failure:N")
	return g
}

func (s *Settings) resilienceFlags() Group {
	g := group("Resilience")
	g.duration(&s.StartupTimeout, "startup-timeout", "time for login and first fetch, retries included")
	g.duration(&s.RequestTimeout, "request-timeout", "time for one request; VAULT_CLIENT_TIMEOUT where not set")
	g.add((*count)(&s.Concurrency), "concurrency", "NUMBER", "requests at the same time")
	g.add(&s.Revoke, "revoke", "WHICH", "token to revoke at the end: auto (the one that vaultexec's login made), always or never")
	return g
}

func (s *Settings) reportingFlags() Group {
	g := group("Reporting")
	g.add(&s.LogLevel, "log-level", "LEVEL", "debug, info, warn or error")
	g.add(&s.LogFormat, "log-format", "FORMAT", "text, json, or auto: text on a terminal")
	g.text(&s.TerminationLog, "termination-log", "FILE", "where a failure is written for 'kubectl describe'")
	g.text(&s.Listen, "listen", "ADDRESS", "serve /healthz, /readyz and /metrics there, such as 127.0.0.1:9102 or :9102")
	return g
}
