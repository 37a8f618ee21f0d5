//go:build linux

package integration

import (
	"strings"
	"testing"

	"vaultexec/integration/servers"
)

// examine has the doctor look at a login, and gives what has failed of it.
func (c *authCase) examine(t *testing.T, status int, flags ...string) symptom {
	t.Helper()
	res, d := c.run(t, flags...).examine()
	res.exited(status)
	if status == 0 {
		return d.find(t, "login", "ok")
	}
	return d.find(t, "login", "failed")
}

// A directory that does not answer, of which Vault says 500 as if the trouble were
// its own, and a password that it does not take.
func TestDoctorMendsLDAP(t *testing.T) {
	t.Parallel()
	word := canary(t, "pass word ")
	directory, err := servers.StartDirectory(t.Context(), map[string]string{"alice": word})
	mustDo(t, err)
	t.Cleanup(func() { _ = directory.Stop() })
	c := newAuthCase(t, sharedVault(t), "ldap")
	admin := &clinic{vault: c.vault}
	file := secretFile(t, "wrong password", word+"x")
	flags := []string{"--auth", "ldap", "--username", "alice", "--password-path", file}
	config := "vault read auth/" + c.mount + "/config   # does Vault reach its url?"
	if s := c.examine(t, 2, flags...); s.Fix[0] != config { // Vault's own url is ldap://127.0.0.1
		t.Errorf("%q is mended by %q", s.Detail, s.Fix)
	}
	c.write(t, "config", directory.Config())
	s := c.examine(t, 3, flags...)
	login := "vault login -address=" + c.vault.Address + " -method=ldap -path=" + c.mount + " username=alice"
	if len(s.Fix) != 1 || s.Fix[0] != login+"   # does it take this password?" {
		t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
	}
	writeFile(t, file, word+"\n") // this build of the vault command has no such login
	c.examine(t, 0, flags...)
	mustDo(t, directory.Stop())
	s = c.examine(t, 2, flags...)
	if s.Fix[0] != config {
		t.Errorf("%q is mended by %q", s.Detail, s.Fix)
	}
	if out := admin.administer(t, s.Fix[0]); !strings.Contains(out, directory.Address) {
		t.Errorf("%s shows %q", s.Fix[0], out)
	}
}

// A client certificate that Vault does not know is made known to it.
func TestDoctorMendsCertificates(t *testing.T) {
	t.Parallel()
	v := ownVault(t, servers.VaultOptions{Durable: true})
	c := newAuthCase(t, v, "cert")
	admin := &clinic{vault: v}
	cert := v.TLS.ClientCert
	look := func() (*result, diagnosis) {
		return c.run(t, "--auth", "cert").vault(v.TLS.Address).
			env("VAULT_CACERT="+v.TLS.CA, "VAULT_CLIENT_CERT="+cert, "VAULT_CLIENT_KEY="+v.TLS.ClientKey).examine()
	}
	res, d := look()
	res.exited(3)
	s := d.find(t, "login", "failed")
	certs := "auth/" + c.mount + "/certs"
	if len(s.Fix) != 2 || s.Fix[0] != "vault list "+certs+"   # which certificates it takes" ||
		s.Fix[1] != "vault write "+certs+"/client certificate=@"+cert+" policies=client" {
		t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
	}
	mustDo(t, v.Policy(t.Context(), "client", "read", c.kv.data("app")))
	admin.administer(t, s.Fix[1])
	res, d = look()
	res.exited(0)
	d.find(t, "login", "ok")
}

// Somebody has typed wrong passwords until Vault let nobody in: the account is
// unlocked. Where the method is not mounted it is, and knows the user then.
func TestDoctorMendsUserpass(t *testing.T) {
	t.Parallel()
	c := newAuthCase(t, sharedVault(t), "userpass")
	admin := &clinic{vault: c.vault}
	word := canary(t, "pass word ")
	flags := []string{"--auth", "userpass", "--username", "alice", "--password-path", secretFile(t, "password", word)}
	mustDo(t, c.vault.CreateUser(t.Context(), c.mount, "alice", word, c.settings))
	c.examine(t, 0, flags...)
	anybody, err := c.vault.Client().Clone()
	mustDo(t, err)
	for range 5 { // Vault's lockout_threshold, unless a mount says otherwise
		if _, err := anybody.Logical().WriteWithContext(t.Context(), "auth/"+c.mount+"/login/alice", fields{"password": "guess"}); err == nil {
			t.Fatal("Vault takes a wrong password")
		}
	}
	s := c.examine(t, 3, flags...)
	if len(s.Fix) != 3 || !strings.HasPrefix(s.Fix[2], "vault write -f sys/locked-users/$(") || !strings.HasSuffix(s.Fix[2], "/unlock/alice   # after too many wrong passwords") {
		t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
	}
	admin.administer(t, s.Fix[2])
	c.examine(t, 0, flags...)

	elsewhere := unique("elsewhere/userpass")
	flags = append(flags, "--env", c.ref)
	look := func() (*result, diagnosis) {
		return vaultexec(t, append(flags, "--auth-mount", elsewhere)...).vault(c.vault.Address).examine()
	}
	res, d := look()
	res.exited(3)
	s = d.find(t, "login", "failed")
	if len(s.Fix) < 2 || s.Fix[0] != "vault auth list   # is it mounted there?" || s.Fix[1] != "vault auth enable -path="+elsewhere+" userpass" {
		t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
	}
	if out := admin.administer(t, s.Fix[0]); strings.Contains(out, elsewhere) {
		t.Errorf("it is there: %s", out)
	}
	admin.administer(t, s.Fix[1])
	mustDo(t, c.vault.CreateUser(t.Context(), elsewhere, "alice", word, c.settings))
	res, d = look()
	res.exited(0)
	d.find(t, "login", "ok")
}
