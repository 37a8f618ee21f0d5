package annotations

import (
	"testing"

	"vaultexec/internal/config"
)

func TestWithout(t *testing.T) {
	for _, tt := range []struct{ name, usual, other, why string }{
		{"client-max-retries", "2", "0", "a request is tried again until --startup-timeout, and later for ever"},
		{"auth-min-backoff", "1s", "2s", "vaultexec has its own waits between logins"},
		{"auth-max-backoff", "5m", "1m", "vaultexec has its own waits between logins"},
		{"agent-auto-auth-exit-on-err", "false", "true", "a login that is refused ends the start, and never a running command"},
		{"agent-revoke-grace", "5", "10", "the token is revoked when the command has ended"},
		{"template-lease-renewal-threshold", "0.90", "0.5", "vaultexec has its own time at which a lease is replaced"},
	} {
		for _, value := range []string{"", tt.usual} {
			if c := parse(t, tt.name, value); len(c.Notes) > 0 {
				t.Errorf("%s=%q: notes %v", tt.name, value, c.Notes)
			}
		}
		want := config.Note{Place: "f:1", Text: prefix + tt.name + " has no effect: " + tt.why}
		if c := parse(t, tt.name, tt.other); len(c.Notes) != 1 || c.Notes[0] != want {
			t.Errorf("%s=%q: notes %v, want %v", tt.name, tt.other, c.Notes, want)
		}
		if _, err := Parse("f", file(tt.name, "x"), none); err == nil {
			t.Errorf("%s takes x", tt.name)
		}
	}
}
