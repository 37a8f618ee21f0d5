package integration

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

type fields = map[string]any

// tokenLife is how long the tokens of tests are good for: longer than any.
const tokenLife = time.Hour

var counter atomic.Int64

// unique gives a name that nothing else in the shared servers has.
func unique(kind string) string { return fmt.Sprintf("%s-%d", kind, counter.Add(1)) }

// sharedVault is the Vault that all tests share: in memory, plain HTTP.
func sharedVault(t *testing.T) *servers.Vault {
	t.Helper()
	v, err := shared.vault()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// ownVault starts a Vault for this test alone, which may seal, pause or stop
// it.
func ownVault(t *testing.T, opt servers.VaultOptions) *servers.Vault {
	t.Helper()
	v, err := servers.StartVault(t.Context(), shared.bin, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Stop(); err != nil {
			t.Error(err)
		}
	})
	if v.Token != "" {
		register("root's token", v.Token)
	}
	return v
}

func sharedCluster(t *testing.T) *servers.Cluster {
	t.Helper()
	c, err := shared.cluster()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// kv is a KV secrets engine of one test.
type kv struct {
	vault   *servers.Vault
	mount   string
	version int
}

// kvMount mounts a KV secrets engine in the shared Vault.
func kvMount(t *testing.T, version int) *kv {
	t.Helper()
	return kvMountAt(t, sharedVault(t), unique("kv"), version)
}

// kvMountAt mounts one in a given Vault at a given path.
func kvMountAt(t *testing.T, v *servers.Vault, mount string, version int) *kv {
	t.Helper()
	if err := v.EnableKV(t.Context(), mount, version); err != nil {
		t.Fatal(err)
	}
	return &kv{v, mount, version}
}

// put writes a secret.
func (k *kv) put(t *testing.T, path string, f fields) {
	t.Helper()
	var err error
	if k.version == 1 {
		err = k.vault.PutKV1(t.Context(), k.mount, path, f)
	} else {
		_, err = k.vault.PutKV2(t.Context(), k.mount, path, f)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// putJSON writes a secret whose fields are a JSON object in text.
func (k *kv) putJSON(t *testing.T, path, object string) {
	t.Helper()
	if k.version == 2 {
		object = `{"data":` + object + `}`
	}
	if err := k.vault.PutJSON(t.Context(), k.data(path), object); err != nil {
		t.Fatal(err)
	}
}

// path is how a user names a secret.
func (k *kv) path(path string) string { return k.mount + "/" + path }

// data is how Vault's API and its policies name it.
func (k *kv) data(path string) string {
	if k.version == 1 {
		return k.path(path)
	}
	return k.mount + "/data/" + path
}

// token makes a token that may read these secrets of the mount and do nothing
// else at all, not even what Vault's default policy allows.
func (k *kv) token(t *testing.T, paths ...string) string {
	t.Helper()
	return newToken(t, k.vault, k.policy(t, paths...))
}

// policy writes a policy that allows to read these secrets, and gives its name.
func (k *kv) policy(t *testing.T, paths ...string) string {
	t.Helper()
	name, rules := unique("read"), []string{}
	for _, path := range paths {
		rules = append(rules, k.data(path))
	}
	if err := k.vault.Policy(t.Context(), name, "read", rules...); err != nil {
		t.Fatal(err)
	}
	return name
}

// run prepares a vaultexec with a token for these secrets, and these flags.
func (k *kv) run(t *testing.T, paths []string, flags ...string) *command {
	t.Helper()
	return vaultexec(t, flags...).vault(k.vault.Address).token(k.token(t, paths...))
}

// newToken makes a token with these policies and registers it as a canary.
func newToken(t *testing.T, v *servers.Vault, policies ...string) string {
	t.Helper()
	token, err := v.CreateToken(t.Context(), tokenLife, policies...)
	if err != nil {
		t.Fatal(err)
	}
	register(t.Name()+"'s token", token)
	return token
}

// account is a service account of one test, with a role of the same Vault.
type account struct {
	vault     *servers.Vault
	namespace string
	name      string
	role      string
}

// newAccount makes a service account in the shared cluster, and a role in the
// shared Vault for it alone, with tokens for the audience vault.
func newAccount(t *testing.T, policies ...string) *account {
	t.Helper()
	return newAccountAt(t, sharedVault(t), loginMount(t), policies...)
}

// newAccountAt makes the role in a given Vault at a given auth mount.
func newAccountAt(t *testing.T, v *servers.Vault, mount string, policies ...string) *account {
	t.Helper()
	c := sharedCluster(t)
	a := &account{vault: v, namespace: unique("team"), name: "app", role: unique("role")}
	if err := c.CreateNamespace(t.Context(), a.namespace); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateServiceAccount(t.Context(), a.namespace, a.name); err != nil {
		t.Fatal(err)
	}
	err := v.CreateRole(t.Context(), mount, servers.Role{
		Name: a.role, Namespace: a.namespace, ServiceAccount: a.name,
		Audience: "vault", Policies: policies, TTL: tokenLife,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// loginMount is the auth mount of the shared cluster in the shared Vault.
func loginMount(t *testing.T) string {
	t.Helper()
	mount, err := shared.login()
	if err != nil {
		t.Fatal(err)
	}
	return mount
}

// jwt issues a token of the account, and registers it as a canary.
func (a *account) jwt(t *testing.T, audiences ...string) string {
	t.Helper()
	token, err := sharedCluster(t).Token(t.Context(), a.namespace, a.name, audiences, tokenLife)
	if err != nil {
		t.Fatal(err)
	}
	registerJWT(t, token)
	return token
}

func registerJWT(t *testing.T, token string) {
	register(t.Name()+"'s JWT", token)
	// A part of it is as bad: what it says, and what proves it.
	if parts := strings.Split(token, "."); len(parts) == 3 {
		register(t.Name()+"'s JWT's claims", parts[1])
		register(t.Name()+"'s JWT's signature", parts[2])
	}
}

// jwtFile issues a token into a file, as kubelet does for a projected volume.
func (a *account) jwtFile(t *testing.T, audiences ...string) string {
	t.Helper()
	return jwtFile(t, a.jwt(t, audiences...))
}

func jwtFile(t *testing.T, content string) string {
	t.Helper()
	return writeFile(t, filepath.Join(t.TempDir(), "token"), content)
}

// login prepares a vaultexec that logs in as the account.
func (a *account) login(t *testing.T, flags ...string) *command {
	t.Helper()
	flags = append([]string{"--role", a.role, "--jwt-path", a.jwtFile(t, "vault")}, flags...)
	return vaultexec(t, flags...).vault(a.vault.Address)
}

// names are the names of the child's variables, sorted.
func (r *childReport) names() []string {
	set := make(map[string]bool)
	for _, kv := range r.Env {
		name, _, _ := strings.Cut(kv, "=")
		set[name] = true
	}
	return slices.Sorted(maps.Keys(set))
}
