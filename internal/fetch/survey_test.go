package fetch

import (
	"errors"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
	"vaultexec/internal/ref"
)

func TestSurvey(t *testing.T) {
	vault := fetchtest.New(t)
	vault.MountKV("kv/", 2)
	vault.MountKV("old/", 1)
	vault.Mount("db/", "database")
	vault.Put("kv/app", `{"a": "first"}`)
	vault.Put("kv/app", `{"a": "second"}`)
	vault.Put("kv/all/one", `{"a": "1"}`)
	vault.Put("old/app", `{"a": "canary"}`)
	vault.Dynamic("db/creds/app", fetchtest.Life{TTL: time.Hour, Renewable: true})
	for _, path := range []string{"kv/*", "old/*", "db/*"} {
		vault.Allow("token", path, "read", "list")
	}
	t.Setenv("VAULT_ADDR", vault.URL)
	t.Setenv("VAULT_TOKEN", "token")
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	var refs []ref.Ref
	for _, text := range []string{"kv/app", "kv/app?version=1", "kv/all/*?refresh=5m", "old/app?refresh=0", "db/creds/app", "kv/none#x", "kv/app#none", "nowhere/x"} {
		r, err := ref.Parse(text, ref.File)
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, r)
	}
	secrets, about, err := c.Survey(t.Context(), refs, time.Minute)
	if missing := (*MissingError)(nil); !errors.As(err, &missing) || len(missing.Findings) != 3 {
		t.Fatalf("%v", err)
	}
	app := ref.Source{Path: "kv/app"}
	if secrets[app]["a"].Text() != "second" || len(secrets) != 5 {
		t.Errorf("there are %d secrets", len(secrets))
	}
	want := map[ref.Source]About{
		app:                           {"kv/data/app", "kv/", "KV v2", "2", false, 0, false, Every, time.Minute},
		{Path: "kv/app", Version: 1}:  {"kv/data/app", "kv/", "KV v2", "1", false, 0, false, Never, 0},
		{Path: "kv/all", Below: true}: {"kv/metadata/all", "kv/", "KV v2", "", false, 0, false, "", 0},
		{Path: "kv/all/one"}:          {"kv/data/all/one", "kv/", "KV v2", "1", false, 0, false, Every, 5 * time.Minute},
		{Path: "old/app"}:             {"old/app", "old/", "KV v1", "", false, 0, false, Never, 0},
		{Path: "db/creds/app"}:        {"db/creds/app", "db/", "database", "", true, time.Hour, true, Renewing, 0},
		{Path: "kv/none"}:             {"kv/data/none", "kv/", "KV v2", "", false, 0, false, "", 0},
	}
	for s, w := range want {
		if about[s] != w {
			t.Errorf("%s: %+v, want %+v", s, about[s], w)
		}
	}
	if len(about) != len(want) {
		t.Errorf("more is known than asked for: %+v", about)
	}
}

// Of a Vault that does not know the token there is nothing to tell, and the
// error says why.
func TestSurveyInVain(t *testing.T) {
	vault := fetchtest.New(t)
	vault.MountKV("kv/", 2)
	t.Setenv("VAULT_ADDR", vault.URL)
	t.Setenv("VAULT_TOKEN", "canary-token")
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	below := ref.Ref{Source: ref.Source{Path: "kv/all", Below: true}}
	secrets, _, err := c.Survey(t.Context(), []ref.Ref{{Source: ref.Source{Path: "kv/app"}}, below}, 0)
	if err == nil || len(secrets) != 0 || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v, %v", secrets, err)
	}
}
