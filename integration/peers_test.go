package integration

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

// The files of what other libraries make of the same input have what those make of
// it, and not what somebody wrote there.
func TestPeers(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // it is built, with what Vault has had built
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "run", "./peer")
	cmd.Dir = "servers/vault"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
