package fetch

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vaultexec/internal/fetch/fetchtest"
)

// inBubble runs a test on fake time with a Vault that is reached over pipes.
// After the login the client has no token to reveal but the canary.
func inBubble(t *testing.T, test func(t *testing.T, c *Client, vault *fetchtest.Server, log *logBuffer)) {
	t.Helper()
	t.Setenv("VAULT_ADDR", "http://vault.test:8200")
	t.Setenv("VAULT_TOKEN", "hvs.token-"+canary)
	synctest.Test(t, func(t *testing.T) {
		vault, dial := fetchtest.NewPipe(t)
		seed(vault)
		vault.Allow("hvs.token-"+canary, "*", "read")
		log := new(logBuffer)
		c, err := New(Config{Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		if err != nil {
			t.Fatal(err)
		}
		c.transport.latest().DialContext = dial
		if err := c.Login(t.Context()); err != nil {
			t.Fatal(err)
		}
		test(t, c, vault, log)
		c.transport.CloseIdleConnections()
		checkSilence(t, log.String())
	})
}

// Every trouble that may pass is waited out, and the error at the deadline
// says what it was.
func TestRetryUntilDeadline(t *testing.T) {
	html := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html>" + canary))
	}
	tests := []struct {
		name   string
		fault  http.HandlerFunc
		class  Class
		reason string
	}{
		{"sealed", fetchtest.Status(503, "Vault is sealed"), ClassSealed, "Vault is sealed (HTTP 503)"},
		{"not initialized or no leader", fetchtest.Status(500, "local node not active but active cluster node not found"), ClassUnreachable,
			"Vault has a problem: local node not active but active cluster node not found (HTTP 500)"},
		{"load balancer", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>"+canary, http.StatusBadGateway) }, ClassUnreachable, "Vault has a problem (HTTP 502)"},
		{"standby", fetchtest.Status(473, ""), ClassUnreachable, "this Vault node is a standby (HTTP 473)"},
		{"disaster recovery secondary", fetchtest.Status(472, ""), ClassUnreachable, "this Vault node is a standby (HTTP 472)"},
		{"behind", fetchtest.Status(412, "required index state not present"), ClassUnreachable, "this Vault node does not have the latest state yet (HTTP 412)"},
		{"rate limit", fetchtest.Status(429, "request path \"kv/app\": rate limit quota exceeded"), ClassRateLimited, "Vault's rate limit is reached (HTTP 429)"},
		{"HTML with 200", html, ClassUnreachable, errNotVault.Error() + " (HTTP 200)"},
		{"truncated JSON", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"request_id":"r","data":{"password":"` + canary))
		}, ClassUnreachable, errNotVault.Error() + " (HTTP 200)"},
		{"JSON of another service", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"ok":true}`)) }, ClassUnreachable,
			errNotVault.Error() + " (HTTP 200)"},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"data":`))
		}, ClassUnreachable, errNotVault.Error() + " (HTTP 200)"},
		{"hung up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ClassUnreachable, "the connection was closed before the answer"},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, ClassTimeout, "no answer within 10s"},
		{"redirected in circles", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, ClassUnreachable, "redirected more than once (HTTP 307)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *Client, vault *fetchtest.Server, log *logBuffer) {
				vault.Fault(10000, test.fault)
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				start := time.Now()
				_, err := c.Fetch(ctx, parse(t, "kv/app"))
				if got := time.Since(start); got != 2*time.Minute {
					t.Errorf("ended after %s", got)
				}
				if err == nil || !errors.Is(err, context.DeadlineExceeded) || classOf(err) != string(test.class) {
					t.Fatalf("class %s: %v", classOf(err), err)
				}
				checkSilence(t, err.Error())
				const head = "asking for the mount of kv/app at http://vault.test:8200: gave up after 2m0s and "
				if !strings.HasPrefix(err.Error(), head) || !strings.HasSuffix(err.Error(), " tries: "+test.reason) {
					t.Errorf("error %s", err)
				}
				// 0, 10, 30, 70 s: a line at the start and at intervals that double.
				if n := strings.Count(log.String(), `level=INFO msg="waiting for vault"`); n < 3 || n > 4 {
					t.Errorf("%d lines about waiting:\n%s", n, log)
				}
				// Backoff: two minutes with waits of up to 5 s, after the first few.
				if n := len(vault.Requests()); n > 130 {
					t.Errorf("%d requests in two minutes", n)
				}
			})
		})
	}
}

// What passes in time is only waited for.
func TestRetryRecovers(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, vault *fetchtest.Server, log *logBuffer) {
		vault.Seal(true)
		time.AfterFunc(40*time.Second, func() { vault.Seal(false) })
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		start := time.Now()
		snapshot, err := c.Fetch(ctx, parse(t, "kv/app", "kv/empty", "old/app"))
		if err != nil || len(snapshot) != 3 {
			t.Fatalf("%d secrets, %v", len(snapshot), err)
		}
		if waited := time.Since(start); waited < 40*time.Second || waited > 46*time.Second {
			t.Errorf("noticed after %s", waited)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for _, dated := range []bool{false, true} {
		inBubble(t, func(t *testing.T, c *Client, vault *fetchtest.Server, _ *logBuffer) {
			value := "30"
			if dated {
				value = time.Now().Add(30 * time.Second).UTC().Format(http.TimeFormat)
			}
			vault.Fault(1, fetchtest.Status(429, "rate limit quota exceeded", "Retry-After", value))
			start := time.Now()
			if _, err := c.Fetch(t.Context(), parse(t, "kv/app")); err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(start); waited < 29*time.Second || waited > 31*time.Second { // a date has whole seconds
				t.Errorf("Retry-After %s: waited %s", value, waited)
			}
		})
	}
}

// Nothing can come of waiting longer than there is time.
func TestRetryAfterTheDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, vault *fetchtest.Server, _ *logBuffer) {
		vault.Fault(1, fetchtest.Status(429, "rate limit quota exceeded", "Retry-After", "3600"))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		start := time.Now()
		_, err := c.Fetch(ctx, parse(t, "kv/app"))
		want := "asking for the mount of kv/app at http://vault.test:8200: gave up after 0s and 1 try: Vault's rate limit is reached, " +
			"and it asks to be left alone for 1h0m0s, longer than the time left (HTTP 429)"
		if err == nil || err.Error() != want || classOf(err) != string(ClassRateLimited) {
			t.Errorf("got  %v\nwant %v", err, want)
		}
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("waited %s", waited)
		}
	})
}

// Each try has its own timeout; one that hangs does not use up the time.
func TestRequestTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, vault *fetchtest.Server, _ *logBuffer) {
		vault.Fault(2, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		start := time.Now()
		if _, err := c.Fetch(t.Context(), parse(t, "kv/app")); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited < 20*time.Second || waited > 21*time.Second {
			t.Errorf("waited %s for two tries of 10s", waited)
		}
	})
}

// A deadline that is shorter than a request gives no false reason.
func TestDeadlineDuringFirstTry(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, vault *fetchtest.Server, _ *logBuffer) {
		vault.Fault(1, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := c.Fetch(ctx, parse(t, "kv/app"))
		want := "asking for the mount of kv/app at http://vault.test:8200: gave up after 3s and 1 try: no answer"
		if err == nil || err.Error() != want || classOf(err) != string(ClassTimeout) {
			t.Errorf("got  %v\nwant %v", err, want)
		}
	})
}

// When many reads meet the deadline together, the error is of one that knows
// why, also where most were still waiting for their turn.
func TestDeadlineWithQueue(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, vault *fetchtest.Server, _ *logBuffer) {
		if _, _, err := c.askMount(t.Context(), "", "kv/app"); err != nil {
			t.Fatal(err)
		}
		c.slots = make(chan struct{}, 1)
		vault.Fault(10000, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(7 * time.Second):
				fetchtest.Status(503, "Vault is sealed")(w, r)
			case <-r.Context().Done():
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := c.Fetch(ctx, parse(t, "kv/a", "kv/b", "kv/c", "kv/d", "kv/e", "kv/f"))
		if classOf(err) != string(ClassSealed) {
			t.Errorf("class %s: %v", classOf(err), err)
		}
	})
}

func TestCancel(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, fault := range map[string]http.HandlerFunc{"in a request": hang, "in backoff": fetchtest.Status(503, "Vault is sealed", "Retry-After", "60")} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *Client, vault *fetchtest.Server, _ *logBuffer) {
				vault.Fault(100, fault)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(5*time.Second, cancel)
				start := time.Now()
				_, err := c.Fetch(ctx, parse(t, "kv/app", "kv/empty", "old/app"))
				if err != context.Canceled {
					t.Errorf("error %v", err)
				}
				if ended := time.Since(start); ended != 5*time.Second {
					t.Errorf("ended after %s", ended)
				}
			})
		})
	}
}

// A read that ends at once ends the others, and its error is the one.
func TestFatalEndsTheOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, c *Client, vault *fetchtest.Server, _ *logBuffer) {
		if _, _, err := c.askMount(t.Context(), "", "kv/app"); err != nil {
			t.Fatal(err)
		}
		vault.Gate(func(r *http.Request) {
			switch r.URL.Path {
			case "/v1/kv/data/empty":
				<-r.Context().Done()
			case "/v1/kv/data/app":
				vault.Revoke("hvs.token-" + canary)
			}
		})
		_, err := c.Fetch(t.Context(), parse(t, "kv/empty", "kv/app"))
		if classOf(err) != string(ClassAuthDenied) {
			t.Errorf("class %s: %v", classOf(err), err)
		}
	})
}
