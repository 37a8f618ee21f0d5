package annotations

import (
	"path"
	"strings"

	"vaultexec/internal/config"
)

// server is how Vault is reached.
func (p *pod) server() {
	v := &p.config.Vault
	v.Address = p.text("service")
	v.CACert = p.text("ca-cert")
	v.CAPath = p.text("ca-key") // its name is misleading, the Injector means ca_path
	v.ClientCert = p.text("client-cert")
	v.ClientKey = p.text("client-key")
	v.TLSServerName = p.text("tls-server-name")
	v.TLSSkipVerify = p.yes("tls-skip-verify")
	v.Timeout = p.duration("client-timeout")
	v.Proxy = p.text("proxy-address")
	p.config.AutoAuth.Method.Namespace = p.text("namespace")
}

const (
	authConfig = "auth-config-"

	// tokenVolume is where the Injector mounts the volume with the token that the
	// pod's containers do not have.
	tokenVolume     = "agent-service-account-token-volume-name"
	tokenVolumeFile = "/var/run/secrets/vault.hashicorp.com/serviceaccount/token"
)

// login is the way to log in; nothing where no annotation is about it, so that
// it can be said elsewhere.
func (p *pod) login(exists func(string) bool) {
	params := map[string]config.Given[string]{}
	var from string // an annotation that asks for a login
	for _, name := range p.names() {
		if param, ok := strings.CutPrefix(name, authConfig); ok && param != "" && p.values[name] != "" {
			params[strings.ReplaceAll(param, "-", "_")] = p.text(name)
			from = name
		}
	}
	kind := "kubernetes"
	if given := p.text("auth-type"); given.IsSet() {
		kind = strings.ToLower(given.Value)
	}
	if role := p.text("role"); role.IsSet() {
		if kind == "kubernetes" || kind == "jwt" {
			params["role"] = role
		} else {
			p.note("role", "has no effect: only the logins kubernetes and jwt take it")
		}
	}
	for _, name := range []string{"auth-path", "auth-type", "role"} {
		if p.text(name).IsSet() {
			from = name
		}
	}
	m := &p.config.AutoAuth.Method
	if from != "" {
		m.Place, m.Type, m.Config = place(from), kind, params
	}
	m.MountPath = p.text("auth-path")
	p.tokenFromVolume(exists)
}

// tokenFromVolume finds the service account's token where the Injector mounts the
// volume that is named. In another place, which the pod's specification knows,
// it has to be said.
func (p *pod) tokenFromVolume(exists func(string) bool) {
	m := &p.config.AutoAuth.Method
	volume := p.text(tokenVolume)
	if !volume.IsSet() || m.Config["token_path"].IsSet() || m.Type != "kubernetes" {
		return
	}
	if exists(tokenVolumeFile) {
		m.Config["token_path"] = config.Given[string]{Value: tokenVolumeFile, Place: volume.Place}
		return
	}
	p.note(tokenVolume, "has no effect: there is no %s: mount the volume there, or name its token with --jwt-path", tokenVolumeFile)
}

// rest is what is neither the connection nor a file of a template.
func (p *pod) rest() {
	c := p.config
	t := &c.TemplateConfig
	t.Refresh = p.duration("template-static-secret-render-interval")
	if n := p.number("template-max-connections-per-host"); n.Value > 0 {
		t.MaxConn = n
	}
	t.ExitOnFailure = p.yes("template-config-exit-on-retry-failure")
	if _, given := p.values["template-config-exit-on-retry-failure"]; !given && len(p.values) > 0 {
		t.ExitByDefault = config.Given[bool]{Value: true, Place: p.file} // as the Injector has it
	}
	if inject := p.yes("agent-inject-token"); inject.Value {
		file := path.Join(p.volume(), "token")
		c.AutoAuth.Sinks = append(c.AutoAuth.Sinks, config.Sink{Place: inject.Place, Path: config.Given[string]{Value: file, Place: inject.Place}})
	}
	if revoke := p.yes("agent-revoke-on-shutdown"); revoke.IsSet() {
		which := "never"
		if revoke.Value {
			which = "auto"
		}
		c.Flags = append(c.Flags, config.Flag{Name: "revoke", Values: []string{which}, Place: revoke.Place})
	}
	c.LogLevel = p.text("log-level")
	c.LogFormat = p.text("log-format")
}
