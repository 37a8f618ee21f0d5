//go:build linux

package integration

import (
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
)

// transitKey makes a transit engine with a key, and gives what it makes of a
// value.
func transitKey(t *testing.T, plain string) (mount, ciphertext string) {
	t.Helper()
	client, mount := sharedVault(t).Client(), unique("transit")
	mustDo(t, client.Sys().MountWithContext(t.Context(), mount, &api.MountInput{Type: "transit"}))
	_, err := client.Logical().WriteWithContext(t.Context(), mount+"/keys/app", nil)
	mustDo(t, err)
	s, err := client.Logical().WriteWithContext(t.Context(), mount+"/encrypt/app", fields{"plaintext": base64.StdEncoding.EncodeToString([]byte(plain))})
	mustDo(t, err)
	return mount, s.Data["ciphertext"].(string)
}

// A container that vault-env was in front of, with its variables as the webhook
// sets them, gets the same from vaultexec: nothing of it is written anew.
func TestP1EnvironmentOfVaultEnv(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password, plain := canary(t, "password"), canary(t, "plain text")
	kv.put(t, "app", fields{"password": password})
	kv.put(t, "all", fields{"USER": "old"})
	kv.put(t, "all", fields{"USER": "new"})
	mount, ciphertext := transitKey(t, plain)
	decrypt := unique("decrypt")
	mustDo(t, sharedVault(t).Policy(t.Context(), decrypt, "update", mount+"/decrypt/app"))
	a := newAccount(t, kv.policy(t, "app", "all", "none"), decrypt)
	webhook := []string{
		"VAULT_ROLE=" + a.role, "VAULT_PATH=" + loginMount(t), "VAULT_AUTH_METHOD=jwt",
		"VAULT_JWT_FILE=" + a.jwtFile(t, "vault"), "VAULT_TOKEN=vault:login",
		"VAULT_IGNORE_MISSING_SECRETS=true", "VAULT_ENV_PASSTHROUGH=VAULT_ROLE", "VAULT_JSON_LOG=false", "VAULT_CLIENT_TIMEOUT=10s",
		"VAULT_ENV_FROM_PATH=" + kv.data("all") + "#1", "VAULT_TRANSIT_KEY_ID=app", "VAULT_TRANSIT_PATH=" + mount, "VAULT_TRANSIT_BATCH_SIZE=25",
		"PASSWORD=vault:" + kv.data("app") + "#password",
		"URL=postgres://app:${vault:" + kv.data("app") + "#password}@db",
		"DSN=postgres://app:${vault:" + kv.data("app") + "#${ .password | urlquery }}@db",
		"PLAIN=>>vault:" + mount + `/decrypt/app#${.plaintext | b64dec}#{"ciphertext": "` + ciphertext + `"}`,
		"SECRET=" + ciphertext,
		"GONE=vault:" + kv.data("none") + "#password",
		"NOTE=see default:vault:xx # comment",
	}
	for name, daemon := range map[string]string{"exec": "false", "daemon": "true"} {
		t.Run(name, func(t *testing.T) {
			res := vaultexec(t).vault(sharedVault(t).Address).env(webhook...).env("VAULT_ENV_DAEMON=" + daemon).run()
			res.exited(0)
			res.childHas("PASSWORD", password)
			res.childHas("URL", "postgres://app:"+password+"@db")
			res.childHas("DSN", "postgres://app:"+url.QueryEscape(password)+"@db")
			res.childHas("PLAIN", plain)
			res.childHas("SECRET", plain)
			res.childHas("USER", "old")
			res.childHas("VAULT_ROLE", a.role)
			res.childHas("VAULT_ADDR", sharedVault(t).Address)
			res.childHas("NOTE", "see default:vault:xx # comment")
			res.childLacks("GONE", "VAULT_TRANSIT_KEY_ID", "VAULT_JWT_FILE", "VAULT_ENV_FROM_PATH")
			res.says("VAULT_ROLE is read as --role", "VAULT_ENV_FROM_PATH is read as --secret for each path")
		})
	}
}

// The same of secret-init, whose variables have other names, beside a reference of
// vals.
func TestP1EnvironmentOfSecretInit(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password, inner := canary(t, "password"), canary(t, "inner password")
	kv.put(t, "app", fields{"password": password, "db": fields{"password": inner, "port": 5432}})
	kv.put(t, "all", fields{"USER": "old"})
	kv.put(t, "all", fields{"USER": "new"})
	a := newAccount(t, kv.policy(t, "app", "all"))
	run := vaultexec(t).vault(sharedVault(t).Address).env(
		"VAULT_ROLE="+a.role, "VAULT_PATH="+loginMount(t), "VAULT_AUTH_METHOD=jwt", "KUBERNETES_SERVICE_ACCOUNT_TOKEN="+a.jwtFile(t, "vault"),
		"VAULT_FROM_PATH="+kv.data("all")+"#1", "VAULT_PASSTHROUGH=VAULT_ROLE",
		"SECRET_INIT_DAEMON=true", "SECRET_INIT_LOG_LEVEL=debug", "SECRET_INIT_JSON_LOG=true", "SECRET_INIT_DELAY=1s", "VAULT_REVOKE_TOKEN=true",
		"PASSWORD=vault:"+kv.data("app")+"#password", "BAO=bao:"+kv.data("app")+"#password", "BAO_INLINE=x${bao:"+kv.path("app")+"#password}",
		"VALS=ref+vault://"+kv.path("app")+"#/password", "VALS_INNER=ref+vault://"+kv.data("app")+"?version=1#/db/password", "VALS_PORT=ref+vault://"+kv.path("app")+"#/db/port",
	)
	run.vars = slices.DeleteFunc(run.vars, func(entry string) bool { return strings.HasPrefix(entry, "VAULTEXEC_LOG_") })
	res := run.run().exited(0)
	for name, want := range map[string]string{"PASSWORD": password, "BAO": password, "BAO_INLINE": "x" + password, "VALS": password, "VALS_INNER": inner, "VALS_PORT": "5432", "USER": "old", "VAULT_ROLE": a.role} {
		res.childHas(name, want)
	}
	res.childLacks("VAULT_FROM_PATH", "VAULT_PATH", "VAULT_REVOKE_TOKEN")
	res.says(`"msg":"VAULT_FROM_PATH is read as --secret for each path"`, `"msg":"SECRET_INIT_DAEMON is read as --mode"`, `"msg":"VAULT_REVOKE_TOKEN is read as --revoke"`,
		`"msg":"SECRET_INIT_JSON_LOG is read as --log-format"`, `"msg":"SECRET_INIT_LOG_LEVEL is read as --log-level"`, `"msg":"SECRET_INIT_DELAY has no effect: `)
}

// The token that the command is given is a living one of the login, and a file
// of it follows the next login without a word to the command.
func TestP8TokenOfTheLogin(t *testing.T) {
	t.Parallel()
	c := newTokenCase(t, fields{"token_ttl": "4s", "token_max_ttl": "8s"})
	file := filepath.Join(t.TempDir(), "token")
	l := c.live(t, "--file", file+"=vault:login?on_change=none")
	readToken := func() string {
		text, err := os.ReadFile(file)
		mustDo(t, err)
		return string(text)
	}
	before := readToken()
	waitUntil(t, "another token in the file", func() bool { return readToken() != before })
	client, err := c.kv.vault.Client().Clone()
	mustDo(t, err)
	client.SetToken(readToken())
	if _, err := client.Auth().Token().LookupSelfWithContext(t.Context()); err != nil {
		t.Errorf("the token in the file is no good: %v", err)
	}
	l.stop()
	l.order(1)
}

// A token that another process keeps in a file, as the webhook mounts it.
func TestP1TokenFileOfVaultEnv(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	file := writeFile(t, filepath.Join(t.TempDir(), "token"), kv.token(t, "app")+"\n")
	for _, variable := range []string{"VAULT_TOKEN_FILE", "VAULT_TOKEN_PATH"} {
		res := vaultexec(t).vault(kv.vault.Address).env(variable+"="+file, "VAULT_ROLE=nobody", "PASSWORD=vault:"+kv.data("app")+"#password").run().exited(0)
		res.childHas("PASSWORD", password)
		res.childLacks(variable, "VAULT_TOKEN")
		res.says(variable + " is read as --token-file")
	}
}
