package integration

import (
	"testing"

	"github.com/hashicorp/vault/api"

	"vaultexec/integration/servers"
)

// The servers are real: a service account's token from TokenRequest is taken
// to Vault, which has the API server review it, and what Vault gives for it
// reads what the role's policy allows and nothing else.
func TestServersReviewServiceAccountTokens(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	kv.put(t, "other", fields{"password": canary(t, "other password")})
	a := newAccount(t, kv.policy(t, "app"))
	client, err := sharedVault(t).Client().Clone()
	if err != nil {
		t.Fatal(err)
	}
	login := func(jwt string) (*api.Secret, error) {
		return client.Logical().WriteWithContext(t.Context(), "auth/"+loginMount(t)+"/login", fields{"role": a.role, "jwt": jwt})
	}
	for name, jwt := range map[string]string{
		"another audience": a.jwt(t, "https://elsewhere.example"),
		"an altered one":   a.jwt(t, "vault") + "AAAA",
	} {
		if _, err := login(jwt); err == nil {
			t.Errorf("Vault takes %s", name)
		}
	}
	s, err := login(a.jwt(t, "vault"))
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(s.Auth.ClientToken)
	if _, err := client.Logical().ReadWithContext(t.Context(), kv.data("app")); err != nil {
		t.Errorf("read what the policy allows: %v", err)
	}
	if _, err := client.Logical().ReadWithContext(t.Context(), kv.data("other")); err == nil {
		t.Error("read what no policy allows: no error")
	}
}

// A durable Vault keeps its secrets and is sealed after a restart.
func TestServersRestartDurableVault(t *testing.T) {
	t.Parallel()
	v := ownVault(t, servers.VaultOptions{Durable: true})
	kv := kvMountAt(t, v, "kv", 1)
	kv.put(t, "app", fields{"user": "kept"})
	if err := v.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if err := v.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h, err := v.Client().Sys().SealStatus(); err != nil || !h.Sealed {
		t.Fatalf("after a restart: sealed is %+v, error %v", h, err)
	}
	if err := v.Unseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := v.Client().Logical().ReadWithContext(t.Context(), kv.data("app"))
	if err != nil || s.Data["user"] != "kept" {
		t.Fatalf("after a restart: %v, error %v", s, err)
	}
}
