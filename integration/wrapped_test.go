//go:build linux

package integration

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/hashicorp/vault/api"

	"vaultexec/integration/servers"
)

// wrap asks Vault for an answer that is for one reader.
func wrap(t *testing.T, v *servers.Vault, path string, f fields) *api.SecretWrapInfo {
	t.Helper()
	client, err := v.Client().Clone()
	mustDo(t, err)
	client.SetToken(v.Token)
	client.SetWrappingLookupFunc(func(string, string) string { return "10m" })
	s, err := client.Logical().WriteWithContext(t.Context(), path, f)
	mustDo(t, err)
	register("a wrapping token", s.WrapInfo.Token)
	return s.WrapInfo
}

// A wrapped token works once, in every form in which one comes. The second
// start says what that may mean.
func TestP1WrappedToken(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	policy := kv.policy(t, "app")
	printed := func(v any) string {
		text, err := json.Marshal(v)
		mustDo(t, err)
		return string(text)
	}
	create := fields{"policies": []string{policy}, "no_default_policy": true, "ttl": tokenLife.String()}
	for name, text := range map[string]func() string{
		"the wrapping token": func() string { return wrap(t, kv.vault, "auth/token/create", create).Token },
		"as vault -wrap-ttl prints it": func() string {
			return printed(fields{"request_id": "", "data": nil, "wrap_info": wrap(t, kv.vault, "auth/token/create", create)})
		},
		"as Vault Agent's sink writes it": func() string {
			return printed(wrap(t, kv.vault, "sys/wrapping/wrap", fields{"token": kv.token(t, "app")}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			ref := "PASSWORD=" + kv.path("app") + "#password"
			file := secretFile(t, "wrapping token", text())
			start := func() *command {
				return vaultexec(t, "--auth", "token-file", "--token-file", file, "--wrapped", "--env", ref).vault(kv.vault.Address)
			}
			start().run().exited(0).childHas("PASSWORD", password)
			start().run().refused("auth_denied", "unwrapping the token of "+file, "a start before this one has used it", "somebody else has unwrapped it")
			vaultexec(t, "--wrapped", "--env", ref).vault(kv.vault.Address).token(text()).run().exited(0).childHas("PASSWORD", password)
		})
	}
}

// A wrapping sink of another agent puts a wrapped token into its file each time
// that it logs in.
func TestP8WrappedTokenFileIsReplaced(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	sink := func() (token, text string) {
		token = kv.token(t, "app")
		out, err := json.Marshal(wrap(t, kv.vault, "sys/wrapping/wrap", fields{"token": token}))
		mustDo(t, err)
		return token, string(out)
	}
	first, text := sink()
	file := writeFile(t, filepath.Join(t.TempDir(), "token"), text)
	p := newProxy(t, kv.vault.Address)
	l := vaultexec(t, append(quick, "--auth", "token-file", "--token-file", file, "--wrapped", "--env", "PASSWORD="+kv.path("app")+"#password")...).
		vault(p.address).live()
	l.nth(1, "start")
	_, text = sink()
	writeFile(t, file, text)
	l.poll("the next token to be unwrapped", func() bool { return p.count(http.MethodPut, "sys/wrapping/unwrap") == 2 })
	mustDo(t, kv.vault.Client().Auth().Token().RevokeTreeWithContext(t.Context(), first))
	kv.arrives(t, l)
	l.stop()
	l.order(2)
}

// A wrapped secret ID comes from the role that it is said to come from, works
// once, and serves later logins too.
func TestP1WrappedSecretID(t *testing.T) {
	t.Parallel()
	c := newAuthCase(t, sharedVault(t), "approle").short()
	role, _ := c.newAppRole(t, nil)
	path := "auth/" + c.mount + "/role/app/secret-id"
	flags := func(file string, more ...string) []string {
		return append(more, "--auth", "approle", "--role-id-path", role, "--secret-id-path", file, "--wrapped")
	}
	file := secretFile(t, "wrapping token", wrap(t, c.vault, path, nil).Token)
	c.run(t, flags(file, "--role", "other")...).run().refused("auth_denied", `comes from "`+path+`"`, "role/other/secret-id", "it is not unwrapped")
	p := newProxy(t, c.vault.Address)
	l := c.run(t, append(flags(file, "--role", "app"), quick...)...).vault(p.address).live()
	l.nth(1, "start")
	l.more(p, 2, http.MethodPut, "auth/"+c.mount+"/login")
	c.arrives(t, l)
	if n := p.count(http.MethodPut, "sys/wrapping/unwrap"); n != 1 {
		t.Errorf("unwrapped %d times", n)
	}
	c.run(t, flags(file)...).run().refused("auth_denied", "the secret ID of "+file, "somebody else has unwrapped it")
	planted := secretFile(t, "planted token", wrap(t, c.vault, "sys/wrapping/wrap", fields{"secret_id": "planted"}).Token)
	c.run(t, flags(planted)...).run().refused("auth_denied", `comes from "sys/wrapping/wrap"`, "somebody may have put another wrapping token there")
}
