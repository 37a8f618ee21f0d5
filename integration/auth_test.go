//go:build linux

package integration

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// authCase is a secret, and an auth mount whose logins may read it.
type authCase struct {
	vault    *servers.Vault
	mount    string
	password string
	ref      string // --env's
	settings fields // of the tokens that a role there gives
	kv       *kv
}

// newAuthCase mounts an auth method of this kind in a Vault.
func newAuthCase(t *testing.T, v *servers.Vault, kind string) *authCase {
	t.Helper()
	kv := kvMountAt(t, v, unique("kv"), 2)
	c := &authCase{vault: v, mount: unique(kind), password: canary(t, "password"), kv: kv}
	kv.put(t, "app", fields{"password": c.password})
	c.ref = "PASSWORD=" + kv.path("app") + "#password"
	c.settings = fields{"token_policies": []string{kv.policy(t, "app")}, "token_ttl": tokenLife.String()}
	enable := func() error { return v.EnableAuth(t.Context(), c.mount, kind) }
	if kind == "ldap" {
		enable = func() error { return v.EnableLDAP(t.Context(), c.mount) }
	}
	mustDo(t, enable())
	return c
}

// short makes its tokens live for seconds, so that logins follow each other.
func (c *authCase) short() *authCase {
	c.settings["token_ttl"], c.settings["token_max_ttl"] = "3s", "3s"
	return c
}

// write writes below the mount, with the settings of tokens.
func (c *authCase) write(t *testing.T, path string, f fields) {
	t.Helper()
	all := fields{}
	for _, from := range []fields{c.settings, f} {
		for k, v := range from {
			all[k] = v
		}
	}
	_, err := c.vault.Client().Logical().WriteWithContext(t.Context(), "auth/"+c.mount+"/"+path, all)
	mustDo(t, err)
}

// run prepares a run with the login, which has these flags.
func (c *authCase) run(t *testing.T, flags ...string) *command {
	t.Helper()
	return vaultexec(t, append(flags, "--auth-mount", c.mount, "--env", c.ref)...).vault(c.vault.Address)
}

// reads checks that a run gets the secret and hands nothing of the login on.
func (c *authCase) reads(t *testing.T, flags ...string) {
	t.Helper()
	res := c.run(t, flags...).run().exited(0)
	res.childHas("PASSWORD", c.password)
}

// secretFile writes a credential to a file, and registers it as a canary.
func secretFile(t *testing.T, what, content string) string {
	t.Helper()
	register(t.Name()+"'s "+what, content)
	return writeFile(t, filepath.Join(t.TempDir(), "credential"), content+"\n")
}

// issue issues a JWT and registers it as a canary.
func issue(t *testing.T, i *servers.Issuer, claims fields) string {
	t.Helper()
	token, err := i.Issue(claims)
	mustDo(t, err)
	registerJWT(t, token)
	return token
}

// A JWT of any issuer, whose role is named or the mount's default.
func TestP1JWTLogin(t *testing.T) {
	t.Parallel()
	c := newAuthCase(t, sharedVault(t), "jwt")
	issuer, err := servers.NewIssuer()
	mustDo(t, err)
	claims := fields{"sub": "repo:app", "aud": "vault", "iat": time.Now().Add(-2 * time.Hour).Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	file := writeFile(t, filepath.Join(t.TempDir(), "jwt"), issue(t, issuer, claims)+"\n")
	flags := []string{"--auth", "jwt", "--jwt-path", file}
	c.run(t, flags...).run().refused("auth_denied", "auth/"+c.mount, "knows no keys yet")
	mustDo(t, c.vault.TrustIssuer(t.Context(), c.mount, issuer))
	c.write(t, "role/ci", fields{"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault", "bound_subject": "repo:app"})
	c.reads(t, append(flags, "--role", "ci")...)

	c.run(t, flags...).run().refused("auth_denied", "set --role, or give auth/"+c.mount+" a default_role")
	c.run(t, append(flags, "--role", "none")...).run().refused("auth_denied", "there is no such role")
	for name, test := range map[string]struct {
		claims fields
		says   string
	}{
		"audience": {fields{"sub": "repo:app", "aud": "elsewhere", "iat": time.Now().Add(-2 * time.Hour).Unix(), "exp": time.Now().Add(time.Hour).Unix()}, "bound_audiences"},
		"expired":  {fields{"sub": "repo:app", "aud": "vault", "iat": time.Now().Add(-2 * time.Hour).Unix(), "exp": time.Now().Add(-time.Hour).Unix()}, "nobody refreshes the JWT"},
		"subject":  {fields{"sub": "repo:other", "aud": "vault", "iat": time.Now().Add(-2 * time.Hour).Unix(), "exp": time.Now().Add(time.Hour).Unix()}, "compare the JWT's issuer, audience and claims"},
	} {
		t.Run(name, func(t *testing.T) {
			file := writeFile(t, filepath.Join(t.TempDir(), "jwt"), issue(t, issuer, test.claims))
			c.run(t, "--auth", "jwt", "--jwt-path", file, "--role", "ci").run().refused("auth_denied", test.says)
		})
	}
}

// newAppRole makes a role, and files with its role ID and a secret ID.
func (c *authCase) newAppRole(t *testing.T, settings fields) (roleFile, secretFileName string) {
	t.Helper()
	for k, v := range settings {
		c.settings[k] = v
	}
	roleID, secretID, err := c.vault.CreateAppRole(t.Context(), c.mount, "app", c.settings)
	mustDo(t, err)
	return writeFile(t, filepath.Join(t.TempDir(), "role-id"), roleID+"\n"), secretFile(t, "secret ID", secretID)
}

func TestP1AppRoleLogin(t *testing.T) {
	t.Parallel()
	c := newAuthCase(t, sharedVault(t), "approle")
	role, secretID := c.newAppRole(t, nil)
	flags := []string{"--auth", "approle", "--role-id-path", role}
	c.reads(t, append(flags, "--secret-id-path", secretID)...)
	for _, verb := range []string{"check", "explain", "doctor"} { // a look uses nothing up
		look := c.run(t, append(flags, "--secret-id-path", secretID, "--remove-secret-id")...).alone()
		look.flags = append([]string{verb}, look.flags...)
		look.run().exited(0)
	}
	if _, err := os.Stat(secretID); err != nil {
		t.Errorf("nobody asked for its removal: %v", err)
	}
	c.reads(t, append(flags, "--secret-id-path", secretID, "--remove-secret-id")...)
	if _, err := os.Stat(secretID); err == nil {
		t.Error("the secret ID is still there")
	}
	c.run(t, append(flags, "--secret-id-path", secretID)...).run().refused("config", "the secret ID "+secretID, "no such file")
	c.run(t, append(flags, "--secret-id-path", secretFile(t, "wrong one", "not-the-secret-ID"))...).run().
		refused("auth_denied", "invalid role or secret ID", "secret_id_num_uses")
	c.run(t, flags...).run().refused("auth_denied", "set --secret-id-path")
	c.write(t, "role/app", fields{"bind_secret_id": false, "secret_id_bound_cidrs": "127.0.0.0/8"})
	c.reads(t, flags...)
}

// The secret ID is remembered for the logins to come, once its file is gone.
func TestP8AppRoleLogsInAgain(t *testing.T) {
	t.Parallel()
	c := newAuthCase(t, sharedVault(t), "approle").short()
	role, secretID := c.newAppRole(t, nil)
	p := newProxy(t, c.vault.Address)
	l := c.run(t, append(quick, "--auth", "approle", "--role-id-path", role, "--secret-id-path", secretID, "--remove-secret-id")...).
		vault(p.address).live()
	l.nth(1, "start")
	l.more(p, 2, http.MethodPut, "auth/"+c.mount+"/login")
	if _, err := os.Stat(secretID); err == nil {
		t.Error("the secret ID is still there")
	}
	c.arrives(t, l)
}

// arrives checks that a change still does, as the first restart there is.
func (c *authCase) arrives(t *testing.T, l *life) {
	t.Helper()
	c.kv.arrives(t, l)
	l.stop()
	l.order(2)
}

// A secret ID that is used up with the first login: said once, and the command
// runs on.
func TestP2AppRoleSecretIDIsUsedUp(t *testing.T) {
	t.Parallel()
	c := newAuthCase(t, sharedVault(t), "approle").short()
	role, secretID := c.newAppRole(t, fields{"secret_id_num_uses": 1})
	l := c.run(t, append(quick, "--auth", "approle", "--role-id-path", role, "--secret-id-path", secretID)...).live()
	l.nth(1, "start")
	l.waitLog("login failed, the command keeps what it has")
	s, err := c.vault.Client().Logical().WriteWithContext(t.Context(), "auth/"+c.mount+"/role/app/secret-id", nil)
	mustDo(t, err)
	id := s.Data["secret_id"].(string)
	register("another secret ID", id)
	writeFile(t, secretID, id)
	l.waitLog("logged in again")
	l.stop().says("secret_id_num_uses")
	l.order(1)
}

func TestP1UserpassLogin(t *testing.T) {
	t.Parallel()
	c := newAuthCase(t, sharedVault(t), "userpass")
	word := canary(t, "pass word ")
	mustDo(t, c.vault.CreateUser(t.Context(), c.mount, "alice", word, c.settings))
	flags := []string{"--auth", "userpass", "--username", "alice", "--password-path"}
	c.reads(t, append(flags, secretFile(t, "password", word))...)
	c.run(t, append(flags, secretFile(t, "wrong password", word+"x"))...).run().
		refused("auth_denied", `login with user "alice" at auth/`+c.mount, "invalid username or password", "vault login -method=userpass")
}

// A directory tells who somebody is. While it cannot be asked the login is tried
// again, which a wrong password never is.
func TestP1LDAPLogin(t *testing.T) {
	t.Parallel()
	word := canary(t, "pass word ")
	directory, err := servers.StartDirectory(t.Context(), map[string]string{"alice": word})
	mustDo(t, err)
	t.Cleanup(func() { _ = directory.Stop() })
	c := newAuthCase(t, sharedVault(t), "ldap")
	right, wrong := secretFile(t, "password", word), secretFile(t, "wrong password", word+"x")
	flags := []string{"--auth", "ldap", "--username", "alice", "--password-path"}
	c.write(t, "config", directory.Config())
	c.reads(t, append(flags, right)...)
	denied := c.run(t, append(flags, wrong)...)
	denied.run().refused("auth_denied", `login with user "alice" at auth/`+c.mount, "vault login -method=ldap")
	if n := len(requests(t, "auth/"+c.mount+"/login/alice")); n != 2 {
		t.Errorf("%d logins, want one for each run", n)
	}
	c.run(t, "--auth", "ldap", "--username", "mallory", "--password-path", right).run().refused("auth_denied", "vault login -method=ldap")
	mustDo(t, directory.Stop())
	c.run(t, append(flags, right, "--startup-timeout", "3s")...).run().refused("vault_unreachable", `login with user "alice" at auth/`+c.mount, "error connecting to host")
	if n := len(requests(t, "auth/"+c.mount+"/login/alice")); n < 4 {
		t.Errorf("%d logins, want several for the last run", n)
	}
}

// certFiles puts a client certificate where one is looked for.
func certFiles(t *testing.T, dir, cert, key string) {
	t.Helper()
	for name, from := range map[string]string{"cert.pem": cert, "key.pem": key} {
		text, err := os.ReadFile(from)
		mustDo(t, err)
		writeFile(t, filepath.Join(dir, name), string(text))
	}
}

// The TLS client certificate is a login. One that was replaced in place is the
// next login's.
func TestP1CertLogin(t *testing.T) {
	t.Parallel()
	v := ownVault(t, servers.VaultOptions{Durable: true})
	c := newAuthCase(t, v, "cert").short()
	ca, err := os.ReadFile(v.TLS.CA)
	mustDo(t, err)
	c.write(t, "certs/web", fields{"certificate": string(ca), "allowed_common_names": "client"})
	dir := t.TempDir()
	certFiles(t, dir, v.TLS.ClientCert, v.TLS.ClientKey)
	start := func(flags ...string) *command {
		return c.run(t, append(flags, "--auth", "cert")...).vault(v.TLS.Address).
			env("VAULT_CACERT="+v.TLS.CA, "VAULT_CLIENT_CERT="+dir+"/cert.pem", "VAULT_CLIENT_KEY="+dir+"/key.pem")
	}
	start().run().exited(0).childHas("PASSWORD", c.password).childLacks("VAULT_CLIENT_KEY")
	start("--role", "web").run().exited(0).childHas("PASSWORD", c.password)
	start("--role", "none").run().refused("auth_denied", `as role "none" at auth/`+c.mount, "/certs")
	start().vault(v.Address).run().refused("auth_denied", "write https:// in VAULT_ADDR")
	start().env("VAULT_CLIENT_CERT=", "VAULT_CLIENT_KEY=").run().refused("config", "VAULT_CLIENT_CERT")

	l := start(quick...).live()
	l.nth(1, "start")
	cert, key, err := v.TLS.Issue("second")
	mustDo(t, err)
	c.write(t, "certs/web", fields{"certificate": string(ca), "allowed_common_names": "second"})
	l.waitLog("login failed, the command keeps what it has")
	certFiles(t, dir, cert, key)
	l.waitLog("logged in again")
	c.arrives(t, l)
}

// Another agent keeps a token in a file and puts another there: it is used, and
// nothing restarts for it.
func TestP8TokenFileIsReplaced(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	first, second := kv.token(t, "app"), kv.token(t, "app")
	file := filepath.Join(t.TempDir(), "token")
	p := newProxy(t, kv.vault.Address)
	l := vaultexec(t, append(quick, "--auth", "token-file", "--token-file", file, "--env", "PASSWORD="+kv.path("app")+"#password")...).
		vault(p.address).live()
	l.waitLog("waiting for the token file") // whoever keeps it is slow to begin
	writeFile(t, file, first+"\n")
	l.nth(1, "start")
	l.poll("the lookup of the token", func() bool { return p.count(http.MethodGet, lookupSelf) == 1 })
	writeFile(t, file, second+"\n")
	l.poll("the lookup of the next token", func() bool { return p.count(http.MethodGet, lookupSelf) == 2 })
	mustDo(t, kv.vault.Client().Auth().Token().RevokeTreeWithContext(t.Context(), first))
	kv.arrives(t, l)
	l.stop()
	l.order(2)
	if s, err := kv.vault.Client().Auth().Token().LookupWithContext(t.Context(), second); err != nil || s == nil {
		t.Errorf("the token of another is revoked at the end: %v", err)
	}
}
