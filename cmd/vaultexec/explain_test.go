package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
)

// row is a line of a table without its blanks.
func row(line string) string { return strings.Join(strings.Fields(line), " ") }

// hasRow tells whether a table has a line that begins so.
func hasRow(table, want string) bool {
	for line := range strings.Lines(table) {
		if strings.HasPrefix(row(line), want) {
			return true
		}
	}
	return false
}

func TestVerbExplain(t *testing.T) {
	vault, environ := verbsVault(t)
	vault.Mount("database/", "database")
	vault.Dynamic("database/creds/app", fetchtest.Life{TTL: time.Hour, Renewable: true})
	vault.Allow("token", "database/*", "read")
	file := filepath.Join(t.TempDir(), "file")
	environ = append(environ, "VAULTEXEC_REFRESH=5m", "URL=postgres://${vault:kv/app#user}:${vault:kv/app#password}@db/${vault:database/creds/app#username}")
	args := []string{"explain", "--secret", "kv/app", "--env", "user=kv/app?version=1&default=canary#user", "--env", "OPT=kv/gone?optional#x", "--file", file + "=kv/app#password"}
	got := vaultexec(t, environ, args...)
	for _, want := range []string{
		"VARIABLE STATE PATH KEY VERSION LEASE REFRESH SET BY",
		"OPT absent kv/gone x - - - --env OPT",
		"URL ok kv/app user 1 - every 5m0s variable URL",
		`" " kv/app password 1 - every 5m0s "`,
		`" " database/creds/app username - 1h0m0s lease is renewed "`,
		"password ok kv/app password 1 - every 5m0s --secret kv/app",
		"user overridden kv/app user 1 - every 5m0s --secret kv/app, overridden by --env user",
		"user ok kv/app user 1 - never --env user",
		file + " ok kv/app password 1 - every 5m0s --file " + file,
		"--refresh 5m VAULTEXEC_REFRESH",
		"VAULT_TOKEN (not shown) the environment",
		"VAULT_ADDR http://",
	} {
		if !hasRow(got.stdout, want) {
			t.Errorf("there is no row %q in\n%s", want, got.stdout)
		}
	}
	if got.code != 0 || got.stderr != "" || strings.Contains(got.stdout, "canary") || strings.Contains(got.stdout, "--stop-timeout") {
		t.Errorf("%+v", got)
	}

	got = vaultexec(t, environ, append(args, "--json")...)
	var all explained
	if err := json.Unmarshal([]byte(got.stdout), &all); err != nil || got.code != 0 || !all.OK || len(all.Variables) != 5 || len(all.Files) != 1 {
		t.Fatalf("%+v: %v", got, err)
	}
	if o := all.Files[0].From[0]; o != (explainedOrigin{Path: "kv/app", APIPath: "kv/data/app", Key: "password", Mount: "kv/", Engine: "KV v2", Version: "1", Refresh: "every 5m0s"}) {
		t.Errorf("%+v", o)
	}
	if i := slices.IndexFunc(all.Settings, func(s explainedSetting) bool { return s.Name == "--stop-timeout" }); i < 0 || all.Settings[i].Set || all.Settings[i].Value != "30s" {
		t.Errorf("no setting at its default: %+v", all.Settings)
	}
}

func TestVerbExplainName(t *testing.T) {
	vault, environ := verbsVault(t)
	for name, want := range map[string]string{
		"password":       "VARIABLE STATE PATH KEY VERSION LEASE REFRESH SET BY\npassword ok kv/app password 1 - every 1m0s --secret kv/app",
		"stop-timeout":   "SETTING VALUE SET BY\n--stop-timeout 30s default",
		"VAULTEXEC_ROLE": "SETTING VALUE SET BY\n--role - default",
		"VAULT_TOKEN":    "VAULT_TOKEN: not inherited: --pass would hand it on\nSETTING VALUE SET BY\nVAULT_TOKEN (not shown) the environment",
		"INHERITED":      "INHERITED: inherited",
	} {
		before := vault.Count("")
		got := vaultexec(t, environ, "explain", name, "--secret", "kv/app")
		var rows []string
		for line := range strings.Lines(got.stdout) {
			if r := row(line); r != "" {
				rows = append(rows, r)
			}
		}
		if g := strings.Join(rows, "\n"); g != want || got.code != 0 || got.stderr != "" {
			t.Errorf("explain %s: %+v, want %s", name, got, want)
		}
		if name == "VAULTEXEC_ROLE" && vault.Count("") != before {
			t.Error("to explain a setting Vault was asked")
		}
	}
	for name, want := range map[string]string{
		"pasword":       "did you mean password?",
		"VAULTEXEC_ROL": "did you mean VAULTEXEC_ROLE?",
		"zzzzzzzzz":     "vaultexec explain without a name shows all there are",
	} {
		got := vaultexec(t, environ, "explain", "--secret", "kv/app", name)
		if text := "vaultexec: usage: vaultexec explain: there is no variable, file or setting \"" + name + "\": " + want + "\n"; got != (result{125, "", text}) {
			t.Errorf("explain %s: %+v, want %s", name, got, text)
		}
	}
}

// What cannot be told is said at its place, and the rest is there.
func TestVerbExplainInTrouble(t *testing.T) {
	vault, environ := verbsVault(t)
	args := []string{"explain", "--secret", "kv/none", "--env", "A=kv/app#passwort", "--env", "B=kv/app#user"}
	got := vaultexec(t, environ, args...)
	for _, want := range []string{"(each key) missing kv/none", "A missing kv/app passwort 1", "B ok kv/app user 1", "--secret (1 given) --secret"} {
		if !hasRow(got.stdout, want) {
			t.Errorf("there is no row %q in\n%s", want, got.stdout)
		}
	}
	if got.code != 3 || !strings.Contains(got.stderr, "did you mean password?") {
		t.Errorf("%+v", got)
	}
	// Files that are missing do not keep it from asking Vault.
	got = vaultexec(t, environ, "explain", "--startup-timeout", "3s", "--from", "/none", "--env", "B=kv/app#user")
	if got.code != 3 || !hasRow(got.stdout, "(each key) missing /none") || !hasRow(got.stdout, "B ok kv/app user 1") {
		t.Errorf("with a file missing: %+v", got)
	}
	vault.Seal(true)
	for _, name := range []string{"", "user"} { // one that may be a key, for all anybody knows
		got = vaultexec(t, environ, "explain", "--startup-timeout", "1s", "--secret", "kv/app", "--env", "B=kv/app#user", name)
		if got.code != 2 || !strings.Contains(got.stderr, "sealed") {
			t.Errorf("sealed: %+v", got)
		}
		if name == "" && (!hasRow(got.stdout, "(each key) unknown kv/app") || !hasRow(got.stdout, "B unknown kv/app user") || !hasRow(got.stdout, "--startup-timeout 1s")) {
			t.Errorf("sealed: %s", got.stdout)
		}
	}
	got = vaultexec(t, append(environ, "VAULT_TOKEN=", "HOME=/none"), "explain", "--env", "B=kv/app#user")
	if got.code != 125 || !hasRow(got.stdout, "B unknown kv/app user") || !strings.Contains(got.stderr, "there is no token") {
		t.Errorf("without a token: %+v", got)
	}
	got = vaultexec(t, environ, "explain", "--secret", "kv/app", "--prefix", "7", "--json")
	var all explained
	if err := json.Unmarshal([]byte(got.stdout), &all); err != nil || got.code != 125 || all.Class != "config" || len(all.Settings) == 0 {
		t.Errorf("with what cannot be: %+v, %v", got, err)
	}
}

// TestP7Explain: values that are no secret's fields are secrets all the same.
func TestP7Explain(t *testing.T) {
	_, environ := verbsVault(t)
	environ = append(environ, "VAULT_ADDR=http://user:canary@127.0.0.1:1/?x=canary", "VAULT_HEADERS={\"X-A\": \"canary\"}", "PLAIN=canary",
		"W=>>vault:pki/issue/a#b#{\"x\": \"canary\"}")
	for _, asJSON := range []string{"--json=true", "--json=false"} {
		got := vaultexec(t, environ, "explain", asJSON, "--startup-timeout", "100ms", "--log-level", "debug", "--env", "A=kv/app?default=canary#b",
			"--env-template", "T=canary{{ 1 }}", "--on-change", "exec:tell canary")
		if strings.Contains(got.stdout+got.stderr, "canary") || got.code != 2 || asJSON == "--json=false" && !hasRow(got.stdout, "A unknown kv/app b") {
			t.Errorf("%+v", got)
		}
	}
}
