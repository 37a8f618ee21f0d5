package fetch

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
	"vaultexec/internal/ref"
)

func sourceOf(path string, version int) ref.Source { return ref.Source{Path: path, Version: version} }

// The text of every finding, as Vault's answers make it.
func TestFindings(t *testing.T) {
	const weak = "hvs.weak"
	raw := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	tests := []struct {
		name  string
		ref   string
		token string
		fault http.HandlerFunc // of the read, after the mount's answer
		class Class
		want  string
	}{
		{"no secret, something near", "kv/ap_p", "", nil, ClassNotFound,
			`kv/ap_p: no secret at kv/data/ap_p (mount kv/, KV v2, HTTP 404); did you mean kv/app?`},
		{"no secret, API form", "kv/data/appp", "", nil, ClassNotFound,
			`kv/data/appp: no secret at kv/data/appp (mount kv/, KV v2, HTTP 404); did you mean kv/data/app?`},
		{"no secret, nothing near", "old/x", "", nil, ClassNotFound,
			`old/x: no secret at old/x (mount old/, KV v1, HTTP 404); beside it there is app, data/`},
		{"no secret and no listing", "kv/ap_p#x", weak, nil, ClassNotFound,
			`kv/ap_p#x: no secret at kv/data/ap_p (mount kv/, KV v2, HTTP 404)`},
		{"a folder", "kv/dir", "", nil, ClassNotFound,
			`kv/dir: no secret at kv/data/dir: it is a folder, name a secret below it, or all of them with /* (mount kv/, KV v2, HTTP 404)`},
		{"no such version", "kv/app?version=9", "", nil, ClassNotFound,
			`kv/app (version 9): kv/data/app has no version 9 (mount kv/, KV v2, HTTP 404)`},
		{"no such version and no listing", "kv/app?version=9", weak, nil, ClassNotFound,
			`kv/app (version 9): no secret at kv/data/app, or no version 9 of it (mount kv/, KV v2, HTTP 404)`},
		{"deleted", "kv/gone#a", "", nil, ClassNotFound,
			`kv/gone#a: kv/data/gone was deleted at 2026-11-22T13:39:01Z (mount kv/, KV v2, HTTP 404); vault kv undelete brings it back`},
		{"destroyed", "kv/burnt", "", nil, ClassNotFound,
			`kv/burnt: kv/data/burnt is destroyed (mount kv/, KV v2, HTTP 404)`},
		{"no key, one near", "kv/app#pasword", "", nil, ClassKeyMissing,
			`kv/app#pasword: no key pasword in kv/data/app (mount kv/, KV v2, HTTP 200); did you mean password?`},
		{"no key, none near", "old/app#x", "", nil, ClassKeyMissing,
			`old/app#x: no key x in old/app (mount old/, KV v1, HTTP 200); its keys are data, metadata, n`},
		{"null", "kv/app#nothing", "", nil, ClassKeyMissing,
			`kv/app#nothing: key nothing is null in kv/data/app (mount kv/, KV v2, HTTP 200)`},
		{"denied", "kv/dir/inner", weak, nil, ClassDenied,
			`kv/dir/inner: permission denied reading kv/data/dir/inner (mount kv/, KV v2, HTTP 403); it takes this in a policy: path "kv/data/dir/inner" { capabilities = ["read"] }`},
		{"denied although optional", "kv/dir/inner?optional", weak, nil, ClassDenied,
			`kv/dir/inner: permission denied reading kv/data/dir/inner (mount kv/, KV v2, HTTP 403); it takes this in a policy: path "kv/data/dir/inner" { capabilities = ["read"] }; optional and default excuse what is missing, and this may not be`},
		{"the whole mount is denied", "old/app", weak, nil, ClassDenied,
			`old/app: permission denied: the policies open nothing below its mount, or there is no mount for it (HTTP 403); it takes this in a policy: path "old/app" { capabilities = ["read"] } or, if old/ is a KV v2 mount, path "old/data/app" { capabilities = ["read"] }`},
		{"no mount", "nope/data/app", "", nil, ClassDenied,
			`nope/data/app: permission denied: the policies open nothing below its mount, or there is no mount for it (HTTP 403); it takes this in a policy: path "nope/data/app" { capabilities = ["read"] }`},
		{"a version of v1", "old/app?version=2", "", nil, ClassConfig,
			`old/app (version 2): version 2 cannot be asked for: only secrets of KV v2 have versions (mount old/, KV v1)`},
		{"a version of metadata", "kv/metadata/app?version=2", "", nil, ClassConfig,
			`kv/metadata/app (version 2): version 2 cannot be asked for: only secrets of KV v2 have versions (mount kv/, KV v2)`},
		{"a mount", "team/kv", "", nil, ClassConfig,
			`team/kv: team/kv is a mount, not a secret below it (mount team/kv/, KV v2)`},
		{"write only", "database/creds/app", "", raw(405, "application/json", `{"errors":["1 error occurred:\n\t* unsupported operation\n\n"]}`), ClassNotFound,
			`database/creds/app: it cannot be read: unsupported operation (mount database/, database, HTTP 405)`},
		{"refused", "database/creds/app", "", raw(400, "application/json", `{"errors":["unknown role: app"]}`), ClassConfig,
			`database/creds/app: Vault refuses it: unknown role: app (mount database/, database, HTTP 400)`},
		{"unsupported path", "database/creds/app", "", raw(404, "application/json", `{"errors":["unsupported path"]}`), ClassNotFound,
			`database/creds/app: no secret at database/creds/app: unsupported path (mount database/, database, HTTP 404)`},
		{"not JSON", "database/creds/app", "", raw(200, "application/pem-certificate-chain", "-----BEGIN "+canary), ClassNotFound,
			`database/creds/app: it answers with application/pem-certificate-chain, not with fields (mount database/, database, HTTP 200)`},
		{"no content", "database/creds/app", "", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, ClassNotFound,
			`database/creds/app: it answers without data (mount database/, database, HTTP 204)`},
		{"wrapped", "kv/app", "", raw(200, "application/json", `{"request_id":"r","data":null,"wrap_info":{"token":"hvs.`+canary+`","ttl":300}}`), ClassNotFound,
			`kv/app: it is handed out wrapped only: a control group or a policy's wrapping TTL asks for that (mount kv/, KV v2, HTTP 200)`},
		{"a login", "database/creds/app", "", raw(200, "application/json", `{"request_id":"r","data":null,"auth":{"client_token":"hvs.`+canary+`"}}`), ClassNotFound,
			`database/creds/app: it answers with a login, not with fields (mount database/, database, HTTP 200)`},
		{"a v2 answer without data", "kv/app", "", raw(200, "application/json", `{"request_id":"r","data":{"password":"`+canary+`"}}`), ClassNotFound,
			`kv/app: it answers without data (mount kv/, KV v2, HTTP 200)`},
		{"data is a list", "old/app", "", raw(200, "application/json", `{"request_id":"r","data":["`+canary+`"]}`), ClassNotFound,
			`old/app: it answers without data (mount old/, KV v1, HTTP 200)`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			token := test.token
			if token == "" {
				token = fetchtest.RootToken
			}
			h := newHarness(t, token)
			seed(h.vault)
			h.vault.Allow(weak, "kv/data/app", "read")
			h.vault.Allow(weak, "kv/data/ap_p", "read")
			if test.fault != nil {
				// The mount is learnt first, so that the fault meets the read.
				if _, _, err := h.askMount(h.ctx, "", test.ref); err != nil {
					t.Fatal(err)
				}
				h.vault.Fault(1, test.fault)
			}
			_, err := h.Fetch(h.ctx, parse(t, test.ref))
			var missing *MissingError
			if !errors.As(err, &missing) || len(missing.Findings) != 1 {
				t.Fatalf("error %v", err)
			}
			checkSilence(t, err.Error())
			if got := missing.Findings[0].String(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if got := missing.Class(); got != string(test.class) {
				t.Errorf("class %s, want %s", got, test.class)
			}
			if strings.Contains(strings.TrimPrefix(err.Error(), "1 reference cannot be resolved with the token of VAULT_TOKEN:\n  "), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

// All that is missing is one error, sorted, each reference once, and each
// directory is listed once.
func TestMissingError(t *testing.T) {
	dir := t.TempDir()
	jwt := dir + "/token"
	if err := os.WriteFile(jwt, []byte("eyJhbGciOiJSUzI1NiJ9."+canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	vault := fetchtest.New(t)
	seed(vault)
	vault.Role("kubernetes", "app", "eyJhbGciOiJSUzI1NiJ9."+canary, "hvs.app", "default", "app")
	vault.Allow("hvs.app", "kv/data/*", "read")
	vault.Allow("hvs.app", "kv/metadata/*", "list")
	t.Setenv("VAULT_ADDR", vault.URL)
	h := startHarness(t, vault, func(c *Config) { c.Role, c.JWTPath = "app", jwt })
	_, err := h.Fetch(h.ctx, parse(t, "kv/nope2#b", "kv/app", "old/app", "kv/nope2#a", "kv/nope1", "kv/app#nope", "kv/nope2#a", "kv/app#user"))
	want := `5 references cannot be resolved with role "app" at auth/kubernetes with policies default, app:
  kv/app#nope: no key nope in kv/data/app (mount kv/, KV v2, HTTP 200); its keys are big, list, nothing, password, port, user
  kv/nope1: no secret at kv/data/nope1 (mount kv/, KV v2, HTTP 404); beside it there is app, burnt, data/, dir/, empty, gone
  kv/nope2#a: no secret at kv/data/nope2 (mount kv/, KV v2, HTTP 404); beside it there is app, burnt, data/, dir/, empty, gone
  kv/nope2#b: no secret at kv/data/nope2 (mount kv/, KV v2, HTTP 404); beside it there is app, burnt, data/, dir/, empty, gone
  old/app: permission denied: the policies open nothing below its mount, or there is no mount for it (HTTP 403); it takes this in a policy: path "old/app" { capabilities = ["read"] } or, if old/ is a KV v2 mount, path "old/data/app" { capabilities = ["read"] }`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %v", err, want)
	}
	if got := classOf(err); got != string(ClassDenied) {
		t.Errorf("class %s", got)
	}
	if n := vault.Count("GET kv/metadata"); n != 1 {
		t.Errorf("listed %d times, want once", n)
	}
}

// References beside each other in a mount that is denied cost one question.
func TestDeniedMountIsAskedOncePerDirectory(t *testing.T) {
	h := newHarness(t, "hvs.none")
	seed(h.vault)
	h.vault.Allow("hvs.none", "")
	_, err := h.Fetch(h.ctx, parse(t, "kv/a/1", "kv/a/2", "kv/a/3", "kv/b/1", "kv/b/2"))
	var missing *MissingError
	if !errors.As(err, &missing) || len(missing.Findings) != 5 || missing.Class() != string(ClassDenied) {
		t.Fatalf("error %v", err)
	}
	if n := len(h.vault.Requests()); n != 2 {
		t.Errorf("%d requests, want one for each of 2 directories", n)
	}
}

// A token that Vault does not know is one error, not one finding for each
// reference.
func TestRejectedToken(t *testing.T) {
	h := newHarness(t, fetchtest.RootToken)
	seed(h.vault)
	h.vault.Allow("hvs.short", "kv/data/app", "read")
	h.useToken("hvs.short", "the token of VAULT_TOKEN")
	if _, err := h.Fetch(h.ctx, parse(t, "kv/app")); err != nil {
		t.Fatal(err)
	}
	h.vault.Revoke("hvs.short")
	for _, refs := range [][]string{{"kv/app", "kv/app#x"}, {"old/app", "team/kv/app"}} { // at the read, at the mount
		_, err := h.Fetch(h.ctx, parse(t, refs...))
		want := "Vault at " + h.vault.URL + " does not accept the token of VAULT_TOKEN: permission denied; invalid token (HTTP 403); " +
			"it is expired, revoked or of another Vault: log in again: vault login -address=" + h.vault.URL + ", or set --role to log in with the pod's service account"
		if err == nil || err.Error() != want || classOf(err) != string(ClassAuthDenied) {
			t.Errorf("class %s: %v", classOf(err), err)
		}
	}
}

func TestGravestClass(t *testing.T) {
	kinds := []Kind{KeyNull, KeyMissing, Destroyed, Deleted, VersionMissing, NotFound, Unreadable, MountDenied, Denied, Impossible}
	for i, graver := range kinds {
		for _, lesser := range kinds[:i+1] {
			for _, findings := range [][]Finding{{{Kind: graver}, {Kind: lesser}}, {{Kind: lesser}, {Kind: graver}}} {
				if got := (&MissingError{Findings: findings}).Class(); got != string(graver.class()) {
					t.Errorf("class of %v and %v is %s", graver, lesser, got)
				}
			}
		}
	}
}

// Of the errors that a deadline gives all at once, the one that knows why stays.
func TestFailKeepsTheReason(t *testing.T) {
	vague, sealed := &Error{vague: true}, &Error{class: ClassSealed}
	tests := []struct{ first, then, want error }{
		{sealed, context.Canceled, sealed},
		{sealed, vague, sealed},
		{vague, sealed, sealed},
		{vague, context.Canceled, vague},
		{context.Canceled, sealed, context.Canceled},
	}
	for _, test := range tests {
		b := &batch{cancel: func(error) {}}
		b.fail("", test.first)
		b.fail("", test.then)
		if b.err != test.want {
			t.Errorf("%#v then %#v: kept %#v", test.first, test.then, b.err)
		}
	}
}

// What is wrong with different references is in one error, whatever finds it.
func TestP1FindingsOfAllKinds(t *testing.T) {
	h := newHarness(t, fetchtest.RootToken)
	seed(h.vault)
	_, err := h.Fetch(h.ctx, parse(t, "kv/app#pasword", "kv/dir/inner?only=a,nope,b*", "kv/none#k", "kv/empty?only=x&optional"))
	var missing *MissingError
	if !errors.As(err, &missing) || len(missing.Findings) != 3 {
		t.Fatalf("%v, want three findings", err)
	}
	if want := `kv/dir/inner: no key nope in kv/data/dir/inner (mount kv/, KV v2, HTTP 200); its keys are a`; missing.Findings[1].String() != want {
		t.Errorf("%s\nwant %s", missing.Findings[1], want)
	}
}

// One that is denied for good ends the patience with others, and is reported.
func TestP1DeniedBesideTrouble(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, vault *fetchtest.Server, _ *logBuffer) {
		vault.FaultOn("GET kv/data/app", fetchtest.Status(503, "Vault is busy"))
		vault.FaultOn("GET kv/data/dir/inner", fetchtest.Status(403, "1 error occurred:\n\t* permission denied\n\n"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begun := time.Now()
		_, err := c.Fetch(ctx, parse(t, "kv/app#user", "kv/dir/inner#a", "kv/empty"))
		if took := time.Since(begun); took > hopelessPatience+time.Second {
			t.Errorf("took %s", took)
		}
		var missing *MissingError
		if !errors.As(err, &missing) || len(missing.Findings) != 1 || missing.Class() != string(ClassDenied) {
			t.Fatalf("%v, want one finding", err)
		}
		for _, want := range []string{"permission denied reading kv/data/dir/inner", "\nand that may not be all: reading kv/data/app", "Vault is busy"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in: %v", want, err)
			}
		}
	})
}

// At the deadline too, and what is missing but excused does not end the patience.
func TestP1ExcusedBesideTrouble(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, vault *fetchtest.Server, _ *logBuffer) {
		vault.FaultOn("GET kv/data/app", fetchtest.Status(503, "Vault is busy"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begun := time.Now()
		_, err := c.Fetch(ctx, parse(t, "kv/app#user", "kv/none?optional"))
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("took %s", took)
		}
		var missing *MissingError
		if errors.As(err, &missing) || err == nil {
			t.Errorf("%v, want the trouble", err)
		}
	})
}
