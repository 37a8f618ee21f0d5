package integration

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// A token that may not ask about itself can still read: the doctor warns of what it
// could not see, with the rules that open it.
func TestDoctorMayNotLook(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.kv.policy(t, "app"), c.extra)
	res, d := c.patient(t, a).examine()
	res.exited(0)
	rules := ""
	for check, says := range map[string]string{"token": "it may not look itself up", "capabilities": "the token may not ask what it may do with kv/app#password"} {
		s := d.find(t, check, "warning")
		if s.Detail != says || len(s.Fix) != 1 {
			t.Errorf("%+v", s)
		}
		rules += strings.Join(s.Fix, "") + "\n"
	}
	d.find(t, "secrets", "ok")
	mustDo(t, c.vault.Client().Sys().PutPolicyWithContext(t.Context(), c.extra, rules))
	res, d = c.patient(t, a).examine()
	res.exited(0)
	d.find(t, "token", "ok")
	d.find(t, "capabilities", "ok")
}

// What is in the file of the JWT is none, or nothing is; the volume that the doctor
// asks for is one that the API server takes.
func TestDoctorFindsNoJWT(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.policies...)
	for name, content := range map[string]string{"none": "nonsense", "empty": "\n", "parts": "a.b.c"} {
		t.Run(name, func(t *testing.T) {
			file := jwtFile(t, content)
			res, d := c.patient(t, a, "--jwt-path", file).examine()
			res.exited(3)
			s := d.find(t, "jwt", "failed")
			if !strings.Contains(s.Detail, file) || len(s.Fix) != 2 || !strings.Contains(s.Fix[0], "mountPath: \""+filepath.Dir(file)+"\"") || !strings.HasSuffix(s.Fix[1], " create token "+a.role+" --audience vault > "+file+")   # of the account that the role is bound to") {
				t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
			}
			d.find(t, "login", "skipped")
			acceptPod(t, s.Fix[0])
			writeFile(t, file, a.jwt(t, "vault")) // as the kubelet does for such a volume
			res, d = c.patient(t, a, "--jwt-path", file).examine()
			res.exited(0)
			d.find(t, "jwt", "ok")
		})
	}
}

// A JWT that never ends logs in, and is worth a warning; one for somebody else is
// refused, and the role is changed as the doctor says.
func TestDoctorLooksAtJWTs(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	issuer, err := servers.NewIssuer()
	mustDo(t, err)
	mustDo(t, c.vault.EnableAuth(t.Context(), "ci", "jwt"))
	mustDo(t, c.vault.TrustIssuer(t.Context(), "ci", issuer))
	_, err = c.vault.Client().Logical().WriteWithContext(t.Context(), "auth/ci/role/app", fields{
		"role_type": "jwt", "user_claim": "sub", "bound_audiences": "vault", "token_policies": strings.Join(c.policies, ",")})
	mustDo(t, err)
	now := time.Now()
	look := func(claims fields) (*result, diagnosis) {
		file := jwtFile(t, issue(t, issuer, claims))
		return vaultexec(t, "--auth", "jwt", "--auth-mount", "ci", "--role", "app", "--jwt-path", file, "--env", "PASSWORD=kv/app#password").vault(c.vault.Address).examine()
	}
	endless := fields{"sub": "repo:app", "aud": "vault", "iss": "https://ci.example", "iat": now.Add(-time.Minute).Unix()}
	res, d := look(endless)
	res.exited(0)
	if s := d.find(t, "jwt", "warning"); !strings.Contains(s.Detail, "for vault, issued by https://ci.example to repo:app, without an end") || len(s.Fix) != 1 || !strings.Contains(s.Fix[0], "https://ci.example has to put one there") {
		t.Errorf("%+v", s)
	}
	d.find(t, "login", "ok")

	other := fields{"sub": "repo:app", "aud": "elsewhere", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	res, d = look(other)
	res.exited(3)
	d.find(t, "jwt", "ok")
	s := d.find(t, "login", "failed")
	if len(s.Fix) != 1 || s.Fix[0] != "vault read auth/ci/role/app   # what it is bound to\nvault write auth/ci/role/app role_type=jwt bound_audiences=elsewhere   # replaces the list: add what it has already" {
		t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
	}
	c.administer(t, s.Fix[0])
	res, d = look(other)
	res.exited(0)
	d.find(t, "login", "ok")
}

// Credentials that Vault does not take are made anew with the doctor's commands.
func TestDoctorMendsCredentials(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	settings := fields{"token_policies": strings.Join(c.policies, ",")}
	mustDo(t, c.vault.EnableAppRole(t.Context(), "approle"))
	roleID, secretID, err := c.vault.CreateAppRole(t.Context(), "approle", "app", settings)
	mustDo(t, err)
	mustDo(t, c.vault.EnableUserpass(t.Context(), "userpass"))
	password := canary(t, "password of alice")
	mustDo(t, c.vault.CreateUser(t.Context(), "userpass", "alice", password, settings))
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	put := func(name, content string) string { return writeFile(t, in(name), content) }
	appRole := func(role, secret string) []string {
		return []string{"--auth", "approle", "--role-id-path", role, "--secret-id-path", secret}
	}
	alice := func(file string) []string {
		return []string{"--auth", "userpass", "--username", "alice", "--password-path", file}
	}
	const list = "vault list auth/approle/role   # ROLE is one of these\n"
	for _, tt := range []struct {
		name  string
		flags []string
		fix   string
		n     int
		stdin string
	}{
		{"secret ID", appRole(put("role", roleID), put("used", "not-the-secret-ID")), list + "(umask 077; vault write -f -field=secret_id auth/approle/role/ROLE/secret-id > " + in("used") + ")", 0, ""},
		{"no secret ID", appRole(put("role", roleID), in("none")), list + "(umask 077; vault write -f -field=secret_id auth/approle/role/ROLE/secret-id > " + in("none") + ")", 0, ""},
		{"role ID", appRole(put("another", "not-the-role-ID"), put("secret", secretID)), list + "vault read -field=role_id auth/approle/role/ROLE/role-id > " + in("another"), 1, ""},
		{"no password", alice(in("unwritten")), "(umask 077; cat > " + in("unwritten") + ")", 0, password},
		{"password", alice(put("wrong", canary(t, "wrong password"))), "vault write auth/userpass/users/alice/password password=-   # sets another", 1, password},
	} {
		t.Run(tt.name, func(t *testing.T) {
			look := func() (*result, diagnosis) {
				return vaultexec(t, append(tt.flags, "--env", "PASSWORD=kv/app#password")...).vault(c.vault.Address).examine()
			}
			res, d := look()
			res.exited(3)
			s := d.find(t, "login", "failed")
			if len(s.Fix) <= tt.n || !strings.HasPrefix(s.Fix[tt.n], tt.fix) {
				t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
			}
			fix := strings.ReplaceAll(s.Fix[tt.n], "/ROLE/", "/app/")
			if tt.stdin != "" {
				fix = "printf %s '" + tt.stdin + "' | " + fix
			}
			c.administer(t, fix)
			if tt.name == "password" {
				put("wrong", password)
			}
			res, d = look()
			res.exited(0)
			d.find(t, "login", "ok")
		})
	}
}

// Nobody is there to type a password, and then it is in a file.
func TestDoctorNeedsATerminal(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	mustDo(t, c.vault.EnableUserpass(t.Context(), "userpass"))
	password := canary(t, "password of bob")
	mustDo(t, c.vault.CreateUser(t.Context(), "userpass", "bob", password, fields{"token_policies": strings.Join(c.policies, ",")}))
	bob := func() *command {
		return vaultexec(t, "--auth", "userpass", "--username", "bob", "--env", "PASSWORD=kv/app#password").vault(c.vault.Address)
	}
	alone := func(c *command) *result { // in a session without a terminal
		before := c.shell
		c.shell = strings.Replace(before, `"$@"`, `setsid -w "$@"`, 1)
		if before == "" {
			c.shell = `exec setsid -w "$@"`
		}
		defer func() { c.shell = before }()
		c.stdin = strings.NewReader(password + "\n")
		return c.run()
	}
	res, d := bob().examineBy(alone)
	res.exited(3)
	s := d.find(t, "login", "failed")
	if len(s.Fix) != 2 || !strings.HasSuffix(s.Fix[0], " -method=userpass -path=userpass username=bob   # where there is a terminal, and --auth token") {
		t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
	}
	res, d = bob().paste(s.Fix[1]).examineBy(alone)
	res.exited(0)
	d.find(t, "login", "ok")
}

// Secrets that are deleted come back, and those that nobody has written are written.
func TestDoctorMendsMore(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.kv.put(t, "gone", fields{"a": "b"})
	c.kv.put(t, "gone", fields{"a": "b"})
	c.administer(t, "vault kv delete kv/gone")
	a := newAccountAt(t, c.vault, clinicMount, append(c.policies, c.kv.policy(t, "gone", "unwritten"))...)
	for _, tt := range []struct{ flag, fix string }{
		{"A=kv/gone#a", "vault kv undelete -versions=2 kv/gone"},
		{"A=kv/unwritten#a", "vault kv put kv/unwritten a=-"},
	} {
		t.Run(tt.flag, func(t *testing.T) {
			res, d := c.patient(t, a, "--env", tt.flag).examine()
			res.exited(3)
			s := d.find(t, "secrets", "failed")
			if len(s.Fix) != 1 || s.Fix[0] != tt.fix {
				t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
			}
			c.administer(t, "echo value | "+s.Fix[0])
			res, _ = c.patient(t, a, "--env", tt.flag).examine()
			res.exited(0)
		})
	}

	// A slip in a key is the reference's to mend, not Vault's.
	res, d := c.patient(t, a, "--env", "P=kv/app#pasword").examine()
	res.exited(3)
	s := d.find(t, "secrets", "failed")
	if len(s.Fix) != 2 || s.Fix[0] != "--env 'P=kv/app#password'   # in place of kv/app#pasword" {
		t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
	}
	res, _ = c.patient(t, a).paste(s.Fix[0]).examine()
	res.exited(0)
}
