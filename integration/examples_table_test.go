package integration

// Everything that the documentation shows, and what has to come of it. A block
// that is not here, and a row that no block needs, fails the test. Blocks of a file
// that begin alike have a row each, in the same order.
//
// What the examples take for granted is here and nowhere else: the secrets in
// Vault, the role app, the programs that they run, and directories of the
// machine.

// exampleSecrets are in the Vault that the examples talk to: mount -> path ->
// fields. The values are those of Vault's tutorials, made up for being shown.
var exampleSecrets = map[string]map[string]fields{
	"internal": {
		"app/db": {"username": "app-username", "password": "app-password"}, "app/mail": {"password": "mail-password"},
		"database/config": {"username": "db-readonly-username", "password": "db-secret-password"}},
	"kv": {"dev/db": {"password": "dev-password"}, "web/tls": {"key": "-----BEGIN KEY-----\n"}},
}

// exampleRole is the role that the examples log in with.
const exampleRole = "app"

// exampleAddress is the Vault of the examples; that of the test stands in.
const exampleAddress = "https://vault.example:8200"

// exampleStandIns are the programs that the examples run: path -> stands in
// for. Each of them is a child that reports; a path without a slash is put on
// PATH, the others are below the test's own root.
var exampleStandIns = map[string]string{
	"app":         "any application",
	"npm":         "Node's package manager",
	"psql":        "PostgreSQL's client",
	"nginx":       "the web server",
	"/app/server": "an application in an image",
}

// exampleRoots are the directories that are below the test's own root.
var exampleRoots = []string{"/app/", "/run/secrets/", "/etc/app/", "/vault/", "/mnt/"}

// kind is how a block is run.
type kind string

const (
	inShell    kind = "sh"         // by sh, in front of the stand-ins
	onScreen   kind = "tty"        // the same on a terminal, where a password is typed
	asEnv      kind = "env"        // NAME=VALUE lines, or a pod's env, as the environment of a run
	asVaultEnv kind = "vault-env"  // the same, of variables that say all there is to say
	asImage    kind = "dockerfile" // built and run by a container engine
	asTargets  kind = "make"       // only looked up: they run this test, or much more
	asPod      kind = "pod"        // a manifest, whose command is run with what kubelet makes of its annotations
	asPodSpec  kind = "spec"       // of a pod that the API server would take; where it runs vaultexec, that is run with its volumes
	asPolicy   kind = "hcl"        // accepted by Vault as a policy
	asFile     kind = "file"       // named by the comment in its first line, for the blocks behind it
	asGrammar  kind = "grammar"    // not to be run
	asEnvrc    kind = "envrc"      // sourced by bash, in which an application is started then
	asReport   kind = "report"     // run by sh: vaultexec itself prints something, and no command runs
)

// example is what is known of one block.
type example struct {
	file   string // "--help" is what the program prints
	first  string // the block's first line
	kind   kind
	beside bool              // vaultexec is not in front of the command, which inherits from the shell
	pod    bool              // it logs in with a service account; else with ~/.vault-token
	env    map[string]string // what the command gets
	parts  map[string]string // what is part of what it gets
	args   []string          // the command's arguments
	reads  string            // the file that --file has written for it, and
	has    string            // what is in it
	files  []string          // of the login, see exampleStage.logins
	others map[string]string // files that others have written: path -> content
	tls    bool              // it talks to Vault over TLS
	prints []string          // what is part of standard output, blanks apart
}

var (
	wholeConfig    = map[string]string{"username": "db-readonly-username", "password": "db-secret-password"}
	onePassword    = map[string]string{"DB_PASSWORD": "db-secret-password"}
	databaseConfig = map[string]string{"DB_USERNAME": "db-readonly-username", "DB_PASSWORD": "db-secret-password"}
)

// injectedFile is what the Agent Injector writes for a template of export lines.
var injectedFile = map[string]string{"/vault/secrets/config": "export DB_USERNAME=\"db-readonly-username\"\nexport DB_PASSWORD='db-secret-password'\n"}

// secretFiles are those of a Kubernetes Secret that is mounted there.
func secretFiles(dir string) map[string]string {
	return map[string]string{
		dir + "/..2026_11_24_12_00_00.1/username": "db-readonly-username", dir + "/..2026_11_24_12_00_00.1/password": "db-secret-password",
		dir + "/..data": "->..2026_11_24_12_00_00.1", dir + "/username": "->..data/username", dir + "/password": "->..data/password",
	}
}

// rowOf is the first row for a block that is not used; below 0: there is none.
func rowOf(b block, used []bool) int {
	for i, x := range examples {
		if !used[i] && x.file == b.file && x.first == b.first() {
			return i
		}
	}
	return -1
}

var examples = []example{
	{file: "README.md", first: "vaultexec --from /vault/secrets/config -- app", kind: inShell, others: injectedFile, env: databaseConfig},
	{file: "README.md", first: "make demo     # see it work, with a real Vault and a real service account", kind: asTargets},
	{file: "README.md", first: "FROM my-app", kind: asImage},
	{file: "README.md", first: "env:", kind: asEnv, pod: true, env: databaseConfig},
	{file: "README.md", first: "vaultexec --role app --env DB_PASSWORD=internal/database/config#password -- app", kind: inShell, pod: true,
		env: map[string]string{"DB_PASSWORD": "db-secret-password"}},
	{file: "README.md", first: `export DATABASE_URL='postgres://app:${vault:internal/database/config#password}@db/app'`, kind: inShell, pod: true,
		env: map[string]string{"DATABASE_URL": "postgres://app:db-secret-password@db/app"}},
	{file: "README.md", first: "vaultexec --secret internal/database/config --case upper --prefix DB_ -- npm start", kind: inShell,
		env: databaseConfig, args: []string{"start"}},
	{file: "README.md", first: `eval "$(vaultexec env --secret internal/database/config --case upper --prefix DB_)"`, kind: inShell, beside: true,
		env: databaseConfig, args: []string{"start"}},
	{file: "README.md", first: "vaultexec --role app --secret internal/database/config -- app", kind: inShell, pod: true, env: wholeConfig},
	{file: "README.md", first: "vaultexec --role app --on-change signal:HUP --file /run/secrets/tls.key=kv/web/tls#key -- nginx -g 'daemon off;'", kind: inShell, pod: true,
		args: []string{"-g", "daemon off;"}, reads: "/run/secrets/tls.key", has: "-----BEGIN KEY-----\n"},
	{file: "README.md", first: "[vault:]PATH[?PARAM=VALUE&...][#KEY[#VERSION]]", kind: asGrammar},

	{file: "CONTRIBUTING.md", first: "make unit         # what needs no server, in a minute or two", kind: asTargets},

	{file: "docs/design.md", first: "cmd/vaultexec        wires: settings, roles, exit code; the only place with os.Exit", kind: asGrammar},
	{file: "docs/design.md", first: "settings -> references -> fetch, from -> secrets -> plan -> command -> supervisor", kind: asGrammar},

	{file: "docs/references.md", first: "DB_PASSWORD='vault:internal/database/config#password'", kind: asEnv, pod: true,
		env: map[string]string{"DB_PASSWORD": "db-secret-password", "DB_URL": "postgres://app:db-secret-password@db:5432/app"}},
	{file: "docs/references.md", first: "DB_DSN='postgres://app:${vault:internal/database/config#${ .password | urlquery }}@db:5432/app'", kind: asEnv, pod: true,
		env: map[string]string{"DB_DSN": "postgres://app:db-secret-password@db:5432/app"}},

	{file: "docs/references.md", first: "# /app/.env", kind: asFile},
	{file: "docs/references.md", first: "vaultexec --role app --env-file /app/.env -- app", kind: inShell, pod: true,
		env: map[string]string{"DB_USERNAME": "db-readonly-username", "DB_URL": "postgres://app:db-secret-password@localhost/app", "LOG_LEVEL": "debug", "PRICE": "$5 # not a comment"}},
	{file: "docs/references.md", first: "vaultexec --role app --secret 'internal/app/*?names=path&case=upper' -- app", kind: inShell, pod: true,
		env: map[string]string{"DB_USERNAME": "app-username", "DB_PASSWORD": "app-password", "MAIL_PASSWORD": "mail-password"}},
	{file: "docs/references.md", first: "vaultexec --role app --file /run/secrets/app.json='internal/app/*' -- app", kind: inShell, pod: true, reads: "/run/secrets/app.json",
		has: `{
  "db": {
    "password": "app-password",
    "username": "app-username"
  },
  "mail": {
    "password": "mail-password"
  }
}
`},
	{file: "docs/references.md", first: `path "internal/metadata/app/*" { capabilities = ["list"] }`, kind: asPolicy},

	{file: "docs/references.md", first: "vaultexec --role app --on-change signal:HUP --file /run/secrets/db/=internal/database/config -- app", kind: inShell, pod: true,
		reads: "/run/secrets/db/password", has: "db-secret-password"},
	{file: "docs/references.md", first: "vaultexec --role app --file-env POSTGRES_PASSWORD=internal/database/config#password -- app", kind: inShell, pod: true,
		parts: map[string]string{"POSTGRES_PASSWORD_FILE": "/POSTGRES_PASSWORD"}},
	{file: "docs/references.md", first: "vaultexec --role app --credentials internal/database/config --credentials mail.password=internal/app/mail#password -- app", kind: inShell, pod: true,
		parts: map[string]string{"CREDENTIALS_DIRECTORY": "/credentials.d"}},
	{file: "docs/references.md", first: `TLS_CERT='>>vault:pki/issue/web#certificate#{"common_name": "web.example"}'`, kind: asEnv, pod: true,
		parts: map[string]string{"TLS_CERT": "-----BEGIN CERTIFICATE-----", "TLS_KEY": " PRIVATE KEY-----"}},

	{file: "docs/threat-model.md", first: "vaultexec --role app --user 1000:1000 --no-new-privs --require-tmpfs --file-env DB_PASSWORD=internal/database/config#password -- app", kind: asGrammar}, // hardening_test.go runs the like of it: an app that is another user cannot tell this test what it saw

	{file: "docs/templates.md", first: "vaultexec --template SRC:DEST[?PARAM=VALUE&...] -- COMMAND", kind: asGrammar},
	{file: "docs/templates.md", first: "vaultexec --role app \\", kind: inShell, pod: true,
		env: map[string]string{"DB_URL": "postgres://db-readonly-username:db-secret-password@db/app"}},

	{file: "docs/coming-from-vault-env.md", first: "env:", kind: asVaultEnv, env: map[string]string{"DB_USERNAME": "db-readonly-username",
		"DB_PASSWORD": "db-secret-password", "DB_URL": "postgres://app:db-secret-password@db/app"}},

	{file: "docs/configuration.md", first: "# /etc/app/vaultexec.hcl", kind: asFile},
	{file: "docs/configuration.md", first: "vaultexec --config /etc/app/vaultexec.hcl", kind: inShell, pod: true, env: databaseConfig,
		args: []string{"--log-level", "${LOG_LEVEL:-info}"}},
	{file: "docs/configuration.md", first: "# /etc/app/flags.hcl", kind: asFile},
	{file: "docs/configuration.md", first: "vaultexec --config /etc/app/flags.hcl -- psql", kind: inShell, pod: true,
		env: map[string]string{"PGPASSWORD": "db-secret-password"}, reads: "/run/secrets/tls.key", has: "-----BEGIN KEY-----\n"},
	{file: "docs/configuration.md", first: `secret "MOUNT/PATH" { ... }`, kind: asGrammar},

	{file: "docs/coming-from-envconsul.md", first: "# /etc/app/envconsul.hcl", kind: asFile},
	{file: "docs/coming-from-envconsul.md", first: "envconsul -config /etc/app/envconsul.hcl", kind: asGrammar},
	{file: "docs/coming-from-envconsul.md", first: "vaultexec --role app --config /etc/app/envconsul.hcl", kind: inShell, pod: true,
		env: map[string]string{"DB_USER": "db-readonly-username", "PASSWORD": "db-secret-password", "MODE": "production"}, args: []string{"--port", "8080"}},

	{file: "docs/coming-from-the-injector.md", first: "# pod.yaml", kind: asPod, pod: true,
		reads: "/vault/secrets/config", has: "postgresql://db-readonly-username:db-secret-password@postgres:5432/wizard\n"},
	{file: "docs/coming-from-the-injector.md", first: `sh -c "source /vault/secrets/config && exec app"`, kind: asGrammar},

	{file: "docs/coming-from-vault-agent.md", first: "# /etc/app/agent.hcl", kind: asFile},
	{file: "docs/coming-from-vault-agent.md", first: "vault agent -config /etc/app/agent.hcl", kind: asGrammar},
	{file: "docs/coming-from-vault-agent.md", first: "vaultexec --config /etc/app/agent.hcl -- app", kind: inShell, pod: true,
		reads: "/run/secrets/config", has: "username=db-readonly-username\npassword=db-secret-password\n"},
	{file: "docs/coming-from-vault-agent.md", first: "# /etc/app/supervisor.hcl", kind: asFile},
	{file: "docs/coming-from-vault-agent.md", first: "vaultexec --config /etc/app/supervisor.hcl", kind: inShell, env: onePassword, files: []string{"token"}},

	{file: "docs/verbs.md", first: "vaultexec explain --role app --secret 'internal/database/config?prefix=DB_&case=upper' --file /run/secrets/tls.key=kv/web/tls#key", kind: asReport, pod: true,
		prints: []string{"DB_PASSWORD ok internal/database/config password 1 - every 1m0s --secret internal/database/config", " ok kv/web/tls key 1 ", "--role app --role"}},
	{file: "docs/verbs.md", first: "vaultexec explain --role app --secret 'internal/database/config?prefix=DB_&case=upper' DB_PASSWORD", kind: asReport, pod: true,
		prints: []string{"DB_PASSWORD ok internal/database/config password", "--stop-timeout 30s default"}},

	{file: "docs/verbs.md", first: "vaultexec check --role app --secret internal/database/config", kind: asReport, pod: true, prints: []string{"ok internal/database/config"}},
	{file: "docs/verbs.md", first: "vaultexec doctor --role app --secret internal/database/config --file /run/secrets/tls.key=kv/web/tls#key", kind: asReport, pod: true,
		prints: []string{"ok health Vault", "ok jwt for vault, issued by", `ok login as role "app" at auth/kubernetes`, "ok secrets all are there (2)"}},
	{file: "docs/verbs.md", first: "failed   capabilities  kv/closed: the policies do not allow read of kv/data/closed (mount kv/, KV v2)", kind: asGrammar}, // TestDoctorMendsPolicies
	{file: "docs/verbs.md", first: "vars=$(vaultexec env --secret internal/database/config --case upper --prefix DB_) || exit", kind: inShell, beside: true,
		env: databaseConfig, args: []string{"start"}},
	{file: "docs/verbs.md", first: "# .envrc", kind: asEnvrc, beside: true, env: databaseConfig},
	{file: "docs/verbs.md", first: "vaultexec render --role app --file /run/secrets/tls.key=kv/web/tls#key", kind: asReport, pod: true}, // TestP11RenderAsSupervised
	{file: "docs/verbs.md", first: "vaultexec install /app/bin && /app/bin/vaultexec version", kind: asReport, prints: []string{"vaultexec "}},
	{file: "docs/verbs.md", first: "vaultexec version --json", kind: asReport, prints: []string{`"arch":`}},
	{file: "docs/verbs.md", first: "vaultexec completion bash > /etc/bash_completion.d/vaultexec", kind: asGrammar}, // TestCompletionInShells

	{file: "docs/login.md", first: "vaultexec --role app --env DB_PASSWORD=internal/database/config#password -- app", kind: inShell, pod: true, env: onePassword},
	{file: "docs/login.md", first: "vaultexec --auth jwt --role ci --jwt-path /run/secrets/ci.jwt --env DB_PASSWORD=internal/database/config#password -- app", kind: inShell,
		env: onePassword, files: []string{"ci.jwt"}},
	{file: "docs/login.md", first: "vaultexec --auth approle --role-id-path /run/secrets/role-id --secret-id-path /run/secrets/secret-id --env DB_PASSWORD=internal/database/config#password -- app", kind: inShell,
		env: onePassword, files: []string{"role-id", "secret-id"}},
	{file: "docs/login.md", first: "export VAULT_ADDR=https://vault.example:8200 VAULT_CACERT=/run/secrets/ca.pem", kind: inShell,
		env: onePassword, files: []string{"ca.pem", "client.pem", "client-key.pem"}, tls: true},
	{file: "docs/login.md", first: "vaultexec --auth userpass --username alice --env DB_PASSWORD=internal/database/config#password -- npm start", kind: onScreen, env: onePassword},
	{file: "docs/login.md", first: "vaultexec --auth userpass --username alice --password-path /run/secrets/password --env DB_PASSWORD=internal/database/config#password -- npm start", kind: inShell,
		env: onePassword, files: []string{"password"}},
	{file: "docs/login.md", first: "vaultexec --auth token-file --token-file /run/secrets/wrapped-token --wrapped --env DB_PASSWORD=internal/database/config#password -- app", kind: inShell,
		env: onePassword, files: []string{"wrapped-token"}},
	{file: "docs/login.md", first: "vaultexec --auth approle --role-id-path /run/secrets/role-id --secret-id-path /run/secrets/wrapped-secret-id --wrapped --role app --env DB_PASSWORD=internal/database/config#password -- app", kind: inShell,
		env: onePassword, files: []string{"role-id", "wrapped-secret-id"}},
	{file: "docs/login.md", first: "vaultexec --auth token-file --token-file /run/secrets/token --env DB_PASSWORD=internal/database/config#password -- app", kind: inShell,
		env: onePassword, files: []string{"token"}},

	{file: "docs/from.md", first: "vaultexec --from /vault/secrets/config -- app", kind: inShell, others: injectedFile, env: databaseConfig},
	{file: "docs/from.md", first: "PATH[?PARAM=VALUE&...]", kind: asGrammar},
	{file: "docs/from.md", first: "data: map[password:... username:...]", kind: asGrammar},
	{file: "docs/from.md", first: "vaultexec --from '/vault/secrets/config?on_change=signal:HUP' --from /etc/app/db -- app", kind: inShell,
		others: map[string]string{"/vault/secrets/config": "export API_KEY='abc'\n", "/etc/app/db": "DB_USERNAME=app\n"}, env: map[string]string{"API_KEY": "abc", "DB_USERNAME": "app"}},

	{file: "docs/coming-from-csi.md", first: "containers:", kind: asPodSpec},
	{file: "docs/coming-from-csi.md", first: "containers:", kind: asPodSpec, env: databaseConfig},
	{file: "docs/coming-from-csi.md", first: "vaultexec --from '/etc/app/db?case=upper&prefix=DB_' -- app", kind: inShell, others: secretFiles("/etc/app/db"), env: databaseConfig},
	{file: "docs/coming-from-csi.md", first: "vaultexec --from /etc/app/config/app.env -- app", kind: inShell,
		others: map[string]string{"/etc/app/config/app.env": "DB_USERNAME=db-readonly-username\nDB_PASSWORD='db-secret-password' # of the database\n"}, env: databaseConfig},
	{file: "docs/coming-from-csi.md", first: "vaultexec --from '/mnt/secrets?case=upper' -- app", kind: inShell,
		others: map[string]string{"/mnt/secrets/..1/db-password": "db-secret-password", "/mnt/secrets/..data": "->..1", "/mnt/secrets/db-password": "->..data/db-password"}, env: onePassword},
	{file: "docs/coming-from-csi.md", first: "vaultexec --from '/mnt/secrets/config?format=json' -- app", kind: inShell,
		others: map[string]string{"/mnt/secrets/config": `{"DB_PASSWORD": "db-secret-password"}`}, env: onePassword},
	{file: "docs/coming-from-csi.md", first: "vaultexec --role app --secret 'internal/database/config?case=upper&prefix=DB_' -- app", kind: inShell, pod: true, env: databaseConfig},

	{file: "docs/rotation.md", first: "vaultexec --role app --secret internal/database/config --on-change restart -- app", kind: inShell, pod: true, env: wholeConfig},
	{file: "docs/rotation.md", first: `path "sys/leases/revoke" { capabilities = ["update"] }`, kind: asPolicy},

	{file: "--help", first: "# In a container: log in with the pod's service account, one variable for", kind: inShell, pod: true, env: wholeConfig},
	{file: "--help", first: "# In a manifest: a variable whose value is a reference gets the secret", kind: inShell, pod: true,
		env: map[string]string{"PGPASSWORD": "db-secret-password"}},
	{file: "--help", first: "# On a laptop: with the token of 'vault login', names of your own choice", kind: inShell,
		env: map[string]string{"PGPASSWORD": "dev-password"}, args: []string{"-h", "localhost"}},
	{file: "--help", first: "# A file, read only by its owner; when it changes, nginx is told", kind: inShell,
		args: []string{"-g", "daemon off;"}, reads: "/run/secrets/tls.key", has: "-----BEGIN KEY-----\n"},
}
