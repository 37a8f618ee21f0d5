package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
)

// verbsVault has a secret, and what it takes to read it.
func verbsVault(t *testing.T) (*fetchtest.Server, []string) {
	t.Helper()
	vault := fetchtest.New(t)
	vault.MountKV("kv/", 2)
	vault.Put("kv/app", `{"user": "app", "password": "it's a canary"}`)
	vault.Allow("token", "kv/*", "read")
	return vault, []string{"VAULT_ADDR=" + vault.URL, "VAULT_TOKEN=token", "VAULTEXEC_LOG_FORMAT=text", "VAULTEXEC_STARTUP_TIMEOUT=20s", "INHERITED=x"}
}

func TestVerbEnv(t *testing.T) {
	_, environ := verbsVault(t)
	got := vaultexec(t, environ, "env", "--secret", "kv/app", "--case", "upper")
	if want := (result{0, "export PASSWORD='it'\\''s a canary'\nexport USER='app'\n", ""}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	got = vaultexec(t, append(environ, "VAULTEXEC_SECRET=kv/app"), "env", "--format", "json")
	var read map[string]string
	if err := json.Unmarshal([]byte(got.stdout), &read); err != nil || got.code != 0 || len(read) != 2 || read["user"] != "app" {
		t.Errorf("%+v: %v", got, err)
	}
	got = vaultexec(t, environ, "env", "--env", "my.name=kv/app#user")
	if want := (result{125, "", "vaultexec: not_representable: variable my.name: no shell takes that name: use --format json, or leave it out\n"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestVerbRender(t *testing.T) {
	_, environ := verbsVault(t)
	file := filepath.Join(t.TempDir(), "new", "password")
	got := vaultexec(t, environ, "render", "--file", file+"=kv/app?mode=0440#password", "--secret", "kv/app")
	text, err := os.ReadFile(file)
	if got != (result{0, "", ""}) || err != nil || string(text) != "it's a canary" {
		t.Errorf("%+v, %q, %v", got, text, err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode() != 0o440 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	other := filepath.Join(filepath.Dir(file), "other")
	got = vaultexec(t, environ, "render", "--file", file+"=kv/app#user", "--file", other+"=kv/app#none")
	if text, _ := os.ReadFile(file); got.code != 125 || string(text) != "it's a canary" {
		t.Errorf("with a key missing: %+v, and the file has %q", got, text)
	}
}

func TestVerbCheck(t *testing.T) {
	vault, environ := verbsVault(t)
	file := filepath.Join(t.TempDir(), "file")
	got := vaultexec(t, environ, "check", "--secret", "kv/app", "--file", file+"=kv/app#password", "--env", "A=kv/app#password")
	if want := (result{0, "ok      kv/app\nok      kv/app#password\n", ""}); got.code != 0 || !sameLines(got.stdout, want.stdout) || got.stderr != "" {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("check has written a file")
	}
	got = vaultexec(t, environ, "check", "--env", "A=kv/app#passwort", "--env", "B=kv/none#x", "--env", "C=kv/app#user")
	if got.code != 3 || !sameLines(got.stdout, "missing kv/app#passwort\nmissing kv/none#x\nok      kv/app#user\n") || !strings.Contains(got.stderr, "did you mean password?") {
		t.Errorf("%+v", got)
	}
	got = vaultexec(t, environ, "check", "--json", "--env", "A=kv/app#passwort")
	var r checkResult
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil || got.code != 3 || r.OK || r.Class != "key_missing" || len(r.References) != 1 || len(r.References[0].Problems) != 1 {
		t.Errorf("%+v: %v", got, err)
	}
	got = vaultexec(t, environ, "check", "--json", "--env", "A=kv/app#${ .passwort }", "--env", "B=kv/app#${ .user }")
	r = checkResult{}
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil || got.code != 3 || len(r.References) != 2 || r.References[0].OK || !r.References[1].OK || r.Problems != nil {
		t.Errorf("%+v: %v", got, err)
	}
	got = vaultexec(t, environ, "check", "--env", "A=kv/app#password", "--env", "B=kv/app#password#9")
	if got.code != 3 || !sameLines(got.stdout, "ok      kv/app#password\nmissing kv/app#password version 9\n") {
		t.Errorf("one version is missing: %+v", got)
	}
	// A file that is missing is not waited for as for a command, and does not keep it from asking Vault.
	began := time.Now()
	got = vaultexec(t, environ, "check", "--from", "/none", "--env", "A=kv/app#nokey", "--env", "B=kv/app#user")
	if got.code != 3 || !sameLines(got.stdout, "missing /none\nmissing kv/app#nokey\nok      kv/app#user\n") || !strings.Contains(got.stderr, "/none: there is no such file") || !strings.Contains(got.stderr, "no key nokey") {
		t.Errorf("a file and a key are missing: %+v", got)
	}
	got = vaultexec(t, environ, "check", "--from", "/none", "--env", "B=kv/app#user")
	if got.code != 3 || !sameLines(got.stdout, "missing /none\nok      kv/app#user\n") {
		t.Errorf("a file is missing: %+v", got)
	}
	if lasted := time.Since(began); lasted > 15*time.Second {
		t.Errorf("twice it took %v together", lasted)
	}
	vault.Put("kv/names", `{"LD_PRELOAD": "canary", "INHERITED": "canary", "GODEBUG": "canary"}`)
	got = vaultexec(t, environ, "check", "--json", "--secret", "kv/names", "--env", "A=kv/app#nokey", "--env", "GODEBUG=kv/app#nokey")
	r = checkResult{}
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil || got.code != 3 || r.Class != "key_missing" || len(r.Problems) != 2 || !strings.Contains(got.stderr, "LD_PRELOAD decides") || !strings.Contains(got.stderr, "variable INHERITED comes from") {
		t.Errorf("names that cannot be, beside a key that is missing: %+v", got)
	}
	vault.Put("kv/large", `{"value": "canary`+strings.Repeat("x", 128<<10)+`"}`)
	got = vaultexec(t, environ, "check", "--env", "LARGE=kv/large#value")
	if got.code != 3 || !strings.Contains(got.stderr, "not_representable: variable LARGE takes 131") || strings.Contains(got.stderr, "canary") {
		t.Errorf("a large value: %.999s", got.stderr)
	}
	if got = vaultexec(t, environ, "check", "--json"); !strings.Contains(got.stdout, `"references": []`) {
		t.Errorf("nothing to check: %+v", got)
	}
	vault.Seal(true)
	got = vaultexec(t, environ, "check", "--startup-timeout", "1s", "--env", "A=kv/app#password")
	if got.code != 2 || got.stdout != "unknown kv/app#password\n" {
		t.Errorf("in trouble: %+v", got)
	}
	for _, r := range []result{got} {
		if strings.Contains(r.stdout+r.stderr, "canary") {
			t.Errorf("a value is shown: %+v", r)
		}
	}
}

// sameLines compares texts whose lines may come in another order.
func sameLines(a, b string) bool {
	count := map[string]int{}
	for line := range strings.Lines(a) {
		count[line]++
	}
	for line := range strings.Lines(b) {
		count[line]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestVerbInstall(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	for range 2 { // the second replaces the first, which nobody may write
		if got := vaultexec(t, nil, "install", dir); got != (result{}) {
			t.Fatalf("%+v", got)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "vaultexec" {
		t.Fatalf("%v, %v", entries, err)
	}
	if st, err := entries[0].Info(); err != nil || st.Mode() != 0o555 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
}
