package settings

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"vaultexec/internal/config"
	"vaultexec/internal/nearest"
)

// agentMethod is how a method of the agent's auto_auth is called here, and its
// parameters: parameter -> the setting that takes it.
type agentMethod struct {
	auth   string
	params map[string]agentParam
}

// agentParam is a flag, or a VAULT_* variable. Neither means that there is
// nothing to be said: vaultexec does it anyway.
type agentParam struct {
	flag, variable string
	take           func(l *layer, v config.Given[string]) // in place of both
}

var agentMethods = map[string]agentMethod{
	"kubernetes": {"kubernetes", map[string]agentParam{"role": {flag: "role"}, "token_path": {flag: "jwt-path"}}},
	"jwt": {"jwt", map[string]agentParam{
		"role": {flag: "role"}, "path": {flag: "jwt-path"}, "remove_jwt_after_reading": {flag: "remove-jwt"},
		"remove_jwt_follows_symlinks": {take: (*layer).jwtTarget}, "jwt_read_period": {}, // read anew at each login
	}},
	"approle": {"approle", map[string]agentParam{
		"role_id_file_path": {flag: "role-id-path"}, "secret_id_file_path": {flag: "secret-id-path"},
		"remove_secret_id_file_after_reading": {flag: "remove-secret-id"},
		"secret_id_response_wrapping_path":    {take: (*layer).wrappedSecretID},
	}},
	"cert": {"cert", map[string]agentParam{
		"name": {flag: "role"}, "ca_cert": {variable: "VAULT_CACERT"}, "client_cert": {variable: "VAULT_CLIENT_CERT"},
		"client_key": {variable: "VAULT_CLIENT_KEY"}, "reload": {}, "reload_period": {},
	}},
	"token_file": {"token-file", map[string]agentParam{"token_file_path": {flag: "token-file"}}},
}

// login takes over the login of auto_auth, and of envconsul's vault block.
// Whoever has chosen another method with something stronger has chosen it whole.
func (l *layer) login(c *config.Config) {
	s, m := l.settings, c.AutoAuth.Method
	kind := m.Type
	if kind == "" { // nobody need say it
		kind = "kubernetes"
	}
	known, ok := agentMethods[kind]
	if !ok {
		l.bad(m.Place, "auto_auth.method %q is not supported: there are %s", kind, strings.Join(slices.Sorted(maps.Keys(agentMethods)), ", "))
		return
	}
	if s.IsSet("auth") && s.Auth != known.auth {
		return
	}
	for _, param := range m.Params() {
		l.loginParam(kind, known, param, m.Config[param])
	}
	l.removal(known, m, "path", "remove_jwt_after_reading")
	l.removal(known, m, "secret_id_file_path", "remove_secret_id_file_after_reading")
	if m.Type != "" {
		l.set("auth", "auto_auth.method", m.Place, known.auth)
	}
	l.given("auth-mount", "mount_path", m.MountPath)
	l.envconsulLogin(&c.Vault)
}

func (l *layer) loginParam(kind string, m agentMethod, name string, v config.Given[string]) {
	param, ok := m.params[name]
	switch {
	case !ok:
		hint := ""
		if near := nearest.To(name, slices.Collect(maps.Keys(m.params))); len(near) > 0 {
			hint = fmt.Sprintf(": did you mean %s?", near[0])
		}
		l.bad(v.Place, "there is no parameter %q of the method %s%s", name, kind, hint)
	case v.Value == "":
	case param.take != nil:
		param.take(l, v)
	case param.flag != "":
		l.given(param.flag, name, v)
	case param.variable != "":
		l.variable(param.variable, v)
	}
}

// removal has the file of a parameter removed after the login, as the agent does
// where the other parameter does not say otherwise. A file that something stronger
// names is none of the agent's.
func (l *layer) removal(known agentMethod, m config.Method, path, remove string) {
	v := m.Config[path]
	if v.IsSet() && !m.Config[remove].IsSet() && l.settings.Origin(known.params[path].flag) == v.Place {
		l.set(known.params[remove].flag, path, v.Place, "true")
	}
}

// jwtTarget takes over what is removed of a link.
func (l *layer) jwtTarget(v config.Given[string]) {
	target, err := config.ParseBool(v.Value)
	if err != nil {
		l.bad(v.Place, "remove_jwt_follows_symlinks: %v", err)
	}
	if to := &l.settings.files.JWTTarget; !to.IsSet() {
		*to = config.Given[bool]{Value: target, Place: v.Place}
	}
}

// wrappedSecretID takes over that the secret ID is wrapped and where it was made,
// which tells the mount and the role.
func (l *layer) wrappedSecretID(v config.Given[string]) {
	const key = "secret_id_response_wrapping_path"
	mount, rest, _ := strings.Cut(strings.TrimPrefix(v.Value, "auth/"), "/role/")
	role, end, _ := strings.Cut(rest, "/")
	if mount == "" || role == "" || end != "secret-id" || !strings.HasPrefix(v.Value, "auth/") {
		l.bad(v.Place, "%s is auth/MOUNT/role/NAME/secret-id, where secret IDs are made, not %q", key, v.Value)
		return
	}
	l.set("wrapped", key, v.Place, "true")
	l.set("role", key, v.Place, role)
	l.set("auth-mount", key, v.Place, mount)
}

// envconsulLogin takes over what envconsul says in its vault block.
func (l *layer) envconsulLogin(v *config.Vault) {
	if v.UnwrapToken.Value {
		l.set("wrapped", "vault.unwrap_token", v.UnwrapToken.Place, "true")
	}
	if v.TokenFile.Value != "" {
		l.set("auth", "vault.vault_agent_token_file", v.TokenFile.Place, "token-file")
		if l.settings.Auth == "token-file" {
			l.given("token-file", "vault.vault_agent_token_file", v.TokenFile)
		}
		return
	}
	if v.Role.Value == "" { // else the others say nothing to envconsul either
		return
	}
	l.given("role", "vault.k8s_auth_role_name", v.Role)
	l.given("jwt-path", "vault.k8s_service_account_token_path", v.JWTPath)
	l.given("auth-mount", "vault.k8s_service_mount_path", v.AuthMount)
}

// vault takes over how the server is reached.
func (l *layer) vault(v *config.Vault, m *config.Method) {
	l.variable("VAULT_ADDR", v.Address)
	l.variable("VAULT_NAMESPACE", v.Namespace)
	l.variable("VAULT_NAMESPACE", m.Namespace) // of all, where the other is not there
	if l.settings.files.LoginNamespace == "" {
		l.settings.files.LoginNamespace = m.Namespace.Value
	}
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

// dropProxy leaves the proxy aside where Vault is not reached by HTTPS: the Injector
// sets HTTPS_PROXY, of which nothing else takes notice. environ is the
// environment, name -> value.
func (s *Settings) dropProxy(environ map[string]string) {
	address := cmp.Or(environ["VAULT_AGENT_ADDR"], environ["VAULT_ADDR"], s.files.Vault["VAULT_ADDR"].Value)
	if address != "" && !strings.HasPrefix(strings.ToLower(address), "https:") {
		delete(s.files.Vault, "VAULT_PROXY_ADDR")
	}
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
