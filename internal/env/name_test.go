package env

import "testing"

func TestReserved(t *testing.T) {
	for _, name := range []string{"PATH", "LD_PRELOAD", "LD_", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "ENV", "IFS", "SHELLOPTS", "PS4",
		"NODE_OPTIONS", "PYTHONSTARTUP", "PERL5OPT", "RUBYOPT", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "GIT_SSH_COMMAND", "GLIBC_TUNABLES", "COMPlus_Profiler"} {
		if !isReserved(name) {
			t.Errorf("%s is not reserved", name)
		}
	}
	for _, name := range []string{"", "USER", "PWD", "PASSWORD", "HOST", "PORT", "TMPDIR", "JAVA_OPTS", "VAULT_TOKEN", "VAULTEXEC_ROLE",
		"path", "MY_PATH", "PATHS", "LDAP_PASSWORD", "GIT_TOKEN", "NODE_ENV", "RUBY_KEY", "SSL_CERT_FILE"} {
		if isReserved(name) {
			t.Errorf("%s is reserved", name)
		}
	}
}

func TestNaming(t *testing.T) {
	tests := []struct {
		naming naming
		field  string
		want   string
	}{
		{naming{}, "db-pass", "db-pass"},
		{naming{prefix: "APP_"}, "user", "APP_user"},
		{naming{upper: true}, "db-pass.x y", "DB_PASS_X_Y"},
		{naming{upper: true}, "9a", "_9A"},
		{naming{prefix: "p.", upper: true}, "9a", "P_9A"},
		{naming{upper: true}, "é", "__"},
		{naming{upper: true}, "", ""},
		{naming{prefix: "9", upper: true}, "", "_9"},
	}
	for _, tt := range tests {
		if got := tt.naming.name(tt.field); got != tt.want {
			t.Errorf("%+v of %q = %q, want %q", tt.naming, tt.field, got, tt.want)
		}
	}
}

func TestPortableNames(t *testing.T) {
	for name, want := range map[string]bool{"A": true, "_": true, "a9_Z": true, "": false, "9": false, "a-b": false, "é": false, "a b": false, "A\n": false} {
		if isPortable(name) != want {
			t.Errorf("isPortable(%q) is not %v", name, want)
		}
	}
}
