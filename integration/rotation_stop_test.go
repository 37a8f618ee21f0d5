//go:build linux

package integration

import (
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TERM during a restart ends the run: no command starts afterwards, and the
// status is that of the one there was. envconsul loses the signal to the
// command that is being stopped, and starts the next one.
func TestP4StopDuringRestart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		vars   []string
		status int
	}{
		"in its grace":                {[]string{"LIVE_SLOW=2s", "LIVE_STATUS=4"}, 4},
		"in the grace of a deaf one":  {[]string{"LIVE_DEAF=1"}, 137},
		"in its grace, and again INT": {[]string{"LIVE_SLOW=2s"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kv := kvMount(t, 2)
			kv.put(t, "app", fields{"v": "1"})
			l := kv.run(t, []string{"app"}, append(quick, "--stop-timeout", "4s", "--env", "V="+kv.path("app")+"#v")...).env(test.vars...).live()
			l.starts(1, "V", "1")
			kv.put(t, "app", fields{"v": "2"})
			l.nth(1, "got terminated")
			l.signal(syscall.SIGTERM)
			if strings.HasSuffix(name, "INT") {
				l.signal(syscall.SIGINT)
			}
			l.wait().exited(test.status)
			l.order(1)
		})
	}
}

// TERM between a crash and the next start ends it at once, with the status of
// the crash.
func TestP4StopInBackoff(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"v": "1"})
	l := kv.run(t, []string{"app"}, append(quick, "--restart", "on-failure", "--env", "V="+kv.path("app")+"#v")...).env("LIVE_CRASH=6").live()
	l.poll("the third failure", func() bool { return said(l.stderr.String(), "the command failed, it will be started again") == 3 })
	began := time.Now() // the next start is four seconds away
	l.signal(syscall.SIGTERM)
	l.wait().exited(6)
	if lasted := time.Since(began); lasted > 3500*time.Millisecond {
		t.Errorf("it took %v", lasted)
	}
	if n := len(l.events("start")); n != 3 {
		t.Errorf("%d starts, want 3", n)
	}
}

// TERM while a change waits (debounce, minimum interval) or while its hook
// runs: nothing of it happens any more.
func TestP4StopWhileAChangeWaits(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{
		"debounce":         {"--debounce", "1m"},
		"splay":            {"--debounce", "0s", "--splay", "100h"},
		"hook":             {"--debounce", "0s", "--on-change", "exec:/bin/sleep 1000"},
		"minimum interval": {"--debounce", "0s", "--min-interval", "1h"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kv := kvMount(t, 2)
			kv.put(t, "app", fields{"v": "1"})
			p := newProxy(t, kv.vault.Address)
			l := kv.run(t, []string{"app"}, append(flags, "--refresh", "1s", "--env", "V="+kv.path("app")+"#v")...).vault(p.address).env("LIVE_STATUS=5").live()
			l.starts(1, "V", "1")
			children := 1
			kv.put(t, "app", fields{"v": "2"})
			switch name {
			case "hook":
				l.waitLog("hook started")
			case "minimum interval":
				children = 2
				l.starts(2, "V", "2")
				kv.put(t, "app", fields{"v": "3"})
			}
			l.more(p, 2, http.MethodGet, kv.data("app"))
			began := time.Now()
			l.signal(syscall.SIGTERM)
			l.wait().exited(5)
			if lasted := time.Since(began); lasted > 5*time.Second {
				t.Errorf("it took %v", lasted)
			}
			l.order(children)
		})
	}
}

// The whole group is gone before the next command starts: a shell that dies at
// once leaves a worker that takes its time. envconsul starts the new one
// while the old worker is still at it.
func TestP9GroupIsGoneBeforeTheNext(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"v": "1"})
	l := &life{journal: filepath.Join(t.TempDir(), "journal")}
	c := kv.run(t, []string{"app"}, append(quick, "--env", "V="+kv.path("app")+"#v")...).env("LIVE_SLOW=2s")
	l.running = c.exec("/bin/sh", "-c", `"$@" & wait`, "sh", shared.self, childWord, c.report, "live", l.journal).start()
	t.Cleanup(l.killAll)
	l.starts(1, "V", "1")
	kv.put(t, "app", fields{"v": "2"})
	l.starts(2, "V", "2")
	l.signal(syscall.SIGTERM)
	l.wait()
	l.order(2)
}

// A command that does not stop for a restart gets KILL after the stop timeout,
// with its group, and the next one starts.
func TestP9DeafCommandIsKilled(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"v": "1"})
	l := kv.run(t, []string{"app"}, append(quick, "--stop-timeout", "500ms", "--env", "V="+kv.path("app")+"#v")...).env("LIVE_DEAF=1").live()
	first := l.starts(1, "V", "1")
	kv.put(t, "app", fields{"v": "2"})
	l.starts(2, "V", "2")
	if err := syscall.Kill(first.Pid, 0); err != syscall.ESRCH {
		t.Errorf("the first one is still there: %v", err)
	}
	if n := len(l.events("overlap")); n != 0 {
		t.Error("there were two at once")
	}
	l.signal(syscall.SIGTERM)
	l.wait().exited(137).says("not stopped in time, sent KILL")
}
