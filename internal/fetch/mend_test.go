package fetch

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
	"vaultexec/internal/ref"
)

// checkFix wants something to paste: no line is blank, or a remark and no more.
func checkFix(t *testing.T, what string, fix Fix) {
	t.Helper()
	for _, text := range fix.Lines() {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
				t.Errorf("%s: it is mended by %q", what, fix.Lines())
			}
		}
		if text == "" {
			t.Errorf("%s: nothing mends it", what)
		}
		checkSilence(t, text)
	}
}

// Whatever Vault says to a login of whichever kind, there is something to paste.
func TestMendEveryLogin(t *testing.T) {
	file := func(text string) string { return writeFile(t, "credential", text, 0o600) }
	cert := writeFile(t, "client.crt", "none", 0o600)
	words := []string{"", "permission denied", "unsupported path", "no handler for route", "invalid role name", "audience", "expired", "not authorized",
		"missing role", `role "x" could not be found`, "could not load configuration", "missing secret_id", "invalid role or secret ID",
		"invalid username or password", "auth method not configured", "error connecting to host", "tls connection required", "what nobody knows"}
	for name, cfg := range map[string]Config{
		"kubernetes":           {Role: "app"},
		"kubernetes, own file": {Role: "app", JWTPath: file("x." + testClaims + "." + canary)},
		"kubernetes, no JWT":   {Role: "app", JWTPath: file(canary)},
		"jwt":                  {Auth: AuthJWT},
		"jwt, with role":       {Auth: AuthJWT, Role: "ci", JWTPath: file("x." + testClaims + "." + canary)},
		"approle":              {Auth: AuthAppRole, RoleIDPath: "/role-id"},
		"approle, secret ID":   {Auth: AuthAppRole, Role: "app", RoleIDPath: "/role-id", SecretIDPath: "/secret-id"},
		"userpass":             {Auth: AuthUserpass, Username: "alice"},
		"ldap":                 {Auth: AuthLDAP, Username: "alice", PasswordPath: "/password"},
		"cert":                 {Auth: AuthCert, Defaults: Defaults{"VAULT_CLIENT_CERT": {cert, "f:1"}}},
		"token":                {},
		"token-file":           {Auth: AuthTokenFile, TokenFile: "/token"},
	} {
		c := newClient(t, cfg, "http://127.0.0.1:1")
		for _, said := range words {
			checkFix(t, name+": "+said, c.Mend(&Error{class: ClassAuthDenied, text: said, refusal: said}))
		}
	}
}

// Who logs in with the role besides is not locked out unseen, and a credential is in
// a file that nobody else can read.
func TestMendLogins(t *testing.T) {
	file := writeFile(t, "jwt", "x."+testClaims+"."+canary, 0o600)
	kubernetes := Config{Role: "app", JWTPath: file}
	for _, tt := range []struct {
		cfg        Config
		said, want string
	}{
		{Config{Auth: AuthJWT, Role: "app", JWTPath: file}, "invalid audience (aud) claim", "vault read auth/jwt/role/app   # what it is bound to\nvault write auth/jwt/role/app role_type=jwt bound_audiences=vault   # replaces the list: add what it has already"},
		{kubernetes, "service account name not authorized", "vault read auth/kubernetes/role/app   # what it is bound to\nvault write auth/kubernetes/role/app bound_service_account_names=app bound_service_account_namespaces=ns   # replaces the list: add what it has already"},
		{kubernetes, "invalid audience (aud) claim", "vault read auth/kubernetes/role/app   # what it is bound to\nvault write auth/kubernetes/role/app audience=vault   # replaces the one that it has: do others log in with that?"},
		{kubernetes, "token is expired", "(umask 077; kubectl --namespace ns create token app --audience vault > " + file + ")"},
		{Config{Auth: AuthAppRole, RoleIDPath: "/role-id", SecretIDPath: "/a b"}, "invalid role or secret ID", "vault list auth/approle/role   # ROLE is one of these\n(umask 077; vault write -f -field=secret_id auth/approle/role/ROLE/secret-id > '/a b')"},
		{Config{Auth: AuthAppRole, RoleIDPath: "/role-id"}, "missing secret_id", "vault list auth/approle/role   # ROLE is one of these\n(umask 077; vault write -f -field=secret_id auth/approle/role/ROLE/secret-id > secret-id)\nexport VAULTEXEC_SECRET_ID_PATH=$PWD/secret-id"},
		{Config{Auth: AuthUserpass, Username: "alice", PasswordPath: "/password"}, "", "(umask 077; cat > /password)   # type the password, Enter, Ctrl-D"},
	} {
		c := newClient(t, tt.cfg, "http://127.0.0.1:1")
		fix := c.Mend(&Error{class: ClassAuthDenied, text: tt.said, refusal: tt.said})
		if got := fix.Lines()[0]; got != tt.want {
			t.Errorf("%q is mended by %q, want %q", tt.said, got, tt.want)
		}
	}
}

// testClaims are {"sub": "system:serviceaccount:ns:app", "aud": ["vault"]}.
const testClaims = "eyJzdWIiOiAic3lzdGVtOnNlcnZpY2VhY2NvdW50Om5zOmFwcCIsICJhdWQiOiBbInZhdWx0Il19"

// newClient is one that asks nothing. It makes no use of a client certificate.
func newClient(t *testing.T, cfg Config, address string) *Client {
	t.Helper()
	t.Setenv("VAULT_ADDR", address)
	defaults := cfg.Defaults
	if cfg.Auth == AuthCert { // its file has none in it
		cfg.Auth, cfg.Defaults = AuthToken, nil
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if defaults != nil {
		cfg.Auth, cfg.Defaults = AuthCert, defaults
		c.auth, c.mount, c.mend = AuthCert, "cert", func(said string) Fix { return c.mendCert(cfg, said) }
	}
	return c
}

// The same of every class of a failure, and of failures that nobody knows.
func TestMendEveryClass(t *testing.T) {
	c := newClient(t, Config{}, "https://vault.test")
	for _, class := range []Class{ClassConfig, ClassAuthDenied, ClassUnreachable, ClassTimeout, ClassTLS, ClassSealed, ClassRateLimited} {
		checkFix(t, string(class), c.Mend(&Error{class: class, text: "x"}))
	}
	checkFix(t, "unknown", c.Mend(errors.New("x")))
	checkFix(t, "settings", MendSettings(errors.New("x")))
	if got := c.Mend(&Error{class: ClassTLS}).Lines()[0]; !strings.Contains(got, " -connect vault.test:443 ") {
		t.Errorf("the chain is shown by %q", got)
	}
}

// Vault answers 500 where a directory does not answer it: that is not Vault's.
func TestMendSilentDirectory(t *testing.T) {
	c := newClient(t, Config{Auth: AuthLDAP, Username: "alice", PasswordPath: "/password"}, "http://vault.test")
	for text, want := range map[string]string{
		"Vault has a problem: error connecting to host \"ldap://directory\"": "vault read auth/ldap/config   # does Vault reach its url?",
		"connection refused": "vault status -address=http://vault.test",
	} {
		if got := c.Mend(&Error{class: ClassUnreachable, text: text}).Lines()[0]; got != want {
			t.Errorf("%s is mended by %q, want %q", text, got, want)
		}
	}
}

// The same of every kind of finding, in every engine.
func TestMendEveryFinding(t *testing.T) {
	engines := []*mount{nil, {"kv/", "kv", 2}, {"kv/", "kv", 1}, {"kv/", "pki", 0}}
	for kind := Impossible; kind <= KeyNull; kind++ {
		for _, engine := range engines {
			for n := range 16 {
				f := Finding{Kind: kind, Path: "kv/data/app", typed: "kv/app", engine: engine, List: n&1 != 0}
				if n&2 != 0 {
					f.Version = 3
				}
				if n&4 != 0 {
					f.Key, f.wanted = "user", "user"
				}
				if n&8 != 0 {
					f.newest = 7
				}
				checkFix(t, f.String(), f.Mend())
			}
		}
	}
	for _, engine := range engines[1:] {
		for _, s := range []ref.Source{{Path: "kv"}, {Path: "kv/app", Version: 2}, {Path: "kv/app", Below: true}} {
			checkFix(t, engine.String(), engine.mendObjection(s))
		}
	}
}

// What is written is spelled as the vault command takes it.
func TestMendFindings(t *testing.T) {
	v1, v2 := &mount{"old/", "kv", 1}, &mount{"team/kv/", "kv", 2}
	for _, tt := range []struct {
		f    Finding
		want string
	}{
		{Finding{Kind: KeyMissing, Path: "team/kv/data/a b", Key: "user", engine: v2}, "vault kv patch 'team/kv/a b' user=-"},
		{Finding{Kind: KeyMissing, Path: "team/kv/data/app", Key: "user", engine: v2, namespace: "a/b"}, "vault kv patch -namespace=a/b team/kv/app user=-"},
		{Finding{Kind: NotFound, Path: "team/kv/data/app", wanted: "user", engine: v2}, "vault kv put team/kv/app user=-"},
		{Finding{Kind: NotFound, Path: "team/kv/data/app", Version: 7, engine: v2}, "vault kv metadata get team/kv/app   # which versions there are"},
		{Finding{Kind: NotFound, Path: "team/kv/metadata/app", List: true, engine: v2}, "vault kv list team/kv/app   # what there is"},
		{Finding{Kind: Deleted, Path: "team/kv/data/app", newest: 4, engine: v2}, "vault kv undelete -versions=4 team/kv/app"},
		{Finding{Kind: KeyNull, Path: "old/app", Key: "user", engine: v1}, "vault kv get old/app   # KV v1 has no patch: write all keys again, this one too\nvault kv put old/app user=-"},
	} {
		if got := tt.f.Mend().Lines()[0]; got != tt.want {
			t.Errorf("it is mended by %q, want %q", got, tt.want)
		}
	}
}

// The address that was meant is guessed, and nothing is repeated that may be secret.
func TestMendAddress(t *testing.T) {
	for address, want := range map[string]string{
		"vault.example:8200": "export VAULT_ADDR=https://vault.example:8200",
		"vault:8200":         "export VAULT_ADDR=https://vault:8200",
		"vault.example":      "export VAULT_ADDR=https://vault.example:8200",
		"localhost":          "export VAULT_ADDR=http://localhost:8200",
		"10.0.0.1":           "export VAULT_ADDR=https://10.0.0.1:8200",
		"vault":              "export VAULT_ADDR=https://127.0.0.1:8200   # or where Vault is",
		// The form of a secret ID.
		"5b1f7a70-9d1c-4d5e-8a3f-0c2b4e6d8f10": "export VAULT_ADDR=https://127.0.0.1:8200   # or where Vault is",
		"localhost:8200":                       "export VAULT_ADDR=http://localhost:8200",
		"127.0.0.1":                            "export VAULT_ADDR=http://127.0.0.1:8200",
		"http://u:" + canary + "@:8200":        "export VAULT_ADDR=https://127.0.0.1:8200   # or where Vault is",
		"hvs." + strings.ToLower(canary):       "export VAULT_ADDR=https://127.0.0.1:8200   # or where Vault is",
		"HTTPS//vault.example/" + canary:       "export VAULT_ADDR=https://127.0.0.1:8200   # or where Vault is",
		"vault.example:8200:" + canary[:4]:     "export VAULT_ADDR=https://127.0.0.1:8200   # or where Vault is",
	} {
		t.Setenv("VAULT_ADDR", address)
		_, err := New(Config{})
		if got := MendSettings(err).Lines()[0]; err == nil || got != want {
			t.Errorf("%v is mended by %q, want %q", err, got, want)
		}
	}
}

// What keeps the way closed is mended with the names that are known.
func TestMendLine(t *testing.T) {
	refused := func(text string, names ...string) Line {
		return Line{Host: "vault", Port: "8443", Scheme: "https", TLS: true, Refused: errors.New(text), Chain: []Certificate{{Issuer: "CN=ca", Ends: time.Now().Add(time.Hour), Names: names}}}
	}
	for name, tt := range map[string]struct {
		l    Line
		want string
	}{
		"name":         {refused("its certificate is not for vault", "vault.example"), "export VAULT_TLS_SERVER_NAME=vault.example"},
		"wildcard":     {refused("its certificate is not for vault", "*.example"), "export VAULT_TLS_SERVER_NAME=vault.example"},
		"address":      {refused("its certificate is not for vault", "10.0.0.1"), "export VAULT_ADDR=https://10.0.0.1:8443"},
		"no name":      {refused("its certificate is not for vault"), "openssl s_client -showcerts -servername vault -connect vault:8443 </dev/null   # the certificates that it shows"},
		"no TLS":       {refused("it does not speak TLS"), "export VAULT_ADDR=http://vault:8443"},
		"authority":    {refused("signed by an unknown authority"), "export VAULT_CACERT=$PWD/ca.pem   # with the certificate of CN=ca in it, from who runs Vault, not from this connection"},
		"client":       {refused("does it want a client certificate"), "export VAULT_CLIENT_CERT=$PWD/client.crt VAULT_CLIENT_KEY=$PWD/client.key   # of an authority that it trusts"},
		"another port": {Line{Host: "vault", Port: "443", Scheme: "https", Connect: errors.New("x")}, "export VAULT_ADDR=https://vault:8200   # Vault's own port"},
		"its port":     {Line{Host: "vault", Port: "8200", Scheme: "https", Connect: errors.New("x")}, "systemctl start vault   # on vault"},
		"DNS":          {Line{Host: "vault", Port: "8443", Scheme: "https", DNS: errors.New("x")}, "nslookup vault   # is it spelled right? where is it known? then:"},
	} {
		c := newClient(t, Config{}, "https://vault:8443")
		if got := c.MendLine(tt.l).Lines()[0]; got != tt.want {
			t.Errorf("%s: it is mended by %q, want %q", name, got, tt.want)
		}
		checkFix(t, name, c.MendLine(tt.l))
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
	c := newClient(t, Config{}, "unix:///run/vault.sock")
	checkFix(t, "in a pod", c.MendLine(Line{Host: "vault", DNS: errors.New("x")}))
	if got := c.MendLine(Line{Connect: errors.New("x")}).Lines()[0]; !strings.HasPrefix(got, "ls -l /run/vault.sock ") {
		t.Errorf("a socket is mended by %q", got)
	}
}

// An authority that this machine has is named, and none that has not signed.
func TestMendAuthority(t *testing.T) {
	vault := fetchtest.NewTLS(t)
	chain := []*x509.Certificate{vault.Certificate()}
	signer := writeFile(t, "ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[0].Raw})), 0o600)
	other := writeFile(t, "other.crt", "nonsense", 0o600)
	defer func(before []string) { authorities = before }(authorities)
	for want, files := range map[string][]string{signer: {"/none", other, signer}, "": {"/none", other}} {
		authorities = files
		if got := knownAuthority(chain); got != want {
			t.Errorf("%q has signed it, want %q", filepath.Base(got), want)
		}
	}
}

// No kind of login is without.
func TestKindsAreMended(t *testing.T) {
	for _, auth := range slices.Sorted(maps.Keys(kinds)) {
		if kinds[auth].mend == nil {
			t.Errorf("nothing mends %s", auth)
		}
	}
}
