package settings

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// adopt reads settings as main does, with those of vault-env last.
func adopt(t *testing.T, environ map[string]string, args ...string) (*Settings, []Note, error) {
	t.Helper()
	s, err := read(t, environ, args...)
	if err != nil {
		t.Fatal(err)
	}
	notes, err := s.AdoptVaultEnv(s.environ)
	if err == nil {
		err = s.Check()
	}
	return s.Settings, notes, err
}

func TestAdoptVaultEnv(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		environ map[string]string
		args    string
		want    func(*Settings) any
		value   any
	}{
		{"role", map[string]string{"VAULT_ROLE": "app"}, "", func(s *Settings) any { return []string{s.Role, s.Origin("role"), s.AuthMount} }, []string{"app", "VAULT_ROLE", ""}},
		{"mount and file", map[string]string{"VAULT_ROLE": "app", "VAULT_PATH": "k8s/blue", "VAULT_JWT_FILE": "/a", "KUBERNETES_SERVICE_ACCOUNT_TOKEN": "/b"}, "",
			func(s *Settings) any { return []string{s.AuthMount, s.JWTPath} }, []string{"k8s/blue", "/b"}},
		{"its default role", map[string]string{"VAULT_AUTH_METHOD": "jwt"}, "", func(s *Settings) any { return s.Role }, "default"},
		{"a token that is there", map[string]string{"VAULT_ROLE": "app", "VAULT_TOKEN": "hvs.x"}, "", func(s *Settings) any { return s.Role }, ""},
		{"the token of the login", map[string]string{"VAULT_ROLE": "app", "VAULT_TOKEN": "vault:login"}, "",
			func(s *Settings) any { return []any{s.Role, slices.Contains(s.Pass.Items, "VAULT_ADDR")} }, []any{"app", true}},
		{"a token's file", map[string]string{"VAULT_TOKEN_FILE": "/t", "VAULT_ROLE": "app", "VAULT_TOKEN": "vault:login"}, "",
			func(s *Settings) any {
				return []string{s.Auth, s.TokenFile, s.Origin("auth"), s.Origin("token-file"), s.Role}
			}, []string{"token-file", "/t", "VAULT_TOKEN_FILE", "VAULT_TOKEN_FILE", ""}},
		{"a token beside its file", map[string]string{"VAULT_TOKEN_FILE": "/t", "VAULT_TOKEN": "hvs.x"}, "", func(s *Settings) any { return s.TokenFile }, ""},
		{"our own words beside its file", map[string]string{"VAULT_TOKEN_FILE": "/t"}, "--role mine", func(s *Settings) any { return s.TokenFile }, ""},
		{"a token's path", map[string]string{"VAULT_TOKEN_PATH": token, "VAULT_ROLE": "app"}, "",
			func(s *Settings) any { return []string{s.Auth, s.TokenFile, s.Role} }, []string{"token-file", token, ""}},
		{"a token's path without a token", map[string]string{"VAULT_TOKEN_PATH": "/none", "VAULT_ROLE": "app"}, "",
			func(s *Settings) any { return []string{s.Auth, s.TokenFile, s.Role} }, []string{"", "", "app"}},
		{"a token's path, and no other login", map[string]string{"VAULT_TOKEN_PATH": "/none"}, "", func(s *Settings) any { return s.TokenFile }, "/none"},
		{"a token's path beside its file", map[string]string{"VAULT_TOKEN_PATH": token, "VAULT_TOKEN_FILE": "/t"}, "", func(s *Settings) any { return s.TokenFile }, "/t"},
		{"our own words", map[string]string{"VAULT_ROLE": "app", "VAULT_PATH": "k8s"}, "--role mine", func(s *Settings) any { return []string{s.Role, s.AuthMount} }, []string{"mine", ""}},
		{"a stray path", map[string]string{"VAULT_PATH": "/usr/bin/vault"}, "", func(s *Settings) any { return s.AuthMount }, ""},
		{"daemon", map[string]string{"VAULT_ENV_DAEMON": "true"}, "", func(s *Settings) any { return s.Mode }, ModeSupervise},
		{"no daemon", map[string]string{"SECRET_INIT_DAEMON": "false"}, "", func(s *Settings) any { return []string{string(s.Mode), s.Origin("mode")} }, []string{"auto", "default"}},
		{"daemon, against a flag", map[string]string{"VAULT_ENV_DAEMON": "true"}, "--mode exec", func(s *Settings) any { return s.Mode }, ModeExec},
		{"revoke", map[string]string{"VAULT_REVOKE_TOKEN": "1"}, "", func(s *Settings) any { return s.Revoke }, RevokeAlways},
		{"log", map[string]string{"VAULT_LOG_LEVEL": "warning", "VAULT_JSON_LOG": "true"}, "",
			func(s *Settings) any { return []string{s.LogLevel.String(), string(s.LogFormat)} }, []string{"warn", "json"}},
		{"passthrough", map[string]string{"VAULT_ENV_PASSTHROUGH": "VAULT_ADDR, HOME,VAULT_CACERT"}, "--pass VAULT_X",
			func(s *Settings) any { return s.Pass.Items }, []string{"VAULT_X", "VAULT_ADDR", "VAULT_CACERT"}},
		{"from path", map[string]string{"VAULT_ENV_FROM_PATH": "kv/data/a#3, kv/b"}, "--secret kv/own",
			func(s *Settings) any {
				return []any{s.Secret.Items[0].Path, s.Secret.Items[1].Path, s.Secret.Items[1].Version, s.Secret.Items[2].Path, s.Secret.Items[2].Optional}
			}, []any{"kv/own", "kv/data/a", 3, "kv/b", false}},
		{"from path, which may be missing", map[string]string{"VAULT_FROM_PATH": "kv/a", "VAULT_IGNORE_MISSING_SECRETS": "true"}, "",
			func(s *Settings) any { return []bool{s.Secret.Items[0].Optional, s.VaultEnv().IgnoreMissing} }, []bool{true, true}},
		{"transit", map[string]string{"VAULT_TRANSIT_KEY_ID": "k"}, "", func(s *Settings) any { return s.VaultEnv() }, VaultEnv{TransitMount: "transit", TransitKey: "k"}},
		{"empty is not set", map[string]string{"VAULT_ROLE": "", "VAULT_ENV_DAEMON": ""}, "", func(s *Settings) any { return s.Role }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _, err := adopt(t, tt.environ, strings.Fields(tt.args)...)
			if err != nil || !reflect.DeepEqual(tt.want(s), tt.value) {
				t.Errorf("%v, %v, want %v", tt.want(s), err, tt.value)
			}
		})
	}
}

func TestAdoptVaultEnvErrors(t *testing.T) {
	for variable, tt := range map[string]struct{ value, want string }{
		"VAULT_AUTH_METHOD":   {"aws-iam", "VAULT_AUTH_METHOD: aws-iam is not supported"},
		"VAULT_ENV_DAEMON":    {"yes", "VAULT_ENV_DAEMON: is either true or false"},
		"VAULT_ENV_FROM_PATH": {"kv/a#x", `VAULT_ENV_FROM_PATH: "kv/a#x": parameter version is a number`},
		"VAULT_FROM_PATH":     {"kv/a,,kv/b", "VAULT_FROM_PATH: is a list of PATH[#VERSION]"},
		"VAULT_LOG_LEVEL":     {"loud", `VAULT_LOG_LEVEL: "loud" is not one of`},
	} {
		t.Run(variable, func(t *testing.T) {
			_, _, err := adopt(t, map[string]string{variable: tt.value})
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

// Each is said once under its own name, what has no effect as a warning.
func TestAdoptVaultEnvNotes(t *testing.T) {
	const delay = " has no effect: there is nothing to wait for: the command starts when its secrets are there"
	for variable, tt := range map[string]struct {
		value string
		want  []Note
	}{
		"VAULT_ROLE":                   {"app", []Note{{"VAULT_ROLE is read as --role", false}}},
		"VAULT_AUTH_METHOD":            {"jwt", []Note{{"VAULT_AUTH_METHOD is read as --auth kubernetes", false}}},
		"VAULT_TOKEN_FILE":             {"/t", []Note{{"VAULT_TOKEN_FILE is read as --token-file", false}}},
		"VAULT_TOKEN_PATH":             {"/dev/null", []Note{{"VAULT_TOKEN_PATH is read as --token-file", false}}},
		"VAULT_TOKEN":                  {"vault:login", []Note{{"VAULT_TOKEN is read as --env VAULT_TOKEN=vault:login, and --pass for what it takes to use it", false}}},
		"VAULT_ENV_FROM_PATH":          {"kv/a", []Note{{"VAULT_ENV_FROM_PATH is read as --secret for each path", false}}},
		"VAULT_FROM_PATH":              {"kv/a", []Note{{"VAULT_FROM_PATH is read as --secret for each path", false}}},
		"VAULT_ENV_PASSTHROUGH":        {"VAULT_ADDR", []Note{{"VAULT_ENV_PASSTHROUGH is read as --pass for each", false}}},
		"VAULT_PASSTHROUGH":            {"VAULT_ADDR", []Note{{"VAULT_PASSTHROUGH is read as --pass for each", false}}},
		"VAULT_IGNORE_MISSING_SECRETS": {"true", []Note{{"VAULT_IGNORE_MISSING_SECRETS is read as ?optional on each inherited reference", false}}},
		"VAULT_TRANSIT_KEY_ID":         {"k", []Note{{"VAULT_TRANSIT_KEY_ID is read as the key that vault:v1:... in a variable is decrypted with", false}}},
		"VAULT_TRANSIT_PATH":           {"t", []Note{{"VAULT_TRANSIT_PATH is read as the mount that vault:v1:... in a variable is decrypted at", false}}},
		"VAULT_TRANSIT_BATCH_SIZE":     {"25", []Note{{"VAULT_TRANSIT_BATCH_SIZE is not needed: each ciphertext is decrypted by a request of its own, several at a time", false}}},
		"VAULT_CACERT_RELOAD":          {"true", []Note{{"VAULT_CACERT_RELOAD is not needed: VAULT_CACERT is read again when a certificate does not verify", false}}},
		"VAULT_REVOKE_TOKEN":           {"true", []Note{{"VAULT_REVOKE_TOKEN is read as --revoke", false}}},
		"VAULT_ENV_DAEMON":             {"true", []Note{{"VAULT_ENV_DAEMON is read as --mode", false}}},
		"SECRET_INIT_DAEMON":           {"true", []Note{{"SECRET_INIT_DAEMON is read as --mode", false}}},
		"VAULT_LOG_LEVEL":              {"warning", []Note{{"VAULT_LOG_LEVEL is read as --log-level", false}}},
		"SECRET_INIT_LOG_LEVEL":        {"warn", []Note{{"SECRET_INIT_LOG_LEVEL is read as --log-level", false}}},
		"VAULT_JSON_LOG":               {"true", []Note{{"VAULT_JSON_LOG is read as --log-format", false}}},
		"SECRET_INIT_JSON_LOG":         {"true", []Note{{"SECRET_INIT_JSON_LOG is read as --log-format", false}}},
		"VAULT_JSON_LOG\x00 of false":  {"false", nil},
		"VAULT_ENV_DELAY":              {"5s", []Note{{"VAULT_ENV_DELAY" + delay, true}}},
		"SECRET_INIT_DELAY":            {"5s", []Note{{"SECRET_INIT_DELAY" + delay, true}}},
		"BAO_ADDR":                     {"https://bao:8200", []Note{{"BAO_ADDR has no effect: VAULT_ADDR says where the server is, also one of OpenBao", true}}},
		"VAULT_ENV_LOG_SERVER":         {"h:1", []Note{{"VAULT_ENV_LOG_SERVER has no effect: log lines go to standard error", true}}},
		"SECRET_INIT_LOG_SERVER":       {"h:1", []Note{{"SECRET_INIT_LOG_SERVER has no effect: log lines go to standard error", true}}},
	} {
		variable, _, _ := strings.Cut(variable, "\x00")
		_, notes, err := adopt(t, map[string]string{variable: tt.value})
		if err != nil || !slices.Equal(notes, tt.want) {
			t.Errorf("%s=%s: %v, %v, want %v", variable, tt.value, notes, err, tt.want)
		}
	}
	if _, notes, err := adopt(t, map[string]string{"BAO_ADDR": "https://bao:8200", "VAULT_ADDR": "https://bao:8200"}); err != nil || notes != nil {
		t.Errorf("BAO_ADDR beside VAULT_ADDR: %v, %v", notes, err)
	}
	_, notes, err := adopt(t, map[string]string{"VAULT_TOKEN": "vault:login", "VAULT_ROLE": "app", "VAULT_PATH": "k8s", "VAULT_JWT_FILE": "/j"})
	want := []Note{{"VAULT_JWT_FILE is read as --jwt-path", false}, {"VAULT_PATH is read as --auth-mount", false}, {"VAULT_ROLE is read as --role", false}, {"VAULT_TOKEN is read as --env VAULT_TOKEN=vault:login, and --pass for what it takes to use it", false}}
	if err != nil || !slices.Equal(notes, want) {
		t.Errorf("%v, %v, want %v", notes, err, want)
	}
}
