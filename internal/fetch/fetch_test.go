package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// canary is in every secret value of these tests; nothing that is printed may
// have it.
const canary = "canary-7f3a"

// TestMain gives the tests an environment without anybody's Vault in it.
func TestMain(m *testing.M) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "VAULT_") || strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
			_ = os.Unsetenv(name)
		}
	}
	if os.Getenv(helperVariable) != "" {
		loginAndPrint()
		return
	}
	// One home for all tests: go-homedir looks once in the life of a process.
	var err error
	if home, err = os.MkdirTemp("", "fetch"); err != nil {
		panic(err)
	}
	_ = os.Setenv("HOME", home)
	code := m.Run()
	_ = os.RemoveAll(home)
	os.Exit(code)
}

// home is the tests' own home directory, with nothing in it between tests.
var home string

// furnish puts files into home for the length of a test. HOME in a text stands
// for the directory.
func furnish(t *testing.T, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(home, name)
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "HOME", home)), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(path) })
	}
}

// logBuffer collects log lines of all goroutines.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// harness is a client of a test Vault that is logged in with a token.
type harness struct {
	*Client
	vault *fetchtest.Server
	log   *logBuffer
	ctx   context.Context
}

func newHarness(t *testing.T, token string, configure ...func(*Config)) *harness {
	t.Helper()
	vault := fetchtest.New(t)
	t.Setenv("VAULT_ADDR", vault.URL)
	t.Setenv("VAULT_TOKEN", token)
	return startHarness(t, vault, configure...)
}

// startHarness makes the client, and checks at the end that no secret is in
// its log.
func startHarness(t *testing.T, vault *fetchtest.Server, configure ...func(*Config)) *harness {
	t.Helper()
	h := &harness{vault: vault, log: new(logBuffer)}
	cfg := Config{Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, f := range configure {
		f(&cfg)
	}
	var err error
	if h.Client, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	var cancel context.CancelFunc
	h.ctx, cancel = context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(func() { cancel(); checkSilence(t, h.log.String()) })
	if err := h.Login(h.ctx); err != nil {
		t.Fatal(err)
	}
	return h
}

// checkSilence fails the test if the text has a secret, a token or a JWT.
func checkSilence(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{canary, fetchtest.RootToken, "hvs.", "eyJ"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in: %s", secret, text)
		}
	}
}

func parse(t *testing.T, texts ...string) []ref.Ref {
	t.Helper()
	var refs []ref.Ref
	for _, text := range texts {
		use := ref.Secret
		if text == ref.Login {
			use = ref.File
		}
		r, err := ref.Parse(text, use)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		refs = append(refs, r)
	}
	return refs
}

// reveal writes a snapshot as text: path -> sorted key=value.
func reveal(snapshot map[ref.Source]secret.Fields) map[string]string {
	text := make(map[string]string)
	for source, fields := range snapshot {
		var pairs []string
		for name, v := range fields {
			value := v.Text()
			if v.IsNull() {
				value = "<null>"
			}
			pairs = append(pairs, name+"="+value)
		}
		slices.Sort(pairs)
		key := source.String()
		if source.Version != 0 {
			key += fmt.Sprintf("@%d", source.Version)
		}
		text[key] = strings.Join(pairs, " ")
	}
	return text
}

func classOf(err error) string {
	var classed interface{ Class() string }
	if errors.As(err, &classed) {
		return classed.Class()
	}
	return ""
}

// seed puts the secrets that most tests read.
func seed(v *fetchtest.Server) {
	v.MountKV("kv", 2)
	v.MountKV("team/kv", 2)
	v.MountKV("old", 1)
	v.Mount("database", "database")
	v.Put("kv/app", `{"user":"first-`+canary+`"}`)
	v.Put("kv/app", `{"user":"`+canary+`","password":"`+canary+`","port":5432,"big":12345678901234567890.10,"nothing":null,"list":[1,"`+canary+`"]}`)
	v.Put("kv/data/x", `{"a":"in-data"}`)
	v.Put("kv/gone", `{"a":"`+canary+`"}`)
	v.Delete("kv/gone")
	v.Put("kv/burnt", `{"a":"`+canary+`"}`)
	v.Destroy("kv/burnt")
	v.Put("kv/dir/inner", `{"a":"`+canary+`"}`)
	v.Put("kv/empty", `{}`)
	v.Put("team/kv/app", `{"team":"yes"}`)
	v.Put("old/app", `{"data":{"x":"y"},"metadata":{"version":1},"n":1.10}`)
	v.Put("old/data/app", `{"spelt":"with data"}`)
	v.Put("database/creds/app", `{"username":"v-app","password":"`+canary+`"}`)
}

func TestFetchReads(t *testing.T) {
	app := "big=12345678901234567890.10 list=[1,\"" + canary + "\"] nothing=<null> password=" + canary + " port=5432 user=" + canary
	v1 := `data={"x":"y"} metadata={"version":1} n=1.10`
	tests := []struct {
		name     string
		refs     []string
		want     map[string]string
		requests []string
	}{
		{"v2 as the user types it", []string{"kv/app"}, map[string]string{"kv/app": app},
			[]string{"sys/internal/ui/mounts/kv/app", "kv/data/app"}},
		{"v2 in the API's form", []string{"kv/data/app"}, map[string]string{"kv/data/app": app},
			[]string{"sys/internal/ui/mounts/kv/data/app", "kv/data/app"}},
		{"both forms share a read", []string{"kv/app", "kv/data/app#user", "kv/app#port"}, map[string]string{"kv/app": app, "kv/data/app": app},
			[]string{"sys/internal/ui/mounts/kv/app", "kv/data/app"}},
		{"a version is a read of its own", []string{"kv/app", "kv/app?version=1"}, map[string]string{"kv/app": app, "kv/app@1": "user=first-" + canary},
			[]string{"sys/internal/ui/mounts/kv/app", "kv/data/app", "kv/data/app?version=1"}},
		{"a name that begins with data/", []string{"kv/data/data/x"}, map[string]string{"kv/data/data/x": "a=in-data"},
			[]string{"sys/internal/ui/mounts/kv/data/data/x", "kv/data/data/x"}},
		{"metadata as it is", []string{"kv/metadata/app"}, map[string]string{"kv/metadata/app": "current_version=2 max_versions=0"},
			[]string{"sys/internal/ui/mounts/kv/metadata/app", "kv/metadata/app"}},
		{"a mount with a slash", []string{"team/kv/app"}, map[string]string{"team/kv/app": "team=yes"},
			[]string{"sys/internal/ui/mounts/team/kv/app", "team/kv/data/app"}},
		{"v1 with fields named data and metadata", []string{"old/app"}, map[string]string{"old/app": v1},
			[]string{"sys/internal/ui/mounts/old/app", "old/app"}},
		{"v1 below data/", []string{"old/data/app"}, map[string]string{"old/data/app": "spelt=with data"},
			[]string{"sys/internal/ui/mounts/old/data/app", "old/data/app"}},
		{"another engine", []string{"database/creds/app"}, map[string]string{"database/creds/app": "password=" + canary + " username=v-app"},
			[]string{"sys/internal/ui/mounts/database/creds/app", "database/creds/app"}},
		{"an empty secret is there", []string{"kv/empty"}, map[string]string{"kv/empty": ""},
			[]string{"sys/internal/ui/mounts/kv/empty", "kv/data/empty"}},
		{"nothing to read", nil, map[string]string{}, nil},
		{"what may be missing", []string{"kv/nope?optional", "kv/gone?optional", "kv/burnt?optional", "kv/app?optional#nope", "kv/app?default=x#nothing", "kv/app?version=9&optional"},
			map[string]string{"kv/app": app},
			[]string{"sys/internal/ui/mounts/kv/nope", "kv/data/app", "kv/data/app?version=9", "kv/data/burnt", "kv/data/gone", "kv/data/nope"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHarness(t, fetchtest.RootToken)
			seed(h.vault)
			snapshot, err := h.Fetch(h.ctx, parse(t, test.refs...))
			if err != nil {
				t.Fatal(err)
			}
			if got := reveal(snapshot); !maps.Equal(got, test.want) {
				t.Errorf("got %v\nwant %v", got, test.want)
			}
			var requests []string
			for _, r := range h.vault.Requests() {
				text := r.Path
				if r.Query != "" {
					text += "?" + r.Query
				}
				requests = append(requests, text)
			}
			if len(requests) > 0 {
				slices.Sort(requests[1:])
			}
			if !slices.Equal(requests, test.requests) {
				t.Errorf("requests %q\nwant %q", requests, test.requests)
			}
		})
	}
}

// A start with 100 paths on one mount: the mount is asked once.
func TestFetchManyPaths(t *testing.T) {
	const concurrency = 7
	h := newHarness(t, fetchtest.RootToken, func(c *Config) { c.Concurrency = concurrency })
	seed(h.vault)
	var texts []string
	for i := range 100 {
		h.vault.Put(fmt.Sprintf("kv/many/%d", i), `{"a":"b"}`)
		texts = append(texts, fmt.Sprintf("kv/many/%d", i))
	}
	// Hold reads back until as many as may be under way have arrived.
	var arrived sync.WaitGroup
	arrived.Add(concurrency)
	var mu sync.Mutex
	n := 0
	h.vault.Gate(func(r *http.Request) {
		mu.Lock()
		first := strings.Contains(r.URL.Path, "/data/many/") && n < concurrency
		if first {
			n++
		}
		mu.Unlock()
		if first {
			arrived.Done()
			arrived.Wait()
		}
	})
	snapshot, err := h.Fetch(h.ctx, parse(t, texts...))
	if err != nil || len(snapshot) != 100 {
		t.Fatalf("%d secrets, %v", len(snapshot), err)
	}
	if asked, read := h.vault.Count("GET sys/internal/ui/mounts/"), h.vault.Count("GET kv/data/"); asked != 1 || read != 100 {
		t.Errorf("%d questions for mounts and %d reads, want 1 and 100", asked, read)
	}
	if peak := h.vault.Peak(); peak != concurrency {
		t.Errorf("%d requests at a time, want %d", peak, concurrency)
	}
}

// Mounts that have nothing in common are asked for at the same time, those
// below a common first segment as well, once one of them is known.
func TestFetchMountsSideBySide(t *testing.T) {
	h := newHarness(t, fetchtest.RootToken)
	var texts []string
	for _, mount := range []string{"a", "b", "team/a", "team/b", "team/c", "team/d/e"} {
		h.vault.MountKV(mount, 2)
		for i := range 3 {
			path := fmt.Sprintf("%s/s%d", mount, i)
			h.vault.Put(path, `{"a":"b"}`)
			texts = append(texts, path)
		}
	}
	var together sync.WaitGroup
	together.Add(2) // team/b and team/c, after team/a
	h.vault.Gate(func(r *http.Request) {
		switch r.URL.Path {
		case "/v1/sys/internal/ui/mounts/team/b/s0", "/v1/sys/internal/ui/mounts/team/c/s0":
			together.Done()
			together.Wait()
		}
	})
	snapshot, err := h.Fetch(h.ctx, parse(t, texts...))
	if err != nil || len(snapshot) != len(texts) {
		t.Fatalf("%d secrets, %v", len(snapshot), err)
	}
	if asked := h.vault.Count("GET sys/internal/ui/mounts/"); asked != 6 {
		t.Errorf("%d questions for 6 mounts", asked)
	}
	if _, err := h.Fetch(h.ctx, parse(t, texts...)); err != nil {
		t.Fatal(err)
	}
	if asked := h.vault.Count("GET sys/internal/ui/mounts/"); asked != 6 {
		t.Errorf("%d questions after the second fetch, want no new ones", asked)
	}
}

func TestFetchNamespaces(t *testing.T) {
	vault := fetchtest.New(t)
	t.Setenv("VAULT_ADDR", vault.URL)
	t.Setenv("VAULT_TOKEN", fetchtest.RootToken)
	t.Setenv("VAULT_NAMESPACE", "team/")
	vault.MountKVIn("team", "kv", 2)
	vault.PutIn("team", "kv/app", `{"of":"team"}`)
	vault.MountKVIn("other", "kv", 1)
	vault.PutIn("other", "kv/app", `{"of":"other"}`)
	h := startHarness(t, vault)
	snapshot, err := h.Fetch(h.ctx, parse(t, "kv/app", "kv/app?namespace=other", "kv/app?namespace=team"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"kv/app": "of=team", "kv/app in namespace other": "of=other", "kv/app in namespace team": "of=team"}
	if got := reveal(snapshot); !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if n := len(vault.Requests()); n != 4 {
		t.Errorf("%d requests, want 2 mounts and 2 reads", n)
	}
}

// A failure to ask for the mount is not an answer: it is asked again.
func TestMountQuestionIsRepeated(t *testing.T) {
	h := newHarness(t, fetchtest.RootToken)
	seed(h.vault)
	h.vault.Fault(2, fetchtest.Status(500, "internal error"))
	if _, err := h.Fetch(h.ctx, parse(t, "kv/app")); err != nil {
		t.Fatal(err)
	}
	if asked := h.vault.Count("GET sys/internal/ui/mounts/"); asked != 3 {
		t.Errorf("asked %d times, want 3", asked)
	}
}
