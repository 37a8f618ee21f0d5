package fetch

import (
	"strings"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
)

func TestRevokeGivesBackWhatLoginsMade(t *testing.T) {
	for _, role := range []bool{true, false} {
		watch(t, role, nothingMore, []string{"kv/app"}, func(w *watching) {
			if err := w.c.Revoke(w.T.Context(), false); err != nil {
				t.Error(err)
			}
			want := 0
			if role {
				want = 1
			}
			w.between("PUT auth/token/revoke-self", want, want)
			if err := w.c.Revoke(w.T.Context(), true); err != nil && !role {
				t.Error(err)
			}
		})
	}
}

// Where the token may not revoke itself, somebody hears of it.
func TestRevokeRefused(t *testing.T) {
	watch(t, true, nothingMore, []string{"kv/app"}, func(w *watching) {
		w.vault.FaultOn("PUT auth/token/revoke-self", fetchtest.Status(403, "1 error occurred:\n\t* permission denied\n\n"))
		if err := w.c.Revoke(w.T.Context(), false); err == nil || !strings.Contains(err.Error(), "auth/token/revoke-self") {
			t.Errorf("%v, want what it takes", err)
		}
	})
}

// A month of hourly tokens is not given back one by one.
func TestRevokeOfManyTokens(t *testing.T) {
	watch(t, true, func(v *fetchtest.Server) { v.TokenLife(roleToken, fetchtest.Life{TTL: time.Hour}) }, []string{"kv/app?refresh=10m"}, func(w *watching) {
		w.nothing(30 * 24 * time.Hour)
		newest := w.c.api.Token()
		if err := w.c.Revoke(w.T.Context(), false); err != nil {
			t.Error(err)
		}
		w.between("PUT auth/token/revoke-self", 1, keptTokens)
		for _, r := range w.vault.Requests() {
			if r.Path == "auth/token/revoke-self" {
				if r.Token != newest {
					t.Error("the newest token is not given back first")
				}
				break
			}
		}
	})
}
