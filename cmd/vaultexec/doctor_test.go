package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
)

// doctorsVault has a secret that the token hvs.doctor may read.
func doctorsVault(t *testing.T) (*fetchtest.Server, []string) {
	t.Helper()
	vault := fetchtest.New(t)
	vault.MountKV("kv/", 2)
	vault.Put("kv/app", `{"user": "app", "password": "canary"}`)
	vault.Allow("hvs.doctor", "kv/data/app", "read")
	vault.TokenLife("hvs.doctor", fetchtest.Life{TTL: time.Hour, Renewable: true})
	return vault, []string{"VAULT_ADDR=" + vault.URL, "VAULT_TOKEN=hvs.doctor", "VAULTEXEC_LOG_FORMAT=text"}
}

// diagnose runs the doctor for a program.
func diagnose(t *testing.T, environ []string, args ...string) (result, diagnosis) {
	t.Helper()
	got := vaultexec(t, environ, append([]string{"doctor", "--json", "--log-level", "debug"}, args...)...)
	var d diagnosis
	if err := json.Unmarshal([]byte(got.stdout), &d); err != nil {
		t.Fatalf("%v: %+v", err, got)
	}
	for _, c := range d.Checks {
		if ill := c.State == stateFailed || c.State == stateWarning; ill != (len(c.Fix) > 0) || slices.ContainsFunc(c.Fix, blank) {
			t.Errorf("%s is %s and mended by %q: %s", c.Check, c.State, c.Fix, c.Detail)
		}
	}
	for _, secret := range []string{"canary", "hvs.doctor"} {
		if strings.Contains(got.stdout+got.stderr, secret) {
			t.Errorf("a value is shown: %+v", got)
		}
	}
	return got, d
}

func blank(line string) bool { return strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") }

// of finds the checks of a name, a line each.
func (d diagnosis) of(check string) string {
	var lines []string
	for _, c := range d.Checks {
		if c.Check == check {
			lines = append(lines, c.State+": "+c.Detail)
		}
	}
	return strings.Join(lines, "\n")
}

func TestVerbDoctor(t *testing.T) {
	_, environ := doctorsVault(t)
	file := filepath.Join(t.TempDir(), "new", "file")
	got, d := diagnose(t, environ, "--secret", "kv/app", "--file", file+"=kv/app#password")
	if got.code != 0 || !d.OK || d.Class != "" {
		t.Errorf("%+v", got)
	}
	for check, want := range map[string]string{
		"settings":     "ok: they go together",
		"address":      "ok: http://127.0.0.1:",
		"dns":          "ok: 127.0.0.1 is no name",
		"connection":   "ok: 127.0.0.1:",
		"tls":          "ok: none: ",
		"health":       "ok: Vault 1.21.0 is unsealed and active",
		"clock":        "ok: agrees with Vault's",
		"login":        "ok: as the token of VAULT_TOKEN",
		"token":        "ok: a service token, good for ",
		"capabilities": "ok: kv/app: read of kv/data/app (mount kv/, KV v2)\nok: kv/app#password: ",
		"secrets":      "ok: all are there",
		"sizes":        "ok: 3 variables take ",
		"pid 1":        "ok: this is process ",
		"tty":          "ok: none of",
	} {
		if !strings.HasPrefix(d.of(check), want) {
			t.Errorf("%s is %q, want %q", check, d.of(check), want)
		}
	}
	if !strings.Contains(d.of("files"), filepath.Dir(file)) {
		t.Errorf("files: %s", d.of("files"))
	}
	plain := vaultexec(t, environ, "doctor", "--secret", "kv/app")
	if plain.code != 0 || plain.stderr != "" || !hasRow(plain.stdout, "ok health Vault 1.21.0") {
		t.Errorf("%+v", plain)
	}
	if got := vaultexec(t, nil, "doctor"); got.code != 0 || !hasRow(got.stdout, "ok address VAULT_ADDR is not set, and nothing") {
		t.Errorf("with nothing to do: %+v", got)
	}
}

// Each trouble is found where it is, with what mends it, and the rest is looked
// at as far as it can be.
func TestVerbDoctorFinds(t *testing.T) {
	jwt := func(claims string) string {
		return "h." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".canary"
	}
	dir := t.TempDir()
	write := func(name, text string) string { return writeTo(t, filepath.Join(dir, name), text) }
	good := jwt(fmt.Sprintf(`{"aud":["vault"],"iss":"k8s","sub":"system:serviceaccount:ns:app","exp":%d}`, time.Now().Add(time.Hour).Unix()))
	endless := jwt(`{"aud":["vault"],"sub":"system:serviceaccount:ns:app"}`)
	old := jwt(`{"aud":["vault"],"sub":"system:serviceaccount:ns:app","exp":1700000000}`)
	broken := write("broken.json", `{"a": `)
	template := write("template", "{{range(loop 140000)}}x{{end}}")
	for _, tt := range []struct {
		name   string
		args   string
		change func(*fetchtest.Server)
		code   int
		check  string
		want   string // its state and the beginning of its detail
		fix    string // how the first of what mends it begins
		again  string // the same with what mends it in its place, FIX; empty: it takes more than a flag
		after  string // another check, and its state
	}{
		{"denied", "--secret kv/app --secret kv/other", nil, 3, "capabilities", "failed: kv/other: the policies do not allow read of kv/data/other (mount kv/, KV v2)", `path "kv/data/other" { capabilities = ["read"] }`, "", "pid 1 ok"},
		{"no mount", "--secret none/app", nil, 3, "capabilities", "failed: none/app: permission denied: the policies open nothing below its mount, or there is no mount", "vault secrets list", "", "pid 1 ok"},
		{"folder", "--secret kv/dir/*", nil, 3, "capabilities", "failed: kv/dir/*: the policies do not allow list of kv/metadata/dir", `path "kv/metadata/dir/*" { capabilities = ["list"] }` + "\n" + `path "kv/data/dir/*" { capabilities = ["read"] }`, "", "secrets "},
		{"version of KV v1", "--env A=old/app?version=2#a", func(v *fetchtest.Server) {
			v.MountKV("old/", 1)
			v.Put("old/app", `{"a": "canary"}`)
			v.Allow("hvs.doctor", "old/app", "read")
		}, 3, "capabilities", "failed: old/app#a: version 2 cannot be asked for", "--env 'A=old/app#a' ", "FIX", "sizes skipped"},
		{"key near", "--env A=kv/app#passwort", nil, 3, "secrets", "failed: kv/app#passwort: no key passwort in kv/data/app", "--env 'A=kv/app#password' ", "FIX", "sizes skipped"},
		{"key near, in a template", "--template " + write("key.tmpl", `{{ with secret "kv/app" }}{{ .Data.data.passwort }}{{ end }}`) + ":/dev/shm/x", nil, 3, "sizes", "failed: ", "${EDITOR:-vi} +1 '" + dir + "/key.tmpl'", "", "secrets ok"},
		{"key near, in a file", "--env-file " + write("app.env", "A=1\nB=vault:kv/app#passwort\n"), nil, 3, "secrets", "failed: kv/app#passwort: no key passwort", "B=vault:kv/app#password   # in place of kv/app#passwort, in " + dir + "/app.env:2", "", "sizes skipped"},
		{"key missing", "--env A=kv/app#x", nil, 3, "secrets", "failed: kv/app#x: no key x in kv/data/app", "vault kv patch kv/app x=-", "", "sizes skipped"},
		{"secret missing", "--secret kv/none", func(v *fetchtest.Server) { v.Allow("hvs.doctor", "kv/data/none", "read") }, 3, "secrets", "failed: kv/none: no secret at kv/data/none", "vault kv put kv/none KEY=-", "", "capabilities ok"},
		{"secret near", "--secret kv/orders-d?prefix=X_", func(v *fetchtest.Server) {
			v.Put("kv/orders-db", `{"a": "canary"}`)
			v.Allow("hvs.doctor", "kv/data/*", "read")
			v.Allow("hvs.doctor", "kv/metadata/*", "list")
		}, 3, "secrets", "failed: kv/orders-d: no secret at kv/data/orders-d", "--secret 'kv/orders-db?prefix=X_' ", "FIX", "capabilities ok"},
		{"token revoked", "--secret kv/app", func(v *fetchtest.Server) { v.Revoke("hvs.doctor") }, 3, "token", "failed: Vault at http://127.0.0.1:", "unset VAULT_TOKEN && vault login -address=http://127.0.0.1:", "", "capabilities skipped"},
		{"token ends", "--secret kv/app", func(v *fetchtest.Server) { v.TokenLife("hvs.doctor", fetchtest.Life{TTL: time.Minute}) }, 0, "token", "warning: a service token, good for ", "unset VAULT_TOKEN && vault login -address=", "", "secrets ok"},
		{"sealed", "--secret kv/app", func(v *fetchtest.Server) { v.Seal(true) }, 2, "health", "failed: Vault 1.21.0 is sealed", "vault operator unseal -address=http://127.0.0.1:", "", "login skipped"},
		{"clock", "--secret kv/app", func(v *fetchtest.Server) {
			v.FaultOn("GET sys/health", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
				_, _ = w.Write([]byte(`{"initialized": true, "version": "1.21.0"}`))
			})
		}, 3, "clock", "failed: this machine's clock is ", "timedatectl set-ntp true", "", "secrets ok"},
		{"not initialized", "--secret kv/app", func(v *fetchtest.Server) {
			v.FaultOn("GET sys/health", func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"initialized": false, "sealed": true, "version": "1.21.0"}`))
			})
		}, 2, "health", "failed: Vault 1.21.0 is not initialized", "vault operator init -address=http://127.0.0.1:", "", "login skipped"},
		{"not Vault", "--secret kv/app", func(v *fetchtest.Server) {
			v.FaultOn("GET sys/health", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`<html>canary`)) })
		}, 2, "health", "failed: asking for the health at ", "vault status -address=http://127.0.0.1:", "", "clock skipped"},
		{"rate limited", "--secret kv/app", func(v *fetchtest.Server) {
			v.FaultOn("PUT sys/capabilities-self", fetchtest.Status(http.StatusTooManyRequests, "slow down"))
		}, 2, "capabilities", "failed: asking for the token's capabilities", "export VAULTEXEC_CONCURRENCY=2", "", "secrets ok"},
		{"no role", "--role app --jwt-path " + write("good", good) + " --secret kv/app", nil, 3, "login", `failed: login with role "app" at auth/kubernetes`, "vault auth list", "", "jwt ok"},
		{"JWT expired", "--role app --jwt-path " + write("old", old) + " --secret kv/app", nil, 3, "jwt", "failed: for vault, issued by nobody to system:serviceaccount:ns:app, expired ", "(umask 077; kubectl --namespace ns create token app --audience vault > " + dir + "/old)", "", "login failed"},
		{"no JWT", "--role app --jwt-path " + dir + "/none --secret kv/app", nil, 3, "jwt", "failed: the service account token " + dir + "/none cannot be read", `volumes: [{name: vault-token, projected: {sources: [{serviceAccountToken: {path: "none", audience: "vault"}}]}}]`, "", "login skipped"},
		{"not a JWT", "--role app --jwt-path " + template + " --secret kv/app", nil, 3, "jwt", "failed: " + template + " has no JWT in it", `volumes: [{name: vault-token, `, "", "login skipped"},
		{"JWT without end", "--role app --jwt-path " + write("endless", endless) + " --secret kv/app", nil, 3, "jwt", "warning: for vault, issued by nobody to system:serviceaccount:ns:app, without an end", "(umask 077; kubectl --namespace ns create token app ", "", "login failed"},
		{"conflict", "--secret kv/app --prefix 7", nil, 3, "settings", `failed: --prefix "7" cannot begin a variable's name`, "--prefix _7", "--secret kv/app FIX", "token ok"},
		{"destination", "--file /dev/null/x=kv/app?mode=0440#user", nil, 3, "files", "failed: /dev/null: it is no directory", "--file '/dev/shm/x=kv/app?mode=0440#user'", "FIX", "secrets ok"},
		{"runtime directory", "--file-env A=kv/app#user --runtime-dir /dev/null/x", nil, 3, "files", "failed: /dev/null/x: ", "--runtime-dir /dev/shm", "--file-env A=kv/app#user FIX", "secrets ok"},
		{"disk", "--require-tmpfs --file /proc/x=kv/app#user", nil, 3, "files", "failed: /proc ", "--file '/dev/shm/x=kv/app#user'", "--require-tmpfs FIX", "secrets ok"},
		{"file of others", "--from " + dir + "/nothing", nil, 3, "sources", "failed: " + dir + "/nothing: ", "ls -lR " + dir + "   #", "", "sizes skipped"},
		{"torn file of others", "--from " + broken, nil, 3, "sources", "failed: " + broken + ":1: ", "${EDITOR:-vi} +1 " + broken, "", "sizes skipped"},
		{"too large", "--env-template LARGE=@" + template, nil, 3, "sizes", "failed: variable LARGE takes 140007 bytes, and this system passes at most 131072 in one", "--template " + template + ":/dev/shm/large ", "FIX", "pid 1 ok"},
		{"too large, of a secret", "--secret kv/app?prefix=A_", func(v *fetchtest.Server) {
			v.Put("kv/app", `{"user": "app", "password": "canary", "blob": "`+strings.Repeat("x", 140_000)+`"}`)
		}, 3, "sizes", "failed: variable A_blob takes 140008 bytes, ", "--secret 'kv/app?prefix=A_&except=blob' --fd-env 'A_blob=kv/app#blob' ", "FIX", "pid 1 ok"},
		{"NUL", "--env A=kv/app?refresh=5m#nul", func(v *fetchtest.Server) { v.Put("kv/app", `{"nul": "a\u0000"}`) }, 3, "sizes", "failed: --env A: the value of variable A has a NUL byte in it", "--fd-env 'A=kv/app?refresh=5m0s#nul' ", "FIX", "pid 1 ok"},
		{"two of a name", "--secret kv/app --secret kv/app?refresh=5m", nil, 3, "sizes", "failed: variable password comes from ", "--on-conflict overwrite", "--secret kv/app --secret kv/app?refresh=5m FIX", "pid 1 ok"},
		{"no names", "--secret kv/app", func(v *fetchtest.Server) { v.Put("kv/app", `{"a-b": "canary"}`) }, 3, "sizes", `failed: --secret kv/app: the field "a-b" gives no variable's name`, "--case upper", "--secret kv/app FIX", "pid 1 ok"},
		{"reserved", "--secret kv/app", func(v *fetchtest.Server) { v.Put("kv/app", `{"LD_PRELOAD": "canary"}`) }, 3, "sizes", "failed: --secret kv/app: LD_PRELOAD decides which programs", "--secret 'kv/app?except=LD_PRELOAD' ", "FIX", "pid 1 ok"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vault, environ := doctorsVault(t)
			if tt.change != nil {
				tt.change(vault)
			}
			got, d := diagnose(t, environ, strings.Fields(tt.args)...)
			if got.code != tt.code || d.OK != (tt.code == 0) {
				t.Errorf("exit status %d, want %d: %s", got.code, tt.code, got.stdout)
			}
			var found *symptom
			for _, c := range d.Checks {
				if found == nil && c.Check == tt.check && strings.HasPrefix(c.State+": "+c.Detail, tt.want) && len(c.Fix) > 0 && strings.HasPrefix(c.Fix[0], tt.fix) {
					found = &c
				}
			}
			if found == nil {
				t.Fatalf("%s is not %q, with %q\n%s", tt.check, tt.want, tt.fix, got.stdout)
			}
			check, state := tt.after[:strings.LastIndex(tt.after, " ")], tt.after[strings.LastIndex(tt.after, " ")+1:]
			if !strings.HasPrefix(d.of(check), state) {
				t.Errorf("%s is %q, want %s", check, d.of(check), state)
			}
			if tt.code != 0 && !strings.Contains(got.stderr, "failed: see above") {
				t.Errorf("stderr: %s", got.stderr)
			}
			if tt.again == "" {
				return
			}
			flags, _, _ := strings.Cut(found.Fix[0], "   # ")
			if got, d := diagnose(t, environ, strings.Fields(strings.Replace(tt.again, "FIX", strings.ReplaceAll(flags, "'", ""), 1))...); got.code != 0 || !d.OK {
				t.Errorf("it is not mended by %q: %s", flags, got.stdout)
			}
		})
	}
}

// What is around a reference in a text stays, and is not shown.
func TestVerbDoctorMendsInline(t *testing.T) {
	file := writeTo(t, filepath.Join(t.TempDir(), "app.env"), "DSN=a${vault:kv/app#passwort}\n")
	old := func(v *fetchtest.Server) {
		v.MountKV("old/", 1)
		v.Put("old/app", `{"a": "canary"}`)
		v.Allow("hvs.doctor", "old/app", "read")
	}
	large := func(v *fetchtest.Server) { v.Put("kv/app", `{"blob": "`+strings.Repeat("x", 140_000)+`"}`) }
	for _, tt := range []struct {
		value, file string
		change      func(*fetchtest.Server)
		fix         string
	}{
		{"postgres://u:${vault:kv/app#passwort}@h", "", nil, "${vault:kv/app#password}   # in place of ${vault:kv/app#passwort}, in variable DSN"},
		{"${vault:kv/app#passwort}${vault:kv/app#user}", "", nil, "${vault:kv/app#password}   # in place of ${vault:kv/app#passwort}, in variable DSN"},
		{"${vault:kv/app#passwort}", "", nil, "export 'DSN=vault:kv/app#password'   # in place of kv/app#passwort"},
		{"", file, nil, "${vault:kv/app#password}   # in place of ${vault:kv/app#passwort}, in variable DSN (" + file + ":1)"},
		{"x${vault:old/app?version=2#a}", "", old, "${vault:old/app#a}   # without the version, in variable DSN"},
		{"x${vault:kv/app#blob}", "", large, "--drop DSN   # and --fd-env NAME=REF for each value that variable DSN makes it of"},
	} {
		vault, environ := doctorsVault(t)
		if tt.change != nil {
			tt.change(vault)
		}
		flags := []string{"--env-file", tt.file}
		if tt.file == "" {
			environ, flags = append(environ, "DSN="+tt.value), nil
		}
		got, d := diagnose(t, environ, flags...)
		if !slices.ContainsFunc(d.Checks, func(c symptom) bool { return len(c.Fix) > 0 && c.Fix[0] == tt.fix }) {
			t.Errorf("%q is not mended by %q: %s", tt.value, tt.fix, got.stdout)
		}
	}
}

// What is pasted is for the file and the variable that are meant, whatever is in
// their names.
func TestVerbDoctorQuotes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "my dir", "it's")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	writeTo(t, file, `{"a": `)
	word := "'" + strings.ReplaceAll(file, "'", `'\''`) + "'"
	_, environ := doctorsVault(t)
	for _, tt := range []struct {
		variable, check string
		flags           []string
		fix             string
	}{
		{"A=1", "sources", []string{"--from", file}, "${EDITOR:-vi} +1 " + word},
		{"A;touch pwned #=vault:kv/app#", "settings", nil, "--drop 'A;touch pwned #'"},
		{"A=vault:kv/app#", "settings", nil, "--drop A"},
	} {
		got, d := diagnose(t, append(environ, tt.variable), tt.flags...)
		if !slices.ContainsFunc(d.Checks, func(c symptom) bool { return c.Check == tt.check && len(c.Fix) > 0 && c.Fix[0] == tt.fix }) {
			t.Errorf("%s is not mended by %q: %s", tt.check, tt.fix, got.stdout)
		}
	}
}

// A message that begins otherwise names no file to open.
func TestInFile(t *testing.T) {
	for message, want := range map[string][]string{
		"/a b/c:12: x":            {"/a b/c", "12"},
		"c:7: A is set at c:3: x": {"c", "7"},
		"--file c:7: x":           nil,
		"variable A: c:7: x":      nil,
		"c: it is no file":        nil,
	} {
		if got := inFile(message); want == nil && got != nil || want != nil && !slices.Equal(got[1:], want) {
			t.Errorf("%q names %q, want %q", message, got, want)
		}
	}
}

// A reference that is inherited is dropped where a flag stands in for it.
func TestVerbDoctorHandsOverWhatIsInherited(t *testing.T) {
	vault, environ := doctorsVault(t)
	vault.Put("kv/app", `{"blob": "`+strings.Repeat("x", 140_000)+`"}`)
	environ = append(environ, "BLOB=vault:kv/app#blob")
	got, d := diagnose(t, environ)
	fix := ""
	for _, c := range d.Checks {
		if c.Check == "sizes" && c.State == stateFailed {
			fix = c.Fix[0]
		}
	}
	flags, _, _ := strings.Cut(fix, "   # ")
	if got.code != 3 || flags != "--drop BLOB --fd-env 'BLOB=kv/app#blob'" {
		t.Fatalf("it is mended by %q: %s", fix, got.stdout)
	}
	if got, d := diagnose(t, environ, strings.Fields(strings.ReplaceAll(flags, "'", ""))...); got.code != 0 || !d.OK {
		t.Errorf("it is not mended: %s", got.stdout)
	}
}

// What is inherited is not vaultexec's to hand over otherwise.
func TestVerbDoctorDropsWhatIsInherited(t *testing.T) {
	var environ []string
	for i := range 11 {
		environ = append(environ, fmt.Sprintf("LARGE_%c=%s", 'A'+i, strings.Repeat("x", 100_000)))
	}
	got, d := diagnose(t, environ)
	if want := "LARGE_A the most with 100009"; got.code != 0 || !strings.HasPrefix(d.of("sizes"), "warning: ") || !strings.Contains(d.of("sizes"), want) {
		t.Fatalf("%s, want %s", d.of("sizes"), want)
	}
	for _, c := range d.Checks {
		if c.Check == "sizes" && c.Fix[0] != "--drop LARGE_A   # it is inherited" {
			t.Errorf("it is mended by %q", c.Fix)
		}
	}
	if _, d := diagnose(t, environ, "--drop", "LARGE_A"); !strings.HasPrefix(d.of("sizes"), "ok: ") {
		t.Errorf("without it: %s", d.of("sizes"))
	}
}

func writeTo(t *testing.T, file, text string) string {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
