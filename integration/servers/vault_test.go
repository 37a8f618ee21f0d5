package servers

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

// Whatever befalls a durable Vault, it comes back at the same address with
// the same secrets.
func TestDurableVaultComesBack(t *testing.T) {
	t.Parallel()
	v := newVault(t, VaultOptions{Durable: true})
	if err := v.EnableKV(t.Context(), "kv", 1); err != nil {
		t.Fatal(err)
	}
	if err := v.PutKV1(t.Context(), "kv", "app", map[string]any{"user": "kept"}); err != nil {
		t.Fatal(err)
	}
	address := v.Address
	kept := func(after string) {
		t.Helper()
		s, err := v.client.Logical().ReadWithContext(t.Context(), "kv/app")
		if err != nil || s.Data["user"] != "kept" || v.Address != address {
			t.Fatalf("after %s: %v at %s, error %v", after, s, v.Address, err)
		}
	}
	again := func() {
		t.Helper()
		if err := v.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := v.Unseal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	v.Kill()
	if _, err := v.client.Sys().SealStatusWithContext(t.Context()); err == nil {
		t.Error("it answers after Kill")
	}
	again()
	kept("a crash")

	if err := v.Shutdown(); err != nil {
		t.Fatal(err)
	}
	again()
	kept("a shutdown")

	if err := v.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	var refused *api.ResponseError
	if _, err := v.client.Logical().ReadWithContext(t.Context(), "kv/app"); !errors.As(err, &refused) || refused.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("sealed: error %v", err)
	}
	if err := v.Unseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept("a seal")

	if err := v.Pause(); err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := v.client.Logical().ReadWithContext(soon, "kv/app"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("paused: error %v", err)
	}
	if err := v.Resume(); err != nil {
		t.Fatal(err)
	}
	kept("a pause")

	// A paused one can be killed, too.
	if err := v.Pause(); err != nil {
		t.Fatal(err)
	}
	v.Kill()
	again()
	kept("a crash while paused")
}
