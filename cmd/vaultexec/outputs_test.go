package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// outputModes are all ways to run a command.
func outputModes() [][]string {
	modes := [][]string{{"--mode", "exec"}, {"--mode", "supervise"}}
	if runtime.GOOS == "linux" {
		modes = append(modes, []string{"--init", "always"})
	}
	return modes
}

// A file in memory is where the variable says, for nobody else, and gone
// afterwards, its directory too, unless nobody is left to see to that.
func TestFileEnv(t *testing.T) {
	_, environ := verbsVault(t)
	session := filepath.Join(t.TempDir(), "session")
	if err := os.Mkdir(session, 0o700); err != nil {
		t.Fatal(err)
	}
	environ = append(environ, "XDG_RUNTIME_DIR="+session)
	const script = `cat "$PASSWORD_FILE" "$ALL_FILE"; ls -ld "$PASSWORD_FILE" "${PASSWORD_FILE%/*}" | cut -c1-10; echo "$PASSWORD_FILE $VAULTEXEC_RUNTIME_DIR"`
	for _, mode := range outputModes() {
		args := append(mode, "--file-env", "PASSWORD=kv/app#password", "--file-env", "ALL=kv/app?format=properties", "--", "/bin/sh", "-c", script)
		got := vaultexec(t, environ, args...)
		const content = "it's a canarypassword=it's a canary\nuser=app\ndrwx------\n-r--------\n"
		path, ok := strings.CutPrefix(got.stdout, content)
		if got.code != 0 || got.stderr != "" || !ok || !strings.HasPrefix(path, session+"/vaultexec-") || !strings.HasSuffix(path, "/PASSWORD \n") {
			t.Errorf("%s: %+v", mode, got)
		}
		left, err := os.ReadDir(session)
		if err != nil || (mode[1] == "exec") != (len(left) == 1) {
			t.Errorf("%s leaves %v, %v", mode, left, err)
		}
		if err := os.RemoveAll(filepath.Dir(strings.TrimSpace(path))); err != nil {
			t.Error(err)
		}
	}
}

// A directory that the user names is as stable as he wants it; what was there
// stays there.
func TestRuntimeDir(t *testing.T) {
	_, environ := verbsVault(t)
	t.Chdir(t.TempDir())
	if err := os.Mkdir("own", 0o700); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir, left := range map[string]bool{"own": true, "new": false} {
		got := vaultexec(t, append(environ, "VAULTEXEC_RUNTIME_DIR="+dir), "--file-env", "A=kv/app#user", "--", "/bin/sh", "-c", `cd /; cat "$A_FILE"; echo " $A_FILE"`)
		if want := (result{0, "app " + here + "/" + dir + "/A\n", ""}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if _, err := os.Stat(dir); (err == nil) != left {
			t.Errorf("%s is there afterwards: %v", dir, err)
		}
	}
	if err := os.Chmod("own", 0o777); err != nil {
		t.Fatal(err)
	}
	got := vaultexec(t, environ, "--runtime-dir", "own", "--file-env", "A=kv/app#user", "--", "true")
	want := result{125, "", "vaultexec: write_failed: --file-env A: " + here + "/own belongs to another user, or others can write into it: let --runtime-dir name a directory that is this user's alone, or one that is not there yet, or use --fd-env, which needs no directory; nothing was changed\n"}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A descriptor is a file that can be opened as often as the command likes, also
// by what it starts, and that nobody can change.
func TestFDEnv(t *testing.T) {
	if runtime.GOOS != "linux" {
		got := vaultexec(t, nil, "--fd-env", "A=kv/app#user", "--", "true")
		if want := (result{125, "", "vaultexec: config: --fd-env: needs Linux, use --file-env\n"}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		return
	}
	_, environ := verbsVault(t)
	const script = `cat "$A_FILE" "$A_FILE"; sh -c 'cat "$B_FILE"'; echo " $A_FILE $B_FILE"; (echo x > "$A_FILE") 2>/dev/null || echo sealed`
	for _, mode := range outputModes() {
		args := append(mode, "--once", "--fd-env", "A=kv/app#password", "--fd-env", "B=kv/app#user", "--", "/bin/sh", "-c", script)
		got := vaultexec(t, environ, args...)
		if want := (result{0, "it's a canaryit's a canaryapp /proc/self/fd/100 /proc/self/fd/101\nsealed\n", ""}); got != want {
			t.Errorf("%s: %+v, want %+v", mode, got, want)
		}
	}
}

// What lasts as long as a command is nothing for the verbs without one.
func TestVerbsRefuseWhatIsForACommand(t *testing.T) {
	_, environ := verbsVault(t)
	for _, verb := range []string{"env", "render"} {
		for _, flag := range []string{"--file-env", "--fd-env"} {
			got := vaultexec(t, environ, verb, flag, "A=kv/app#user")
			if want := (result{125, "", "vaultexec: usage: " + flag + ": lasts as long as the command that it is for, and here is none: use --env or --file\n"}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
	}
	if got := vaultexec(t, environ, "check", "--file-env", "A=kv/app#user", "--fd-env", "B=kv/app#none"); got.code == 0 || !strings.Contains(got.stdout+got.stderr, "missing kv/app#none\n") {
		t.Errorf("check: %+v", got)
	}
}
