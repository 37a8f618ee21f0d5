package integration

import (
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vaultexec/integration/servers"
)

// A pod's token from TokenRequest, with the audience that the role asks for,
// reviewed by the API server that issued it, is all that vaultexec needs.
func TestP1KubernetesLogin(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "database/config", fields{"password": password})
	a := newAccount(t, kv.policy(t, "database/config"))
	ref := "PASSWORD=" + kv.path("database/config") + "#password"
	tests := map[string]func(t *testing.T) *command{
		"role alone": func(t *testing.T) *command { return a.login(t, "--env", ref) },
		"everything from VAULTEXEC variables": func(t *testing.T) *command {
			return vaultexec(t).vault(sharedVault(t).Address).
				env("VAULTEXEC_AUTH=kubernetes", "VAULTEXEC_ROLE="+a.role, "VAULTEXEC_JWT_PATH="+a.jwtFile(t, "vault"), "VAULTEXEC_ENV="+ref)
		},
		"a line break after the JWT": func(t *testing.T) *command {
			return vaultexec(t, "--role", a.role, "--jwt-path", jwtFile(t, a.jwt(t, "vault")+"\n"), "--env", ref).vault(sharedVault(t).Address)
		},
		"several audiences": func(t *testing.T) *command {
			return vaultexec(t, "--role", a.role, "--jwt-path", a.jwtFile(t, "https://elsewhere.example", "vault"), "--env", ref).vault(sharedVault(t).Address)
		},
		"a stray VAULT_TOKEN":          func(t *testing.T) *command { return a.login(t, "--env", ref).token("not-a-token") },
		"a stray token of vault login": func(t *testing.T) *command { return a.login(t, "--env", ref).homeFile(".vault-token", "not-a-token") },
		"exec mode":                    func(t *testing.T) *command { return a.login(t, "--env", ref, "--mode", "exec") },
		"supervised":                   func(t *testing.T) *command { return a.login(t, "--env", ref, "--mode", "supervise") },
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			res := prepare(t).run()
			res.exited(0)
			res.childHas("PASSWORD", password)
			res.childLacks("VAULT_TOKEN", "VAULTEXEC_ROLE", "VAULTEXEC_JWT_PATH")
		})
	}
}

func TestP1KubernetesLoginAtAnotherMount(t *testing.T) {
	t.Parallel()
	mount := unique("clusters/blue")
	if err := sharedVault(t).EnableKubernetesAuth(t.Context(), sharedCluster(t), mount); err != nil {
		t.Fatal(err)
	}
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	a := newAccountAt(t, sharedVault(t), mount, kv.policy(t, "app"))
	for _, spelling := range []string{mount, "auth/" + mount, mount + "/"} {
		t.Run(spelling, func(t *testing.T) {
			res := a.login(t, "--auth-mount", spelling, "--env", "PASSWORD="+kv.path("app")+"#password").run()
			res.exited(0)
			res.childHas("PASSWORD", password)
		})
	}
	t.Run("not there", func(t *testing.T) {
		a.login(t, "--auth-mount", "clusters/green", "--env", "PASSWORD="+kv.path("app")+"#password").run().
			refused("auth_denied", "auth/clusters/green", a.role)
	})
}

// Each way in which a login can be wrong is one clear sentence, and the child
// never starts.
func TestP12LoginRefused(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	policy := kv.policy(t, "app")
	a, other, deleted := newAccount(t, policy), newAccount(t, policy), newAccount(t, policy)
	expired, err := sharedCluster(t).ExpiredToken(t.Context(), a.namespace, a.name, "vault")
	if err != nil {
		t.Fatal(err)
	}
	registerJWT(t, expired)
	gone := deleted.jwtFile(t, "vault")
	if err := sharedCluster(t).DeleteServiceAccount(t.Context(), deleted.namespace, deleted.name); err != nil {
		t.Fatal(err)
	}
	garbage := canary(t, "garbage in place of a JWT")
	missing := filepath.Join(t.TempDir(), "no", "token")
	where := "auth/" + loginMount(t)
	tests := []struct {
		name, role, jwt string
		says            []string
	}{
		{"wrong audience", a.role, a.jwtFile(t, "https://elsewhere.example"), []string{"auth_denied", a.role, where, "audience"}},
		{"another service account", a.role, other.jwtFile(t, "vault"), []string{"auth_denied", a.role, where, "service account"}},
		{"deleted service account", deleted.role, gone, []string{"auth_denied", deleted.role, where}},
		{"expired", a.role, jwtFile(t, expired), []string{"auth_denied", a.role, where}},
		{"garbage", a.role, jwtFile(t, garbage), []string{"auth_denied", a.role, where}},
		{"no such role", "no-such-role", a.jwtFile(t, "vault"), []string{"auth_denied", "no-such-role", where, "there is no such role"}},
		{"no such file", a.role, missing, []string{"config", missing, "no such file or directory", "--jwt-path"}},
		{"empty file", a.role, jwtFile(t, "\n"), []string{"config", "empty"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			vaultexec(t, "--role", tt.role, "--jwt-path", tt.jwt, "--env", "PASSWORD="+kv.path("app")+"#password").
				vault(sharedVault(t).Address).run().
				refused(tt.says...)
		})
	}
}

// Without --auth and --role it is the developer's own token: VAULT_TOKEN, else
// what vault login left behind.
func TestP1TokenLogin(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	token := kv.token(t, "app")
	ref := "PASSWORD=" + kv.path("app") + "#password"
	tests := map[string]func(*testing.T) *command{
		"VAULT_TOKEN":           func(t *testing.T) *command { return vaultexec(t, "--env", ref).token(token) },
		"VAULT_TOKEN by --auth": func(t *testing.T) *command { return vaultexec(t, "--auth", "token", "--env", ref).token(token) },
		"VAULT_TOKEN before a file": func(t *testing.T) *command {
			return vaultexec(t, "--env", ref).token(token).homeFile(".vault-token", "stale")
		},
		".vault-token":               func(t *testing.T) *command { return vaultexec(t, "--env", ref).homeFile(".vault-token", token) },
		".vault-token, a line break": func(t *testing.T) *command { return vaultexec(t, "--env", ref).homeFile(".vault-token", token+"\n") },
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			res := prepare(t).vault(sharedVault(t).Address).run()
			res.exited(0)
			res.childHas("PASSWORD", password)
			res.childLacks("VAULT_TOKEN")
		})
	}
	t.Run("none at all", func(t *testing.T) {
		vaultexec(t, "--env", ref).vault(sharedVault(t).Address).run().
			refused("config", "there is no token", "--role", "VAULT_TOKEN", "vault login")
	})
	t.Run("one that Vault does not know", func(t *testing.T) {
		bad := canary(t, "bad token")
		vaultexec(t, "--env", ref).vault(sharedVault(t).Address).token(bad).run().
			refused("auth_denied", "VAULT_TOKEN")
	})
	t.Run("one that has ended", func(t *testing.T) {
		ended := newToken(t, sharedVault(t), "default")
		if err := sharedVault(t).Client().Auth().Token().RevokeTree(ended); err != nil {
			t.Fatal(err)
		}
		vaultexec(t, "--env", ref).vault(sharedVault(t).Address).token(ended).run().
			refused("auth_denied", "VAULT_TOKEN")
	})
}

// An explicit --pass hands a variable on that is kept back otherwise.
func TestP7TokenIsPassedOnRequestOnly(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"user": "u"})
	token := kv.token(t, "app")
	flags := []string{"--env", "USER_NAME=" + kv.path("app") + "#user"}
	res := vaultexec(t, append(flags, "--pass", "VAULT_TOKEN")...).vault(sharedVault(t).Address).token(token).run()
	res.exited(0)
	res.childHas("VAULT_TOKEN", token)
	res = vaultexec(t, flags...).vault(sharedVault(t).Address).token(token).run()
	res.exited(0)
	res.childLacks("VAULT_TOKEN")
}

// Nothing to fetch: Vault is not contacted and need not be there, and no
// credentials either.
func TestP2NothingToFetchNeedsNoVault(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"auto", "exec", "supervise"} {
		t.Run(mode, func(t *testing.T) {
			vaultexec(t, "--mode", mode).env("VAULT_ADDR=http://127.0.0.1:1").run().exited(0).childLacks("VAULT_ADDR")
		})
	}
}

// 100 paths of one mount: one login, one question for the mount, 100 reads,
// as Vault's own audit log has it.
func TestP9RequestCounts(t *testing.T) {
	t.Parallel()
	mount := unique("kubernetes")
	if err := sharedVault(t).EnableKubernetesAuth(t.Context(), sharedCluster(t), mount); err != nil {
		t.Fatal(err)
	}
	const paths = 100
	kv := kvMount(t, 2)
	var names, flags []string
	for i := range paths {
		name := "app/" + string(rune('a'+i/10)) + string(rune('a'+i%10))
		names = append(names, name)
		kv.put(t, name, fields{"user": "u", "password": canary(t, name)})
		env := strings.ToUpper(strings.ReplaceAll(name, "/", "_"))
		// Two references to a secret share the read, spelled alike or not.
		flags = append(flags, "--env", env+"_USER="+kv.path(name)+"#user", "--env", env+"_PASSWORD="+kv.data(name)+"#password")
	}
	a := newAccountAt(t, sharedVault(t), mount, kv.policy(t, names...))
	before := requests(t, kv.mount)
	res := a.login(t, append(flags, "--auth-mount", mount)...).run()
	res.exited(0)
	got := make(map[string]int)
	for _, r := range requests(t, kv.mount)[len(before):] {
		switch {
		case strings.HasPrefix(r.Path, kv.mount+"/data/"):
			got["read"]++
		case strings.HasPrefix(r.Path, "sys/internal/ui/mounts/"):
			got["mount"]++
		default:
			t.Errorf("unexpected request: %s %s", r.Operation, r.Path)
		}
	}
	for range requests(t, "auth/"+mount+"/login") {
		got["login"]++
	}
	if got["login"] != 1 || got["mount"] != 1 || got["read"] != paths {
		t.Errorf("requests: %v, want 1 login, 1 mount, %d reads", got, paths)
	}
}

// requests are those that the shared Vault has seen, see AuditLog.Requests.
func requests(t *testing.T, containing string) []servers.Request {
	t.Helper()
	sharedVault(t)
	out, err := shared.audit.Requests(containing)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The JWT is read anew for each try: kubelet may replace it while vaultexec
// waits for Vault.
func TestP2JWTIsReadAnew(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	a := newAccount(t, kv.policy(t, "app"))
	file := a.jwtFile(t, "https://elsewhere.example")
	p := newProxy(t, sharedVault(t).Address)
	p.onRequest(func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n == 1 {
			writeFile(t, file, a.jwt(t, "vault"))
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return n == 1
	})
	res := vaultexec(t, "--role", a.role, "--jwt-path", file, "--env", "PASSWORD="+kv.path("app")+"#password").
		vault(p.address).run()
	res.exited(0)
	res.childHas("PASSWORD", password)
}

// A stop request during the login ends it, and no child is started.
func TestP4StopDuringLogin(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	p := newProxy(t, sharedVault(t).Address)
	p.onRequest(func(_ int, _ http.ResponseWriter, req *http.Request) bool {
		<-req.Context().Done() // no answer, ever
		return true
	})
	r := a.login(t, "--request-timeout", "1m", "--env", "PASSWORD=kv/app#password").vault(p.address).start()
	p.wait(1)
	r.signal(syscall.SIGTERM)
	res := r.wait()
	if res.child != nil {
		t.Error("the child was started")
	}
	res.exited(143)
}
