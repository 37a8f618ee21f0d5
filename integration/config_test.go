//go:build linux

package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// configFile writes a configuration file and gives its name.
func configFile(t *testing.T, name, text string) string {
	t.Helper()
	return writeFile(t, filepath.Join(t.TempDir(), name), text)
}

// configCase is an account with a secret, and a configuration that says so.
type configCase struct {
	*account
	kv       *kv
	password string
	jwt      string
}

func newConfigCase(t *testing.T) *configCase {
	t.Helper()
	c := &configCase{kv: kvMount(t, 2), password: canary(t, "password")}
	c.kv.put(t, "app", fields{"password": c.password})
	c.account = newAccount(t, c.kv.policy(t, "app"))
	c.jwt = c.jwtFile(t, "vault")
	return c
}

// hcl is the configuration, with more at its end.
func (c *configCase) hcl(t *testing.T, more string) string {
	t.Helper()
	return configFile(t, "app.hcl", fmt.Sprintf(`
vault { address = %q }
auto_auth {
  method "kubernetes" {
    mount_path = "auth/%s"
    config = {
      role       = %q
      token_path = "${JWT}"
    }
  }
}
secret %q { prefix = "DB_" case = "upper" }
%s
`, c.vault.Address, loginMount(t), c.role, c.kv.path("app"), more))
}

// json is the same in the other language.
func (c *configCase) json(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"vault": fields{"address": c.vault.Address},
		"auto_auth": fields{"method": []fields{{"kubernetes": fields{
			"mount_path": "auth/" + loginMount(t),
			"config":     fields{"role": c.role, "token_path": "${JWT}"}}}}},
		"secret": fields{c.kv.path("app"): fields{"prefix": "DB_", "case": "upper"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return configFile(t, "app.json", string(text))
}

// A file says all there is to say, in both languages.
func TestConfigSaysAll(t *testing.T) {
	t.Parallel()
	c := newConfigCase(t)
	for _, file := range []string{c.hcl(t, ""), c.json(t)} {
		res := vaultexec(t, "--config", file).env("JWT=" + c.jwt).run().exited(0)
		res.childHas("DB_PASSWORD", c.password).childHas("JWT", c.jwt)
	}
}

// The command of the file is run where the line has none.
func TestConfigCommand(t *testing.T) {
	t.Parallel()
	c := newConfigCase(t)
	file := c.hcl(t, `exec {
  command = ["/bin/sh", "-c", "test \"$MODE\" = file; echo \"$DB_PASSWORD\" | wc -c; exit ${STATUS}"]
  env { custom = ["MODE=file"] }
}`)
	res := vaultexec(t, "--config", file).env("JWT="+c.jwt, "STATUS=7").alone().run().exited(7)
	if got, want := strings.TrimSpace(res.stdout), fmt.Sprint(len(c.password)+1); got != want {
		t.Errorf("the command counts %s, want %s", got, want)
	}
	vaultexec(t, "--config", file).env("JWT="+c.jwt).run().exited(0).childHas("MODE", "file")
}

// The environment and flags win, and messages say where a setting stands.
func TestConfigLoses(t *testing.T) {
	t.Parallel()
	c := newConfigCase(t)
	file := c.hcl(t, "")
	vaultexec(t, "--config", file).env("JWT=" + c.jwt).vault("nonsense").run().refused("VAULT_ADDR is not an address")
	res := vaultexec(t, "--config", file, "--role", "nobody").env("JWT=" + c.jwt).run()
	res.refused(`role "nobody"`)
	wrong := strings.Replace(readText(t, file), c.vault.Address, "nonsense", 1)
	res = vaultexec(t, "--config", configFile(t, "wrong.hcl", wrong)).env("JWT=" + c.jwt).run()
	res.refused("wrong.hcl:2 is not an address")
	vaultexec(t, "--config", configFile(t, "wrong.hcl", wrong)).env("JWT=" + c.jwt).vault(c.vault.Address).run().exited(0)
}

// P12: all that is wrong with a file is said at once, with its lines.
func TestP12Config(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.hcl"), "vault {\n  adress = \"x\"\n}\n\nlistner \"tcp\" {}\n")
	writeFile(t, filepath.Join(dir, "b.json"), "{\n\"exec\": {\"command\": []}\n}\n")
	vaultexec(t, "--config", dir).run().refused(
		dir+`/a.hcl:2: there is no key "adress" in vault: did you mean address?`,
		dir+`/a.hcl:5: there is no key "listner": did you mean listener?`,
		dir+`/b.json:2: command is empty`)
}

// What has no effect is said once, also where vaultexec is two processes.
func TestConfigNotes(t *testing.T) {
	t.Parallel()
	file := configFile(t, "agent.hcl", "listener \"tcp\" {\n  address = \"127.0.0.1:8100\"\n}\nlistener \"unix\" { }\n")
	inEach(t, supervising, func(t *testing.T, p place) {
		res := p.run(p.vaultexec(t, "--config", file)).exited(0)
		if n := said(res.stderr, file+":1: listener has no effect"); n != 1 || said(res.stderr, "has no effect") != 1 {
			t.Errorf("said %d times:\n%s", n, res.stderr)
		}
	})
}

// A sink is a file with the token, which follows a new login while the command
// runs on.
func TestP8ConfigSink(t *testing.T) {
	t.Parallel()
	c := newTokenCase(t, nil)
	sink := filepath.Join(t.TempDir(), "token")
	file := configFile(t, "agent.hcl", fmt.Sprintf("auto_auth {\n  method \"kubernetes\" {}\n  sink \"file\" {\n    config = {\n      path = %q\n    }\n  }\n}\n", sink))
	l := c.live(t, "--config", file)
	first := readText(t, sink)
	register(t.Name()+"'s token", first)
	if st, err := os.Stat(sink); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("the sink: %v, %v", st, err)
	}
	if n := len(c.tokens(t)); n != 1 {
		t.Fatalf("%d tokens", n)
	}
	c.revokeTokens(t)
	l.poll("a new token in the file", func() bool {
		text, err := os.ReadFile(sink)
		return err == nil && string(text) != first
	})
	register(t.Name()+"'s next token", readText(t, sink))
	if n := c.proxy.count(http.MethodPut, loginPath); n != 2 {
		t.Errorf("%d logins", n)
	}
	client, err := c.vault.Client().Clone() // the other belongs to all tests
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(readText(t, sink))
	if _, err := client.Auth().Token().LookupSelfWithContext(t.Context()); err != nil {
		t.Errorf("the token in the file: %v", err)
	}
	l.stop()
	l.order(1)
	if _, err := os.Stat(sink); err == nil {
		t.Error("the sink is still there")
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The agent's other logins, in the agent's words.
func TestConfigLogins(t *testing.T) {
	t.Parallel()
	a := newAuthCase(t, sharedVault(t), "approle")
	role, secretID := a.newAppRole(t, nil)
	token := secretFile(t, "token", a.kv.token(t, "app"))
	for name, method := range map[string]string{
		"approle":    fmt.Sprintf("method \"approle\" {\n mount_path = \"auth/%s\"\n config = {\n role_id_file_path = %q\n secret_id_file_path = %q\n}\n}", a.mount, role, secretID),
		"token_file": fmt.Sprintf("method {\n type = \"token_file\"\n config {\n token_file_path = %q\n}\n}", token),
	} {
		file := configFile(t, "agent.hcl", fmt.Sprintf("vault {\n address = %q\n}\nauto_auth {\n%s\n}\n", a.vault.Address, method))
		res := vaultexec(t, "--config", file, "--env", a.ref).run().exited(0)
		res.childHas("PASSWORD", a.password)
		t.Log(name, "logs in")
	}
	if _, err := os.Stat(secretID); err == nil {
		t.Error("the secret ID is still there, which the agent removes unless told otherwise")
	}
}
