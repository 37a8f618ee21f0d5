package fetch

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"vaultexec/internal/fetch/fetchtest"
	"vaultexec/internal/ref"
)

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
		v.FaultOn("PUT sys/leases/renew", fetchtest.Status(400, "lease is not renewable"))
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

// A start may take long: what was there early lives since then, and not since
// all was there.
func TestP10WatchCountsFromTheRequest(t *testing.T) {
	life := fetchtest.Life{TTL: time.Minute}
	watch(t, true, func(v *fetchtest.Server) {
		v.Dynamic("database/creds/app", life)
		v.TokenLife(roleToken, fetchtest.Life{TTL: 90 * time.Second})
		late := time.Now().Add(30 * time.Second)
		v.FaultOn("GET kv/data/app", func(w http.ResponseWriter, r *http.Request) {
			if time.Now().Before(late) {
				fetchtest.Status(503, "later")(w, r)
				return
			}
			v.FaultOn("GET kv/data/app", nil)
			fetchtest.Status(503, "now")(w, r)
		})
	}, []string{"kv/app", "database/creds/app"}, func(w *watching) {
		u := w.within(11 * time.Second) // two thirds of the minute, less half a minute and what the last tries have taken
		if left := time.Until(u.Expires); left > 25*time.Second {
			t.Errorf("the lease ends in %s", left)
		}
		w.nothing(10 * time.Second)
		w.between("PUT auth/kubernetes/login", 1, 1)
		w.within(31 * time.Second) // a minute and a half, two thirds of it, less half a minute
		w.between("PUT auth/kubernetes/login", 2, 2)
	})
}

// An answer that comes late is of a lease that began earlier.
func TestP10WatchCountsRenewalsFromTheRequest(t *testing.T) {
	life := fetchtest.Life{TTL: time.Minute, Renewable: true}
	watch(t, true, func(v *fetchtest.Server) {
		v.Dynamic("database/creds/app", life)
		v.TokenLife(roleToken, life)
		v.Gate(func(r *http.Request) {
			if r.Method == http.MethodPut && r.URL.Path != "/v1/auth/kubernetes/login" {
				time.Sleep(9 * time.Second)
			}
		})
	}, []string{"database/creds/app"}, func(w *watching) {
		w.nothing(20 * time.Minute)
		w.between("PUT sys/leases/renew", 30, 34) // every 36 to 40 seconds, and not 45 to 49
		w.between("PUT auth/token/renew-self", 30, 34)
		w.vault.Gate(nil)
		w.nothing(10 * time.Second) // or a request would be left in it
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
