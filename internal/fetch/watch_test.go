package fetch

import (
	"context"
	"fmt"
	"log/slog"
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
		c.transport.latest().DialContext = dial
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
