package integration

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"vaultexec/integration/servers"
)

// leakStage has the secrets that the runs of TestP7Everywhere must not show.
type leakStage struct {
	watch   *watch
	login   *watch // what lets into Vault alone
	kv      *kv
	account *account
	jwtFile string
	token   string
	dir     string

	password string // in the secret app, where everything is as it should be
}

func newLeakStage(t *testing.T) *leakStage {
	t.Helper()
	s := &leakStage{watch: &watch{names: make(map[string]string)}, login: &watch{names: make(map[string]string)}, kv: kvMount(t, 2), dir: t.TempDir()}
	secret := func(name string) string {
		// With everything that an encoder may want to escape.
		value := canary(t, name) + "\"'\\\n\t<&=%é+/>$(x)`" + canary(t, name)
		s.watch.add("the "+name, value)
		return value
	}
	s.password = secret("password")
	s.kv.put(t, "app", fields{"password": s.password, "list": []string{secret("element")}, "map": fields{"inner": secret("inner value")}})
	s.kv.put(t, "nul", fields{"password": secret("part with NUL") + "\x00" + secret("part behind NUL")})
	s.kv.put(t, "huge", fields{"password": strings.Repeat(secret("huge value"), 3000)})
	s.kv.put(t, "names", fields{"bad name": secret("value with a bad name"), "1st": secret("value with another")})
	s.kv.put(t, "code", fields{"LD_PRELOAD": secret("value with a reserved name")})
	s.kv.put(t, "null", fields{"password": nil, "other": secret("neighbour of null")})
	s.kv.put(t, "closed", fields{"password": secret("secret that is denied")})
	open := s.kv.policy(t, "app", "nul", "huge", "names", "code", "null", "none")
	s.account, s.token = newAccount(t, open), newToken(t, s.kv.vault, open)
	jwt := s.account.jwt(t, "vault")
	for _, w := range []*watch{s.watch, s.login} {
		w.add("the token", s.token)
		w.add("the JWT", jwt)
	}
	s.jwtFile = jwtFile(t, jwt)
	return s
}

// ref is a reference to a key of a secret, NAME=PATH#KEY.
func (s *leakStage) ref(name, path, key string) string {
	return name + "=" + s.kv.path(path) + "#" + key
}

// successes are one run of each mode and each way in and out.
func (s *leakStage) successes() []leak {
	password := s.ref("PASSWORD", "app", "password")
	file := func(name, format string) string {
		return filepath.Join(s.dir, name) + "=" + s.kv.path("app") + "?format=" + format
	}
	return []leak{
		{name: "exec", flags: []string{"--mode", "exec", "--env", password}},
		{name: "exec with a token", flags: []string{"--mode", "exec", "--env", password}, token: true},
		{name: "supervise", flags: []string{"--mode", "supervise", "--env", password}},
		{name: "supervise with a token", flags: []string{"--mode", "supervise", "--env", password}, token: true},
		{name: "init", flags: []string{"--init", "always", "--env", password}},
		{name: "init with a token", flags: []string{"--init", "always", "--env", password}, token: true},
		{name: "whole secret", flags: []string{"--secret", s.kv.path("app"), "--prefix", "DB_"}},
		{name: "inherited", vars: []string{"DSN=postgres://${vault:" + s.kv.path("app") + "#password}@db", "B=vault:" + s.kv.path("app") + "#map"}},
		{name: "json and yaml", flags: []string{"--file", file("a.json", "json"), "--file", file("a.yaml", "yaml")}},
		{name: "export", flags: []string{"--file", file("a.sh", "export")}, token: true},
		{name: "directory", flags: []string{"--file", filepath.Join(s.dir, "d") + "/=" + s.kv.path("app")}},
		{name: "file-env", flags: []string{"--file-env", password}},
		{name: "credentials", flags: []string{"--credentials", password, "--credentials", s.kv.path("app") + "?except=password"}},
		{name: "fd-env", flags: []string{"--fd-env", password}},
		{name: "fd-env, exec", flags: []string{"--mode", "exec", "--fd-env", password}, token: true},
		{name: "default", flags: []string{"--env", "A=" + s.kv.path("none") + "?default=d#password"}},
	}
}

// failures are one run for each way to fail.
func (s *leakStage) failures(t *testing.T) []leak {
	password := s.ref("PASSWORD", "app", "password")
	with := func(flags ...string) []string { return append([]string{"--env", password}, flags...) }
	return append(s.spoiled(t),
		leak{name: "missing key", flags: with("--env", s.ref("B", "app", "pasword")), status: 125},
		leak{name: "missing secret", flags: with("--env", s.ref("B", "none", "password")), status: 125},
		leak{name: "null", flags: with("--env", s.ref("B", "null", "password")), status: 125},
		leak{name: "denied", flags: with("--secret", s.kv.path("closed")), status: 125},
		leak{name: "denied with a token", flags: with("--secret", s.kv.path("closed")), token: true, status: 125},
		leak{name: "login denied", flags: with("--role", "nobodys"), status: 125},
		leak{name: "NUL", flags: with("--env", s.ref("B", "nul", "password")), status: 125},
		leak{name: "huge", flags: with("--env", s.ref("B", "huge", "password")), status: 125},
		leak{name: "conflict", flags: []string{"--secret", s.kv.path("app")}, vars: []string{"password=" + s.password}, status: 125},
		leak{name: "invalid names", flags: with("--secret", s.kv.path("names")), status: 125},
		leak{name: "reserved name", flags: with("--secret", s.kv.path("code")), status: 125},
		leak{name: "file in no directory", flags: with("--file", "/proc/nowhere/file="+s.kv.path("app")+"#password"), status: 125},
		leak{name: "file on a full disk", flags: with("--file", "/dev/full/file="+s.kv.path("app")+"#password"), status: 125},
		leak{name: "no names for files", flags: with("--file", filepath.Join(s.dir, "e")+"/="+s.kv.path("names")+"?prefix=a/"), status: 125},
		leak{name: "directory in no directory", flags: with("--file", "/proc/nowhere/="+s.kv.path("app")), status: 125},
		leak{name: "file-env in no directory", flags: with("--file-env", password, "--runtime-dir", "/proc/nowhere"), status: 125},
		leak{name: "fd-env for nobody's format", flags: with("--fd-env", "B="+s.kv.path("nul")+"?format=dotenv"), status: 125},
		leak{name: "not for dotenv", flags: with("--file", filepath.Join(s.dir, "b.env")+"="+s.kv.path("nul")), status: 125},
		leak{name: "not found", flags: with("--mode", "supervise"), argv: []string{"nowhere"}, status: 127},
		leak{name: "not found, exec", flags: with("--mode", "exec"), argv: []string{"nowhere"}, status: 127},
		leak{name: "not executable", flags: with(), argv: []string{s.dir}, status: 126},
		leak{name: "half a reference", vars: []string{"DSN=" + s.password + "${vault:" + s.kv.path("app") + "}"}, status: 125},
		leak{name: "value for a reference", vars: []string{"VAULTEXEC_ENV=PASSWORD=" + s.password}, status: 125},
		leak{name: "value for a duration", vars: []string{"VAULTEXEC_STOP_TIMEOUT=" + s.password}, status: 125},
		leak{name: "unknown setting", vars: []string{"VAULTEXEC_PASSWORD=" + s.password}, status: 125},
		leak{name: "token is none", flags: with(), token: true, vars: []string{"VAULT_TOKEN=" + s.password}, status: 125},
		leak{name: "password in the address", flags: with(), vault: "http://user:" + url.QueryEscape(s.password) + "@127.0.0.1:1", status: 125},
		leak{name: "password in a bad address", flags: with(), vault: "http://user:" + s.password + "@127.0.0.1:1", status: 125},
	)
}

// spoiled are runs against a Vault with TLS that nobody knows, one that is
// sealed, and a real one whose answers something on the way has spoiled.
func (s *leakStage) spoiled(t *testing.T) []leak {
	t.Helper()
	sealed := ownVault(t, servers.VaultOptions{Durable: true})
	if err := sealed.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--env", s.ref("PASSWORD", "app", "password")}
	out := []leak{
		{name: "TLS", flags: flags, vault: sealed.TLS.Address, status: 125},
		{name: "TLS with a token", flags: flags, vault: sealed.TLS.Address, token: true, status: 125},
		{name: "sealed", flags: flags, vault: sealed.Address, status: 125},
	}
	for name, change := range map[string]func(body, echo []byte) (int, []byte){
		"cut":            func(body, _ []byte) (int, []byte) { return 200, body[:len(body)*2/3] },
		"cut at the end": func(body, _ []byte) (int, []byte) { return 200, body[:len(body)-3] },
		"not an object":  func(body, _ []byte) (int, []byte) { return 200, bytes.Replace(body, []byte("{"), []byte("["), 1) },
		"data is a text": func(body, _ []byte) (int, []byte) { return 200, asText(body) },
		"text":           func(_, echo []byte) (int, []byte) { return 200, echo },
		"echo in 400":    func(_, echo []byte) (int, []byte) { return 400, echo },
		"echo in 403":    func(_, echo []byte) (int, []byte) { return 403, echo },
		"echo in 500":    func(_, echo []byte) (int, []byte) { return 500, echo },
		"answer in 500":  func(body, _ []byte) (int, []byte) { return 500, body },
		"answer in 400":  func(body, _ []byte) (int, []byte) { return 400, body },
		"errors in 400":  func(_, echo []byte) (int, []byte) { return 400, errorsOf(echo) },
		"errors in 403":  func(_, echo []byte) (int, []byte) { return 403, errorsOf(echo) },
		"errors in 500":  func(_, echo []byte) (int, []byte) { return 500, errorsOf(echo) },
		"warnings": func(body, _ []byte) (int, []byte) {
			return 404, bytes.Replace(body, []byte(`"data"`), []byte(`"warnings"`), 1)
		},
	} {
		for where, path := range map[string]string{"login": "/v1/auth/", "mount": "/v1/sys/", "read": "/v1/" + s.kv.mount + "/"} {
			out = append(out, leak{name: name + ", " + where, flags: flags, vault: s.spoil(t, path, change), status: 125})
		}
	}
	return out
}

// errorsOf is an answer of Vault's own form.
func errorsOf(echo []byte) []byte {
	body, _ := json.Marshal(fields{"errors": []string{string(echo)}}) // of texts: cannot fail
	return body
}

// asText is an answer whose parts are texts: not what a client expects there.
func asText(body []byte) []byte {
	changed, _ := json.Marshal(fields{"data": string(body), "auth": string(body)}) // the same
	return changed
}

// spoil stands before the Vault and changes the answers below a path; echo is
// the request as it came, with its token and its JWT.
func (s *leakStage) spoil(t *testing.T, path string, change func(body, echo []byte) (int, []byte)) string {
	t.Helper()
	target, err := url.Parse(s.kv.vault.Address)
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, path) {
			forward.ServeHTTP(w, r)
			return
		}
		sent, _ := io.ReadAll(r.Body) // what cannot be read is not echoed
		r.Body = io.NopCloser(bytes.NewReader(sent))
		echo := []byte(r.Header.Get("X-Vault-Token") + " " + string(sent))
		answer := httptest.NewRecorder()
		forward.ServeHTTP(answer, r)
		status, body := change(answer.Body.Bytes(), echo)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
