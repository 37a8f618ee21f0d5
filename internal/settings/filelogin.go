package settings

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"vaultexec/internal/config"
	"vaultexec/internal/nearest"
)

// method is how a method of the agent's auto_auth is called here, and its
// parameters: parameter -> flag; an empty flag means that it needs no saying.
type method struct {
	auth   string
	params map[string]string
}

var methods = map[string]method{
	"kubernetes": {"kubernetes", map[string]string{"role": "role", "token_path": "jwt-path"}},
}

// login takes over the login of auto_auth, and of envconsul's vault block.
// Whoever has chosen another method with something stronger has chosen it whole.
func (l *layer) login(c *config.Config) {
	s, m := l.settings, c.AutoAuth.Method
	kind := m.Type
	if kind == "" { // annotations need not say it
		kind = "kubernetes"
	}
	known, ok := methods[kind]
	if !ok {
		l.bad(m.Place, "auto_auth.method %q is not supported: there are %s", kind, strings.Join(slices.Sorted(maps.Keys(methods)), ", "))
		return
	}
	if s.IsSet("auth") && s.Auth != known.auth {
		return
	}
	for _, param := range m.Params() {
		flag, ok := known.params[param]
		switch v := m.Config[param]; {
		case !ok:
			hint := ""
			if near := nearest.To(param, slices.Collect(maps.Keys(known.params))); len(near) > 0 {
				hint = fmt.Sprintf(": did you mean %s?", near[0])
			}
			l.bad(v.Place, "there is no parameter %q of the method %s%s", param, kind, hint)
		case flag != "" && v.Value != "":
			l.given(flag, param, v)
		}
	}
	if m.Type != "" {
		l.set("auth", "auto_auth.method", m.Place, known.auth)
	}
	l.given("auth-mount", "mount_path", m.MountPath)
	v := c.Vault
	l.given("role", "vault.k8s_auth_role_name", v.Role)
	if v.Role.IsSet() { // else they say nothing to envconsul either
		l.given("jwt-path", "vault.k8s_service_account_token_path", v.JWTPath)
		l.given("auth-mount", "vault.k8s_service_mount_path", v.AuthMount)
	}
}

// vault takes over how the server is reached.
func (l *layer) vault(v *config.Vault, m *config.Method) {
	l.variable("VAULT_ADDR", v.Address)
	l.variable("VAULT_NAMESPACE", v.Namespace)
	l.variable("VAULT_NAMESPACE", m.Namespace)
	l.variable("VAULT_CACERT", v.CACert)
	l.variable("VAULT_CACERT_BYTES", v.CACertBytes)
	l.variable("VAULT_CAPATH", v.CAPath)
	l.variable("VAULT_CLIENT_CERT", v.ClientCert)
	l.variable("VAULT_CLIENT_KEY", v.ClientKey)
	l.variable("VAULT_TLS_SERVER_NAME", v.TLSServerName)
	l.variable("VAULT_SKIP_VERIFY", config.Given[string]{Value: strconv.FormatBool(v.TLSSkipVerify.Value), Place: v.TLSSkipVerify.Place})
	l.variable("VAULT_CLIENT_TIMEOUT", config.Given[string]{Value: v.Timeout.Value.String(), Place: v.Timeout.Place})
	l.variable("VAULT_PROXY_ADDR", v.Proxy)
	l.variable("VAULT_TOKEN", v.Token)
}

// variable notes the value of a VAULT_* variable, unless a stronger file has.
func (l *layer) variable(name string, v config.Given[string]) {
	s := l.settings
	if s.files.Vault == nil {
		s.files.Vault = map[string]config.Given[string]{}
	}
	if !s.files.Vault[name].IsSet() && v.IsSet() && v.Value != "" {
		s.files.Vault[name] = v
	}
}
