package integration

import (
	"os"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// examplePassword is that of the user alice of the examples.
const examplePassword = "correct horse battery staple"

// enableLogins makes the logins of docs/login.md, each at the mount that
// --auth-mount is if nobody says otherwise, and the files that they need.
func (s *exampleStage) enableLogins(t *testing.T) {
	t.Helper()
	ctx, v := t.Context(), s.vault
	settings := fields{"token_policies": s.policies, "token_ttl": tokenLife.String()}
	with := func(f fields) fields {
		for k, v := range settings {
			f[k] = v
		}
		return f
	}
	write := func(path string, f fields) {
		_, err := v.Client().Logical().WriteWithContext(ctx, path, f)
		mustDo(t, err)
	}
	for _, kind := range []string{"jwt", "approle", "cert", "userpass"} {
		mustDo(t, v.EnableAuth(ctx, kind, kind))
	}
	issuer, err := servers.NewIssuer()
	mustDo(t, err)
	mustDo(t, v.TrustIssuer(ctx, "jwt", issuer))
	write("auth/jwt/role/ci", with(fields{"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault"}))
	now := time.Now()
	s.logins["ci.jwt"] = issue(t, issuer, fields{"sub": "ci", "aud": "vault", "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix()})

	s.logins["role-id"], s.logins["secret-id"], err = v.CreateAppRole(ctx, "approle", exampleRole, settings)
	mustDo(t, err)
	register("the secret ID of the examples", s.logins["secret-id"])

	for name, file := range map[string]string{"ca.pem": v.TLS.CA, "client.pem": v.TLS.ClientCert, "client-key.pem": v.TLS.ClientKey} {
		text, err := os.ReadFile(file)
		mustDo(t, err)
		s.logins[name] = string(text)
	}
	write("auth/cert/certs/app", with(fields{"certificate": s.logins["ca.pem"]}))

	register("the password of the examples", examplePassword)
	mustDo(t, v.CreateUser(ctx, "userpass", "alice", examplePassword, settings))
	s.logins["password"] = examplePassword
	s.logins["token"] = newToken(t, v, s.policies...)
	s.logins["wrapped-token"] = wrap(t, v, "auth/token/create", fields{"policies": s.policies, "ttl": tokenLife.String()}).Token
	s.logins["wrapped-secret-id"] = wrap(t, v, "auth/approle/role/"+exampleRole+"/secret-id", nil).Token
}

// runOnScreen runs a script on a terminal, where the password is typed.
func (s *exampleStage) runOnScreen(t *testing.T, script string, x example) {
	t.Helper()
	root := t.TempDir()
	c := vaultexec(t).vault(s.vault.Address).env("VAULTEXEC_LOG_LEVEL=warn")
	script = s.furnish(t, script, x, root)
	standIns(t, c, root, "report")
	c.binary, c.flags, c.argv = "/bin/sh", []string{"-euc", script}, nil
	term := onTerminal(t, c.cmd())
	term.expect("Password of alice")
	term.send(examplePassword + "\n")
	term.end(0)
	report := readReport(t, c.report)
	if report == nil {
		t.Fatal("the command did not run")
	}
	for name, value := range x.env {
		if got, _ := report.lookup(name); got != value {
			t.Errorf("the command's %s is %q, want %q", name, got, value)
		}
	}
}
