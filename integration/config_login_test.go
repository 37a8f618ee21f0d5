//go:build linux

package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// agentMethod is a configuration file with one method of auto_auth and its
// parameters: NAME, VALUE, ...
func (c *authCase) agentMethod(t *testing.T, address, method string, params ...string) string {
	t.Helper()
	var config strings.Builder
	for i := 0; i < len(params); i += 2 {
		fmt.Fprintf(&config, "      %s = %q\n", params[i], params[i+1])
	}
	return configFile(t, "agent.hcl", fmt.Sprintf("vault {\n  address = %q\n}\nauto_auth {\n  method %q {\n    mount_path = \"auth/%s\"\n    config = {\n%s    }\n  }\n}\n",
		address, method, c.mount, config.String()))
}

// agent prepares a run with such a file.
func (c *authCase) agent(t *testing.T, file string, flags ...string) *command {
	t.Helper()
	return vaultexec(t, append(flags, "--config", file, "--env", c.ref)...)
}

func isThere(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// newJWTRole makes a role for JWTs of an issuer of its own, and gives one.
func (c *authCase) newJWTRole(t *testing.T) (jwt string) {
	t.Helper()
	issuer, err := servers.NewIssuer()
	mustDo(t, err)
	mustDo(t, c.vault.TrustIssuer(t.Context(), c.mount, issuer))
	c.write(t, "role/ci", fields{"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault"})
	return issue(t, issuer, fields{"sub": "repo:app", "aud": "vault", "iat": time.Now().Add(-2 * time.Hour).Unix(), "exp": time.Now().Add(time.Hour).Unix()})
}

// The file of a JWT is removed when it has been used, as by the agent, unless the
// file says otherwise.
func TestConfigJWTLogin(t *testing.T) {
	t.Parallel()
	c := newAuthCase(t, sharedVault(t), "jwt")
	jwt := writeFile(t, filepath.Join(t.TempDir(), "jwt"), c.newJWTRole(t)+"\n")
	agent := func(params ...string) *command {
		return c.agent(t, c.agentMethod(t, c.vault.Address, "jwt", append(params, "role", "ci")...))
	}
	agent("path", jwt, "remove_jwt_after_reading", "false").run().exited(0).childHas("PASSWORD", c.password)
	agent("path", jwt).env("VAULTEXEC_REMOVE_JWT=false").run().exited(0).childHas("PASSWORD", c.password)
	look := agent("path", jwt).alone()
	look.flags = append([]string{"check"}, look.flags...)
	look.run().exited(0)
	if !isThere(jwt) {
		t.Fatal("the JWT is gone, though nobody asked for its removal, and a look uses nothing up")
	}
	link := filepath.Join(t.TempDir(), "link")
	mustDo(t, os.Symlink(jwt, link))
	agent("path", link).run().exited(0).childHas("PASSWORD", c.password)
	if isThere(link) || !isThere(jwt) {
		t.Errorf("the link is there: %v, and what it points to: %v", isThere(link), isThere(jwt))
	}
	mustDo(t, os.Symlink(jwt, link))
	agent("path", link, "remove_jwt_follows_symlinks", "true").run().exited(0).childHas("PASSWORD", c.password)
	if isThere(jwt) {
		t.Error("what the link points to is still there")
	}
}

// It is remembered for the logins to come, once its file is gone. One that cannot
// be removed, as from a volume of Kubernetes, is used all the same.
func TestP8ConfigJWTLogsInAgain(t *testing.T) {
	t.Parallel()
	c := newAuthCase(t, sharedVault(t), "jwt").short()
	jwt := c.newJWTRole(t)
	file := writeFile(t, filepath.Join(t.TempDir(), "jwt"), jwt)
	stays := c.agent(t, c.agentMethod(t, c.vault.Address, "jwt", "role", "ci", "path", "/proc/self/fd/0"))
	stays.stdin = strings.NewReader(jwt)
	stays.run().exited(0).childHas("PASSWORD", c.password).says("the JWT is used and cannot be removed")
	p := newProxy(t, c.vault.Address)
	l := c.agent(t, c.agentMethod(t, p.address, "jwt", "role", "ci", "path", file), quick...).live()
	l.nth(1, "start")
	l.more(p, 2, http.MethodPut, "auth/"+c.mount+"/login")
	if isThere(file) {
		t.Error("the JWT is still there")
	}
	c.arrives(t, l)
}

func TestConfigCertLogin(t *testing.T) {
	t.Parallel()
	v := ownVault(t, servers.VaultOptions{Durable: true})
	c := newAuthCase(t, v, "cert")
	ca, err := os.ReadFile(v.TLS.CA)
	mustDo(t, err)
	c.write(t, "certs/web", fields{"certificate": string(ca), "allowed_common_names": "client"})
	agent := func(name string) *command {
		return c.agent(t, c.agentMethod(t, v.TLS.Address, "cert", "name", name, "ca_cert", v.TLS.CA, "client_cert", v.TLS.ClientCert, "client_key", v.TLS.ClientKey, "reload", "true"))
	}
	agent("web").run().exited(0).childHas("PASSWORD", c.password)
	agent("none").run().refused("auth_denied", `as role "none" at auth/`+c.mount)
}

// The secret ID is wrapped, and made where the file says: of any other place it
// is not unwrapped. Its file is removed as every other.
func TestConfigWrappedSecretID(t *testing.T) {
	t.Parallel()
	c := newAuthCase(t, sharedVault(t), "approle")
	role, _ := c.newAppRole(t, nil)
	_, _, err := c.vault.CreateAppRole(t.Context(), c.mount, "other", c.settings)
	mustDo(t, err)
	for made, says := range map[string]string{"app": "", "other": "auth/" + c.mount + "/role/other/secret-id"} {
		file := secretFile(t, "wrapped secret ID", wrap(t, c.vault, "auth/"+c.mount+"/role/"+made+"/secret-id", nil).Token)
		res := c.agent(t, c.agentMethod(t, c.vault.Address, "approle", "role_id_file_path", role, "secret_id_file_path", file,
			"secret_id_response_wrapping_path", "auth/"+c.mount+"/role/app/secret-id")).run()
		if says != "" {
			res.refused("auth_denied", says)
		} else {
			res.exited(0).childHas("PASSWORD", c.password)
		}
		if isThere(file) != (says != "") {
			t.Errorf("made for %s: still there: %v", made, isThere(file))
		}
	}
}

// Annotations of the Injector with another auth-type than kubernetes.
func TestAnnotationsAppRoleLogin(t *testing.T) {
	t.Parallel()
	c := newAuthCase(t, sharedVault(t), "approle")
	role, secretID := c.newAppRole(t, nil)
	dir := t.TempDir()
	file := annotationsFile(t, "agent-inject", "false", "service", c.vault.Address, "auth-type", "approle", "auth-path", "auth/"+c.mount,
		"auth-config-role-id-file-path", role, "auth-config-secret-id-file-path", secretID, "auth-config-remove-secret-id-file-after-reading", "false",
		"secret-volume-path", dir, "agent-inject-secret-password", c.kv.path("app"),
		"agent-inject-template-password", `{{ with secret "`+c.kv.path("app")+`" }}{{ .Data.data.password }}{{ end }}`)
	vaultexec(t, "render", "--annotations", file).alone().run().exited(0)
	if got := readText(t, filepath.Join(dir, "password")); got != c.password {
		t.Error("not the password")
	}
	vaultexec(t, "--annotations", file, "--env", c.ref).run().exited(0).childHas("PASSWORD", c.password)
	if !isThere(secretID) {
		t.Error("the secret ID is gone, though an annotation says that it is to stay")
	}
}
