package config

import (
	"errors"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"time"
)

var testOptions = Options{
	Lookup: func(name string) (string, bool) {
		v, ok := map[string]string{"ADDR": "https://v:8200", "EMPTY": "", "TEAM": "red"}[name]
		return v, ok
	},
	Flags: []string{"stop-timeout", "secret", "env", "keep", "once", "on-change", "prefix", "pristine", "splay", "log-level"},
}

func mustParse(t *testing.T, name, text string) *Config {
	t.Helper()
	c, err := Parse(name, []byte(text), testOptions)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const agentHCL = `
pid_file = "./pid"

vault {
  address         = "${ADDR}"
  tls_skip_verify = "true"
  retry { num_retries = 12 }
}

auto_auth {
  method "kubernetes" {
    mount_path = "auth/k8s"
    wrap_ttl   = 0
    config = {
      role       = "app"
      token_path = "/tok"
    }
  }
  sink "file" {
    config = {
      path = "/vault/token"
      mode = 0600
    }
  }
}

template {
  contents    = "${NOT}{{ with secret \"kv/app\" }}{{ .Data.a }}{{ end }}"
  destination = "/vault/secrets/${TEAM}"
  perms       = "0440"
  command     = "kill -HUP 1"
}

template_config {
  static_secret_render_interval = "10m"
}
`

// agentJSON is the same in the form that the Agent Injector writes.
const agentJSON = `{
  "pid_file": "./pid",
  "vault": {"address": "${ADDR}", "tls_skip_verify": true, "retry": {"num_retries": 12}},
  "auto_auth": {
    "method": {"type": "kubernetes", "mount_path": "auth/k8s", "wrap_ttl": "0s",
      "config": {"role": "app", "token_path": "/tok"}},
    "sink": [
      {"type": "file", "config": {"path": "/vault/token", "mode": 384}}
    ]},
  "template": [{
    "contents": "${NOT}{{ with secret \"kv/app\" }}{{ .Data.a }}{{ end }}",
    "destination": "/vault/secrets/${TEAM}", "perms": "0440", "command": "kill -HUP 1"}],
  "template_config": {"static_secret_render_interval": 600}
}`

func TestAgent(t *testing.T) {
	at := func(line, jsonLine string) [2]string { return [2]string{"agent.hcl:" + line, "agent.json:" + jsonLine} }
	for i, text := range []string{agentHCL, agentJSON} {
		c := mustParse(t, []string{"agent.hcl", "agent.json"}[i], text)
		want := &Config{
			Vault: Vault{
				Place:         at("4", "3")[i],
				Address:       Given[string]{"https://v:8200", at("5", "3")[i]},
				TLSSkipVerify: Given[bool]{true, at("6", "3")[i]},
			},
			AutoAuth: AutoAuth{
				Place: at("10", "4")[i],
				Method: Method{
					Place: at("11", "5")[i], Type: "kubernetes",
					MountPath: Given[string]{"auth/k8s", at("12", "5")[i]},
					Config: map[string]Given[string]{
						"role":       {"app", at("15", "6")[i]},
						"token_path": {"/tok", at("16", "6")[i]},
					},
				},
				Sinks: []Sink{{
					Place: at("19", "8")[i],
					Path:  Given[string]{"/vault/token", at("21", "8")[i]},
					Mode:  Given[fs.FileMode]{0o600, at("22", "8")[i]},
				}},
			},
			Templates: []Template{{
				Place:       at("27", "10")[i],
				Contents:    Given[string]{`${NOT}{{ with secret "kv/app" }}{{ .Data.a }}{{ end }}`, at("28", "11")[i]},
				Destination: Given[string]{"/vault/secrets/red", at("29", "12")[i]},
				Perms:       Given[fs.FileMode]{0o440, at("30", "12")[i]},
				Command:     Given[[]string]{[]string{"kill", "-HUP", "1"}, at("31", "12")[i]},
			}},
			TemplateConfig: TemplateConfig{
				Place:   at("34", "13")[i],
				Refresh: Given[time.Duration]{10 * time.Minute, at("35", "13")[i]},
			},
			PIDFile: Given[string]{"./pid", at("2", "2")[i]},
		}
		if !reflect.DeepEqual(c, want) {
			t.Errorf("got\n%+v, want\n%+v", c, want)
		}
	}
}

func TestLabels(t *testing.T) {
	for _, text := range []string{
		`auto_auth { method "Token_File" { config { a = 1 } } }`,
		`auto_auth { method { type = "token_file" config = { a = "1" } } }`,
		`auto_auth { method = [{ type = "token_file", config = { a = 1 } }] }`,
		`{"auto_auth": {"method": {"token_file": {"config": {"a": 1}}}}}`,
		`{"auto_auth": [{"method": [{"token_file": [{"config": [{"a": 1}]}]}]}]}`,
	} {
		m := mustParse(t, "f", text).AutoAuth.Method
		if m.Type != "token_file" || m.Config["a"].Value != "1" {
			t.Errorf("%s\n%+v", text, m)
		}
	}
	for _, text := range []string{
		`env_template "A" { contents = "x" } env_template "B" { contents = "y" }`,
		`{"env_template": {"A": {"contents": "x"}, "B": {"contents": "y"}}}`,
		`{"env_template": [{"A": {"contents": "x"}}, {"B": {"contents": "y"}}]}`,
		`{"env_template": [{"A": [{"contents": "x"}]}], "env_template": {"B": {"contents": "y"}}}`,
	} {
		c := mustParse(t, "f", text)
		if len(c.EnvTemplates) != 2 || c.EnvTemplates[0].Name != "A" || c.EnvTemplates[1].Contents.Value != "y" {
			t.Errorf("%s\n%+v", text, c.EnvTemplates)
		}
	}
}

func TestExec(t *testing.T) {
	c := mustParse(t, "f", `
exec {
  command = ["app", "${TEAM}", "a,b c"]
  restart_on_secret_changes = "never"
  restart_stop_signal = "SIGINT"
  kill_timeout = "5s"
  splay = 10
  env {
    custom = ["A=${TEAM}"]
    allowlist = ["PATH", "L*"]
    blacklist = "X"
  }
  on_change = "signal:HUP"
  child_process_stdout = "/${TEAM}"
  child_process_stderr = "err"
}
`)
	x := c.Exec
	if got := x.Command.Value; !reflect.DeepEqual(got, []string{"app", "${TEAM}", "a,b c"}) {
		t.Errorf("the command passes as it is written, got %q", got)
	}
	if x.RestartOnSecretChanges.Value != "never" || x.StopSignal.Value != "SIGINT" || x.KillTimeout.Value != 5*time.Second ||
		x.Splay.Value != 10*time.Second || x.Custom.Value[0] != "A=red" || x.Allowlist.Value[1] != "L*" || x.Denylist.Value[0] != "X" ||
		x.Stdout.Value != "/red" || x.Stderr.Value != "err" {
		t.Errorf("%+v", x)
	}
	if want := (Flag{"on-change", []string{"signal:HUP"}, "f:13"}); !reflect.DeepEqual(c.Flags, []Flag{want}) {
		t.Errorf("%+v", c.Flags)
	}
}

func TestCommandLine(t *testing.T) {
	for _, tt := range []struct{ in, want []string }{
		{[]string{"app"}, []string{"app"}},
		{[]string{"a b", "c"}, []string{"a b", "c"}},
		{[]string{" app --port=80  a,b "}, []string{"app", "--port=80", "a,b"}},
		{[]string{"app $HOME"}, []string{"sh", "-c", "app $HOME"}},
		{[]string{"app 'a b'"}, []string{"sh", "-c", "app 'a b'"}},
		{[]string{"a; b"}, []string{"sh", "-c", "a; b"}},
		{[]string{"exec app"}, []string{"sh", "-c", "exec app"}},
		{[]string{"A=b app"}, []string{"sh", "-c", "A=b app"}},
		{[]string{"app ~/x"}, []string{"sh", "-c", "app ~/x"}},
	} {
		if got := CommandLine(tt.in); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q is %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestEnvconsul(t *testing.T) {
	c := mustParse(t, "f", `
vault {
  address = "http://v"
  token = "t"
  renew_token = true
  ssl { enabled = true verify = false ca_cert = "/ca" }
  k8s_auth_role_name = "app"
}
upcase = true
sanitize = true
pristine = true
secret {
  path = "secret/data/{{ env \"TEAM\" }}/app"
  no_prefix = true
  format = "X_{{ key }}"
  key { name = "user" format = "DB_USER" }
  key "pass" { }
}
secret "kv/app" { optional = true refresh = "5m" }
exec { command = "app -x" kill_signal = "SIGTERM" }
wait { min = "5s" max = "10s" }
splay = "3s"
`)
	v := c.Vault
	if v.Token.Value != "t" || !v.TLSSkipVerify.Value || v.TLSSkipVerify.Place != "f:6" || v.CACert.Value != "/ca" || v.Role.Value != "app" {
		t.Errorf("%+v", v)
	}
	if !c.Upcase.Value || !c.Sanitize.Value || c.Wait.Value != 5*time.Second || c.Exec.StopSignal.Value != "SIGTERM" {
		t.Errorf("%+v", c)
	}
	s := c.Secrets[0]
	if s.Path.Value != "secret/data/red/app" || !s.NoPrefix.Value || s.Format.Value != "X_{{ key }}" || len(s.Keys) != 2 ||
		s.Keys[0].Name.Value != "user" || s.Keys[0].Format.Value != "DB_USER" || s.Keys[1].Name.Value != "pass" {
		t.Errorf("%+v", s)
	}
	s = c.Secrets[1]
	if s.Path.Value != "kv/app" || !reflect.DeepEqual(s.Params, []Given[string]{{"optional=true", "f:19"}, {"refresh=5m", "f:19"}}) {
		t.Errorf("%+v", s)
	}
	if c := mustParse(t, "f", `wait = "3s:9s"`); c.Wait.Value != 3*time.Second {
		t.Errorf("%+v", c.Wait)
	}
}

func TestFlags(t *testing.T) {
	c := mustParse(t, "f", `
stop_timeout = "10s"
secret = ["kv/a", "kv/${TEAM}"]
env { A = "kv/a#b" B = "kv/${TEAM}#c" }
keep = "L*"
once = true
secret { path = "kv/block" }
prefix = "DB_"
log_level = "trace"
`)
	want := []Flag{
		{"stop-timeout", []string{"10s"}, "f:2"},
		{"secret", []string{"kv/a", "kv/red"}, "f:3"},
		{"env", []string{"A=kv/a#b", "B=kv/red#c"}, "f:4"},
		{"keep", []string{"L*"}, "f:5"},
		{"once", []string{"true"}, "f:6"},
		{"prefix", []string{"DB_"}, "f:8"},
	}
	if !reflect.DeepEqual(c.Flags, want) {
		t.Errorf("%+v", c.Flags)
	}
	if len(c.Secrets) != 1 || c.LogLevel.Value != "trace" {
		t.Errorf("%+v", c.Secrets)
	}
}

func TestProblems(t *testing.T) {
	const wrapped = "wrap_ttl asks for a wrapped token, which vaultexec does not write: remove it, and protect the sink's file with its mode"
	for _, tt := range []struct{ text, want string }{
		{`nonsense = 1`, `f:1: there is no key "nonsense"`},
		{"vault {\n  adress = \"x\"\n}", `f:2: there is no key "adress" in vault: did you mean address?`},
		{"{\n\"vault\": {\n\"adress\": 1}}", `f:3: there is no key "adress" in vault: did you mean address?`},
		{`stop_timout = "1s"`, `f:1: there is no key "stop_timout": did you mean stop_timeout?`},
		{"vault {}\nvault {}", "f:2: vault is there already, in line 1: remove one"},
		{"vault {\naddress = 1\naddress = 2 }", "f:3: vault.address is there already, in line 2: remove one"},
		{`{"vault": [{}, {}]}`, "f:1: vault is there already, in line 1: remove one"},
		{`vault = "x"`, "f:1: vault is a block: write vault { ... }"},
		{`vault "x" {}`, "f:1: vault takes no label"},
		{`vault { address = ["a"] }`, "f:1: address is a list, not text"},
		{`exit_after_auth = "maybe"`, "f:1: exit_after_auth is either true or false"},
		{`template_config { static_secret_render_interval = "soon" }`, "f:1: static_secret_render_interval is not a duration: write a number and a unit, such as 500ms, 30s or 2m"},
		{`template_config { max_connections_per_host = "x" }`, "f:1: max_connections_per_host is not a whole number"},
		{`template { destination = "d" contents = "" perms = "0999" }`, `f:1: perms is not permissions: write them as "0640"`},
		{"template {\n destination = \"d\"\n contents = \"\"\n sandbox_pth = \"/\" }", `f:4: there is no key "sandbox_pth" in template: did you mean sandbox_path?`},
		{`template { destination = "d" contents = "" wait { mn = "1s" } }`, `f:1: there is no key "mn" in template.wait`},
		{`template_config { exit_on_retry_failure = "maybe" }`, "f:1: exit_on_retry_failure is either true or false"},
		{`template { contents = "x" }`, `f:1: template has no destination: write destination = "FILE"`},
		{`template { destination = "d" }`, "f:1: template has neither source nor contents: add one"},
		{`template { destination = "d" source = "s" contents = "x" }`, "f:1: template has source and contents: remove one"},
		{`template { destination = "d" contents = "x" command = "" }`, "f:1: command is empty"},
		{`template { destination = "d" contents = "x" command = "c" on_change = "none" }`, "f:1: template has on_change and a command, which is run when it changes: remove one"},
		{`template "A" { destination = "d" contents = "x" }`, `f:1: template takes no label: a variable is an env_template "NAME" { ... }`},
		{`env_template { contents = "x" }`, `f:1: env_template has no name: write env_template "NAME" { ... }`},
		{`env_template "A" { contents = "x" perms = "0600" }`, "f:1: perms is about files, and an env_template makes a variable: remove it, or make this a template"},
		{"env_template \"A\" { contents = \"x\" }\nenv_template \"A\" { contents = \"y\" }", `f:2: env_template "A" is there already, in f:1: remove one`},
		{`env_template "A" "B" { contents = "x" }`, "f:1: env_template takes one label at most"},
		{`auto_auth { }`, `f:1: auto_auth has no method: add method "kubernetes" { ... }, or remove auto_auth`},
		{`auto_auth { method { } }`, `f:1: auto_auth.method has no type: write auto_auth.method "TYPE" { ... }`},
		{"auto_auth {\n method \"a\" {}\n method \"b\" {}\n}", "f:3: auto_auth.method is there already, in f:2: remove one"},
		{`auto_auth { method "a" {} sink "pipe" {} }`, `f:1: auto_auth.sink is a file, there is no other kind: write sink "file" { ... }`},
		{`auto_auth { method "a" {} sink "file" {} }`, `f:1: auto_auth.sink has no path: write config = { path = "FILE" }`},
		{"auto_auth {\n method \"a\" {\n wrap_ttl = \"1m\" } }", "f:3: " + wrapped},
		{"auto_auth {\n method \"a\" {}\n sink \"file\" {\n wrap_ttl = 300\n config { path = \"p\" } } }", "f:4: " + wrapped},
		{`auto_auth { method "a" { wrap_ttl = "soon" } }`, "f:1: wrap_ttl is not a duration: write a number and a unit, such as 500ms, 30s or 2m"},
		{`auto_auth { method "a" {} sink "file" { dh_type = "curve25519" dh_path = "x" config { path = "p" } } }`, "f:1: dh_type asks for an encrypted token, which vaultexec does not write: remove it, and protect the file with its mode"},
		{`exec { restart_on_secret_changes = "sometimes" }`, `f:1: exec.restart_on_secret_changes is always or never, not "sometimes"`},
		{`exec { child_process_stdout = ["/tmp/out"] }`, "f:1: child_process_stdout is a list, not text"},
		{`exec { command = [] }`, "f:1: command is empty"},
		{`exec { command = [["a"]] }`, "f:1: command has a list in it: it is a list of texts"},
		{"on_change = \"none\"\nexec { on_change = \"exit\" }", "f:2: on_change is there already, in f:1: remove one"},
		{`consul { address = "x" }`, "f:1: consul is about Consul, and vaultexec reads Vault only: remove it, and keep what it gave as ordinary variables or in Vault"},
		{"prefix {\n path = \"x\" }", "f:1: prefix is about Consul, and vaultexec reads Vault only: remove it, and keep what it gave as ordinary variables or in Vault"},
		{`secret { }`, `f:1: secret has no path: write secret "MOUNT/PATH" { ... }`},
		{`secret "a/b" { prefix = "X" no_prefix = true }`, "f:1: secret has prefix and no_prefix: remove one"},
		{`secret "a/b" { key {} }`, `f:1: secret.key has no name: write key "NAME" { ... }`},
		{`secret "a/b" { format = "{{ toUpper }}" }`, `f:1: format has a {{ that is no {{ key }} and no {{ key | replaceKey "A" "B" }}`},
		{`secret "a/{{ env \"NOPE\" }}" { }`, "f:1: path needs the environment variable NOPE, which is not set"},
		{`secret "a/${NOPE}" { }`, "f:1: path needs the environment variable NOPE, which is not set: set it, or write ${NOPE:-TEXT}"},
		{"vault {\n address = \"${NOPE}\"\n}", "f:2: address needs the environment variable NOPE, which is not set: set it, or write ${NOPE:-TEXT}"},
		{`vault { address = "${not a name}" }`, "f:1: address has a ${ that is no ${NAME} and no ${NAME:-TEXT}: write $${ for the two characters themselves"},
		{"a = 1\nb = = 2", "f:2: is not HCL: Unknown token: 2:5 ASSIGN ="},
		{"a = <<EOF\nx", "f:2: is not HCL: heredoc not terminated"},
		{"{\n\"a\": 1,\n}", "f:2: is not JSON"},
		{"{\n\"a\": \"secret\" x}", "f:2: is not JSON"},
		{"{\n\"a\": 1", "f:2: is not JSON: it ends too early"},
		{"{}\n{}", "f:2: is not JSON: there is more after its end"},
	} {
		_, err := Parse("f", []byte(tt.text), testOptions)
		if err == nil {
			t.Errorf("%s\nis taken, want %s", tt.text, tt.want)
			continue
		}
		if first, _, _ := strings.Cut(err.Error(), "\n"); first != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.text, err, tt.want)
		}
		if classed := (*Error)(nil); !errors.As(err, &classed) || classed.Class() != "config" {
			t.Errorf("%T is no config error", err)
		}
	}
}

// TestAllProblems: one run tells all that is wrong.
func TestAllProblems(t *testing.T) {
	_, err := Parse("f", []byte("nope = 1\nvault { adress = 1 }\ntemplate { }"), testOptions)
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("got %v", err)
	}
}

func TestExpand(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"a", "a"}, {"${TEAM}", "red"}, {"a${TEAM}b${TEAM}", "aredbred"}, {"$TEAM", "$TEAM"}, {"$${TEAM}", "${TEAM}"},
		{"${EMPTY}", ""}, {"${EMPTY:-x}", "x"}, {"${NOPE:-x y}", "x y"}, {"${NOPE:-}", ""}, {"100%$", "100%$"},
	} {
		if got, err := expand(tt.in, testOptions.Lookup); err != nil || got != tt.want {
			t.Errorf("%q is %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
	for _, text := range []string{"${", "${}", "${1A}", "${A", "${A.B}", "x${A-B}"} {
		if _, err := expand(text, testOptions.Lookup); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, tt := range []struct{ format, key, want string }{
		{"{{ key }}", "a", "a"}, {"X_{{key}}_Y", "a", "X_a_Y"}, {"fixed", "a", "fixed"},
		{`{{ key | replaceKey "a" "b" }}`, "a", "b"}, {"{{ key | replaceKey `a` `b` }}", "c", "c"},
		{`X_{{ key | replaceKey "a" "b" | replaceKey "c" "d" }}`, "c", "X_d"}, {`{{ key | replaceKey "a" "b" | replaceKey "b" "c" }}`, "a", "c"},
	} {
		name, err := ParseFormat(tt.format)
		if err != nil || name(tt.key) != tt.want {
			t.Errorf("%s of %s: %v, want %s", tt.format, tt.key, err, tt.want)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{"30": 30 * time.Second, "5m": 5 * time.Minute, "2d": 48 * time.Hour, "0": 0, "1h30m": 90 * time.Minute} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1s", "-5", "x", "99999999999999"} {
		if _, err := ParseDuration(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
