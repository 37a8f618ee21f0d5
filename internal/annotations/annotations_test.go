package annotations

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/config"
	"vaultexec/internal/seeds"
)

// file is what the Downward API writes for these annotations: NAME, VALUE, ...
// A name without a slash is the Injector's.
func file(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i]
		if !strings.Contains(name, "/") {
			name = prefix + name
		}
		fmt.Fprintf(&b, "%s=%q\n", name, pairs[i+1])
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func none(string) bool { return false }

func parse(t *testing.T, pairs ...string) *config.Config {
	t.Helper()
	c, err := Parse("f", file(pairs...), none)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// made is a template by what it renders, where and how.
func made(c *config.Config) (list []string) {
	for _, t := range c.Templates {
		line := t.Destination.Value + " "
		if t.Source.IsSet() {
			line += "@" + t.Source.Value
		} else {
			line += t.Contents.Value
		}
		if t.Perms.IsSet() {
			line += fmt.Sprintf(" %04o", t.Perms.Value)
		}
		if t.LeftDelimiter.IsSet() || t.RightDelimiter.IsSet() {
			line += " " + t.LeftDelimiter.Value + t.RightDelimiter.Value
		}
		if t.ErrorOnMissingKey.Value {
			line += " strict"
		}
		if t.Command.IsSet() {
			line += fmt.Sprintf(" %q", t.Command.Value)
		}
		list = append(list, line)
	}
	return list
}

func TestTemplates(t *testing.T) {
	const asMap, asJSON = "{{ with secret \"kv/a\" }}{{ range $k, $v := .Data }}{{ $k }}: {{ $v }}\n{{ end }}{{ end }}", "{{ with secret \"kv/a\" }}{{ .Data | toJSON }}\n{{ end }}"
	for _, tt := range []struct {
		what  string
		pairs []string
		want  []string
	}{
		{"map", []string{"agent-inject-secret-a", "kv/a"}, []string{"/vault/secrets/a " + asMap}},
		{"map by name", []string{"agent-inject-secret-a", "kv/a", "agent-inject-default-template", "Map"}, []string{"/vault/secrets/a " + asMap}},
		{"json", []string{"agent-inject-secret-a", "kv/a", "agent-inject-default-template", "JSON"}, []string{"/vault/secrets/a " + asJSON}},
		{"template", []string{"agent-inject-secret-a", "kv/a", "agent-inject-template-a", "{{ 1 }}\n"}, []string{"/vault/secrets/a {{ 1 }}\n"}},
		{"template alone", []string{"agent-inject-template-a", "x"}, []string{"/vault/secrets/a x"}},
		{"template of a blank secret", []string{"agent-inject-secret-a", " ", "agent-inject-template-a", "x"}, []string{"/vault/secrets/a x"}},
		{"nothing of a blank secret", []string{"agent-inject-secret-a", " "}, nil},
		{"nothing of no name", []string{"agent-inject-secret-", "kv/a"}, nil},
		{"blank template", []string{"agent-inject-secret-a", "kv/a", "agent-inject-template-a", " "}, []string{"/vault/secrets/a  "}},
		{"template file", []string{"agent-inject-template-file-a", "/t"}, []string{"/vault/secrets/a @/t"}},
		{"template file of a secret", []string{"agent-inject-secret-a", "kv/a", "agent-inject-template-file-a", "/t"}, []string{"/vault/secrets/a @/t"}},
		{"template before its file", []string{"agent-inject-template-file-a", "/t", "agent-inject-template-a", "x"}, []string{"/vault/secrets/a x"}},
		{"a name that begins with file-", []string{"agent-inject-secret-file-a", "kv/x", "agent-inject-template-file-a", "x"},
			[]string{"/vault/secrets/a @x", "/vault/secrets/file-a x"}},
		{"lower case", []string{"agent-inject-secret-A.Txt", "kv/a", "agent-inject-template-A.Txt", "x", "agent-inject-template-a.txt", ""}, []string{"/vault/secrets/a.txt x"}},
		{"kept case", []string{"preserve-secret-case", "true", "agent-inject-template-A", "x", "agent-inject-template-B", "x", "preserve-secret-case-B", "false"},
			[]string{"/vault/secrets/A x", "/vault/secrets/b x"}},
		{"kept case of one", []string{"agent-inject-template-A", "x", "preserve-secret-case-A", "1"}, []string{"/vault/secrets/A x"}},
		{"file", []string{"agent-inject-template-A", "x", "agent-inject-file-A", "Sub/../New/F"}, []string{"/vault/secrets/New/F x"}},
		{"volumes", []string{"secret-volume-path", "/v/", "agent-inject-template-a", "x", "agent-inject-template-B", "x", "secret-volume-path-B", "/w", "agent-inject-template-c", "x", "secret-volume-path-c", "/w", "agent-inject-file-c", "d"},
			[]string{"/w/b x", "/v//a x", "/w/d x"}},
		{"all there is", []string{"agent-inject-template-a", "x", "agent-inject-perms-a", "0400", "agent-template-left-delim-a", "[[", "agent-template-right-delim-a", "]]", "error-on-missing-key-a", "true", "agent-inject-command-a", "kill -HUP 1 || true"},
			[]string{`/vault/secrets/a x 0400 [[]] strict ["sh" "-c" "kill -HUP 1 || true"]`}},
		{"nothing of it", []string{"agent-inject-template-a", "x", "agent-inject-perms-a", "", "error-on-missing-key-a", "", "agent-inject-command-a", " "}, []string{"/vault/secrets/a x"}},
		{"others", []string{"example.com/agent-inject-secret-a", "kv/a", "x/plain", "kv/a", "agent-inject", "false"}, nil},
	} {
		t.Run(tt.what, func(t *testing.T) {
			if got := made(parse(t, tt.pairs...)); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("made\n%q\nwant\n%q", got, tt.want)
			}
		})
	}
}

func TestConnection(t *testing.T) {
	given := func(v config.Given[string]) string {
		return v.Value + "|" + strings.TrimPrefix(v.Place, "annotation "+prefix)
	}
	login := func(c *config.Config) any {
		m := c.AutoAuth.Method
		list := []string{m.Type, given(m.MountPath)}
		for _, name := range m.Params() {
			list = append(list, name+"="+m.Config[name].Value)
		}
		return list
	}
	for _, tt := range []struct {
		what  string
		pairs []string
		got   func(c *config.Config) any
		want  any
	}{
		{"server", []string{"service", "https://v", "namespace", "n", "ca-cert", "/c", "ca-key", "/d", "client-cert", "/e", "client-key", "/f", "tls-server-name", "g", "tls-skip-verify", "true", "client-timeout", "9", "proxy-address", "http://p"},
			func(c *config.Config) any {
				v := c.Vault
				return []any{given(v.Address), c.AutoAuth.Method.Namespace.Value, v.CACert.Value, v.CAPath.Value, v.ClientCert.Value, v.ClientKey.Value, v.TLSServerName.Value, v.TLSSkipVerify.Value, v.Timeout.Value, v.Proxy.Value, c.AutoAuth.Method.Type}
			}, []any{"https://v|service", "n", "/c", "/d", "/e", "/f", "g", true, 9 * time.Second, "http://p", ""}},
		{"nothing", []string{"service", "", "tls-skip-verify", "", "role", "", "auth-config-x", ""}, func(c *config.Config) any {
			return []any{c.Vault.Address.IsSet(), c.Vault.TLSSkipVerify.IsSet(), c.AutoAuth.Method.Type, c.AutoAuth.Method.Place}
		}, []any{false, false, "", ""}},
		{"role", []string{"role", "r"}, login, []string{"kubernetes", "|", "role=r"}},
		{"role twice", []string{"role", "r", "auth-config-role", "s"}, login, []string{"kubernetes", "|", "role=r"}},
		{"role of the method", []string{"auth-config-role", "s", "auth-config-token-path", "/t", "auth-path", "auth/k8s"}, login, []string{"kubernetes", "auth/k8s|auth-path", "role=s", "token_path=/t"}},
		{"another method", []string{"auth-type", "AppRole", "auth-path", "auth/approle", "auth-config-role-id-file-path", "/r", "auth-min-backoff", "1s"}, login, []string{"approle", "auth/approle|auth-path", "role_id_file_path=/r"}},
		{"role of a jwt login", []string{"auth-type", "jwt", "role", "r"}, login, []string{"jwt", "|", "role=r"}},
		{"token", []string{"agent-inject-token", "true", "secret-volume-path", "/v"}, func(c *config.Config) any {
			return []string{c.AutoAuth.Sinks[0].Path.Value, c.AutoAuth.Method.Type}
		}, []string{"/v/token", ""}},
		{"no token", []string{"agent-inject-token", "false"}, func(c *config.Config) any { return len(c.AutoAuth.Sinks) }, 0},
		{"templates", []string{"template-static-secret-render-interval", "30s", "template-max-connections-per-host", "7"}, func(c *config.Config) any {
			return []any{c.TemplateConfig.Refresh.Value, c.TemplateConfig.MaxConn.Value, c.TemplateConfig.ExitOnFailure.IsSet(), c.TemplateConfig.ExitByDefault.Value}
		}, []any{30 * time.Second, 7, false, true}},
		{"templates' defaults", []string{"template-max-connections-per-host", "0", "template-config-exit-on-retry-failure", "false"}, func(c *config.Config) any {
			return []any{c.TemplateConfig.Refresh.IsSet(), c.TemplateConfig.MaxConn.IsSet(), c.TemplateConfig.ExitOnFailure.IsSet(), c.TemplateConfig.ExitOnFailure.Value, c.TemplateConfig.ExitByDefault.IsSet()}
		}, []any{false, false, true, false, false}},
		{"revoke", []string{"agent-revoke-on-shutdown", "true", "agent-revoke-grace", "5"}, func(c *config.Config) any { return c.Flags },
			[]config.Flag{{Name: "revoke", Values: []string{"auto"}, Place: "annotation vault.hashicorp.com/agent-revoke-on-shutdown"}}},
		{"no revoke", []string{"agent-revoke-on-shutdown", "false"}, func(c *config.Config) any { return c.Flags[0].Values }, []string{"never"}},
		{"log", []string{"log-level", "trace", "log-format", "json"}, func(c *config.Config) any { return []string{c.LogLevel.Value, c.LogFormat.Value} }, []string{"trace", "json"}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			c := parse(t, tt.pairs...)
			if got := tt.got(c); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if len(c.Notes) > 0 {
				t.Errorf("notes %q", c.Notes)
			}
		})
	}
}

// The Injector hands the role to each method, and the agent's other methods take no
// notice of it.
func TestRoleOfAnotherMethod(t *testing.T) {
	c := parse(t, "role", "r", "auth-type", "AppRole", "auth-config-role-id-file-path", "/r")
	m := c.AutoAuth.Method
	if m.Type != "approle" || !reflect.DeepEqual(m.Params(), []string{"role_id_file_path"}) {
		t.Errorf("%s with %q", m.Type, m.Params())
	}
	want := prefix + "role has no effect: only the logins kubernetes and jwt take it"
	if len(c.Notes) != 1 || c.Notes[0] != (config.Note{Place: "f:1", Text: want}) {
		t.Errorf("notes %v", c.Notes)
	}
}

// Special bits are what the agent takes and does not set.
func TestSpecialBits(t *testing.T) {
	c := parse(t, "agent-inject-template-a", "x", "agent-inject-perms-a", "4755")
	if got := c.Templates[0].Perms.Value; got != 0o755 {
		t.Errorf("mode %o, want 755", got)
	}
	want := prefix + "agent-inject-perms-a gives its file no special bits (setuid, setgid, sticky): only the last three digits count"
	if len(c.Notes) != 1 || c.Notes[0] != (config.Note{Place: "f:2", Text: want}) {
		t.Errorf("notes %v", c.Notes)
	}
}

// The service account's token of a volume that no container mounts.
func TestTokenVolume(t *testing.T) {
	text := file(tokenVolume, "tokens", "role", "r")
	c, err := Parse("f", text, func(file string) bool { return file == tokenVolumeFile })
	if err != nil || c.AutoAuth.Method.Config["token_path"].Value != tokenVolumeFile || len(c.Notes) > 0 {
		t.Errorf("%v, %v", c, err)
	}
	c, err = Parse("f", text, none)
	want := prefix + tokenVolume + " has no effect: there is no " + tokenVolumeFile + ": mount the volume there, or name its token with --jwt-path"
	if err != nil || len(c.Notes) != 1 || c.Notes[0] != (config.Note{Place: "f:1", Text: want}) {
		t.Errorf("%v, %v", c, err)
	}
	if c := parse(t, tokenVolume, "tokens", "role", "r", "auth-config-token-path", "/t"); c.AutoAuth.Method.Config["token_path"].Value != "/t" || len(c.Notes) > 0 {
		t.Errorf("%v", c)
	}
}

func TestP12Problems(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"metadata:\n  annotations:", `f:1: is not NAME="VALUE": mount the pod's metadata.annotations with a Downward API volume`},
		{"\na/b=c", `f:2: is not NAME="VALUE": mount the pod's metadata.annotations with a Downward API volume`},
		{prefix + `role="a`, `f:1: vault.hashicorp.com/role has a value that is not quoted as the Downward API does it, with \n for a line break`},
		{prefix + `role="a" b`, `f:1: vault.hashicorp.com/role has a value`},
		{file("role", "a", "role", "b"), "f:2: vault.hashicorp.com/role is there already, in line 1: remove one"},
		{file("tls-skip-verify", "maybe", "client-timeout", "soon", "agent-inject-template-a", "x", "agent-inject-perms-a", "0999"),
			"f:1: vault.hashicorp.com/tls-skip-verify is either true or false\n" +
				"f:2: vault.hashicorp.com/client-timeout is not a duration: write a number and a unit, such as 500ms, 30s or 2m\n" +
				`f:4: vault.hashicorp.com/agent-inject-perms-a is not permissions: write them as "0640"`},
		{file("agent-inject-default-template", "yaml"), "f:1: vault.hashicorp.com/agent-inject-default-template is map or json"},
		{file("agent-inject-default-template", ""), "f:1: vault.hashicorp.com/agent-inject-default-template is map or json"},
		{file("preserve-secret-case", "x"), "f:1: vault.hashicorp.com/preserve-secret-case is either true or false"},
		{file("agent-inject-template-a", "x", "agent-inject-perms-a", "4000"), `f:2: vault.hashicorp.com/agent-inject-perms-a is not permissions: write them as "0640"`},
		{file("agent-inject-template-a", "x", "agent-inject-perms-a", "10644"), `f:2: vault.hashicorp.com/agent-inject-perms-a is not permissions: write them as "0640"`},
		{file("template-lease-renewal-threshold", "most"), "f:1: vault.hashicorp.com/template-lease-renewal-threshold is not a number, such as 0.90"},
		{file("template-max-connections-per-host", "-1"), "f:1: vault.hashicorp.com/template-max-connections-per-host is not a whole number"},
	} {
		_, err := Parse("f", tt.text, none)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%.200s: %v\nwant %s", tt.text, err, tt.want)
			continue
		}
		if classed, ok := err.(interface{ Class() string }); !ok || classed.Class() != "config" {
			t.Errorf("%T is no config error", err)
		}
	}
}

func TestNotes(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"rolle", "has no effect: there is no such annotation, did you mean vault.hashicorp.com/role?"},
		{"agent-inject-secrets-foo", "has no effect: there is no such annotation, did you mean vault.hashicorp.com/agent-inject-secret-foo?"},
		{"agent_inject_secret_foo", "has no effect: there is no such annotation"},
		{"zzz", "has no effect: there is no such annotation"},
		{"agent-inject-perms-fo", "has no effect: there is no vault.hashicorp.com/agent-inject-secret-fo"},
		{"agent-inject-perms-known-name", "has no effect: there is no vault.hashicorp.com/agent-inject-secret-known-name, did you mean Known-Name?"},
		{"agent-configmap", "has no effect: mount the ConfigMap, and name its file with --config"},
		{"agent-inject-command-", "has no effect: there is no such annotation, did you mean vault.hashicorp.com/agent-inject"},

		{"agent-inject-perms-Known-Name", ""},
		{"agent-inject-template-file-Known-Name", ""},
		{"agent-inject-secret-", "has no effect: there is no such annotation"},
		{"agent-inject-secret-blank", ""},
		{"agent-limits-cpu", ""},
		{"agent-telemetry-x", ""},
		{"tls-secret", ""},
		{"template-lease-renewal-threshold", ""},
	} {
		c := parse(t, "agent-inject-secret-Known-Name", "kv/a", tt.name, "")
		got := ""
		for _, n := range c.Notes {
			if n.Place != "f:2" {
				t.Errorf("%s: place %s", tt.name, n.Place)
			}
			got += n.Text
		}
		want := tt.want
		if want != "" {
			want = prefix + tt.name + " " + want
		}
		if !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
	}
	if c, err := Parse("f", `x="y"`, none); err != nil || len(c.Notes) != 1 || c.Notes[0].Text != "has no annotation that begins with "+prefix {
		t.Errorf("%v, %v", c, err)
	}
}

func TestLoad(t *testing.T) {
	if _, err := Load("/dev/zero"); err == nil || !strings.HasPrefix(err.Error(), "/dev/zero cannot be read: it has more than the 2097152 bytes") {
		t.Error(err)
	}
	name := filepath.Join(t.TempDir(), "annotations")
	if _, err := Load(name); err == nil || err.Error() != name+" cannot be read: no such file or directory" {
		t.Error(err)
	}
	if err := os.WriteFile(name, []byte(file("role", "r", "agent-inject-template-a", "a\n\"\\ü\x00\u2028")), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(name)
	if err != nil || c.AutoAuth.Method.Config["role"].Value != "r" || c.Templates[0].Contents.Value != "a\n\"\\ü\x00\u2028" || c.Templates[0].Perms.Value != fs.FileMode(0) {
		t.Errorf("%v, %v", c, err)
	}
}

// FuzzParse: whatever the file is, the outcome is a Config or messages with their
// place and without a value.
func FuzzParse(f *testing.F) {
	f.Add(file("role", "r", "agent-inject-secret-a", "kv/a", "agent-inject-template-file-a", "x", "agent-inject-perms-a", "0400", "preserve-secret-case-a", "true"))
	f.Add(file("agent-inject-secrets-a", "kv/a", "auth-config-x-y", "z", "agent-inject-token", "true", "agent-telemetry-x", "1"))
	for _, text := range seeds.Files(f, "*.annotations") {
		f.Add(text)
	}
	f.Add("a/b=\"c\"\r\n\n" + prefix + "role=\"\\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("f", text, none)
		if (c == nil) == (err == nil) {
			t.Fatalf("%v and %v", c, err)
		}
		if err == nil {
			for _, made := range c.Templates {
				if !made.Destination.IsSet() || made.Source.IsSet() && made.Contents.Value != "" {
					t.Errorf("%+v", made)
				}
			}
			return
		}
		for _, line := range strings.Split(err.Error(), "\n") {
			if !strings.HasPrefix(line, "f:") {
				t.Errorf("a message without its place: %s", line)
			}
		}
	})
}

// TestNoValueInMessages: a value in the wrong place may be a token.
func TestNoValueInMessages(t *testing.T) {
	const canary = "hvs.canary"
	for _, name := range append(append([]string{"agent-inject-perms-a", "error-on-missing-key-a", "preserve-secret-case-a", "unknown"}, single...), plumbing...) {
		c, err := Parse("f", file("agent-inject-template-a", "x", name, canary), none)
		if text := fmt.Sprint(err); strings.Contains(text, canary) {
			t.Error(text)
		}
		if err == nil && strings.Contains(fmt.Sprint(c.Notes), canary) {
			t.Errorf("%s: %v", name, c.Notes)
		}
	}
}
