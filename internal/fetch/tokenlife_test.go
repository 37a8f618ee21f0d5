package fetch

import (
	"os"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
	"vaultexec/internal/ref"
)

// A token is renewed, and when its maximum nears there is a login, before the
// end; leases made under the old one are replaced with overlap, and what did not
// change changes nothing.
func TestP10WatchToken(t *testing.T) {
	watch(t, true, func(v *fetchtest.Server) {
		v.TokenLife(roleToken, fetchtest.Life{TTL: time.Hour, Max: 3 * time.Hour, Renewable: true})
		v.Dynamic("database/creds/app", fetchtest.Life{TTL: 24 * time.Hour, Renewable: true})
	}, []string{"kv/app", "database/creds/app"}, func(w *watching) {
		w.nothing(100 * time.Minute)
		w.between("PUT auth/token/renew-self", 2, 3)
		w.between("PUT auth/kubernetes/login", 1, 1)
		u := w.within(80 * time.Minute)
		if field(u, "database/creds/app", "username") != "user-2" {
			t.Error("the lease of the old token was not replaced")
		}
		if n := len(w.vault.Leases()); n != 2 {
			t.Errorf("%d leases, want both: they overlap", n)
		}
		w.nothing(30 * time.Minute)
		w.between("PUT auth/kubernetes/login", 2, 2)
		w.said("logged in again", 0) // nothing was wrong
	})
}

// P2: a token that was revoked is noticed at the next request, confirmed, and
// replaced at once.
func TestP2WatchTokenRevoked(t *testing.T) {
	watch(t, true, nothingMore, []string{"kv/app"}, func(w *watching) {
		w.vault.Revoke(roleToken)
		w.vault.Put("kv/app", `{"user":"new"}`)
		if u := w.within(time.Minute + 5*time.Second); field(u, "kv/app", "user") != "new" {
			t.Error("not the new value")
		}
		w.between("PUT auth/kubernetes/login", 2, 2)
		w.between("GET auth/token/lookup-self", 1, 1)
		w.said("the token is not accepted any more", 1)
	})
}

// A command that has the token of the login gets the next one, too.
func TestP8WatchTokenOfTheLogin(t *testing.T) {
	watch(t, true, nothingMore, []string{"vault:login", "kv/app"}, func(w *watching) {
		w.vault.Revoke(roleToken)
		u := w.within(2 * time.Minute)
		if got := u.Secrets[ref.Source{Login: true}][ref.TokenKey].Text(); got != roleToken+"-2" {
			t.Errorf("the token is %q", got)
		}
	})
}

// A policy that is missing is no dead token: it is reported, without logins,
// and once it is given back everything goes on.
func TestP2WatchPolicyRemoved(t *testing.T) {
	watch(t, true, nothingMore, []string{"kv/app", "kv/dir/inner"}, func(w *watching) {
		w.vault.FaultOn("GET kv/data/app", fetchtest.Status(403, "1 error occurred:\n\t* permission denied\n\n"))
		w.nothing(5 * time.Hour)
		w.between("PUT auth/kubernetes/login", 1, 1)
		w.between("GET auth/token/lookup-self", 1, 2)
		if n := strings.Count(w.log.String(), "permission denied reading kv/data/app"); n < 8 || n > 11 { // growing intervals, a try a minute at the most
			t.Errorf("said %d times in five hours: %s", n, w.log)
		}
		w.vault.FaultOn("GET kv/data/app", nil)
		w.vault.Put("kv/app", `{"user":"new"}`)
		if u := w.within(time.Minute + time.Second); field(u, "kv/app", "user") != "new" {
			t.Error("not the new value")
		}
	})
}

// P2: a role that is gone while the token is dead is waited for.
func TestP2WatchRoleDeleted(t *testing.T) {
	watch(t, true, nothingMore, []string{"kv/app"}, func(w *watching) {
		w.vault.DeleteRole("kubernetes", "app")
		w.vault.Revoke(roleToken)
		w.nothing(3 * time.Hour)
		w.between("PUT auth/kubernetes/login", 3*60, 3*60*2+20)
		w.vault.Role("kubernetes", "app", testJWT, roleToken+"-again", "app")
		w.vault.Allow(roleToken+"-again", "*", "read")
		w.vault.Put("kv/app", `{"user":"new"}`)
		if u := w.within(time.Minute + 5*time.Second); field(u, "kv/app", "user") != "new" {
			t.Error("not the new value")
		}
	})
}

// Tokens that die young do not make a storm of logins.
func TestP9WatchTokensDieYoung(t *testing.T) {
	watch(t, true, nothingMore, []string{"kv/app?refresh=1s"}, func(w *watching) {
		w.vault.FaultOn("GET kv/data/app", fetchtest.Status(403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"))
		w.vault.FaultOn("GET auth/token/lookup-self", fetchtest.Status(403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"))
		w.nothing(time.Hour)
		w.between("PUT auth/kubernetes/login", 60, 150)
	})
}

// A JWT that was rotated is the one that the next login uses.
func TestWatchReadsTheJWTAnew(t *testing.T) {
	watch(t, true, nothingMore, []string{"kv/app"}, func(w *watching) {
		fresh := strings.Replace(testJWT, "x", "y", 1)
		if err := os.WriteFile(w.cfg.JWTPath, []byte(fresh+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.vault.Role("kubernetes", "app", fresh, roleToken+"-fresh", "app")
		w.vault.Allow(roleToken+"-fresh", "*", "read")
		w.vault.Revoke(roleToken)
		w.vault.Put("kv/app", `{"user":"new"}`)
		w.within(time.Minute + 5*time.Second)
	})
}

// A token that was given and cannot be renewed is reported in time, and nobody
// logs in.
func TestWatchGivenTokenEnds(t *testing.T) {
	watch(t, false, func(v *fetchtest.Server) { v.TokenLife(userToken, fetchtest.Life{TTL: 3 * time.Hour}) }, []string{"kv/app"}, func(w *watching) {
		w.nothing(100 * time.Minute)
		w.said("the token cannot be renewed", 0)
		w.nothing(40 * time.Minute)
		w.said("the token cannot be renewed and there is no other", 5)
		w.nothing(24 * time.Hour)
		w.between("PUT auth/", 0, 0)
		w.between("GET kv/data/app", 180, 240)                 // none with a dead token
		w.between("GET auth/token/lookup-self", 24*60, 25*120) // whether it is still dead
	})
}

// A given token that can be renewed is.
func TestWatchGivenTokenIsRenewed(t *testing.T) {
	watch(t, false, func(v *fetchtest.Server) {
		v.TokenLife(userToken, fetchtest.Life{TTL: time.Hour, Renewable: true})
	}, []string{"kv/app"}, func(w *watching) {
		w.nothing(24 * time.Hour)
		w.between("PUT auth/token/renew-self", 36, 41)
		w.vault.Put("kv/app", `{"user":"new"}`)
		w.within(time.Minute + time.Second)
	})
}

// Trouble at the time of a renewal that is over before the end of a given token
// does not cost it.
func TestP2WatchGivenTokenOutlivesTrouble(t *testing.T) {
	watch(t, false, func(v *fetchtest.Server) {
		v.TokenLife(userToken, fetchtest.Life{TTL: time.Hour, Renewable: true})
	}, []string{"kv/app"}, func(w *watching) {
		w.vault.FaultOn("PUT auth/token/renew-self", fetchtest.Status(503, "no"))
		w.nothing(57 * time.Minute)
		w.vault.FaultOn("PUT auth/token/renew-self", nil)
		w.nothing(5 * time.Hour)
		w.vault.Put("kv/app", `{"user":"new"}`)
		w.within(time.Minute + time.Second)
		w.said("is not accepted any more", 0)
	})
}
