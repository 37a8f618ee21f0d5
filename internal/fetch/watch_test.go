package fetch

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vaultexec/internal/fetch/fetchtest"
	"vaultexec/internal/ref"
)

// watching is a Watcher on fake time, over a Vault that is reached over pipes.
type watching struct {
	*testing.T
	*Watcher
	cfg   Config
	vault *fetchtest.Server
	log   *logBuffer
	begun time.Time
}

const (
	roleToken = "hvs.role-" + canary
	userToken = "hvs.user-" + canary
)

// watch runs a test while the references are watched, refreshed every minute.
// With role the client logs in; else it has userToken.
func watch(t *testing.T, role bool, setup func(*fetchtest.Server), refs []string, test func(*watching)) {
	t.Helper()
	cfg := Config{}
	if role {
		cfg.Role, cfg.JWTPath = "app", writeFile(t, "jwt", testJWT, 0o600)
	} else {
		t.Setenv("VAULT_TOKEN", userToken)
	}
	watchAs(t, cfg, setup, refs, test)
}

// watchAs does that with a login of another kind.
func watchAs(t *testing.T, cfg Config, setup func(*fetchtest.Server), refs []string, test func(*watching)) {
	t.Helper()
	t.Setenv("VAULT_ADDR", "http://vault.test:8200")
	synctest.Test(t, func(t *testing.T) {
		vault, dial := fetchtest.NewPipe(t)
		seed(vault)
		vault.Role("kubernetes", "app", testJWT, roleToken, "app")
		vault.Allow(roleToken, "*", "read")
		vault.Allow(userToken, "*", "read")
		setup(vault)
		log := new(logBuffer)
		cfg.Log = slog.New(slog.NewTextHandler(log, nil))
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		c.transport.DialContext = dial
		ctx, cancel := context.WithCancel(t.Context())
		if err := c.Login(ctx); err != nil {
			t.Fatal(err)
		}
		w, _, err := c.Watch(ctx, parse(t, refs...), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		go w.Run(ctx)
		test(&watching{T: t, Watcher: w, cfg: cfg, vault: vault, log: log, begun: time.Now()})
		cancel()
		<-w.donec
		c.transport.CloseIdleConnections()
		checkSilence(t, log.String())
	})
}

// within expects an update in time and returns it.
func (w *watching) within(d time.Duration) Update {
	w.Helper()
	select {
	case u := <-w.Updates():
		return u
	case <-time.After(d):
		w.Fatalf("no update within %s; the log: %s", d, w.log)
		panic("unreachable")
	}
}

// nothing expects no update for a while.
func (w *watching) nothing(d time.Duration) {
	w.Helper()
	select {
	case u := <-w.Updates():
		w.Fatalf("generation %d after %s, want none; the log: %s", u.Generation, time.Since(w.begun), w.log)
	case <-time.After(d):
	}
}

// said expects as many log lines that contain the text.
func (w *watching) said(text string, times int) {
	w.Helper()
	if n := strings.Count(w.log.String(), text); n != times {
		w.Errorf("%q is in the log %d times, want %d: %s", text, n, times, w.log)
	}
}

// between expects a number of requests in a range.
func (w *watching) between(request string, least, most int) {
	w.Helper()
	if n := w.vault.Count(request); n < least || n > most {
		w.Errorf("%d x %s in %s, want %d to %d", n, request, time.Since(w.begun), least, most)
	}
}

func field(u Update, path, name string) string {
	return u.Secrets[ref.Source{Path: path}][name].Text()
}

func nothingMore(*fetchtest.Server) {}

// P8: a new version arrives within the refresh interval, and nothing else does.
func TestP8WatchKV2(t *testing.T) {
	watch(t, true, nothingMore, []string{"kv/app", "kv/app#user", "kv/data/app?refresh=never#password"}, func(w *watching) {
		w.nothing(time.Hour)
		w.between("GET kv/data/app", 60, 80) // one read however many references, each at most a fifth early
		w.vault.Put("kv/app", `{"user":"new"}`)
		u := w.within(time.Minute + time.Second)
		if u.Generation != 1 || field(u, "kv/app", "user") != "new" || field(u, "kv/data/app", "user") != "new" || !u.Expires.IsZero() {
			t.Errorf("update %d has not the new values for each source", u.Generation)
		}
		w.nothing(time.Hour)
		if log := w.log.String(); log != "" {
			t.Errorf("logged in steady state: %s", log)
		}
	})
}

// P8: KV version 1 has no versions and a lease that is no end.
func TestP8WatchKV1(t *testing.T) {
	watch(t, true, nothingMore, []string{"old/app"}, func(w *watching) {
		w.nothing(40 * 24 * time.Hour) // longer than the nominal lease
		w.vault.Put("old/app", `{"n":2}`)
		if u := w.within(time.Minute + time.Second); field(u, "old/app", "n") != "2" {
			t.Error("the update has not the new value")
		}
	})
}

func TestWatchHasRefreshOfItsOwn(t *testing.T) {
	watch(t, true, nothingMore, []string{"kv/app?refresh=5s", "kv/dir/inner?refresh=10m", "kv/empty?refresh=never", "kv/app?version=1"}, func(w *watching) {
		w.nothing(time.Hour)
		w.between("GET kv/data/dir/inner", 6, 9)
		w.between("GET kv/data/empty", 1, 1)
		w.between("GET kv/data/app", 720, 920) // and one of a version that cannot change
	})
}

// A secret that is deleted keeps its last value; it is said, and said again ever
// more seldom.
func TestWatchKeepsWhatIsDeleted(t *testing.T) {
	watch(t, true, nothingMore, []string{"kv/app", "kv/dir/inner"}, func(w *watching) {
		w.vault.Delete("kv/app")
		w.nothing(3 * time.Hour)
		w.said("a secret cannot be read", 8) // at once, then after 1, 3, 7, 15, 31, 63 and 123 minutes
		w.vault.Put("kv/dir/inner", `{"a":"b"}`)
		if u := w.within(time.Minute + time.Second); field(u, "kv/app", "user") != canary || field(u, "kv/dir/inner", "a") != "b" {
			t.Error("the last value of the deleted secret is gone")
		}
		w.vault.Put("kv/app", `{"user":"back"}`)
		if u := w.within(2 * time.Minute); field(u, "kv/app", "user") != "back" {
			t.Error("the new value has not arrived")
		}
		w.said("a secret can be read again", 1)
	})
}

// What was missing and optional is noticed when it comes.
func TestWatchNoticesWhatComes(t *testing.T) {
	watch(t, true, nothingMore, []string{"kv/later?optional"}, func(w *watching) {
		w.nothing(10 * time.Minute)
		w.vault.Put("kv/later", `{"a":"here"}`)
		if u := w.within(time.Minute + time.Second); field(u, "kv/later", "a") != "here" {
			t.Error("the update has not the new secret")
		}
	})
}

// P2: whatever Vault answers and for however long, what there is stays, few
// lines are logged, few requests made, and afterwards a change arrives.
func TestP2WatchOutlivesTrouble(t *testing.T) {
	for name, status := range map[string]int{"sealed": 503, "rate limit": 429, "standby": 473, "broken": 500, "bad request": 400} {
		t.Run(name, func(t *testing.T) {
			watch(t, true, nothingMore, []string{"kv/app", "kv/dir/inner"}, func(w *watching) {
				w.vault.FaultOn("", fetchtest.Status(status, "no"))
				w.nothing(12 * time.Hour)
				w.between("GET kv/data/", 2*12*60, 2*12*60*2+30)
				if n := strings.Count(w.log.String(), "\n"); n < 5 || n > 2*19 {
					t.Errorf("%d lines in twelve hours: %s", n, w.log)
				}
				w.vault.FaultOn("", nil)
				w.vault.Put("kv/app", `{"user":"new"}`)
				if u := w.within(time.Minute + 5*time.Second); field(u, "kv/app", "user") != "new" {
					t.Error("the change has not arrived")
				}
			})
		})
	}
}

// P9: Retry-After stops everything.
func TestP9WatchHeedsRetryAfter(t *testing.T) {
	watch(t, true, nothingMore, []string{"kv/app?refresh=1s", "kv/dir/inner?refresh=1s"}, func(w *watching) {
		w.vault.FaultOn("", fetchtest.Status(429, "slow down", "Retry-After", "300"))
		w.nothing(2 * time.Second)
		before := w.vault.Count("")
		w.nothing(4 * time.Minute)
		if n := w.vault.Count("") - before; n != 0 {
			t.Errorf("%d requests although Vault asked for five minutes", n)
		}
	})
}

// P9: however many are due, Vault is not asked more often than the ceiling.
func TestP9WatchHasACeiling(t *testing.T) {
	var refs []string
	for i := range 200 {
		refs = append(refs, fmt.Sprintf("kv/many/%d?refresh=1s", i))
	}
	watch(t, true, func(v *fetchtest.Server) {
		for i := range refs {
			v.Put(fmt.Sprintf("kv/many/%d", i), `{"a":"b"}`)
		}
	}, refs, func(w *watching) {
		w.nothing(time.Minute)
		if n := w.vault.Count("GET kv/data/many") - len(refs); n > 60*requestsPerSecond+requestBurst || n < 50*requestsPerSecond {
			t.Errorf("%d requests in a minute, want about %d", n, 60*requestsPerSecond)
		}
	})
}

// P10: a lease is renewed while that helps, then replaced with overlap, and
// given back when the command has moved. Renewals change nothing.
func TestP10WatchLease(t *testing.T) {
	life := fetchtest.Life{TTL: time.Hour, Max: 3 * time.Hour, Renewable: true}
	watch(t, true, func(v *fetchtest.Server) { v.Dynamic("database/creds/app", life) },
		[]string{"database/creds/app#username", "database/creds/app#password"}, func(w *watching) {
			w.nothing(100 * time.Minute) // renewed at 40 and 80 minutes, or a little earlier
			w.between("PUT sys/leases/renew", 2, 3)
			u := w.within(80 * time.Minute)
			if field(u, "database/creds/app", "username") != "user-2" || field(u, "database/creds/app", "password") != "password-2" {
				t.Error("username and password are not from the second lease")
			}
			ends := w.begun.Add(3 * time.Hour)
			if now := time.Now(); !now.Before(ends.Add(-5*time.Minute)) || u.Expires.Sub(ends).Abs() > time.Second {
				t.Errorf("replaced %s before the end, which is said to be %s from it", ends.Sub(now), u.Expires.Sub(ends))
			}
			if n := len(w.vault.Leases()); n != 2 {
				t.Errorf("%d leases before the command has moved, want both", n)
			}
			w.Applied(u.Generation)
			synctest.Wait()
			if leases := w.vault.Leases(); len(leases) != 1 || leases["database/creds/app/lease-2"] == "" {
				t.Errorf("leases %v, want the second alone", leases)
			}
		})
}

// envconsul makes 110 credentials in 12 seconds here.
func TestP9WatchRenewalRefused(t *testing.T) {
	life := fetchtest.Life{TTL: time.Hour, Renewable: true}
	watch(t, true, func(v *fetchtest.Server) {
		v.Dynamic("database/creds/app", life)
		v.FaultOn("PUT sys/leases/renew", fetchtest.Status(400, "no"))
	}, []string{"database/creds/app"}, func(w *watching) {
		deadline := w.begun.Add(12 * time.Hour)
		for time.Now().Before(deadline) {
			before := time.Now()
			if u := w.within(time.Hour); time.Since(before) < 36*time.Minute || time.Since(before) > 42*time.Minute {
				t.Errorf("generation %d after %s, want it at two thirds of the hour", u.Generation, time.Since(before))
			}
		}
		w.between("PUT sys/leases/renew", 17, 22)
	})
}

// A blip at the time of a renewal changes no credentials.
func TestP10WatchRenewalFails(t *testing.T) {
	life := fetchtest.Life{TTL: time.Hour, Renewable: true}
	watch(t, true, func(v *fetchtest.Server) { v.Dynamic("database/creds/app", life) }, []string{"database/creds/app"}, func(w *watching) {
		w.vault.FaultOn("PUT sys/leases/renew", fetchtest.Status(500, "no"))
		w.nothing(50 * time.Minute)
		w.vault.FaultOn("PUT sys/leases/renew", nil)
		w.nothing(5 * time.Hour)
		// And if it lasts, others are there before the end.
		w.vault.FaultOn("PUT sys/leases/renew", fetchtest.Status(500, "no"))
		u := w.within(time.Hour)
		if left := time.Until(u.Expires); left < 2*time.Minute {
			t.Errorf("replaced %s before the end", left)
		}
	})
}

// A lease that was ended from outside is replaced when that shows.
func TestP10WatchLeaseEndedByOthers(t *testing.T) {
	life := fetchtest.Life{TTL: time.Hour, Renewable: true}
	watch(t, true, func(v *fetchtest.Server) { v.Dynamic("database/creds/app", life) }, []string{"database/creds/app"}, func(w *watching) {
		w.vault.EndLease("database/creds/app/lease-1")
		if u := w.within(41 * time.Minute); field(u, "database/creds/app", "username") != "user-2" {
			t.Error("not the second credentials")
		}
		w.nothing(6 * time.Hour)
	})
}

func TestP10WatchUnrenewableLease(t *testing.T) {
	watch(t, true, func(v *fetchtest.Server) { v.Dynamic("database/creds/app", fetchtest.Life{TTL: time.Hour}) }, []string{"database/creds/app"}, func(w *watching) {
		for i := range 5 {
			u := w.within(41 * time.Minute)
			w.Applied(u.Generation)
			if u.Generation != i+1 || time.Until(u.Expires) < 19*time.Minute {
				t.Errorf("generation %d, %s before the end", u.Generation, time.Until(u.Expires))
			}
		}
		w.between("PUT sys/leases/renew", 0, 0)
	})
}

// A static role counts down and is no change; a rotation is, also one by hand.
func TestP8WatchStaticRole(t *testing.T) {
	put := func(v *fetchtest.Server, password string, ttl int) {
		v.Put("database/static-creds/app", fmt.Sprintf(`{"username":"app","password":%q,"ttl":%d,"rotation_period":86400,"last_vault_rotation":"2026-11-22T00:00:00Z"}`, password, ttl))
	}
	watch(t, true, func(v *fetchtest.Server) { put(v, "one", 86400) }, []string{"database/static-creds/app"}, func(w *watching) {
		for i := range 60 {
			put(w.vault, "one", 86400-60*i)
			w.nothing(time.Minute)
		}
		put(w.vault, "two", 5)
		if u := w.within(time.Minute + time.Second); field(u, "database/static-creds/app", "password") != "two" {
			t.Error("a rotation by hand is not noticed")
		}
		put(w.vault, "three", 86400)
		if u := w.within(7 * time.Second); field(u, "database/static-creds/app", "password") != "three" {
			t.Error("Vault's own rotation is not noticed when it is due")
		}
	})
}

// A certificate ends when it says, and is made anew before.
func TestP10WatchCertificate(t *testing.T) {
	put := func(v *fetchtest.Server, serial string, in time.Duration) {
		v.Put("database/issue/web", fmt.Sprintf(`{"certificate":%q,"private_key":%q,"expiration":%d}`, serial, serial, time.Now().Add(in).Unix()))
	}
	watch(t, true, func(v *fetchtest.Server) { put(v, "1", 24*time.Hour) }, []string{`>>database/issue/web#{"cn":"x"}`}, func(w *watching) {
		put(w.vault, "2", 40*time.Hour)
		w.nothing(14 * time.Hour)
		w.between("PUT database/issue/web", 1, 1)
		u := w.within(2*time.Hour + time.Minute)
		if u.Secrets[ref.Source{Path: "database/issue/web", Body: `{"cn":"x"}`}]["private_key"].Text() != "2" || time.Until(u.Expires) < 7*time.Hour {
			t.Errorf("not the second certificate, or only %s before the end of the first", time.Until(u.Expires))
		}
	})
}

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
		w.between("GET kv/data/app", 180, 240) // none with a dead token
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

// A lease ends with its token: the command moves before that, and a replacement
// that is read after a login says so.
func TestP10WatchLeaseEndsWithItsToken(t *testing.T) {
	watch(t, true, func(v *fetchtest.Server) {
		v.TokenLife(roleToken, fetchtest.Life{TTL: time.Minute})
		for i := range 6 {
			v.Dynamic(fmt.Sprintf("database/creds/%d", i), fetchtest.Life{TTL: time.Hour, Renewable: true})
		}
	}, []string{"database/creds/0", "database/creds/1", "database/creds/2", "database/creds/3", "database/creds/4", "database/creds/5"}, func(w *watching) {
		if left := time.Until(w.Status().NextExpiry); left > time.Minute || left < 50*time.Second {
			t.Errorf("the first end is in %s, want that of the token", left)
		}
		w.within(time.Minute)
		synctest.Wait()
		time.Sleep(100 * time.Millisecond)
		u := w.within(time.Second)
		if took := time.Since(w.begun); took > 52*time.Second || u.Generation != 6 {
			t.Errorf("generation %d after %s, want all six together and in time", u.Generation, took)
		}
		if end := w.begun.Add(time.Minute); u.Expires.Sub(end).Abs() > time.Second {
			t.Errorf("said to end %s after the token", u.Expires.Sub(end))
		}
	})
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

// A Retry-After of a day does not cost the leases and the token their lives.
func TestP2WatchRetryAfterForAges(t *testing.T) {
	watch(t, true, nothingMore, []string{"kv/app"}, func(w *watching) {
		w.vault.FaultOn("GET kv/data/app", fetchtest.Status(429, "come tomorrow", "Retry-After", "86400"))
		w.nothing(2 * time.Minute)
		w.vault.FaultOn("GET kv/data/app", nil)
		w.vault.Put("kv/app", `{"user":"new"}`)
		w.within(maxPause + time.Second)
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
