package fetch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
	"vaultexec/internal/secret"
)

const (
	testPassword = " pass word-" + canary
	testSecretID = "b2c1-" + canary
)

// typing is a Prompt that is answered with this password; it counts how often.
func typing(password string, asked *int) func(context.Context, string) (secret.Value, error) {
	return func(context.Context, string) (secret.Value, error) {
		*asked++
		return secret.Of(password), nil
	}
}

// Each method sends to its own path what Vault wants there, once, without a
// token, in its namespace.
func TestLoginMethods(t *testing.T) {
	file := func(text string) string { return writeFile(t, "credential", text, 0o600) }
	t.Setenv("VAULT_CLIENT_CERT", "") // of cert: set below
	asked := 0
	for name, test := range map[string]struct {
		cfg  Config
		path string
		body map[string]any
		who  string
	}{
		"jwt":                   {Config{Auth: AuthJWT, Role: "ci", JWTPath: file(testJWT + "\n")}, "jwt/login", map[string]any{"role": "ci", "jwt": testJWT}, `role "ci"`},
		"jwt, default role":     {Config{Auth: AuthJWT, JWTPath: file(testJWT)}, "jwt/login", map[string]any{"jwt": testJWT}, "the JWT of "},
		"jwt at another mount":  {Config{Auth: AuthJWT, AuthMount: "auth/git/hub", JWTPath: file(testJWT)}, "git/hub/login", map[string]any{"jwt": testJWT}, "the JWT of "},
		"approle":               {Config{Auth: AuthAppRole, RoleIDPath: file(" role-id\n"), SecretIDPath: file(testSecretID + "\n")}, "approle/login", map[string]any{"role_id": "role-id", "secret_id": testSecretID}, "the role ID of "},
		"approle, no secret ID": {Config{Auth: AuthAppRole, RoleIDPath: file("role-id")}, "approle/login", map[string]any{"role_id": "role-id"}, "the role ID of "},
		"userpass":              {Config{Auth: AuthUserpass, Username: "alice", PasswordPath: file(testPassword + " \r\n")}, "userpass/login/alice", map[string]any{"password": testPassword + " "}, `user "alice"`},
		"userpass, typed":       {Config{Auth: AuthUserpass, Username: "alice", Prompt: typing(testPassword, &asked)}, "userpass/login/alice", map[string]any{"password": testPassword}, `user "alice"`},
		"ldap":                  {Config{Auth: AuthLDAP, Username: "bob smith%", AuthMount: "corp", PasswordPath: file(testPassword)}, "corp/login/bob smith%", map[string]any{"password": testPassword}, `user "bob smith%"`},
		"namespace":             {Config{Auth: AuthUserpass, Namespace: "team/a", Username: "alice", PasswordPath: file(testPassword)}, "userpass/login/alice", map[string]any{"password": testPassword}, `user "alice"`},
		"namespace of the login": {Config{Auth: AuthUserpass, LoginNamespace: "team", Defaults: Defaults{"VAULT_NAMESPACE": {"team/a", "f:1"}}, Username: "alice", PasswordPath: file(testPassword)},
			"userpass/login/alice", map[string]any{"password": testPassword}, `user "alice"`},
	} {
		t.Run(name, func(t *testing.T) {
			vault := fetchtest.New(t)
			fields := map[string]string{}
			for field, value := range test.body {
				fields[field] = value.(string)
			}
			namespace := cmp.Or(test.cfg.LoginNamespace, test.cfg.Namespace)
			vault.LoginIn(namespace, test.path, fields, "hvs.app", "app")
			t.Setenv("VAULT_ADDR", vault.URL)
			t.Setenv("VAULT_TOKEN", "hvs.stray")
			c, err := login(t, test.cfg)
			if err != nil {
				t.Fatal(err)
			}
			requests := vault.Requests()
			if len(requests) != 1 {
				t.Fatalf("%d requests for a login", len(requests))
			}
			r := requests[0]
			var sent map[string]any
			if err := json.Unmarshal([]byte(r.Body), &sent); err != nil {
				t.Fatal(err)
			}
			if r.Path != "auth/"+test.path || !maps.Equal(sent, test.body) || r.Token != "" || r.Namespace != namespace {
				t.Errorf("sent %s in namespace %q with the fields %d", r.Path, r.Namespace, len(sent))
			}
			if got := c.api.Token(); got != "hvs.app" || !strings.HasPrefix(c.who(), test.who) {
				t.Errorf("token %q of %s", got, c.who())
			}
			if err := c.Login(t.Context()); err != nil || c.api.Token() != "hvs.app-2" {
				t.Errorf("the second login: %v", err)
			}
		})
	}
	if asked != 1 {
		t.Errorf("the password was asked for %d times, want once for both logins", asked)
	}
}

// What Vault 1.21 answers where it refuses, and what the user is told to do.
func TestLoginMethodsRefused(t *testing.T) {
	file := func(text string) string { return writeFile(t, "credential", text, 0o600) }
	jwt := Config{Auth: AuthJWT, Role: "ci", JWTPath: file(testJWT)}
	approle := Config{Auth: AuthAppRole, RoleIDPath: file("role-id"), SecretIDPath: file(testSecretID)}
	unbound := Config{Auth: AuthAppRole, RoleIDPath: file("role-id")}
	userpass := Config{Auth: AuthUserpass, Username: "alice", PasswordPath: file(testPassword)}
	ldap := Config{Auth: AuthLDAP, Username: "alice", PasswordPath: file(testPassword)}
	for name, test := range map[string]struct {
		cfg    Config
		status int
		said   string
		hint   string
	}{
		"no role":             {jwt, 400, "missing role", "; set --role, or give auth/jwt a default_role"},
		"unknown role":        {jwt, 400, `role "ci" could not be found`, "; there is no such role at auth/jwt"},
		"audience":            {jwt, 400, "error validating token: invalid audience (aud) claim: audience claim does not match any expected audience", "bound_audiences"},
		"expired":             {jwt, 400, "error validating token: invalid expiration time (exp) claim: token is expired", "nobody refreshes the JWT in "},
		"unconfigured":        {jwt, 400, "could not load configuration", "write auth/jwt/config"},
		"claims":              {jwt, 400, `error validating claims: claim "sub" does not match`, "claims with the role"},
		"no jwt mount":        {jwt, 403, "permission denied", "check that jwt auth is mounted there"},
		"jwt as text":         {jwt, 400, "bad: " + testJWT, "bad: [redacted] (HTTP 400)"},
		"ids":                 {approle, 400, "invalid role or secret ID", "secret_id_num_uses"},
		"secret ID wanted":    {unbound, 400, "missing secret_id", "; the role wants a secret ID: set --secret-id-path"},
		"role ID":             {unbound, 400, "invalid role ID", "; compare "},
		"no approle mount":    {approle, 403, "permission denied", "check that approle auth is mounted at auth/approle"},
		"password":            {userpass, 400, "invalid username or password", "takes"},
		"locked":              {userpass, 403, "permission denied", "locked after too many wrong passwords"},
		"bind":                {ldap, 400, "ldap operation failed: failed to bind as user", "vault login -method=ldap"},
		"directory away":      {ldap, 400, "error connecting to host \"ldap://x\"", "; see whether Vault reaches the directory"},
		"ldap not configured": {ldap, 400, "auth method not configured", "; write auth/ldap/config"},
		"no mount":            {ldap, 404, "no handler for route", "no ldap auth method is mounted at auth/ldap: set --auth-mount"},
		"password as text":    {ldap, 400, "bad: " + testPassword, "bad: [redacted] (HTTP 400)"},
	} {
		t.Run(name, func(t *testing.T) {
			vault := fetchtest.New(t)
			vault.FaultOn("PUT auth/", fetchtest.Status(test.status, test.said))
			t.Setenv("VAULT_ADDR", vault.URL)
			_, err := login(t, test.cfg)
			if err == nil || classOf(err) != string(ClassAuthDenied) || !strings.Contains(err.Error(), test.hint) {
				t.Errorf("got  %v\nwant %s", err, test.hint)
			}
			if n := vault.Count(""); n != 1 {
				t.Errorf("%d requests, want 1: this is not retried", n)
			}
		})
	}
}

// A person can do something about a second factor.
func TestLoginOfAPersonNeedsSecondFactor(t *testing.T) {
	wantSecondFactor(t)
	_, err := login(t, Config{Auth: AuthUserpass, Username: "alice", PasswordPath: writeFile(t, "p", testPassword, 0o600)})
	if classOf(err) != string(ClassAuthDenied) || !strings.Contains(err.Error(), "run vault login") {
		t.Errorf("error %v", err)
	}
}

// P12: a file that is not what it should be is one sentence, whichever login
// wants it, and Vault is not asked.
func TestP12CredentialFiles(t *testing.T) {
	vault := fetchtest.New(t)
	t.Setenv("VAULT_ADDR", vault.URL)
	good := writeFile(t, "good", "good", 0o600)
	wants := map[string]func(path string) Config{
		"the JWT": func(path string) Config { return Config{Auth: AuthJWT, JWTPath: path} },
		"the role ID": func(path string) Config {
			return Config{Auth: AuthAppRole, RoleIDPath: path, SecretIDPath: good}
		},
		"the secret ID": func(path string) Config { return Config{Auth: AuthAppRole, RoleIDPath: good, SecretIDPath: path} },
		"the password":  func(path string) Config { return Config{Auth: AuthLDAP, Username: "alice", PasswordPath: path} },
		"the token file": func(path string) Config {
			return Config{Auth: AuthTokenFile, TokenFile: path}
		},
	}
	files := map[string]string{
		filepath.Join(t.TempDir(), "none"):                        "cannot be read: no such file or directory",
		writeFile(t, "empty", "\n", 0o600):                        "is empty",
		writeFile(t, "huge", strings.Repeat("x", 1<<20+1), 0o600): "cannot be read: it has more than the 1048576 bytes",
		"/dev/zero": "cannot be read: it has more than the 1048576 bytes",
		t.TempDir(): "cannot be read: is a directory",
		filepath.Join(writeFile(t, "file", "x", 0o600), "below it"): "cannot be read: not a directory",
	}
	for what, cfg := range wants {
		for path, want := range files {
			c, err := New(cfg(path))
			if err != nil {
				t.Fatal(err)
			}
			err = c.Login(oneTry(t.Context())) // a token file is waited for otherwise
			if text := what + " " + path + " " + want; err == nil || !strings.HasPrefix(err.Error(), text) || classOf(err) != string(ClassConfig) {
				t.Errorf("got  %v\nwant %s", err, text)
			}
		}
	}
	if n := vault.Count(""); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestLoginIsChecked(t *testing.T) {
	t.Setenv("VAULT_CLIENT_CERT", "")
	for want, cfg := range map[string]Config{
		"auth approle needs a role ID: set --role-id-path to the file that has it":                         {Auth: AuthAppRole},
		"auth userpass needs a name: set --username":                                                       {Auth: AuthUserpass},
		`auth ldap needs a name, and --username "../../x" is a path`:                                       {Auth: AuthLDAP, Username: "../../x"},
		"auth token-file needs a file: set --token-file to the file that has the token":                    {Auth: AuthTokenFile},
		"auth cert needs a client certificate: set VAULT_CLIENT_CERT and VAULT_CLIENT_KEY":                 {Auth: AuthCert},
		`auth mount "/" has no name in it: write it as approle or auth/approle`:                            {Auth: AuthAppRole, RoleIDPath: "/x", AuthMount: "/"},
		`auth "x" is unknown: there are approle, cert, jwt, kubernetes, ldap, token, token-file, userpass`: {Auth: "x"},
	} {
		_, err := New(cfg)
		if err == nil || err.Error() != want || classOf(err) != string(ClassConfig) {
			t.Errorf("got  %v\nwant %v", err, want)
		}
	}
}

// Why nobody types a password, and what comes of it.
func TestPasswordIsNotTyped(t *testing.T) {
	vault := fetchtest.New(t)
	t.Setenv("VAULT_ADDR", vault.URL)
	for want, prompt := range map[string]func(context.Context, string) (secret.Value, error){
		"config: login with user \"alice\" at auth/ldap: the password cannot be asked for: there is no terminal: set --password-path": func(context.Context, string) (secret.Value, error) {
			return secret.Value{}, errors.New("there is no terminal")
		},
		"config: login with user \"alice\" at auth/ldap: no password was typed": func(context.Context, string) (secret.Value, error) {
			return secret.Of(""), nil
		},
		"timeout: login with user \"alice\" at auth/ldap: nobody has typed the password in time": func(ctx context.Context, _ string) (secret.Value, error) {
			<-ctx.Done()
			return secret.Value{}, ctx.Err()
		},
		"config: login with user \"alice\" at auth/ldap: there is nobody to ask for the password: set --password-path": nil,
	} {
		c, err := New(Config{Auth: AuthLDAP, Username: "alice", Prompt: prompt})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err = c.Login(ctx)
		cancel()
		if err == nil || classOf(err)+": "+err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	c, err := New(Config{Auth: AuthLDAP, Username: "alice", Prompt: func(ctx context.Context, _ string) (secret.Value, error) {
		cancel()
		return secret.Value{}, ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Login(ctx); err != context.Canceled {
		t.Errorf("after a stop request: %v", err)
	}
	if n := vault.Count(""); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// A password that was refused is not sent again by itself, or the account would
// be locked; another one in the file is.
func TestWrongPasswordIsSentOnce(t *testing.T) {
	for name, refusal := range map[string]func(http.ResponseWriter, *http.Request){
		"userpass": fetchtest.Status(400, "invalid username or password"),
		"ldap":     fetchtest.Status(400, "ldap operation failed: failed to bind as user"),
		"locked":   fetchtest.Status(403, "permission denied"),
	} {
		t.Run(name, func(t *testing.T) {
			vault := fetchtest.New(t)
			vault.Login("ldap/login/alice", map[string]string{"password": "right"}, "hvs.app")
			vault.Fault(1, refusal)
			t.Setenv("VAULT_ADDR", vault.URL)
			file := writeFile(t, "password", testPassword, 0o600)
			c, err := New(Config{Auth: AuthLDAP, Username: "alice", PasswordPath: file})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				err = c.Login(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), "could lock the account") || classOf(err) != string(ClassAuthDenied) {
				t.Errorf("error %v", err)
			}
			if n := vault.Count("PUT auth/ldap/login/alice"); n != 1 {
				t.Errorf("%d requests with one wrong password", n)
			}
			if err := os.WriteFile(file, []byte("right"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := c.Login(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	vault := fetchtest.New(t)
	vault.FaultOn("", fetchtest.Status(400, `error connecting to host "ldap://directory"`))
	t.Setenv("VAULT_ADDR", vault.URL)
	asked := 0
	c, err := New(Config{Auth: AuthLDAP, Username: "alice", Prompt: typing(testPassword, &asked)})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_ = c.Login(t.Context()) // it says that the directory is away
	}
	if n := vault.Count("PUT auth/ldap/login/alice"); n != 3 || asked != 1 {
		t.Errorf("%d requests while the directory is away, %d questions", n, asked)
	}
}

// A token file that another container has not written yet is waited for.
func TestTokenFileIsAwaited(t *testing.T) {
	vault := fetchtest.New(t)
	t.Setenv("VAULT_ADDR", vault.URL)
	file := filepath.Join(t.TempDir(), "token")
	cfg := Config{Auth: AuthTokenFile, TokenFile: file}
	log := new(logBuffer)
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := c.Login(ctx); err == nil || !strings.Contains(err.Error(), "no such file") || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	donec := make(chan error, 1)
	go func() { donec <- c.Login(t.Context()) }()
	for strings.Count(log.String(), "waiting for the token file") < 2 { // it has no other way to tell us
		time.Sleep(time.Millisecond)
	}
	if err := os.WriteFile(file, []byte("hvs.written\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-donec; err != nil || c.api.Token() != "hvs.written" {
		t.Errorf("token %q, error %v", c.api.Token(), err)
	}
}
