//go:build linux

package integration

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// --min-interval holds back the second restart, not the first.
func TestP9MinInterval(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"v": "1"})
	l := kv.run(t, []string{"app"}, "--refresh", "1s", "--debounce", "0s", "--min-interval", "6s", "--env", "V="+kv.path("app")+"#v").live()
	l.starts(1, "V", "1")
	kv.put(t, "app", fields{"v": "2"})
	second := l.starts(2, "V", "2")
	kv.put(t, "app", fields{"v": "3"})
	third := l.starts(3, "V", "3")
	if gap := third.When.Sub(second.When); gap < 5900*time.Millisecond {
		t.Errorf("restarted again after %v", gap)
	}
	l.stop()
	l.order(3)
}

// --splay puts it off by no more than it says.
func TestP8Splay(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"v": "1"})
	p := newProxy(t, kv.vault.Address)
	l := kv.run(t, []string{"app"}, "--refresh", "1s", "--debounce", "0s", "--min-interval", "0s", "--splay", "4s", "--env", "V="+kv.path("app")+"#v").vault(p.address).live()
	l.starts(1, "V", "1") // does not wait for it
	kv.put(t, "app", fields{"v": "2"})
	l.more(p, 1, http.MethodGet, kv.data("app"))
	read := time.Now()
	m := l.starts(2, "V", "2")
	const startup = 4 * time.Second // of a loaded machine
	if waited := m.When.Sub(read); waited > 4*time.Second+startup {
		t.Errorf("started %v after the change was read", waited)
	}
	l.stop()
	l.order(2)
}

// Outside of the window a change waits; at TERM it has not been applied. In
// the window it comes at once. The first start does not wait for either.
func TestP8Window(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"v": "1"})
	now := time.Now()
	if now.Add(3*time.Minute).Hour() != now.Hour() { // both windows must last
		now = now.Add(3 * time.Minute)
	}
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		kv := kvMount(t, 2)
		kv.put(t, "app", fields{"v": "1"})
		p := newProxy(t, kv.vault.Address)
		closed := fmt.Sprintf("0 %d * * */1h", (now.Hour()+12)%24)
		l := kv.run(t, []string{"app"}, append(quick, "--window", closed, "--env", "V="+kv.path("app")+"#v")...).vault(p.address).live()
		l.starts(1, "V", "1")
		kv.put(t, "app", fields{"v": "2"})
		l.more(p, 4, http.MethodGet, kv.data("app"))
		l.stop()
		l.order(1)
	})
	t.Run("open", func(t *testing.T) {
		t.Parallel()
		kv := kvMount(t, 2)
		kv.put(t, "app", fields{"v": "1"})
		open := fmt.Sprintf("0 %d * * */2h", now.Add(-time.Hour).Hour())
		l := kv.run(t, []string{"app"}, append(quick, "--window", open, "--env", "V="+kv.path("app")+"#v")...).live()
		l.starts(1, "V", "1")
		kv.put(t, "app", fields{"v": "2"})
		l.starts(2, "V", "2")
		l.stop()
		l.order(2)
	})
}

// A command that crashes is started again as often as --restart says, and its
// last status is vaultexec's.
func TestP3RestartOnFailure(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"v": "1"})
	t.Run("gives up", func(t *testing.T) {
		t.Parallel()
		l := kv.run(t, []string{"app"}, append(quick, "--restart", "on-failure:3", "--env", "V="+kv.path("app")+"#v")...).env("LIVE_CRASH=3").live()
		l.wait().exited(3).says("the command failed, it will be started again", "the command failed too often in a row, giving up")
		starts := l.events("start")
		if len(starts) != 3 {
			t.Fatalf("%d starts, want 3", len(starts))
		}
		for i, least := range []time.Duration{750 * time.Millisecond, 1500 * time.Millisecond} { // a second and two, less jitter
			if gap := starts[i+1].When.Sub(starts[i].When); gap < least {
				t.Errorf("start %d came %v after the one before, want %v", i+2, gap, least)
			}
		}
	})
	t.Run("an end with 0 is none", func(t *testing.T) {
		t.Parallel()
		l := kv.run(t, []string{"app"}, append(quick, "--restart", "on-failure", "--env", "V="+kv.path("app")+"#v")...).env("LIVE_CRASH=0").live()
		l.wait().exited(0)
		if n := len(l.events("start")); n != 1 {
			t.Errorf("%d starts", n)
		}
	})
	t.Run("never is the default", func(t *testing.T) {
		t.Parallel()
		l := kv.run(t, []string{"app"}, append(quick, "--env", "V="+kv.path("app")+"#v")...).env("LIVE_CRASH=5").live()
		l.wait().exited(5)
		if n := len(l.events("start")); n != 1 {
			t.Errorf("%d starts", n)
		}
	})
}

// A command that the new value breaks ends the run, and the log says what was
// before; with --restart the next change brings it back.
func TestP3ChangeBreaksTheCommand(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"crash": ""})
	t.Run("the run ends", func(t *testing.T) {
		t.Parallel()
		kv := kvMount(t, 2)
		kv.put(t, "app", fields{"crash": ""})
		l := kv.run(t, []string{"app"}, append(quick, "--env", "LIVE_CRASH="+kv.path("app")+"#crash")...).live()
		l.starts(1, "LIVE_CRASH", "")
		kv.put(t, "app", fields{"crash": "9"})
		l.wait().exited(9).says("the command ended soon after a rotation", kv.path("app")+"#crash", "status=9")
	})
	t.Run("the next change brings it back", func(t *testing.T) {
		t.Parallel()
		l := kv.run(t, []string{"app"}, append(quick, "--restart", "on-failure", "--env", "LIVE_CRASH="+kv.path("app")+"#crash")...).live()
		l.starts(1, "LIVE_CRASH", "")
		kv.put(t, "app", fields{"crash": "9"})
		l.waitLog("the command failed, it will be started again")
		kv.put(t, "app", fields{"crash": ""})
		l.poll("a child that lives", func() bool {
			all := l.moments()
			last := all[len(all)-1]
			return len(all) > 2 && last.Event == "start" && last.lookup("LIVE_CRASH") == ""
		})
		l.stop()
	})
}
