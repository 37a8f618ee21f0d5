package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
)

const testJWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ." + canary + ".c2ln"

// writeFile writes a file for the test and returns its path.
func writeFile(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// login makes a client from the environment and logs in.
func login(t *testing.T, cfg Config) (*Client, error) {
	t.Helper()
	log := new(logBuffer)
	cfg.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c, err := New(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err = c.Login(ctx)
	checkSilence(t, log.String())
	if err != nil {
		checkSilence(t, err.Error())
	}
	return c, err
}

func TestLoginKubernetes(t *testing.T) {
	tests := []struct {
		name, mount, at string
		cfg             Config
	}{
		{"by role", "kubernetes", "kubernetes", Config{Role: "app"}},
		{"by name", "kubernetes", "kubernetes", Config{Auth: AuthKubernetes, Role: "app"}},
		{"mount", "eks", "eks", Config{Role: "app", AuthMount: "eks"}},
		{"mount as the API has it", "eks", "eks", Config{Role: "app", AuthMount: "auth/eks/"}},
		{"mount with slashes", "k8s/prod", "k8s/prod", Config{Role: "app", AuthMount: "/auth/k8s/prod"}},
		{"namespace", "kubernetes", "kubernetes", Config{Role: "app"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			vault := fetchtest.New(t)
			vault.Role(test.mount, "app", testJWT, "hvs.app", "app")
			t.Setenv("VAULT_ADDR", vault.URL)
			t.Setenv("VAULT_TOKEN", "hvs.stray")
			test.cfg.JWTPath = writeFile(t, "token", " "+testJWT+"\n", 0o600)
			c, err := login(t, test.cfg)
			if err != nil {
				t.Fatal(err)
			}
			requests := vault.Requests()
			if len(requests) != 1 {
				t.Fatalf("%d requests for a login", len(requests))
			}
			r := requests[0]
			var sent map[string]string
			if err := json.Unmarshal([]byte(r.Body), &sent); err != nil {
				t.Fatal(err)
			}
			if r.Path != "auth/"+test.at+"/login" || sent["role"] != "app" || sent["jwt"] != testJWT || r.Token != "" {
				t.Errorf("sent %+v", r)
			}
			if got := c.api.Token(); got != "hvs.app" {
				t.Errorf("token %q", got)
			}
			// A second login reads the JWT anew, and sends no token of the first.
			if err := os.WriteFile(test.cfg.JWTPath, []byte(testJWT+"2"), 0o600); err != nil {
				t.Fatal(err)
			}
			vault.Role(test.mount, "app", testJWT+"2", "hvs.app2", "app")
			if err := c.Login(t.Context()); err != nil {
				t.Fatal(err)
			}
			if r := vault.Requests()[1]; r.Token != "" || c.api.Token() != "hvs.app2" {
				t.Errorf("second login sent token %q and got %q", r.Token, c.api.Token())
			}
		})
	}
}

// What Vault 1.21 answers to logins it does not accept, and what becomes of it.
func TestLoginRefused(t *testing.T) {
	tests := []struct {
		name   string
		status int
		said   string
		class  Class
		want   string
	}{
		{"role", 400, `invalid role name "app"`, ClassAuthDenied,
			`Vault denied it: invalid role name "app" (HTTP 400); there is no such role at auth/kubernetes`},
		{"audience", 403, "invalid audience (aud) claim: audience claim does not match any expected audience", ClassAuthDenied,
			"Vault denied it: invalid audience (aud) claim: audience claim does not match any expected audience (HTTP 403); " +
				"the service account token has to be issued for the role's audience: set it on the projected volume (audience: ...) or on the role"},
		{"expired", 403, "invalid expiration time (exp) claim: token is expired", ClassAuthDenied,
			"Vault denied it: invalid expiration time (exp) claim: token is expired (HTTP 403); the token in JWTPATH is not refreshed: mount it as a projected volume"},
		{"service account", 403, "permission denied", ClassAuthDenied,
			"Vault denied it: permission denied (HTTP 403); compare the role's bound service account names, namespaces and audience with this pod's, " +
				"and check that kubernetes auth is mounted at auth/kubernetes"},
		{"echoes", 403, "bad token " + testJWT, ClassAuthDenied,
			"Vault denied it: bad token [redacted] (HTTP 403); compare the role's bound service account names, namespaces and audience with this pod's, " +
				"and check that kubernetes auth is mounted at auth/kubernetes"},
		{"no mount", 404, `no handler for route "auth/kubernetes/login". route entry not found.`, ClassAuthDenied,
			`Vault denied it: no handler for route "auth/kubernetes/login". route entry not found. (HTTP 404); no kubernetes auth method is mounted at auth/kubernetes: set --auth-mount`},
		{"another method's mount", 405, "1 error occurred:\n\t* unsupported operation\n\n", ClassAuthDenied,
			`Vault denied it: unsupported operation (HTTP 405); no kubernetes auth method is mounted at auth/kubernetes: set --auth-mount`},
		{"no words", 404, "", ClassAuthDenied,
			`Vault denied it: no reason given (HTTP 404); no kubernetes auth method is mounted at auth/kubernetes: set --auth-mount`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			vault := fetchtest.New(t)
			vault.Fault(1, fetchtest.Status(test.status, test.said))
			t.Setenv("VAULT_ADDR", vault.URL)
			jwtPath := writeFile(t, "token", testJWT, 0o600)
			_, err := login(t, Config{Role: "app", JWTPath: jwtPath})
			want := `login with role "app" at auth/kubernetes: ` + strings.ReplaceAll(test.want, "JWTPATH", jwtPath)
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %v", err, want)
			}
			if got := classOf(err); got != string(test.class) {
				t.Errorf("class %s", got)
			}
			if n := len(vault.Requests()); n != 1 {
				t.Errorf("%d requests, want 1: this is not retried", n)
			}
		})
	}
}

// wantSecondFactor is a Vault whose first login wants one.
func wantSecondFactor(t *testing.T) {
	t.Helper()
	vault := fetchtest.New(t)
	vault.Fault(1, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"request_id":"r","auth":{"client_token":"","mfa_requirement":{"mfa_request_id":"x","mfa_constraints":{}}}}`))
	})
	t.Setenv("VAULT_ADDR", vault.URL)
}

func TestLoginNeedsSecondFactor(t *testing.T) {
	wantSecondFactor(t)
	_, err := login(t, Config{Role: "app", JWTPath: writeFile(t, "token", testJWT, 0o600)})
	if classOf(err) != string(ClassAuthDenied) || !strings.Contains(err.Error(), "second factor") {
		t.Errorf("error %v", err)
	}
}

func TestLoginWithoutJWT(t *testing.T) {
	vault := fetchtest.New(t)
	t.Setenv("VAULT_ADDR", vault.URL)
	t.Setenv("VAULT_TOKEN", fetchtest.RootToken) // would do, but is not asked
	missing := filepath.Join(t.TempDir(), "none")
	empty := writeFile(t, "empty", " \n", 0o600)
	for path, want := range map[string]string{
		missing: "the service account token " + missing + " cannot be read: no such file or directory; " +
			"outside of a pod use VAULT_TOKEN or vault login, inside check automountServiceAccountToken or set --jwt-path",
		empty: "the service account token " + empty + " is empty",
	} {
		_, err := login(t, Config{Role: "app", JWTPath: path})
		if err == nil || err.Error() != want || classOf(err) != string(ClassConfig) {
			t.Errorf("got  %v\nwant %v", err, want)
		}
	}
	if n := len(vault.Requests()); n != 0 {
		t.Errorf("%d requests without a JWT", n)
	}
}

const noToken = "there is no token: log in with vault login -address=https://127.0.0.1:8200, or set VAULT_TOKEN, or --role to log in with the pod's service account"

// Whoever has no token gets the line that gets one, for this Vault.
func TestLoginCommand(t *testing.T) {
	for _, tt := range []struct{ address, namespace, want string }{
		{"https://vault.example:8200", "", "vault login -address=https://vault.example:8200"},
		{"https://user:canary@vault.example:8200/?x=canary", "team/a", "vault login -address=https://vault.example:8200/ -namespace=team/a"},
		{"unix:///run/a b", "it's", `vault login -address=unix:///run/a%20b -namespace='it'\''s'`},
		{"", "", "vault login -address=https://127.0.0.1:8200"},
	} {
		furnish(t, nil)
		t.Setenv("VAULT_ADDR", tt.address)
		t.Setenv("VAULT_TOKEN", "")
		_, err := login(t, Config{Namespace: tt.namespace})
		if err == nil || !strings.HasPrefix(err.Error(), "there is no token: log in with "+tt.want+", or set") {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
	}
}

func TestFindToken(t *testing.T) {
	tests := []struct {
		name    string
		env     string // VAULT_TOKEN
		home    map[string]string
		agent   bool
		token   string
		failure string
	}{
		{"environment", "hvs.env", nil, false, "hvs.env", ""},
		{"environment before helper", "hvs.env", map[string]string{".vault-token": "hvs.file"}, false, "hvs.env", ""},
		{"trimmed", " hvs.env\n", nil, false, "hvs.env", ""},
		{"helper's file", "", map[string]string{".vault-token": "hvs.file\n"}, false, "hvs.file", ""},
		{"blank counts as none", " \n", map[string]string{".vault-token": "hvs.file"}, false, "hvs.file", ""},
		{"helper program", "", map[string]string{".vault": `token_helper = "HOME/helper"`, "helper": "#!/bin/sh\n[ $1 = get ] && echo hvs.helper"}, false, "hvs.helper", ""},
		{"helper of VAULT_CONFIG_PATH", "", map[string]string{"config": `token_helper = "HOME/helper"`, "helper": "#!/bin/sh\n[ $1 = get ] && echo hvs.helper"}, false, "hvs.helper", ""},
		{"helper program fails", "", map[string]string{".vault": `token_helper = "HOME/helper"`, "helper": "#!/bin/sh\necho hvs.leak >&2; exit 3"}, false, "",
			"the token helper HOME/helper failed: exit status 3; run it by hand: HOME/helper get"},
		{"broken configuration", "", map[string]string{".vault": "nonsense = 1"}, false, "",
			"the configuration of the vault command (~/.vault or VAULT_CONFIG_PATH) cannot be used: "},
		{"none", "", nil, false, "", noToken},
		{"agent", "", nil, true, "", ""},
		{"agent and a blank", "\n", nil, true, "", ""},
		{"unprintable", "hvs.\x01env", nil, false, "", "the token of VAULT_TOKEN has a character in it that cannot be printed: it is not a token"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			furnish(t, test.home)
			if _, configured := test.home["config"]; configured {
				t.Setenv("VAULT_CONFIG_PATH", home+"/config")
			}
			if test.agent {
				t.Setenv("VAULT_AGENT_ADDR", "http://127.0.0.1:1")
			}
			t.Setenv("VAULT_TOKEN", test.env)
			c, err := login(t, Config{})
			if test.failure != "" {
				want := strings.ReplaceAll(test.failure, "HOME", home)
				if err == nil || !strings.HasPrefix(err.Error(), want) || classOf(err) != string(ClassConfig) {
					t.Errorf("got  %v\nwant %v", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := c.api.Token(); got != test.token {
				t.Errorf("token %q, want %q", got, test.token)
			}
		})
	}
}

// A token helper that hangs ends with the context.
func TestTokenHelperIsStopped(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	furnish(t, map[string]string{
		".vault": `token_helper = "HOME/helper"`,
		"helper": "#!/bin/sh\nmkfifo " + started + ".pipe\n: > " + started + "\nexec cat " + started + ".pipe\n",
	})
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	donec := make(chan error, 1)
	go func() { donec <- c.Login(ctx) }()
	for { // poll for the file: the helper has no other way to tell us
		if _, err := os.Stat(started); err == nil {
			break
		}
		select {
		case err := <-donec:
			t.Fatalf("ended before the helper began: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	select {
	case err := <-donec:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the helper was not stopped")
	}
}

func TestConfigCheck(t *testing.T) {
	for want, cfg := range map[string]Config{
		"auth kubernetes needs a role: set --role to the role's name in Vault":            {Auth: AuthKubernetes},
		`auth mount "auth/" has no name in it: write it as kubernetes or auth/kubernetes`: {Role: "app", AuthMount: "auth/"},
		"the request timeout is negative":                                                 {RequestTimeout: -1},
		"the concurrency is negative: at least one request at a time is needed":           {Concurrency: -1},
	} {
		_, err := New(cfg)
		if err == nil || err.Error() != want || classOf(err) != string(ClassConfig) {
			t.Errorf("got  %v\nwant %v", err, want)
		}
	}
}

// helperVariable makes the test binary log in and print the error.
const helperVariable = "FETCH_TEST_LOGIN"

func loginAndPrint() {
	c, err := New(Config{})
	if err == nil {
		err = c.Login(context.Background())
	}
	fmt.Println(err)
}

// In a container FROM scratch there is no HOME, and no program to find it with.
func TestLoginWithoutHome(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, variable := range []string{"", "VAULT_CONFIG_PATH=/dev/null"} {
		cmd := exec.Command(self)
		cmd.Env = []string{helperVariable + "=1", "PATH=/nowhere", variable}
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != noToken+"\n" {
			t.Errorf("%s: %v: %s", variable, err, out)
		}
	}
}

// A login that somebody else refuses is not Vault's denial.
func TestLoginRefusedByAnother(t *testing.T) {
	for _, status := range []int{400, 403, 404, 405} {
		vault := fetchtest.New(t)
		vault.Fault(1, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte("<html>" + canary))
		})
		t.Setenv("VAULT_ADDR", vault.URL)
		_, err := login(t, Config{Role: "app", JWTPath: writeFile(t, "token", testJWT, 0o600)})
		want := fmt.Sprintf(`login with role "app" at auth/kubernetes at %s: %s (HTTP %d)`, vault.URL, errNotVault, status)
		if err == nil || err.Error() != want || classOf(err) != string(ClassUnreachable) {
			t.Errorf("got  %v\nwant %v", err, want)
		}
	}
}
