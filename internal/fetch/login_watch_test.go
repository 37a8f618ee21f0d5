package fetch

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vaultexec/internal/fetch/fetchtest"
)

// hang is a fault: no answer, for as long as the client waits for one.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// P2, P9: while Vault hangs a new login takes one request timeout a try, the wait
// for a free slot included, and one request.
func TestP9LoginAgainTakesOneTimeout(t *testing.T) {
	for name, busy := range map[string]time.Duration{"at once": 0, "behind another request": 6 * time.Second, "behind one that lasts": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("VAULT_ADDR", "http://vault.test:8200")
			cfg := Config{Role: "app", JWTPath: writeFile(t, "jwt", testJWT, 0o600), Concurrency: 1}
			synctest.Test(t, func(t *testing.T) {
				vault, dial := fetchtest.NewPipe(t)
				vault.FaultOn("", hang)
				c, err := New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				c.transport.DialContext = dial
				if busy > 0 {
					c.slots <- struct{}{}
					time.AfterFunc(busy, func() { <-c.slots })
				}
				begun := time.Now()
				a := c.aboutToken(t.Context(), tokenLogin)
				if took := time.Since(begun); took != defaultRequestTimeout {
					t.Errorf("it took %s, want %s", took, defaultRequestTimeout)
				}
				if a.login == nil || classOf(a.login) != string(ClassTimeout) || !strings.Contains(a.login.Error(), `login with role "app" at auth/kubernetes`) {
					t.Errorf("error %v", a.login)
				}
				want := 1
				if busy > defaultRequestTimeout {
					want = 0
				}
				if n := vault.Count("PUT auth/kubernetes/login"); n != want {
					t.Errorf("%d requests, want %d", n, want)
				}
				time.Sleep(busy) // fake time: the one who is busy ends
				c.transport.CloseIdleConnections()
			})
		})
	}
}

// P9: through an outage of an hour the logins are few, never two at a time, and
// nothing else is asked with the dead token.
func TestP9WatchLoginsInAnOutage(t *testing.T) {
	watch(t, true, nothingMore, []string{"kv/app"}, func(w *watching) {
		w.vault.Revoke(roleToken)
		w.vault.FaultOn("PUT auth/kubernetes/login", hang)
		w.nothing(2 * time.Minute) // the token is found dead meanwhile
		reads, logins := w.vault.Count("GET kv/data/app"), w.vault.Count("PUT auth/kubernetes/login")
		w.nothing(time.Hour)
		if n := w.vault.Count("GET kv/data/app") - reads; n != 0 {
			t.Errorf("%d reads with a dead token", n)
		}
		// A try each minute at most half a minute early, and the ten seconds of the try.
		if n := w.vault.Count("PUT auth/kubernetes/login") - logins; n < 3600/70-2 || n > 3600/40+2 {
			t.Errorf("%d logins in an hour", n)
		}
		w.said("login failed", 6) // at once, then after 1, 3, 7, 15 and 31 minutes
		w.vault.FaultOn("PUT auth/kubernetes/login", nil)
		w.vault.Put("kv/app", `{"user":"new"}`)
		w.within(2 * time.Minute)
		w.said("logged in again", 1)
	})
}
