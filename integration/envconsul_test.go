//go:build linux

package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// envconsulFile is a configuration as envconsul reads it: what its vault block has
// beside the address, and the rest.
func envconsulFile(t *testing.T, address, vault, rest string) string {
	t.Helper()
	return configFile(t, "envconsul.hcl", fmt.Sprintf("vault {\n  address = %q\n%s\n}\n%s\n", address, vault, rest))
}

// passwordBlock is a secret block whose password is the variable password.
func (k *kv) passwordBlock() string {
	return fmt.Sprintf("secret {\n  path      = %q\n  no_prefix = true\n}\n", k.data("app"))
}

// envconsul's ways to log in do so in the real Vault: a token, the file that an
// agent keeps, both also wrapped, and the service account.
func TestEnvconsulLogins(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	policy := kv.policy(t, "app")
	a := newAccount(t, policy)
	create := fields{"policies": []string{policy}, "no_default_policy": true, "ttl": tokenLife.String()}
	wrapping := wrap(t, kv.vault, "auth/token/create", create).Token
	sink, err := json.Marshal(wrap(t, kv.vault, "sys/wrapping/wrap", fields{"token": kv.token(t, "app")}))
	mustDo(t, err)
	account := fmt.Sprintf("k8s_service_account_token_path = %q\n k8s_service_mount_path = %q", a.jwtFile(t, "vault"), loginMount(t))
	for name, tt := range map[string]struct{ vault, again string }{
		"token":              {fmt.Sprintf("token = %q", kv.token(t, "app")), ""},
		"agent's file":       {fmt.Sprintf("vault_agent_token_file = %q", secretFile(t, "token", kv.token(t, "app"))), ""},
		"wrapped":            {fmt.Sprintf("token = %q\n unwrap_token = true", wrapping), "auth_denied"},
		"agent's file, both": {fmt.Sprintf("vault_agent_token_file = %q\n unwrap_token = true", writeFile(t, filepath.Join(t.TempDir(), "sink"), string(sink))), "auth_denied"},
		"service account":    {fmt.Sprintf("k8s_auth_role_name = %q\n%s", a.role, account), ""},
		"another role":       {"k8s_auth_role_name = \"nobody\"\n" + account, `role "nobody"`},
	} {
		t.Run(name, func(t *testing.T) {
			file := envconsulFile(t, kv.vault.Address, tt.vault, kv.passwordBlock())
			if name != "another role" {
				vaultexec(t, "--config", file).run().exited(0).childHas("password", password)
			}
			if tt.again != "" {
				vaultexec(t, "--config", file).run().refused(tt.again)
			}
		})
	}
}

// The file that an agent keeps is read again when that has logged in anew.
func TestP8EnvconsulAgentTokenFile(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	first, second := canary(t, "first password"), canary(t, "second password")
	kv.put(t, "app", fields{"password": first})
	token := kv.token(t, "app")
	file := secretFile(t, "token", token)
	config := envconsulFile(t, kv.vault.Address, fmt.Sprintf("vault_agent_token_file = %q", file), kv.passwordBlock())
	l := vaultexec(t, append(quick, "--config", config)...).live()
	l.starts(1, "password", first)
	replace(t, file, kv.token(t, "app"))
	mustDo(t, kv.vault.Client().Auth().Token().RevokeTreeWithContext(t.Context(), token))
	kv.put(t, "app", fields{"password": second})
	l.starts(2, "password", second)
	l.stop()
	l.order(2)
}

// Names are made as envconsul makes them, and the lists leave of the inherited
// environment what they say.
func TestEnvconsulNamesAndLists(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"db.password-1": password})
	path := strings.NewReplacer("/", "_", "-", "_").Replace(kv.data("app"))
	token := fmt.Sprintf("token = %q", kv.token(t, "app"))
	run := func(rest string) *result {
		return vaultexec(t, "--config", envconsulFile(t, kv.vault.Address, token, rest)).env("KEEP_IT=1", "KEEP_DEBUG=2", "LEAVE_IT=3").run()
	}
	block := func(more string) string { return fmt.Sprintf("secret {\n path = %q\n%s\n}\n", kv.data("app"), more) }
	for name, rest := range map[string]string{
		path + "_db_password_1":                  "sanitize = true\n" + block(""),
		strings.ToUpper(path) + "_DB_PASSWORD_1": "sanitize = true\nupcase = true\n" + block(""),
		"APP_db_password_1":                      "sanitize = true\n" + block("no_prefix = true\n format = \"APP_{{ key }}\""),
		"MY_PW_1":                                block("no_prefix = true\n format = \"MY_{{ key | replaceKey `other` `x` | replaceKey `db.password-1` `PW_1` }}\""),
		"PW":                                     block("no_prefix = true\n key {\n name = \"db.password-1\"\n format = \"PW\"\n}"),
	} {
		run(rest).exited(0).childHas(name, password).childHas("LEAVE_IT", "3")
	}
	run(block("no_prefix = true")).refused("db.password-1")

	pw := block("no_prefix = true\n key {\n name = \"db.password-1\"\n format = \"PW\"\n}")
	list := func(env string) *result { return run(pw + "exec {\n env {\n" + env + "\n}\n}\n").exited(0) }
	list(`allowlist = ["KEEP_*"]`).childHas("PW", password).childHas("KEEP_IT", "1").childHas("KEEP_DEBUG", "2").childLacks("LEAVE_IT", "HOME")
	res := list("allowlist = [\"KEEP_*\"]\n denylist = [\"*DEBUG\", \"PW\"]\n custom = [\"LEAVE_IT=own\"]")
	res.childHas("PW", password).childHas("KEEP_IT", "1").childHas("LEAVE_IT", "own").childLacks("KEEP_DEBUG")
}

// envconsulLife starts a command that lives with the password and an exec block.
func (k *kv) envconsulLife(t *testing.T, address, exec string, vars ...string) *life {
	t.Helper()
	file := envconsulFile(t, address, fmt.Sprintf("token = %q", k.token(t, "app")), k.passwordBlock()+exec)
	return vaultexec(t, append(quick, "--config", file)...).env(vars...).live()
}

// reload_signal, which envconsul takes and never sends, is sent.
func TestP8EnvconsulReloadSignal(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "first password")})
	l := kv.envconsulLife(t, kv.vault.Address, "exec {\n  reload_signal = \"SIGHUP\"\n}\n")
	l.nth(1, "start")
	kv.put(t, "app", fields{"password": canary(t, "second password")})
	l.nth(1, "got hangup")
	l.stop()
	l.order(1)
}

// kill_signal stops the command, and kill_timeout after it KILL.
func TestP9EnvconsulKillTimeout(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	second := canary(t, "second password")
	kv.put(t, "app", fields{"password": canary(t, "first password")})
	l := kv.envconsulLife(t, kv.vault.Address, "exec {\n  kill_signal  = \"SIGINT\"\n  kill_timeout = \"1s\"\n}\n", "LIVE_DEAF=1")
	first := l.nth(1, "start")
	kv.put(t, "app", fields{"password": second})
	asked, next := l.nth(1, "got interrupt"), l.starts(2, "password", second) // INT ends no childLive
	if took := next.When.Sub(asked.When); took < time.Second || took > 15*time.Second {
		t.Errorf("it took %v from INT to the next start, want the second of kill_timeout", took)
	}
	if err := syscall.Kill(first.Pid, 0); err != syscall.ESRCH || len(l.events("overlap")) > 0 {
		t.Errorf("the first one is still there: %v", err)
	}
	l.signal(syscall.SIGTERM)
	l.wait().exited(137).says("not stopped in time, sent KILL")
}

// splay holds a change back: of a hundred hours no test sees the end.
func TestP8EnvconsulSplay(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "first password")})
	p := newProxy(t, kv.vault.Address)
	l := kv.envconsulLife(t, p.address, "exec {\n  splay = \"100h\"\n}\n")
	l.nth(1, "start")
	kv.put(t, "app", fields{"password": canary(t, "second password")})
	l.more(p, 4, http.MethodGet, kv.data("app"))
	l.stop()
	l.order(1)
}
