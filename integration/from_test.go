//go:build linux

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The tests of --from: files that others write, read without a shell. Where
// nothing is Vault's there is none, nor any VAULT_ variable.

// injected is what the Agent Injector writes for a template of export lines.
func injected(t *testing.T, password string) string {
	return writeFile(t, filepath.Join(t.TempDir(), "vault/secrets/config"), exportLines(password))
}

// exportLines are those of a user and a password that has no single quote.
func exportLines(password string) string {
	return "export DB_USER=\"app\"\nexport DB_PASSWORD='" + password + "'\n"
}

// replace puts another content in the place of a file, as Vault Agent does: a
// file beside it, renamed.
func replace(t *testing.T, file, content string) {
	t.Helper()
	mustDo(t, os.Rename(writeFile(t, filepath.Join(filepath.Dir(file), "1234567890"), content), file))
}

// secretVolume is a volume of a Kubernetes Secret, as kubelet's AtomicWriter
// keeps it: a directory for each version, ..data leads to the newest, and each
// key through that to its file.
type secretVolume struct {
	t       *testing.T
	dir     string
	version string
}

func newSecretVolume(t *testing.T, keys map[string]string) *secretVolume {
	v := &secretVolume{t: t, dir: t.TempDir()}
	v.update(keys)
	for key := range keys {
		mustDo(t, os.Symlink("..data/"+key, filepath.Join(v.dir, key)))
	}
	return v
}

// update replaces all keys in one moment, and takes the version before away.
func (v *secretVolume) update(keys map[string]string) {
	v.t.Helper()
	before := v.version
	v.version = ".." + unique("2026")
	for key, value := range keys {
		writeFile(v.t, filepath.Join(v.dir, v.version, key), value)
	}
	next := filepath.Join(v.dir, "..data_tmp")
	mustDo(v.t, os.Symlink(v.version, next))
	mustDo(v.t, os.Rename(next, filepath.Join(v.dir, "..data")))
	if before != "" {
		mustDo(v.t, os.RemoveAll(filepath.Join(v.dir, before)))
	}
}

// What `source /vault/secrets/config && exec app` does, without a shell: the
// verbs see the same, and with --once nothing stays between.
func TestP1FromWithoutVault(t *testing.T) {
	t.Parallel()
	password := canary(t, "password") + ` "$HOME" \`
	file := injected(t, password)
	for _, flags := range [][]string{{"--mode", "supervise"}, {"--once"}, {"--init", "always"}} {
		res := vaultexec(t, append(flags, "--from", file)...).run().exited(0)
		res.childHas("DB_PASSWORD", password)
		res.childHas("DB_USER", "app")
	}
	r := vaultexec(t, "--from", filepath.Dir(file), "--once").child("wait").start()
	if child := r.waitChild(); child.Pid != r.pid() {
		t.Errorf("the command is process %d, want %d: with --once nothing is left to do", child.Pid, r.pid())
	}
	r.kill()
	if res := vaultexec(t, "check", "--from", file).alone().run().exited(0); res.stdout != "ok      "+file+"\n" {
		t.Errorf("stdout is %q", res.stdout)
	}
	printed := vaultexec(t, "env", "--from", file+"?only=DB_USER&prefix=MY_").alone().run().exited(0)
	if printed.stdout != "export MY_DB_USER='app'\n" {
		t.Errorf("stdout is %q", printed.stdout)
	}
}

// A Secret that changes is one restart, whatever kubelet does to the directory for
// it, and each value is byte for byte what the Secret has.
func TestP8FromVolume(t *testing.T) {
	t.Parallel()
	passwords := []string{canary(t, "first"), canary(t, "second") + "\ntwo lines\n", canary(t, "third")}
	v := newSecretVolume(t, map[string]string{"db-password": passwords[0], "db-user": "app", ".empty": ""})
	l := vaultexec(t, append(quick, "--refresh", "1h", "--from", v.dir+"?case=upper")...).live()
	start := l.starts(1, "DB_PASSWORD", passwords[0])
	if start.lookup("DB_USER") != "app" {
		t.Error("DB_USER is not what it should be")
	}
	for i, password := range passwords[1:] {
		v.update(map[string]string{"db-password": password, "db-user": "app", ".empty": ""})
		l.starts(i+2, "DB_PASSWORD", password)
	}
	l.stop()
	l.order(len(passwords))
}

// Where the kernel tells nothing, as on NFS, looking finds it: here in a directory
// that is a link to another one later.
func TestP8FromByLooking(t *testing.T) {
	t.Parallel()
	passwords := []string{canary(t, "first"), canary(t, "second")}
	root := t.TempDir()
	for i, password := range passwords {
		writeFile(t, filepath.Join(root, "v"+string(rune('0'+i)), "deep/config"), exportLines(password))
	}
	mustDo(t, os.Symlink("v0", filepath.Join(root, "current")))
	l := vaultexec(t, append(quick, "--from", root+"/current/deep/config")...).live()
	l.starts(1, "DB_PASSWORD", passwords[0])
	mustDo(t, os.Symlink("v1", filepath.Join(root, "next")))
	mustDo(t, os.Rename(filepath.Join(root, "next"), filepath.Join(root, "current")))
	l.starts(2, "DB_PASSWORD", passwords[1])
	l.stop()
	l.order(2)
}

// A sidecar may write later than vaultexec starts, and one file after the other.
func TestP1FromLateSidecar(t *testing.T) {
	t.Parallel()
	password := canary(t, "password")
	dir := t.TempDir()
	r := vaultexec(t, "--mode", "supervise", "--from", dir+"/secrets?only=DB_USER,DB_PASSWORD").start()
	r.waitLog("waiting for what others write: " + dir + "/secrets: there is no such file or directory")
	writeFile(t, dir+"/secrets/user", "export DB_USER=app\n")
	writeFile(t, dir+"/secrets/config", "export DB_PASSWORD="+password+"\n")
	r.wait().exited(0).childHas("DB_PASSWORD", password)

	vaultexec(t, "--startup-timeout", "1s", "--from", dir+"/none").run().
		refused(dir+"/none: there is no such file or directory after 1s: correct the path, see to it that something writes it, or add ?optional to it", "missing")
	vaultexec(t, "--from", dir+"/none?optional").child("report").env("VAULTEXEC_ONCE=true").run().exited(0).childLacks("DB_PASSWORD")
}

// A stop ends the waiting for a file.
func TestP4FromStopWhileWaiting(t *testing.T) {
	t.Parallel()
	r := vaultexec(t, "--mode", "supervise", "--from", t.TempDir()).start()
	r.waitLog("waiting for what others write")
	r.signal(syscall.SIGTERM)
	r.wait().exited(143)
}

// What would be expanded or run is an error with its place, and its text in no
// output.
func TestP12FromBadContent(t *testing.T) {
	t.Parallel()
	secret := canary(t, "secret")
	for _, x := range []struct{ text, place, why string }{
		{"export A=1\nexport B=\"" + secret + "$(touch ran)\"\n", ":2: ", "sh would run the command in $(...)"},
		{"export B=" + secret + "`touch ran`\n", ":1: ", "sh would run the command"},
		{"A=1\n\nB=" + secret + "$HOME\n", ":3: ", "sh would expand a variable"},
		{"A=" + secret + " " + secret + "\n", ":1: ", "sh would run it as a command"},
		{"A='" + secret, ":1: ", "never closed"},
		{"{\n\"a\": \"" + secret + "\",\n}", ":3: ", "this is not JSON"},
		{"data: map[a:" + secret + "]\nmetadata: map[created_time:2026-01-01T00:00:00Z version:1]\n", ":1: ", "agent-inject-default-template: json"},
		{"a: \"" + secret + "\"\n", ":1: ", "?format=map or ?format=yaml"},
		{secret, ":1: ", "format=raw to make one variable"},
	} {
		file := writeFile(t, filepath.Join(t.TempDir(), "config"), x.text)
		vaultexec(t, "--from", file).run().refused(file+x.place, x.why, "malformed")
		if _, err := os.Stat(filepath.Join(filepath.Dir(file), "ran")); err == nil {
			t.Error("something was run")
		}
	}
	nul := writeFile(t, filepath.Join(t.TempDir(), "n.json"), `{"A": "`+secret+`\u0000"}`)
	vaultexec(t, "--from", nul).run().refused("--from "+nul, "NUL", "not_representable")
}

// Whatever becomes of the file later, the command keeps its values and its pid.
func TestP2FromBadContentLater(t *testing.T) {
	t.Parallel()
	first, second := canary(t, "first"), canary(t, "second")
	for name, spoil := range map[string]func(file string) error{
		"malformed": func(file string) error { return os.WriteFile(file, []byte("export DB_PASSWORD="+second+"$("), 0o600) },
		"empty":     func(file string) error { return os.Truncate(file, 0) },
		"deleted":   os.Remove,
		"unusable":  func(file string) error { return os.WriteFile(file, []byte("export DB_USER=app PATH=/x\n"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := injected(t, first)
			l := vaultexec(t, append(quick, "--from", file)...).live()
			pid := l.starts(1, "DB_PASSWORD", first).Pid
			mustDo(t, spoil(file))
			l.waitLog("the command keeps")
			if moments := l.moments(); len(moments) != 1 || moments[0].Pid != pid {
				t.Errorf("%d entries in the journal, want the start alone", len(moments))
			}
			replace(t, file, exportLines(second))
			l.starts(2, "DB_PASSWORD", second)
			l.waitLog("can be used again")
			res := l.stop()
			l.order(2)
			if n := said(res.stderr, "the command keeps"); n > 3 {
				t.Errorf("said %d times:\n%s", n, res.stderr)
			}
		})
	}
}

// A change of a file goes by the same policies as one of Vault, and each keeps
// what the other has brought.
func TestP8FromBesideVault(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	api, apiNext, password, passwordNext := canary(t, "api"), canary(t, "next api"), canary(t, "password"), canary(t, "next password")
	kv.put(t, "app", fields{"API_KEY": api})
	file := injected(t, password)
	l := kv.run(t, []string{"app"}, append(quick, "--secret", kv.path("app"), "--from", file)...).live()
	l.starts(1, "DB_PASSWORD", password)
	kv.put(t, "app", fields{"API_KEY": apiNext})
	if m := l.starts(2, "API_KEY", apiNext); m.lookup("DB_PASSWORD") != password {
		t.Error("the secret's change has lost the file")
	}
	replace(t, file, exportLines(passwordNext))
	if m := l.starts(3, "DB_PASSWORD", passwordNext); m.lookup("API_KEY") != apiNext {
		t.Error("the file's change has lost the secret of Vault")
	}
	l.stop()
	l.order(3)
}

// A signal instead of a restart, for one file of two.
func TestP8FromSignal(t *testing.T) {
	t.Parallel()
	file, other := injected(t, canary(t, "password")), writeFile(t, filepath.Join(t.TempDir(), "other.env"), "OTHER=1\n")
	l := vaultexec(t, append(quick, "--from", file+"?on_change=signal:HUP", "--from", other)...).live()
	l.nth(1, "start")
	replace(t, file, exportLines(canary(t, "next password")))
	l.nth(1, "got hangup")
	replace(t, other, "OTHER=2\n")
	l.starts(2, "OTHER", "2")
	res := l.stop()
	l.order(2)
	if strings.Contains(res.stderr, "VAULT_") {
		t.Errorf("something is said of Vault:\n%s", res.stderr)
	}
}
