//go:build linux

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// pointedLife starts a command that reads what NAME_FILE points to, in a place.
func pointedLife(t *testing.T, p place, kv *kv, flags ...string) *life {
	t.Helper()
	journal := filepath.Join(t.TempDir(), "journal")
	c := p.vaultexec(t, append(quick, flags...)...).vault(kv.vault.Address).token(kv.token(t, "app")).child("live", journal)
	return &life{p.start(c), journal}
}

// holds checks what a child reads through a variable, and that it is not in its
// environment.
func (m moment) holds(t *testing.T, variable, value string) {
	t.Helper()
	path := m.lookup(variable)
	if got := m.Files[filepath.Base(path)]; got != value {
		t.Errorf("%s: what %s=%s points to has %d bytes, want another %d", m.Event, variable, path, len(got), len(value))
	}
	if strings.Contains(strings.Join(m.Env, "\n"), value) {
		t.Error("the environment has it too")
	}
}

// A sealed descriptor: each new start gets a new one, under the number of the
// first; as PID 1 it is the supervisor that makes it.
func TestP8FDEnvRotates(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		kv := kvMount(t, 2)
		password := kv.newPassword(t)
		l := pointedLife(t, p, kv, "--fd-env", "PASSWORD="+kv.path("app")+"#password")
		for i := range 3 {
			m := l.nth(i+1, "start")
			if path := m.lookup("PASSWORD_FILE"); path != "/proc/self/fd/100" {
				t.Errorf("start %d: it is at %s", i+1, path)
			}
			m.holds(t, "PASSWORD_FILE", password)
			if i < 2 {
				password = kv.newPassword(t)
			}
		}
		l.stop()
		l.order(3)
	})
}

// newPassword gives the secret app another password.
func (k *kv) newPassword(t *testing.T) string {
	t.Helper()
	password := canary(t, "password")
	k.put(t, "app", fields{"password": password})
	return password
}

// exec: gives its own command the new descriptor; the old one stays as it was.
func TestP8FDEnvHook(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := kv.newPassword(t)
	hook := &life{journal: filepath.Join(t.TempDir(), "hook")}
	l := pointedLife(t, oneProcess, kv, "--fd-env", "PASSWORD="+kv.path("app")+"?on_change=exec:"+shared.self+"%20child%20"+hook.journal+".report%20note%20"+hook.journal+"#password")
	hook.running = l.running
	l.nth(1, "start")
	next := kv.newPassword(t)
	hook.nth(1, "note").holds(t, "PASSWORD_FILE", next)
	l.signal(syscall.SIGHUP)
	m := l.nth(1, "got hangup")
	m.Env = l.nth(1, "start").Env
	m.holds(t, "PASSWORD_FILE", password)
	l.stop()
	l.order(1)
}

// A private file: its path stays, what is in it changes before the signal, and
// nothing is left at the end.
func TestP8FileEnvRotates(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		kv := kvMount(t, 2)
		password := kv.newPassword(t)
		session := t.TempDir()
		c := []string{"--on-change", "signal:HUP", "--file-env", "PASSWORD=" + kv.path("app") + "#password"}
		journal := filepath.Join(t.TempDir(), "journal")
		run := p.vaultexec(t, append(quick, c...)...).vault(kv.vault.Address).token(kv.token(t, "app")).env("XDG_RUNTIME_DIR="+session).child("live", journal)
		l := &life{p.start(run), journal}
		first := l.nth(1, "start")
		if path := first.lookup("PASSWORD_FILE"); !strings.HasPrefix(path, session+"/vaultexec-") {
			t.Errorf("it is at %s", path)
		}
		first.holds(t, "PASSWORD_FILE", password)
		password = kv.newPassword(t)
		m := l.nth(1, "got hangup")
		m.Env = first.Env
		m.holds(t, "PASSWORD_FILE", password)
		l.stop()
		l.order(1)
		nothingLeft(t, session)
	})
}

// Credentials: a directory of which the same is true.
func TestP8CredentialsRotate(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		kv := kvMount(t, 2)
		password := kv.newPassword(t)
		session := t.TempDir()
		journal := filepath.Join(t.TempDir(), "journal")
		run := p.vaultexec(t, append(quick, "--on-change", "signal:HUP", "--credentials", kv.path("app"), "--credentials", "db="+kv.path("app")+"#password")...).
			vault(kv.vault.Address).token(kv.token(t, "app")).env("XDG_RUNTIME_DIR="+session).child("live", journal)
		l := &life{p.start(run), journal}
		first := l.nth(1, "start")
		if dir := first.lookup("CREDENTIALS_DIRECTORY"); !strings.HasPrefix(dir, session+"/vaultexec-") {
			t.Errorf("they are in %s", dir)
		}
		check := func(m moment, want string) {
			t.Helper()
			for _, name := range []string{"password", "db"} {
				if got := m.Files[name]; got != want {
					t.Errorf("%s: the file %s has %d bytes, want another %d", m.Event, name, len(got), len(want))
				}
			}
		}
		check(first, password)
		password = kv.newPassword(t)
		check(l.nth(1, "got hangup"), password)
		l.stop()
		l.order(1)
		nothingLeft(t, session)
	})
}

// The init removes what a killed supervisor has left, the directories too.
func TestP11PrivateFilesOfAKilledSupervisor(t *testing.T) {
	inEach(t, withInit, func(t *testing.T, p place) {
		kv := kvMount(t, 2)
		kv.newPassword(t)
		session := t.TempDir()
		r := p.start(p.vaultexec(t, "--file-env", "PASSWORD="+kv.path("app")+"#password", "--credentials", kv.path("app")).env("XDG_RUNTIME_DIR="+session).
			vault(kv.vault.Address).token(kv.token(t, "app")).exec("/bin/sh", "-c", `trap 'exit 0' TERM`+loop))
		r.waitLine("ready")
		if entries, err := os.ReadDir(session); err != nil || len(entries) != 1 {
			t.Fatalf("%d directories, %v", len(entries), err)
		}
		killed(t, r.supervisor())
		r.wait().exited(137)
		nothingLeft(t, session)
	})
}

// A root with nothing in it: a descriptor needs no place to write to, a file
// says that it does.
func TestP11FDEnvInAScratchRoot(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := kv.newPassword(t)
	reference := kv.path("app") + "#password"
	token := kv.token(t, "app")
	for _, mode := range []string{"exec", "supervise"} {
		s := inScratchRoot(t, true, "--mode", mode, "--fd-env", "PASSWORD="+reference)
		s.vault(kv.vault.Address).token(token)
		s.child("cat", "/proc/self/fd/100", "/report/copy").run().exited(0).childHas("PASSWORD_FILE", "/proc/self/fd/100")
		if text, err := os.ReadFile(filepath.Join(s.dir, "report", "copy")); err != nil || string(text) != password {
			t.Errorf("%s: the command reads %d bytes, %v", mode, len(text), err)
		}
		s = inScratchRoot(t, false, "--mode", mode, "--fd-env", "PASSWORD="+reference)
		s.vault(kv.vault.Address).token(token)
		s.run().refused("--fd-env PASSWORD", "/proc", "--file-env")
		s = inScratchRoot(t, false, "--mode", mode, "--file-env", "PASSWORD="+reference)
		s.vault(kv.vault.Address).token(token)
		s.run().refused("--file-env", "--runtime-dir", "--fd-env")
	}
}

// A command that gives up being root reads what is owned by its user, through
// the descriptor that it has inherited too.
func TestP11FDEnvOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("it takes root to become another user")
	}
	kv := kvMount(t, 2)
	kv.newPassword(t)
	for _, mode := range []string{"exec", "supervise"} {
		for owner, status := range map[string]int{"?owner=65534": 0, "?mode=0444": 0, "": 1} {
			c := kv.run(t, []string{"app"}, "--mode", mode, "--fd-env", "PASSWORD="+kv.path("app")+owner+"#password").
				exec("/bin/sh", "-c", `exec setpriv --reuid=65534 --regid=65534 --clear-groups /bin/sh -c 'x=$(cat "$PASSWORD_FILE" 2>/dev/null) && test ${#x} -gt 9'`)
			c.run().exited(status)
		}
	}
}

// A directory flips as a whole before the signal, keys come and go with it, and
// a reader of one version never sees two.
func TestP11DirectoryRotates(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		kv := kvMount(t, 2)
		version := func(n int) (user, password string) {
			user, password = fmt.Sprintf("user %d", n), canary(t, "password")
			kv.put(t, "app", fields{"user": user, "password": password, fmt.Sprintf("only-%d", n): "x"})
			return user, password
		}
		user, password := version(0)
		dir := filepath.Join(t.TempDir(), "secrets")
		journal := filepath.Join(t.TempDir(), "journal")
		flags := append(quick, "--on-change", "signal:HUP", "--file", dir+"/="+kv.path("app"))
		l := &life{p.start(p.vaultexec(t, flags...).vault(kv.vault.Address).token(kv.token(t, "app")).child("live", journal, dir+"/user", dir+"/password")), journal}
		check := func(m moment, n int) {
			t.Helper()
			if m.Files["user"] != user || m.Files["password"] != password {
				t.Errorf("%s: the files are not those of version %d: user is %q", m.Event, n, m.Files["user"])
			}
			want := []string{"..data", fmt.Sprintf("only-%d", n), "password", "user"}
			if got := slices.DeleteFunc(entries(t, dir), func(name string) bool { return strings.HasPrefix(name, "..2") }); !slices.Equal(got, want) {
				t.Errorf("there are %q, want %q", got, want)
			}
		}
		check(l.nth(1, "start"), 0)
		stopc, mixedc := make(chan struct{}), make(chan string, 1)
		go readVersions(dir, stopc, mixedc)
		for n := 1; n <= 3; n++ {
			user, password = version(n)
			check(l.nth(n, "got hangup"), n)
		}
		close(stopc)
		if mixed := <-mixedc; mixed != "" {
			t.Error(mixed)
		}
		l.stop()
		l.order(1)
		if _, err := os.Lstat(dir); !os.IsNotExist(err) {
			t.Errorf("the directory is left: %v", err)
		}
	})
}

// readVersions reads all the time and says at the end what it saw that must not
// be: a name that leads nowhere, or two versions in one.
func readVersions(dir string, stopc <-chan struct{}, mixedc chan<- string) {
	seen := map[string]string{} // password -> user
	for {
		select {
		case <-stopc:
			mixedc <- ""
			return
		default:
		}
		if _, err := os.ReadFile(dir + "/user"); err != nil {
			mixedc <- err.Error()
			return
		}
		root, err := os.OpenRoot(dir + "/..data")
		if err != nil {
			mixedc <- err.Error()
			return
		}
		user, _ := root.ReadFile("user") // of a version that is gone by now: nothing
		password, _ := root.ReadFile("password")
		root.Close()
		if other, ok := seen[string(password)]; ok && len(user) > 0 && len(password) > 0 && other != string(user) {
			mixedc <- "with one password come " + other + " and " + string(user)
			return
		}
		if len(user) > 0 && len(password) > 0 {
			seen[string(password)] = string(user)
		}
	}
}

// The init removes a directory in its place, and nothing that is not ours.
func TestP11DirectoryOfAKilledSupervisor(t *testing.T) {
	inEach(t, withInit, func(t *testing.T, p place) {
		kv := kvMount(t, 2)
		kv.newPassword(t)
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "foreign"), "stays")
		r := p.start(p.vaultexec(t, "--file", dir+"/="+kv.path("app")).
			vault(kv.vault.Address).token(kv.token(t, "app")).exec("/bin/sh", "-c", `trap 'exit 0' TERM`+loop))
		r.waitLine("ready")
		if _, err := os.Stat(dir + "/password"); err != nil {
			t.Fatal(err)
		}
		killed(t, r.supervisor())
		r.wait().exited(137)
		if got := entries(t, dir); !slices.Equal(got, []string{"foreign"}) {
			t.Errorf("left are %q", got)
		}
	})
}
