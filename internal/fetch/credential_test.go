package fetch

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vaultexec/internal/fetch/fetchtest"
)

// used are the logins with a file that is removed when it has done its work.
var used = map[string]struct {
	path  string // of the login
	field string // that the file's content is sent in
	cfg   func(t *testing.T, file string) Config
}{
	"secret ID": {"approle/login", "secret_id", func(t *testing.T, file string) Config {
		return Config{Auth: AuthAppRole, RoleIDPath: writeFile(t, "role-id", "r", 0o600), SecretIDPath: file, RemoveSecretID: true}
	}},
	"JWT": {"jwt/login", "jwt", func(_ *testing.T, file string) Config {
		return Config{Auth: AuthJWT, JWTPath: file, RemoveJWT: true}
	}},
}

func there(name string) bool { _, err := os.Lstat(name); return err == nil }

func deliver(t *testing.T, file, credential string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(credential), 0o600); err != nil {
		t.Fatal(err)
	}
}

// It is removed when it has done its work and not before, and the next login
// remembers it. One that is delivered later is taken in its place.
func TestUsedFileIsRemoved(t *testing.T) {
	for what, tt := range used {
		t.Run(what, func(t *testing.T) {
			vault := fetchtest.New(t)
			vault.Login(tt.path, map[string]string{tt.field: testSecretID}, "hvs.app")
			t.Setenv("VAULT_ADDR", vault.URL)
			file := writeFile(t, "file", "wrong", 0o600)
			c, err := New(tt.cfg(t, file))
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Login(t.Context()); err == nil || !there(file) {
				t.Fatalf("a wrong one: %v, still there: %v", err, there(file))
			}
			deliver(t, file, testSecretID)
			for i := range 2 {
				if err := c.Login(t.Context()); err != nil || there(file) {
					t.Fatalf("login %d: %v, still there: %v", i, err, there(file))
				}
			}
			vault.Login(tt.path, map[string]string{tt.field: "another"}, "hvs.other")
			deliver(t, file, "another")
			if err := c.Login(t.Context()); err != nil || there(file) || c.api.Token() != "hvs.other" {
				t.Fatalf("another one: %v, still there: %v", err, there(file))
			}
		})
	}
}

// Without being told to, nothing is removed.
func TestUsedFileStays(t *testing.T) {
	for what, tt := range used {
		t.Run(what, func(t *testing.T) {
			vault := fetchtest.New(t)
			vault.Login(tt.path, map[string]string{tt.field: "x"}, "hvs.app")
			t.Setenv("VAULT_ADDR", vault.URL)
			file := writeFile(t, "file", "x", 0o600)
			cfg := tt.cfg(t, file)
			cfg.RemoveJWT, cfg.RemoveSecretID = false, false
			if _, err := login(t, cfg); err != nil || !there(file) {
				t.Errorf("%v, still there: %v", err, there(file))
			}
		})
	}
}

// What was delivered while the login was under way is the next one's.
func TestUsedFileWasReplaced(t *testing.T) {
	c := &Client{log: slog.New(slog.DiscardHandler)}
	f := &again{credentialFile: credentialFile{path: writeFile(t, "file", "first", 0o600), what: "the JWT"}}
	if _, err := c.readAgain(f); err != nil {
		t.Fatal(err)
	}
	deliver(t, f.path, "second")
	c.removeUsed(f, false)
	if text, err := c.readAgain(f); err != nil || text != "second" {
		t.Fatalf("%q, %v", text, err)
	}
	c.removeUsed(f, false)
	if there(f.path) {
		t.Error("it stays when it is used, too")
	}
}

// Of a link the link is removed, or what it points to, as the agent has it.
func TestUsedFileIsALink(t *testing.T) {
	for _, target := range []bool{false, true} {
		vault := fetchtest.New(t)
		vault.Login("jwt/login", nil, "hvs.app")
		t.Setenv("VAULT_ADDR", vault.URL)
		file := writeFile(t, "file", "x", 0o600)
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(file, link); err != nil {
			t.Fatal(err)
		}
		_, err := login(t, Config{Auth: AuthJWT, JWTPath: link, RemoveJWT: true, RemoveJWTTarget: target})
		if err != nil || there(link) != target || there(file) == target {
			t.Errorf("target %v: %v, the link is there: %v, the file: %v", target, err, there(link), there(file))
		}
	}
}

// Where it cannot be removed, as from a read-only volume, that is said once and
// is no error.
func TestUsedFileCannotBeRemoved(t *testing.T) {
	var log bytes.Buffer
	c := &Client{log: slog.New(slog.NewTextHandler(&log, nil))}
	f := &again{credentialFile: credentialFile{path: filepath.Join(writeFile(t, "file", "x", 0o600), "below"), what: "the JWT"}}
	c.removeUsed(f, false)
	c.removeUsed(f, true)
	if strings.Count(log.String(), "the JWT is used and cannot be removed") != 1 || !strings.Contains(log.String(), "not a directory") {
		t.Errorf("the log: %s", &log)
	}
}
