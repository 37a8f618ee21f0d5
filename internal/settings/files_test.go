package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"vaultexec/internal/env"
)

// loadFile reads settings as main does, with a configuration file, which is
// called f in origins and messages.
func loadFile(t *testing.T, text string, environ map[string]string, args ...string) (*Settings, []Note, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("f", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := read(t, environ, append([]string{"--config", "f"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	notes, err := s.ReadFiles(s.environ, s.flags)
	if err == nil {
		err = s.Check()
	}
	return s.Settings, notes, err
}

func TestFilePrecedence(t *testing.T) {
	const text = `
role = "file"
namespace = "file"
stop_timeout = "7s"
secret = ["kv/file"]
keep = ["F*"]
pristine = true
once = true
`
	s, _, err := loadFile(t, text, map[string]string{"VAULTEXEC_NAMESPACE": "env", "VAULTEXEC_SECRET": "kv/env"}, "--role", "flag")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, origin string
		got, want    any
	}{
		{"role", "--role", s.Role, "flag"},
		{"namespace", "VAULTEXEC_NAMESPACE", s.Namespace, "env"},
		{"secret", "VAULTEXEC_SECRET", len(s.Secret.Items) == 1 && s.Secret.Items[0].Path == "kv/env", true},
		{"stop-timeout", "f:4", s.StopTimeout, 7 * time.Second},
		{"keep", "f:6", s.Keep.Items, []string{"F*"}},
		{"pristine", "f:7", s.Pristine, true},
		{"once", "f:8", s.Once, true},
		{"concurrency", "default", s.Concurrency, 16},
	} {
		if !reflect.DeepEqual(tt.got, tt.want) || s.Origin(tt.name) != tt.origin {
			t.Errorf("%s is %v from %s, want %v from %s", tt.name, tt.got, s.Origin(tt.name), tt.want, tt.origin)
		}
	}
}

// Annotations are weaker than the environment and stronger than files; what both
// have adds up.
func TestAnnotations(t *testing.T) {
	t.Chdir(t.TempDir())
	const x = "vault.hashicorp.com/"
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a", x+`role="pod"`+"\n"+x+`auth-path="auth/pod"`+"\n"+x+`service="https://pod"`+"\n"+x+`namespace="pod"`+"\n"+x+`agent-inject-template-x="pod"`+"\n"+
		x+`log-level="trace"`+"\n"+x+`agent-revoke-on-shutdown="false"`+"\n"+x+`template-static-secret-render-interval="5m"`)
	write("f", `
role = "file"
revoke = "always"
vault {
	address = "https://file"
	ca_cert = "/file"
}
template {
	contents = "file"
	destination = "/vault/secrets/x"
}
template {
	contents = "file"
	destination = "/vault/secrets/y"
}
exec { command = ["app"] }
`)
	s, err := read(t, map[string]string{"VAULTEXEC_ANNOTATIONS": "a", "VAULTEXEC_REFRESH": "9m"}, "--config", "f", "--auth-mount", "flag")
	if err != nil {
		t.Fatal(err)
	}
	notes, err := s.ReadFiles(s.environ, s.flags)
	if err == nil {
		err = s.Check()
	}
	if err != nil || len(notes) > 0 {
		t.Fatal(err, notes)
	}
	f := s.Files()
	var contents []string
	for _, made := range f.Templates {
		contents = append(contents, made.Dest+"="+made.Text)
	}
	got := []any{s.Auth, s.Role, s.AuthMount, f.Vault["VAULT_ADDR"].Value, f.Vault["VAULT_CACERT"].Value, f.LoginNamespace, s.LogLevel.String(), s.Revoke, s.Refresh, contents, f.Command, f.FailCommands.Value, s.Origin("role")}
	want := []any{"kubernetes", "pod", "flag", "https://pod", "/file", "pod", "debug", RevokeNever, 9 * time.Minute,
		[]string{"/vault/secrets/x=pod", "/vault/secrets/y=file"}, []string{"app"}, true, "annotation vault.hashicorp.com/role"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	if f.Templates[0].Place != "annotation vault.hashicorp.com/agent-inject-template-x: template /vault/secrets/x" {
		t.Errorf("place %s", f.Templates[0].Place)
	}
}

// What the agent and envconsul say in their own words.
func TestFileTranslation(t *testing.T) {
	const login = "auto_auth {\n method \"kubernetes\" {\n mount_path = \"auth/k8s\"\n config = {\n role = \"app\"\n token_path = \"/tok\"\n}\n}\n sink \"file\" {\n config = {\n path = \"/t\"\n}\n}\n}\n"
	for _, tt := range []struct {
		what, text string
		args       []string
		got        func(s *Settings) any
		want       any
	}{
		{"login", login, nil, func(s *Settings) any { return []string{s.Auth, s.Role, s.AuthMount, s.JWTPath, s.Origin("role")} }, []string{"kubernetes", "app", "auth/k8s", "/tok", "f:5"}},
		{"another login", login, []string{"--auth", "token"}, func(s *Settings) any { return []string{s.Auth, s.Role, s.AuthMount} }, []string{"token", "", ""}},
		{"another role", login, []string{"--role", "mine"}, func(s *Settings) any { return []string{s.Auth, s.Role, s.AuthMount} }, []string{"kubernetes", "mine", "auth/k8s"}},
		{"envconsul's login", `vault { k8s_auth_role_name = "app" k8s_service_mount_path = "k8s" }`, nil, func(s *Settings) any { return []string{s.Role, s.AuthMount} }, []string{"app", "k8s"}},
		{"jwt", `auto_auth { method "jwt" { config { role = "r" path = "/j" jwt_read_period = "1s" } } }`, nil,
			func(s *Settings) any {
				return []any{s.Auth, s.Role, s.JWTPath, s.RemoveJWT, s.Origin("remove-jwt"), s.Files().JWTTarget.Value}
			}, []any{"jwt", "r", "/j", true, "f:1", false}},
		{"jwt that stays", `auto_auth { method "jwt" { config { path = "/j" remove_jwt_after_reading = false } } }`, nil, func(s *Settings) any { return s.RemoveJWT }, false},
		{"jwt that says nothing of it", `auto_auth { method "jwt" { config { path = "/j" remove_jwt_after_reading = "" } } }`, nil, func(s *Settings) any { return s.RemoveJWT }, false},
		{"jwt that stays by flag", `auto_auth { method "jwt" { config { path = "/j" remove_jwt_after_reading = true } } }`, []string{"--remove-jwt=false"}, func(s *Settings) any { return s.RemoveJWT }, false},
		{"jwt by flag", `auto_auth { method "jwt" { config { path = "/j" } } }`, []string{"--jwt-path", "/mine"}, func(s *Settings) any { return []any{s.JWTPath, s.RemoveJWT} }, []any{"/mine", false}},
		{"jwt of the pod", `auto_auth { method "jwt" { config { role = "r" } } }`, nil, func(s *Settings) any { return s.RemoveJWT }, false},
		{"jwt behind a link", `auto_auth { method "jwt" { config { path = "/j" remove_jwt_follows_symlinks = true } } }`, nil,
			func(s *Settings) any { return []any{s.RemoveJWT, s.Files().JWTTarget.Value} }, []any{true, true}},
		{"approle", `auto_auth { method "approle" { config { role_id_file_path = "/r" secret_id_file_path = "/s" } } }`, nil,
			func(s *Settings) any { return []any{s.Auth, s.RoleIDPath, s.SecretIDPath, s.RemoveSecretID} }, []any{"approle", "/r", "/s", true}},
		{"approle that keeps its secret ID", `auto_auth { method "approle" { config { role_id_file_path = "/r" secret_id_file_path = "/s" remove_secret_id_file_after_reading = false } } }`, nil,
			func(s *Settings) any { return s.RemoveSecretID }, false},
		{"approle, secret ID by flag", `auto_auth { method "approle" { config { role_id_file_path = "/r" secret_id_file_path = "/s" } } }`, []string{"--secret-id-path", "/mine"},
			func(s *Settings) any { return []any{s.SecretIDPath, s.RemoveSecretID} }, []any{"/mine", false}},
		{"approle without a secret ID", `auto_auth { method "approle" { config { role_id_file_path = "/r" } } }`, nil, func(s *Settings) any { return s.RemoveSecretID }, false},
		{"cert", `auto_auth { method "cert" { config { name = "n" client_cert = "/c" client_key = "/k" reload = true } } }`, nil,
			func(s *Settings) any {
				return []string{s.Auth, s.Role, s.Files().Vault["VAULT_CLIENT_CERT"].Value, s.Files().Vault["VAULT_CLIENT_KEY"].Value}
			}, []string{"cert", "n", "/c", "/k"}},
		{"token file", `auto_auth { method "token_file" { config { token_file_path = "/t" } } }`, nil, func(s *Settings) any { return []string{s.Auth, s.TokenFile} }, []string{"token-file", "/t"}},
		{"envconsul's token file", `vault { vault_agent_token_file = "/t" }`, nil, func(s *Settings) any { return []string{s.Auth, s.TokenFile} }, []string{"token-file", "/t"}},
		{"envconsul's token file, and a login", `vault { vault_agent_token_file = "/t" }`, []string{"--auth", "jwt"}, func(s *Settings) any { return []string{s.Auth, s.TokenFile} }, []string{"jwt", ""}},
		{"sink", login, nil, func(s *Settings) any {
			f := s.Files().Tokens[0]
			return []any{f.Dest, f.Place, f.Ref.Login, f.Ref.Mode, f.Ref.Owner, f.Ref.OnChange, s.Supervise(false)}
		}, []any{"/t", "f:9: sink /t", true, "0640", "", "none", true}},
		{"sink's owner", `auto_auth { method "kubernetes" {} sink "file" { config = { path = "/t" mode = 0600 owner = 7 group = 8 } } }`, []string{"--role", "r"}, func(s *Settings) any {
			return []string{s.Files().Tokens[0].Ref.Mode, s.Files().Tokens[0].Ref.Owner}
		}, []string{"0600", "7:8"}},
		{"two namespaces", `vault { namespace = "a/b" } auto_auth { method "jwt" { namespace = "a" } }`, nil, func(s *Settings) any {
			return []string{s.Files().Vault["VAULT_NAMESPACE"].Value, s.Files().LoginNamespace}
		}, []string{"a/b", "a"}},
		{"server", `vault { address = "a" ca_cert = "c" tls_skip_verify = true } auto_auth { method "kubernetes" { namespace = "n" } }`, []string{"--role", "r"}, func(s *Settings) any {
			v := s.Files().Vault
			return []string{v["VAULT_ADDR"].Value, v["VAULT_CACERT"].Value, v["VAULT_SKIP_VERIFY"].Value, v["VAULT_NAMESPACE"].Value, v["VAULT_CACERT"].Place, v["VAULT_CLIENT_CERT"].Value}
		}, []string{"a", "c", "true", "n", "f:1", ""}},
		{"command", `exec { command = ["a", "b"] restart_on_secret_changes = "never" restart_stop_signal = "SIGINT" kill_timeout = "3s" splay = "1s" }`, nil, func(s *Settings) any {
			return []any{s.Files().Command, s.OnChange.String(), s.StopSignal.String(), s.StopTimeout, s.Splay}
		}, []any{[]string{"a", "b"}, "none", "INT", 3 * time.Second, time.Second}},
		{"the command's output", `exec { child_process_stdout = "/out" child_process_stderr = "" }`, nil, func(s *Settings) any {
			return []any{s.Files().Stdout.Value, s.Files().Stdout.Place, s.Files().Stderr.IsSet()}
		}, []any{"/out", "f:1", false}},
		{"signal", `exec { command = "a" reload_signal = "SIGHUP" restart_on_secret_changes = "always" }`, nil, func(s *Settings) any { return s.OnChange.String() }, "signal:SIGHUP"},
		{"environment", `exec { env { allowlist = ["A*"] denylist = ["AB"] custom = ["X=1"] } }`, nil, func(s *Settings) any {
			return []any{s.Pristine, s.Keep.Items, s.Drop.Items, s.Files().Custom}
		}, []any{true, []string{"A*"}, []string{"AB"}, []string{"X=1"}}},
		{"environment by flag", `exec { env { allowlist = ["A*"] } }`, []string{"--pristine=false"}, func(s *Settings) any { return []any{s.Pristine, len(s.Keep.Items)} }, []any{false, 0}},
		{"rotation", `template_config { static_secret_render_interval = "9m" max_connections_per_host = 3 } wait = "4s"`, nil, func(s *Settings) any {
			return []any{s.Refresh, s.Concurrency, s.Debounce}
		}, []any{9 * time.Minute, 3, 4 * time.Second}},
		{"rotation that says nothing", `template_config { static_secret_render_interval = 0 }`, nil, func(s *Settings) any { return []any{s.Refresh, s.Origin("refresh")} }, []any{time.Minute, "default"}},
		{"rotation switched off", `refresh = "0"`, nil, func(s *Settings) any { return s.Refresh }, time.Duration(0)},
		{"once", "template_config { static_secret_render_interval = \"9m\" }\nexec { reload_signal = \"HUP\" splay = 1 }\nexit_after_auth = true", nil, func(s *Settings) any { return []any{s.Once, s.Refresh, s.Origin("on-change")} }, []any{true, time.Minute, "default"}},
		{"once by flag", `refresh = "9m"`, []string{"--once"}, func(s *Settings) any { return s.Refresh }, time.Minute},
		{"wait of templates", `template { contents = "" destination = "/a" wait { min = "3s" max = "9s" } } template { contents = "" destination = "/b" wait { min = 5 } }`, nil,
			func(s *Settings) any { return s.Debounce }, 5 * time.Second},
		{"failure at the start", `template_config { exit_on_retry_failure = true }`, nil, func(s *Settings) any { return s.Files().FailCommands.Value }, true},
		{"template", `template {
	contents = "[[ ]]${X}" destination = "/d" create_dest_dirs = false perms = "0440" user = "u" group = 7 left_delimiter = "[[" right_delimiter = "]]"
	error_on_missing_key = true sandbox_path = "/s" backup = true exec { command = "a b" timeout = "9s" } function_denylist = ["env"]
}`, nil, func(s *Settings) any {
			return append(s.Files().Templates, env.Template{Name: fmt.Sprint(s.Supervise(false))})
		}, []env.Template{{
			Place: "f:1: template /d", Text: "[[ ]]${X}", Dest: "/d", Mode: "0440", Owner: "u:7", OnChange: "none", Left: "[[", Right: "]]", Sandbox: "/s", Deny: []string{"env"},
			Block: &env.Block{NoDirs: true, Backup: true, Command: []string{"a", "b"}, Timeout: 9 * time.Second}}, {Name: "true"}}},
		{"template with a line for the shell", `template { source = "f" destination = "d" command = "a || b" command_timeout = 3 group = "g" create_dest_dirs = true perms = 0 }`, nil, func(s *Settings) any {
			made := s.Files().Templates[0]
			return []any{made.Text[:10], made.Dest, made.Mode, made.Owner, made.Lenient, *made.Block}
		}, []any{"template {", "d", "", ":g", true, env.Block{Command: []string{"sh", "-c", "a || b"}, Timeout: 3 * time.Second}}},
		{"template that says what a change does", `template { contents = "" destination = "d" on_change = "signal:HUP" }`, nil,
			func(s *Settings) any { return s.Files().Templates[0].OnChange }, "signal:HUP"},
		{"env_template", `env_template "A" { contents = "x" error_on_missing_key = true } template { contents = "y" destination = "/d" }`, nil, func(s *Settings) any {
			return []any{s.EnvTemplates(), len(s.FileTemplates())}
		}, []any{[]env.Template{{Place: "f:1: env_template A", Text: "x", Name: "A"}}, 1}},
		{"templates of flags", `env_template "A" { contents = "x" } env_template "B" { contents = "x" } env_template "C" { contents = "x" } template { contents = "" destination = "/d/../e" } template { contents = "" destination = "/f" }`,
			[]string{"--env-template", "A=y", "--env", "B=kv/app#b", "--file", "/e=kv/app#e", "--template", "f:/f"}, func(s *Settings) any {
				return []any{len(s.Files().Templates), s.Files().Templates[0].Name}
			}, []any{1, "C"}},
		{"log", "log_level = \"TRACE\"\nlog_format = \"standard\"", nil, func(s *Settings) any { return []string{s.LogLevel.String(), string(s.LogFormat)} }, []string{"debug", "text"}},
		{"log of envconsul", `log_level = "WARN"`, nil, func(s *Settings) any { return s.LogLevel.String() }, "warn"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			s, _, err := loadFile(t, tt.text, nil, tt.args...)
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.got(s); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestFileSecrets(t *testing.T) {
	for _, tt := range []struct {
		what, text, field string
		args              []string
		want              []string
	}{
		{"path", `secret { path = "kv/data/app-x" }`, "user", nil, []string{"kv_data_app_x_user"}},
		{"no prefix", `secret { path = "kv/app" no_prefix = true }`, "user", nil, []string{"user"}},
		{"prefix", `secret { path = "kv/app" prefix = "DB_" }`, "user", nil, []string{"DB_user"}},
		{"upper", `upcase = true secret { path = "kv/app" }`, "my-key", nil, []string{"KV_APP_MY-KEY"}},
		{"upper and clean", "upcase = true\nsanitize = true\nsecret { path = \"kv/app\" }", "my-key", nil, []string{"KV_APP_MY_KEY"}},
		{"case", `secret "kv/app" { no_prefix = true case = "upper" }`, "my-key", nil, []string{"MY_KEY"}},
		{"case of the settings", `secret "kv/app" { no_prefix = true }`, "my-key", []string{"--case", "upper"}, []string{"MY_KEY"}},
		{"format", `secret { path = "kv/app" format = "X_{{ key }}_Y" }`, "user", nil, []string{"X_kv_app_user_Y"}},
		{"format before keys", `secret { path = "kv/app" no_prefix = true format = "X_{{ key }}" key { name = "pass" format = "P" } }`, "user", nil, []string{"X_user"}},
		{"keys", `secret { path = "kv/app" no_prefix = true key { name = "user" format = "A" } key { name = "user" format = "B_{{ key }}" } }`, "user", nil, []string{"A", "B_user"}},
		{"key with the prefix", `secret { path = "kv/app" key { name = "user" format = "A" } }`, "user", nil, []string{"kv_app_A"}},
		{"key without a format", `secret { path = "kv/app" no_prefix = true key { name = "user" } }`, "user", nil, []string{"user"}},
		{"below a path", `secret { path = "kv/app/*" }`, "user", nil, []string{"kv_app_db_x_user"}},
		{"below a path, clean", "upcase = true\nsanitize = true\nsecret { path = \"kv/app/*\" format = \"{{ key }}-X\" }", "my-key", nil, []string{"KV_APP_DB_X_MY_KEY_X"}},
		{"below a path, no prefix", `secret { path = "kv/app/*" no_prefix = true }`, "user", nil, []string{"user"}},
		{"no such key", `secret { path = "kv/app" no_prefix = true key { name = "pass" } }`, "user", nil, nil},
	} {
		t.Run(tt.what, func(t *testing.T) {
			text := strings.Replace(tt.text, "upcase = true secret", "upcase = true\nsecret", 1)
			s, _, err := loadFile(t, text, nil, tt.args...)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Files().Renamed[0].Names("kv/app/db-x", tt.field); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	s, _, err := loadFile(t, `secret "kv/app?version=3" { optional = true namespace = "a&b" refresh = "5m" key "a*" {} key "b" {} }`, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := s.Files().Renamed[0].Ref
	if r.Path != "kv/app" || r.Version != 3 || !r.Optional || r.Namespace != "a&b" || *r.Refresh != 5*time.Minute ||
		!slices.Equal(r.Only, []string{`a\*`, "b"}) {
		t.Errorf("%+v", r)
	}
}

func TestFileProblems(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"\nmode = \"exek\"", `f:2: mode: "exek" is not one of auto, exec, supervise: did you mean exec?`},
		{"once = \"maybe\"", "f:1: once: is either true or false"},
		{"stop_timeout = 5", "f:1: stop_timeout: is not a duration: write a number and a unit, such as 500ms, 30s or 2m"},
		{"concurrency = -1", "f:1: must be at least 1"},
		{"config = \"x\"", `f:1: there is no key "config"`},
		{"exec { kill_signal = \"SIGFOO\" }", `f:1: exec.kill_signal: no signal is called "SIGFOO"`},
		{"secret { path = \"kv\" }", "f:1: secret: the path has no slash: write MOUNT/PATH, as for vault kv get"},
		{"secret \"kv/app\" { refresh = \"soon\" }", "f:1: secret: parameter refresh is a time from 1s up, such as 30s or 5m, or never"},
		{"auto_auth { method \"aws\" { } }", `f:1: auto_auth.method "aws" is not supported: there are approle, cert, jwt, kubernetes, token_file`},
		{"auto_auth { method \"kubernetes\" { config = { rolle = \"x\" } } }", `f:1: there is no parameter "rolle" of the method kubernetes: did you mean role?`},
		{"auto_auth { method \"kubernetes\" { } }", "f:1: the kubernetes login needs --role"},
		{"auto_auth { method \"approle\" { config { role_id_file_path = \"/r\" secret_id_response_wrapping_path = \"p\" } } }", `f:1: secret_id_response_wrapping_path is auth/MOUNT/role/NAME/secret-id, where secret IDs are made, not "p"`},
		{"vault { unwrap_token = true k8s_auth_role_name = \"r\" }", "f:1: belongs to the approle, token or token-file login, but f:1 without --auth means kubernetes: set --auth"},
		{"\ntemplate { source = \"none\" destination = \"/d\" }", "f:2: template: source none cannot be read: no such file or directory"},
		{"log_level = \"loud\"", `f:1: log_level: "loud" is not one of debug, info, warn, error`},
	} {
		_, _, err := loadFile(t, tt.text, nil)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.text, err, tt.want)
			continue
		}
		if classed, ok := err.(interface{ Class() string }); !ok || classed.Class() != "config" {
			t.Errorf("%T is no config error", err)
		}
	}
}

func TestFileNotes(t *testing.T) {
	_, notes, err := loadFile(t, "log_file = \"x\"", nil)
	if err != nil || !slices.Equal(notes, []Note{{"f:1: log_file has no effect: vaultexec logs to standard error", true}}) {
		t.Errorf("%v, %v", notes, err)
	}
}

// TestFilesOfDirectory: several files, and what environment variables they ask for.
func TestFilesOfDirectory(t *testing.T) {
	t.Setenv("HOST", "wrong: only what was handed over counts")
	dir := t.TempDir()
	for name, text := range map[string]string{"a.hcl": "vault { address = \"http://${HOST}\" }", "b.hcl": `exec { command = "app" }`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := Default()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	for _, g := range s.Groups() {
		flags.AddFlagSet(g.Flags)
	}
	if err := s.Config.Set(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadFiles([]string{"HOST=vault"}, flags); err != nil {
		t.Fatal(err)
	}
	if s.Files().Vault["VAULT_ADDR"].Value != "http://vault" || len(s.Files().Command) != 1 {
		t.Errorf("%+v", s.Files())
	}
}

// What is wrapped is unwrapped: the token of envconsul, the secret ID of the agent.
func TestFileWrapped(t *testing.T) {
	s, _, err := loadFile(t, `vault { token = "hvs.x" unwrap_token = true }`, nil)
	if err != nil || !s.Wrapped || s.Origin("wrapped") != "f:1" {
		t.Errorf("token: %v, %v at %s", err, s.Wrapped, s.Origin("wrapped"))
	}
	const text = `auto_auth { method "approle" { config { role_id_file_path = "/r" secret_id_file_path = "/s" secret_id_response_wrapping_path = "auth/team/approle/role/ci/secret-id" } } }`
	s, _, err = loadFile(t, text, nil)
	if err != nil || !s.Wrapped || s.Role != "ci" || s.AuthMount != "team/approle" {
		t.Errorf("secret ID: %v, %v, %q at %q", err, s.Wrapped, s.Role, s.AuthMount)
	}
}
