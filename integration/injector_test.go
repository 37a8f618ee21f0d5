//go:build linux

package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// annotationsFile is what a Downward API volume has of a pod with these
// annotations of the Injector: NAME, VALUE, ...
func annotationsFile(t *testing.T, pairs ...string) string {
	t.Helper()
	var text strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&text, "vault.hashicorp.com/%s=%q\n", pairs[i], pairs[i+1])
	}
	return writeFile(t, filepath.Join(t.TempDir(), "annotations"), text.String())
}

// generated is what differs between two reads of dynamic secrets and two logins,
// in the files of those.
var generated = regexp.MustCompile(`v-kubernet-[-A-Za-z0-9_]{20,}|[-A-Za-z0-9]{20}|hvs\.[-A-Za-z0-9_]+`)

// The files are those of the Injector's agent: the real one renders the
// configuration that the Injector generates, see testdata/injector. vaultexec
// makes the same of the annotations, and of that configuration, which is JSON.
func TestInjectorFiles(t *testing.T) {
	t.Parallel()
	kv1, kv2 := kvMount(t, 1), kvMount(t, 2)
	for _, kv := range []*kv{kv1, kv2} {
		kv.put(t, "app", fields{"user": "alice", "password": canary(t, "password"), "port": 5432, "list": []string{"a", "b"}, "nested": fields{"<&>": nil}})
	}
	db := newDBRole(t, time.Hour, 2*time.Hour)
	a := db.account(t, db.CredsPath(db.name), nil, kv1.policy(t, "app"), kv2.policy(t, "app"))
	source := writeFile(t, filepath.Join(t.TempDir(), "source.ctmpl"), `{{ with secret "`+kv2.path("app")+`" }}{{ .Data.data | toJSONPretty }}{{ end }}`)
	jwt := a.jwtFile(t, "vault")
	in := func(file, dir string) string {
		return configFile(t, filepath.Base(file), strings.NewReplacer("@ADDRESS@", a.vault.Address, "@ROLE@", a.role, "@MOUNT@", loginMount(t), "@JWT@", jwt,
			"@DIR@", dir, "@HOME@", t.TempDir(), "@SOURCE@", source, "@KV1@", kv1.mount, "@KV2@", kv2.mount, "@DB@", db.CredsPath(db.name)).Replace(readText(t, file)))
	}
	cases, err := filepath.Glob("testdata/injector/*.annotations")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, annotations := range cases {
		t.Run(filepath.Base(annotations), func(t *testing.T) {
			var made []map[string]string
			for _, by := range []func(dir string){
				func(dir string) { runAgent(t, in(strings.TrimSuffix(annotations, "annotations")+"json", dir)) },
				func(dir string) {
					res := vaultexec(t, "render", "--annotations", in(annotations, dir)).alone().run().exited(0)
					if said(res.stderr, "has no effect") > 0 {
						t.Errorf("it warns:\n%s", res.stderr)
					}
				},
				func(dir string) {
					vaultexec(t, "render", "--config", in(strings.TrimSuffix(annotations, "annotations")+"json", dir)).alone().run().exited(0)
				},
			} {
				dir := t.TempDir()
				writeFile(t, filepath.Join(dir, "there"), "old")
				mustDo(t, os.Chmod(filepath.Join(dir, "there"), 0o604))
				by(dir)
				files := tree(t, dir)
				for _, path := range []string{"db", "token"} {
					text, there := files[path]
					if !there {
						continue
					}
					if !generated.MatchString(text) {
						t.Errorf("%s has no credentials", path)
					}
					files[path] = generated.ReplaceAllString(text, "GENERATED")
				}
				made = append(made, files)
			}
			if len(made[0]) < 4 {
				t.Errorf("there are no more than %d files", len(made[0]))
			}
			for _, ours := range made[1:] {
				sameTrees(t, made[0], ours)
			}
		})
	}
}

// A pod that has had the Injector's sidecar: its annotations say all there is to
// say, and its files follow the secrets.
func TestP8AnnotationsFollow(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	first, second := canary(t, "first password"), canary(t, "second password")
	kv.put(t, "app", fields{"password": first})
	a := newAccount(t, kv.policy(t, "app"))
	dir := t.TempDir()
	file := annotationsFile(t, "agent-inject", "false", "service", a.vault.Address, "role", a.role, "auth-path", "auth/"+loginMount(t),
		"auth-config-token-path", a.jwtFile(t, "vault"), "secret-volume-path", dir, "agent-inject-secret-Password", kv.path("app"),
		"agent-inject-template-Password", `{{ with secret "`+kv.path("app")+`" }}{{ .Data.data.password }}{{ end }}`)
	password := filepath.Join(dir, "password")
	l := vaultexec(t, quick...).env("VAULTEXEC_ANNOTATIONS=" + file).live(password)
	if m := l.nth(1, "start"); m.Files["password"] != first {
		t.Error("not the first password")
	}
	kv.put(t, "app", fields{"password": second})
	if m := l.nth(2, "start"); m.Files["password"] != second {
		t.Error("not the second password")
	}
	l.stop()
	l.order(2)
	if _, err := os.Stat(password); err == nil {
		t.Error("the file is still there")
	}
}

// What is said more strongly wins, and what a file says fills the gaps.
func TestAnnotationsPrecedence(t *testing.T) {
	t.Parallel()
	c := newConfigCase(t)
	config := c.hcl(t, "role = \"nobody\"\n")
	annotations := annotationsFile(t, "role", c.role, "agent-inject-template-a", "x", "agent-inject-file-a", "a", "secret-volume-path", t.TempDir())
	res := vaultexec(t, "--config", config, "--annotations", annotations).env("JWT=" + c.jwt).run().exited(0)
	res.childHas("DB_PASSWORD", c.password)
	vaultexec(t, "--config", config, "--annotations", annotations, "--role", "no-such-role").env("JWT=" + c.jwt).run().refused("no-such-role")
	typo := annotationsFile(t, "rolle", "x")
	res = vaultexec(t, "--annotations", typo).run().exited(0)
	if n := said(res.stderr, typo+":1: vault.hashicorp.com/rolle has no effect: there is no such annotation, did you mean vault.hashicorp.com/role?"); n != 1 {
		t.Errorf("said %d times:\n%s", n, res.stderr)
	}
	vaultexec(t, "--annotations", annotationsFile(t, "tls-skip-verify", "perhaps")).run().refused(":1: vault.hashicorp.com/tls-skip-verify is either true or false")
}

// agent-revoke-on-shutdown decides whether a token is left.
func TestP10AnnotationsRevoke(t *testing.T) {
	t.Parallel()
	for revoke, left := range map[string]int{"true": 0, "false": 1} {
		c := newTokenCase(t, nil)
		file := annotationsFile(t, "agent-revoke-on-shutdown", revoke, "agent-revoke-grace", "5")
		c.login(t, "--annotations", file, "--env", "PASSWORD="+c.kv.path("app")+"#password").vault(c.proxy.address).run().exited(0)
		if n, logins := len(c.tokens(t)), c.proxy.count(http.MethodPut, loginPath); n != left || logins != 1 {
			t.Errorf("%s: %d tokens are left of %d logins, want %d of 1", revoke, n, logins, left)
		}
	}
}

// The connection is what annotations say: here TLS with a CA of one's own.
func TestAnnotationsTLS(t *testing.T) {
	t.Parallel()
	v := ownVault(t, servers.VaultOptions{Durable: true})
	kv := kvMountAt(t, v, "kv", 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	token := secretFile(t, "token", kv.token(t, "app"))
	authorities := t.TempDir()
	writeFile(t, filepath.Join(authorities, "ca.pem"), readText(t, v.TLS.CA))
	for _, trust := range [][]string{{"ca-cert", v.TLS.CA}, {"ca-key", authorities}, {"tls-skip-verify", "true"}, {"tls-skip-verify", "false"}} {
		file := annotationsFile(t, append(trust, "service", v.TLS.Address, "auth-type", "token_file", "auth-config-token-file-path", token, "client-timeout", "20s")...)
		run := vaultexec(t, "--annotations", file, "--startup-timeout", "40s", "--env", "PASSWORD="+kv.path("app")+"#password")
		if trust[1] == "false" {
			run.run().refused("certificate")
			continue
		}
		run.run().exited(0).childHas("PASSWORD", password)
	}
}
