//go:build linux

package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
)

// A signal instead of a restart: the files have flipped, all of them, before
// the command gets it, and it goes on as the same process.
func TestP11FilesFlipBeforeTheSignal(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	dir := t.TempDir()
	user, password, all := filepath.Join(dir, "user"), filepath.Join(dir, "password"), filepath.Join(dir, "all.json")
	path, n := kv.path("app"), 0
	put := func() (u, p string) {
		n++
		u, p = fmt.Sprintf("user %d", n), canary(t, fmt.Sprintf("password %d", n))
		kv.put(t, "app", fields{"user": u, "password": p})
		return u, p
	}
	wantUser, wantPassword := put()
	l := kv.run(t, []string{"app"}, append(quick, "--on-change", "signal:HUP", "--env", "PASSWORD="+path+"#password",
		"--file", user+"="+path+"#user", "--file", password+"="+path+"#password", "--file", all+"="+path)...).live(user, password, all)
	check := func(m moment) {
		t.Helper()
		if m.Files["user"] != wantUser || m.Files["password"] != wantPassword {
			t.Errorf("%s: the files are not those of one version, user is %q", m.Event, m.Files["user"])
		}
		var got map[string]string
		if err := json.Unmarshal([]byte(m.Files["all.json"]), &got); err != nil || got["user"] != wantUser || got["password"] != wantPassword {
			t.Errorf("%s: all.json is another version: %v", m.Event, err)
		}
	}
	check(l.starts(1, "PASSWORD", wantPassword))
	for i := range 3 {
		wantUser, wantPassword = put()
		check(l.nth(i+1, "got hangup"))
	}
	res := l.stop()
	l.order(1)
	res.says("signalling the command", "signal=HUP")
	nothingLeft(t, dir)
}

// What one reference says about a change goes before --on-change, and of
// several that change together the strongest counts.
func TestP8OnChangeOfAReference(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	for _, name := range []string{"none", "hup", "usr1", "restart"} {
		kv.put(t, name, fields{"v": "1"})
	}
	p := newProxy(t, kv.vault.Address)
	l := kv.run(t, []string{"none", "hup", "usr1", "restart"}, "--refresh", "1s", "--debounce", "2500ms", "--min-interval", "0s", "--on-change", "none",
		"--env", "NONE="+kv.path("none")+"#v", "--env", "HUP="+kv.path("hup")+"?on_change=signal:HUP#v",
		"--env", "USR1="+kv.path("usr1")+"?on_change=signal:USR1#v", "--env", "RESTART="+kv.path("restart")+"?on_change=restart#v").
		vault(p.address).live()
	first := l.starts(1, "NONE", "1")
	// Two signals at once: both are sent, and none stands in for nothing.
	for _, name := range []string{"none", "hup", "usr1"} {
		kv.put(t, name, fields{"v": "2"})
	}
	if m := l.nth(1, "got hangup"); m.Pid != first.Pid {
		t.Error("it was another process that got HUP")
	}
	l.nth(1, "got user defined signal 1")
	if n := len(l.events("start")); n != 1 {
		t.Errorf("%d starts after signals", n)
	}
	// A restart goes before a signal, and brings what was none.
	kv.put(t, "none", fields{"v": "3"})
	kv.put(t, "hup", fields{"v": "3"})
	kv.put(t, "restart", fields{"v": "3"})
	m := l.starts(2, "RESTART", "3")
	if m.lookup("NONE") != "3" || m.lookup("HUP") != "3" || m.lookup("USR1") != "2" {
		t.Errorf("after the restart: NONE=%s HUP=%s USR1=%s", m.lookup("NONE"), m.lookup("HUP"), m.lookup("USR1"))
	}
	l.stop()
	if n := len(l.events("got hangup")); n != 1 {
		t.Errorf("%d HUPs, want 1", n)
	}
	l.order(2)
}

// none: the files are new at once, the environment with the next start.
func TestP8OnChangeNone(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	old, next := canary(t, "old"), canary(t, "next")
	kv.put(t, "app", fields{"password": old})
	file := filepath.Join(t.TempDir(), "password")
	ref := kv.path("app") + "#password"
	l := kv.run(t, []string{"app"}, append(quick, "--on-change", "none", "--restart", "on-failure",
		"--env", "PASSWORD="+ref, "--file", file+"="+ref)...).live(file)
	first := l.starts(1, "PASSWORD", old)
	kv.put(t, "app", fields{"password": next})
	l.poll("the file to change", func() bool { return readAll([]string{file})["password"] == next })
	if n := len(l.moments()); n != 1 {
		t.Errorf("%d entries in the journal, want its start alone", n)
	}
	mustDo(t, syscall.Kill(first.Pid, syscall.SIGKILL))
	if m := l.starts(2, "PASSWORD", next); m.Files["password"] != next {
		t.Error("the file is old again")
	}
	l.stop()
}

// exec runs a command with the new environment; the application goes on. What
// the hook prints is no output of the application's.
func TestP8OnChangeExec(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": "1"})
	hook := &life{journal: filepath.Join(t.TempDir(), "hook")}
	script := writeFile(t, filepath.Join(t.TempDir(), "hook.sh"), `
echo out-of-the-hook
"$1" child /nowhere/report note "$2" || exit
"$1" child "$2.report" note "$2"; exit 7`)
	l := kv.run(t, []string{"app"}, append(quick, "--on-change", "exec:/bin/sh "+script+" "+shared.self+" "+hook.journal,
		"--env", "PASSWORD="+kv.path("app")+"#password")...).live()
	hook.running = l.running
	first := l.starts(1, "PASSWORD", "1")
	kv.put(t, "app", fields{"password": "2"})
	l.waitLog("the hook failed")
	if n := len(hook.events("note")); n != 0 { // its first command could not write its report
		t.Errorf("the hook went on: %d", n)
	}
	writeFile(t, script, `"$1" child "$2.report" note "$2"`)
	kv.put(t, "app", fields{"password": "3"})
	m := hook.nth(1, "note")
	if m.lookup("PASSWORD") != "3" || m.Pid == first.Pid || m.lookup("VAULT_TOKEN") != "" {
		t.Errorf("the hook's environment is wrong: PASSWORD=%s", m.lookup("PASSWORD"))
	}
	res := l.stop()
	l.order(1)
	res.says("status=99")
	if said(res.stdout, "out-of-the-hook") != 0 || said(res.stderr, "out-of-the-hook") != 1 {
		t.Errorf("what the hook said is not on stderr alone:\n%s", l.outputs())
	}
}

// exit stops the command, and the status is the command's own.
func TestP3OnChangeExit(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"v": "1"})
	for name, want := range map[string]struct {
		vars   []string
		status int
	}{
		"it ends with 0": {nil, 0}, "it ends with 7": {[]string{"LIVE_STATUS=7"}, 7}, "it is deaf": {[]string{"LIVE_DEAF=1"}, 137},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kv := kvMount(t, 2)
			kv.put(t, "app", fields{"v": "1"})
			l := kv.run(t, []string{"app"}, append(quick, "--on-change", "exit", "--stop-timeout", "300ms", "--env", "V="+kv.path("app")+"#v")...).env(want.vars...).live()
			l.starts(1, "V", "1")
			kv.put(t, "app", fields{"v": "2"})
			l.wait().exited(want.status).says("stopping the command for good")
			l.order(1)
		})
	}
}

// --once reads once: no request after the start, whatever changes.
func TestP9Once(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"v": "1"})
	p := newProxy(t, kv.vault.Address)
	file := filepath.Join(t.TempDir(), "v")
	l := kv.run(t, []string{"app"}, "--once", "--mode", "supervise", "--env", "V="+kv.path("app")+"#v", "--file", file+"="+kv.path("app")+"#v").vault(p.address).live(file)
	l.starts(1, "V", "1")
	before := len(p.requests())
	kv.put(t, "app", fields{"v": "2"})
	l.stop()
	if after := len(p.requests()); after != before || before != 2 {
		t.Errorf("%d requests before the start, %d after the end, want 2", before, after)
	}
	if n := p.count(http.MethodGet, kv.data("app")); n != 1 {
		t.Errorf("%d reads, want 1", n)
	}
	kv.run(t, []string{"app"}, "--once", "--refresh", "5s", "--env", "V="+kv.path("app")+"#v").run().refused("--refresh", "--once")
}
