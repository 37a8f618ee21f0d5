//go:build linux

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func init() { childVerbs["foreman"] = childForeman }

// childForeman is childLive with a worker in its group that takes a second longer
// to stop, by which time it is an orphan: foreman JOURNAL [FILE...]. The worker
// has a journal of its own, JOURNAL.worker.
func childForeman(args []string) int {
	self, err := os.Executable()
	if err != nil {
		return 99
	}
	worker := again(self, args[0]+".report", "live", args[0]+".worker")
	worker.Env = append(os.Environ(), "LIVE_SLOW=1s")
	if err := worker.Start(); err != nil {
		return 99
	}
	return childLive(args)
}

// site is where a vaultexec that rotates runs as an init or beside one, and with
// it a child of which all that it writes is in one directory.
type site struct {
	name  string
	begin func(t *testing.T, kv *kv, flags func(dir, self string) []string) *posted
}

// posted is a life at a site.
type posted struct {
	*life
	dir  string // out here
	term func() // asks for its end as the site's owner does
}

// sites are a pid namespace's PID 1, with and without an init, and a container.
var sites = []site{inPlace(asPid1), inPlace(pid1NoInit), inPlace(outsideInit), {"container", containerLife}}

func inPlace(p place) site {
	return site{p.name, func(t *testing.T, kv *kv, flags func(dir, self string) []string) *posted {
		dir := t.TempDir()
		c := p.vaultexec(t, append(quick, flags(dir, shared.self)...)...).vault(kv.vault.Address).token(kv.token(t, "app")).
			child("foreman", filepath.Join(dir, "journal"))
		l := &life{p.start(c), filepath.Join(dir, "journal")}
		return &posted{l, dir, func() { l.signal(syscall.SIGTERM) }}
	}}
}

func containerLife(t *testing.T, kv *kv, flags func(dir, self string) []string) *posted {
	t.Helper()
	c := inContainer(t, append(append([]string{"--mode", "supervise"}, quick...), flags("/report", "/app")...)...).
		with("--network", "host").env("VAULT_ADDR="+kv.vault.Address, "VAULT_TOKEN="+kv.token(t, "app")).
		child("foreman", "/report/journal")
	in := c.start()
	return &posted{&life{in.running, filepath.Join(c.dir, "journal")}, c.dir, func() { in.kill("TERM") }}
}

// atEachSite runs a test at each site, on a mount of its own that has version 1
// of a secret with a status and a value.
func atEachSite(t *testing.T, test func(t *testing.T, s site, kv *kv)) {
	t.Parallel()
	for _, s := range sites {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			kv := kvMount(t, 2)
			kv.number(t, 1)
			test(t, s, kv)
		})
	}
}

// number writes version n of the secret.
func (k *kv) number(t *testing.T, n int) {
	t.Helper()
	k.put(t, "app", fields{"status": fmt.Sprint(10 + n), "v": fmt.Sprint(n)})
}

// worker is the life of the foreman's workers.
func (p *posted) worker() *life { return &life{p.running, p.journal + ".worker"} }

// Several restarts: each child has the newest values, what the one before had
// left is gone by then, and the status is the last one's.
func TestP9RestartsAtEachSite(t *testing.T) {
	atEachSite(t, func(t *testing.T, s site, kv *kv) {
		l := s.begin(t, kv, func(string, string) []string {
			return []string{"--env", "LIVE_STATUS=" + kv.path("app") + "#status", "--env", "V=" + kv.path("app") + "#v"}
		})
		const last = 3
		for n := 1; n <= last; n++ {
			if n > 1 {
				kv.number(t, n)
			}
			l.starts(n, "V", fmt.Sprint(n))
			l.worker().nth(n, "start")
		}
		l.term()
		l.wait().exited(10 + last).says("restarting the command")
		l.order(last)
		l.worker().order(last)
		for i, stop := range l.worker().events("stop") {
			if starts := l.events("start"); i+1 < len(starts) && starts[i+1].When.Before(stop.When) {
				t.Errorf("child %d was started before the worker of the one before had stopped", i+2)
			}
		}
	})
}

// Several signals for changed files: the child goes on, and its status is its own.
func TestP8SignalsAtEachSite(t *testing.T) {
	atEachSite(t, func(t *testing.T, s site, kv *kv) {
		l := s.begin(t, kv, func(dir, _ string) []string {
			return []string{"--on-change", "signal:HUP", "--env", "LIVE_STATUS=" + kv.path("app") + "#status",
				"--file-env", "V=" + kv.path("app") + "#v"}
		})
		l.nth(1, "start")
		for n := 2; n <= 4; n++ {
			kv.number(t, n)
			if m := l.nth(n-1, "got hangup"); m.Files["V"] != fmt.Sprint(n) {
				t.Errorf("at signal %d the file has %q", n-1, m.Files["V"])
			}
		}
		l.term()
		l.wait().exited(11)
		l.order(1)
	})
}

// Several hooks: each has the newest values, and the child goes on.
func TestP8HooksAtEachSite(t *testing.T) {
	atEachSite(t, func(t *testing.T, s site, kv *kv) {
		l := s.begin(t, kv, func(dir, self string) []string {
			return []string{"--on-change", fmt.Sprintf("exec:%s %s %s/hook.report note %s/hook", self, childWord, dir, dir),
				"--env", "LIVE_STATUS=" + kv.path("app") + "#status", "--env", "V=" + kv.path("app") + "#v"}
		})
		hook := &life{l.running, filepath.Join(l.dir, "hook")}
		l.nth(1, "start")
		for n := 2; n <= 4; n++ {
			kv.number(t, n)
			if m := hook.nth(n-1, "note"); m.lookup("V") != fmt.Sprint(n) {
				t.Errorf("hook %d has %q", n-1, m.lookup("V"))
			}
		}
		l.term()
		l.wait().exited(11)
		l.order(1)
	})
}
