package servers

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"
)

// built is what tests here run: what is missing in the cache is built.
var built = sync.OnceValues(func() (Binaries, error) { return Build(context.Background(), os.Stderr) })

func newVault(t *testing.T, opt VaultOptions) *Vault {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	v, err := StartVault(t.Context(), bin, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Stop(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// cannot ends a test that cannot be made here: skipped, but in continuous
// integration a failure.
func cannot(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// poll waits for something that announces itself to nobody.
func poll(t *testing.T, what string, there func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !there() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
