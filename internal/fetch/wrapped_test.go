package fetch

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
)

const wrappingTestToken = "hvs.wrapping-" + canary

// The forms in which a wrapped token comes, and where it comes in.
func TestLoginUnwrapsToken(t *testing.T) {
	ofLogin := map[string]any{"client_token": userToken, "lease_duration": 3600, "renewable": true}
	file := func(text string) Config {
		return Config{Auth: AuthTokenFile, Wrapped: true, TokenFile: writeFile(t, "token", text, 0o600)}
	}
	for name, test := range map[string]struct {
		cfg        Config
		variable   string // VAULT_TOKEN
		data, auth map[string]any
	}{
		"VAULT_TOKEN":               {Config{Wrapped: true}, wrappingTestToken, nil, ofLogin},
		"file":                      {file(wrappingTestToken + "\n"), "hvs.stray", nil, ofLogin},
		"vault -format=json":        {file(`{"request_id": "", "wrap_info": {"token": "` + wrappingTestToken + `", "ttl": 60}, "data": null}`), "", nil, ofLogin},
		"sink of Vault Agent":       {file(`{"token":"` + wrappingTestToken + `","ttl":300,"creation_path":"sys/wrapping/wrap"}`), "", map[string]any{"token": userToken}, nil},
		"VAULT_TOKEN that has JSON": {Config{Auth: AuthToken, Wrapped: true}, `{"wrap_info":{"token":"` + wrappingTestToken + `"}}`, nil, ofLogin},
	} {
		t.Run(name, func(t *testing.T) {
			vault := fetchtest.New(t)
			vault.Wrap(wrappingTestToken, "auth/token/create", test.data, test.auth)
			furnish(t, nil)
			t.Setenv("VAULT_ADDR", vault.URL)
			t.Setenv("VAULT_TOKEN", test.variable)
			test.cfg.Namespace = "team"
			c, err := login(t, test.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if c.api.Token() != userToken || !strings.HasPrefix(c.who(), "the wrapped token of ") {
				t.Errorf("not the token that was wrapped, or %s", c.who())
			}
			if err := c.Login(t.Context()); err != nil || c.api.Token() != userToken {
				t.Errorf("another login with the same: %v", err)
			}
			requests := vault.Requests()
			if len(requests) != 1 || requests[0].Path != "sys/wrapping/unwrap" || requests[0].Token != wrappingTestToken || requests[0].Namespace != "team" {
				t.Errorf("%d requests, the first for %s in namespace %s", len(requests), requests[0].Path, requests[0].Namespace)
			}
			// At the end it is not vaultexec's to revoke: an agent may have it too.
			if err := c.Revoke(t.Context(), false); err != nil || len(vault.Requests()) != 1 {
				t.Errorf("revoked: %v", err)
			}
		})
	}
}

const usedUpHint = "; a wrapping token is good for one use and a short time: a start before this one has used it, it has expired, or it is none; " +
	"if it is none of that, somebody else has unwrapped it, and what was wrapped has to be revoked"

// P12: what can be wrong with a wrapping token.
func TestP12Unwrapping(t *testing.T) {
	roleID := writeFile(t, "role-id", "r", 0o600)
	file := func(text string) string { return writeFile(t, "wrapped", text, 0o600) }
	approle := func(role string) Config {
		return Config{Auth: AuthAppRole, Role: role, Wrapped: true, RoleIDPath: roleID, SecretIDPath: file(wrappingTestToken)}
	}
	secretID := map[string]any{"secret_id": testSecretID, "secret_id_accessor": "a"}
	for name, test := range map[string]struct {
		cfg   Config
		path  string
		data  map[string]any // nil: it is used up
		class Class
		want  string // FILE is the file
		asked int
	}{
		"used token": {Config{Auth: AuthTokenFile, Wrapped: true, TokenFile: file(wrappingTestToken)}, "", nil, ClassAuthDenied,
			"unwrapping the token of FILE: Vault denied it: wrapping token is not valid or does not exist (HTTP 400)" + usedUpHint, 1},
		"used secret ID": {approle("web"), "", nil, ClassAuthDenied,
			"looking up the wrapping token of the secret ID of FILE: Vault denied it: wrapping token is not valid or does not exist (HTTP 400)" + usedUpHint, 1},
		"another role's": {approle("web"), "auth/approle/role/db/secret-id", secretID, ClassAuthDenied,
			`the secret ID of FILE: what is wrapped comes from "auth/approle/role/db/secret-id" and not from auth/approle/role/web/secret-id: somebody may have put another wrapping token there, and it is not unwrapped`, 1},
		"a planted one": {approle(""), "sys/wrapping/wrap", secretID, ClassAuthDenied,
			`the secret ID of FILE: what is wrapped comes from "sys/wrapping/wrap" and not from auth/approle/role/*/secret-id: somebody may have put another wrapping token there, and it is not unwrapped`, 1},
		"another thing": {Config{Auth: AuthTokenFile, Wrapped: true, TokenFile: file(wrappingTestToken)}, "kv/data/app", map[string]any{"b": 1, "a": canary}, ClassConfig,
			"the token of FILE: something else was wrapped, with the fields [a, b]", 1},
		"JSON of something else": {Config{Auth: AuthTokenFile, Wrapped: true, TokenFile: file(`{"curve25519_public_key":"x"}`)}, "", nil, ClassConfig,
			"the token of FILE: the JSON there has no wrapping token in it (wrap_info.token)", 0},
		"broken JSON": {Config{Auth: AuthTokenFile, Wrapped: true, TokenFile: file(`{"wrap_info": {"token": "x"`)}, "", nil, ClassConfig,
			"the token of FILE: the JSON there has no wrapping token in it (wrap_info.token)", 0},
		"not asked for": {Config{Auth: AuthTokenFile, TokenFile: file(`{"wrap_info": {"token": "x"}}`)}, "", nil, ClassConfig,
			"the token of FILE is JSON and no token: if it has a wrapping token in it, set --wrapped", 0},
	} {
		t.Run(name, func(t *testing.T) {
			vault := fetchtest.New(t)
			if test.data != nil {
				vault.Wrap(wrappingTestToken, test.path, test.data, nil)
			}
			t.Setenv("VAULT_ADDR", vault.URL)
			_, err := login(t, test.cfg)
			want := strings.ReplaceAll(test.want, "FILE", test.cfg.TokenFile+test.cfg.SecretIDPath)
			if err == nil || err.Error() != want || classOf(err) != string(test.class) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if n := vault.Count(""); n != test.asked {
				t.Errorf("%d requests, want %d", n, test.asked)
			}
		})
	}
}

// The answer to an unwrapping that gets lost is gone, and the message says that
// this may be it.
func TestUnwrappingAnswerIsLost(t *testing.T) {
	vault := fetchtest.New(t)
	t.Setenv("VAULT_ADDR", vault.URL)
	vault.Fault(1, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	_, err := login(t, Config{Auth: AuthTokenFile, Wrapped: true, TokenFile: writeFile(t, "token", wrappingTestToken, 0o600)})
	if err == nil || !strings.Contains(err.Error(), "or an earlier try of this start has, whose answer was lost") {
		t.Errorf("error %v", err)
	}
}

// A wrapped secret ID is looked up, unwrapped once, and serves all logins; one
// that is delivered later takes its place if it can.
func TestLoginUnwrapsSecretID(t *testing.T) {
	vault := fetchtest.New(t)
	t.Setenv("VAULT_ADDR", vault.URL)
	deliver := func(file, token, id string) {
		vault.Wrap(token, "auth/approle/role/web/secret-id", map[string]any{"secret_id": id}, nil)
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	vault.Login("approle/login", map[string]string{"role_id": "r", "secret_id": testSecretID}, "hvs.first")
	file := filepath.Join(t.TempDir(), "secret-id")
	deliver(file, wrappingTestToken, testSecretID)
	c, err := login(t, Config{Auth: AuthAppRole, Role: "web", Wrapped: true, RoleIDPath: writeFile(t, "r", "r", 0o600), SecretIDPath: file, RemoveSecretID: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the file is still there")
	}
	counts := func(lookups, unwraps, logins int) {
		t.Helper()
		for path, want := range map[string]int{"PUT sys/wrapping/lookup": lookups, "PUT sys/wrapping/unwrap": unwraps, "PUT auth/approle/login": logins} {
			if n := vault.Count(path); n != want {
				t.Errorf("%d x %s, want %d", n, path, want)
			}
		}
	}
	counts(1, 1, 1)
	if err := c.Login(t.Context()); err != nil {
		t.Error(err)
	}
	counts(1, 1, 2)
	if err := os.WriteFile(file, []byte("hvs.not-there"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Login(t.Context()); err != nil {
		t.Errorf("what there was is not used: %v", err)
	}
	counts(2, 1, 3)
	vault.Login("approle/login", map[string]string{"role_id": "r", "secret_id": "another"}, "hvs.second")
	deliver(file, "hvs.another-wrapping", "another")
	if err := c.Login(t.Context()); err != nil || c.api.Token() != "hvs.second" {
		t.Error(err)
	}
	counts(3, 2, 4)
}

// P9: a wrapping token in the file of another agent that somebody has used is
// tried once a minute, and the token that there is lives on.
func TestP9WatchWrappedTokenIsUsedUp(t *testing.T) {
	cfg := tokenFile(t, wrappingTestToken)
	cfg.Wrapped = true
	second := userToken + "-second"
	watchAs(t, cfg, func(v *fetchtest.Server) {
		v.Wrap(wrappingTestToken, "sys/wrapping/wrap", map[string]any{"token": userToken}, nil)
		v.Allow(second, "*", "read")
	}, []string{"kv/app"}, func(w *watching) {
		w.nothing(10 * time.Minute)
		w.between("PUT sys/wrapping/unwrap", 1, 1)
		w.keep("hvs.used-up")
		w.nothing(time.Hour)
		w.between("PUT sys/wrapping/unwrap", 60, 125)
		w.said("somebody else has unwrapped it", 6)
		w.keep(wrappingTestToken + "-2")
		w.vault.Wrap(wrappingTestToken+"-2", "sys/wrapping/wrap", map[string]any{"token": second}, nil)
		w.nothing(time.Minute + 2*peekEvery)
		w.vault.Revoke(userToken)
		w.vault.Put("kv/app", `{"user":"new"}`)
		if u := w.within(time.Minute + time.Second); field(u, "kv/app", "user") != "new" {
			t.Error("the change has not arrived")
		}
	})
}
