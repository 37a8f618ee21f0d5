package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == appWord {
		os.Exit(app())
	}
	os.Exit(m.Run())
}

// A short soak. The seed is another each time; with -v it is shown, and it is
// in the error: make soak SEED=... repeats it.
func TestP2Soak(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	report, err := soak(t.Context(), options{duration: time.Minute, seed: seed, progress: t.Output()})
	t.Log(report)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
}

// A run that has failed leaves no app behind, however it failed.
func TestStopEndsTheApp(t *testing.T) {
	for name, fail := range map[string]func(s *stage){
		"vaultexec runs":       func(*stage) {},
		"vaultexec was killed": func(s *stage) { _ = s.run.Process.Kill(); <-s.endc },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			binary, err := servers.BuildVaultexec(t.Context(), dir, false)
			if err != nil {
				t.Fatal(err)
			}
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			s := &stage{log: filepath.Join(dir, "app.log"), endc: make(chan struct{})}
			if err := os.WriteFile(s.log, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			s.run = exec.Command(binary, "--mode", "supervise", "--", self, appWord)
			s.run.Env = []string{"SOAK_LOG=" + s.log, "DB_ADDRESS=127.0.0.1:1"}
			if err := s.begin(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.stop)
			app := 0
			wait(t, "the app to start", func() bool {
				text, _ := os.ReadFile(s.log)
				n, _ := fmt.Sscanf(string(text), "start %d", &app)
				return n == 1
			})
			fail(s)
			s.stop()
			wait(t, "the app to end", func() bool { return syscall.Kill(app, 0) == syscall.ESRCH })
		})
	}
}

// wait waits for something that announces itself to nobody.
func wait(t *testing.T, what string, there func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !there(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestGrown(t *testing.T) {
	was := size{goroutines: 20, fds: 12, threads: 8, rss: 12 << 10}
	for _, more := range []size{{goroutines: moreGoroutines + 1}, {fds: moreFDs + 1}, {threads: moreThreads + 1}, {rss: moreRSS + 1}} {
		now := size{was.goroutines + more.goroutines, was.fds + more.fds, was.threads + more.threads, was.rss + more.rss}
		if was.grown(now) == nil {
			t.Errorf("from %v to %v is no growth", was, now)
		}
		if err := now.grown(was); err != nil {
			t.Error(err)
		}
	}
}

func TestGone(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	revoked := []revocation{{at, []string{"a", "b"}}, {at.Add(time.Hour), []string{"c"}}}
	for _, test := range []struct {
		user string
		when time.Duration
		want bool
	}{
		{"a", 0, true}, {"b", moveLimit, true}, {"b", moveLimit + time.Second, false}, {"a", -time.Second, false},
		{"c", time.Second, false}, {"c", time.Hour + time.Second, true}, {"d", time.Second, false},
	} {
		if _, got := gone(revoked, test.user, at.Add(test.when)); got != test.want {
			t.Errorf("%s after %v: %v, want %v", test.user, test.when, got, test.want)
		}
	}
}
