//go:build linux

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// needRoot skips where a command cannot be run as somebody else.
func needRoot(t *testing.T) {
	t.Helper()
	switch {
	case os.Geteuid() == 0:
	case os.Getenv("CI") != "":
		t.Fatal("only root can run a command as somebody else, and CI must test it")
	default:
		t.Skip("only root can run a command as somebody else")
	}
}

// whoAmI prints what a command is and may, and whether it can read what it was
// given and what vaultexec logs in with.
const whoAmI = `sed -n 's/^\(Uid\|Gid\|Groups\|NoNewPrivs\):[[:space:]]*/\1 /p' /proc/self/status | tr -s '\t ' '  '
[ "$(cat "$A_FILE")" = "$(cat "$B_FILE")" ] && [ "$(cat "$A_FILE")" = "$C" ] && echo has its secrets
cat "$LOGIN" 2>/dev/null || echo cannot log in
echo "home $HOME"; echo "at $A_FILE"`

// Who runs as another user has the secrets that are for it and nothing that
// vaultexec has, and gains no privileges.
func TestP7AnotherUser(t *testing.T) {
	needRoot(t)
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	inEach(t, everywhere, func(t *testing.T, p place) {
		login := secretFile(t, "credential of vaultexec", "for nobody else")
		mustDo(t, os.Chmod(login, 0o600))
		ref := kv.path("app") + "#password"
		r := p.start(p.vaultexec(t, "--user", "4711:815", "--no-new-privs", "--file-env", "A="+ref, "--fd-env", "B="+ref, "--env", "C="+ref).
			vault(kv.vault.Address).token(kv.token(t, "app")).env("LOGIN="+login, "HOME=/root").exec("/bin/sh", "-c", whoAmI+`; sleep 600 & trap "kill $!; exit 0" TERM; echo ready; wait`))
		r.waitLine("ready")
		r.signal(syscall.SIGTERM)
		res := r.wait().exited(0)
		const want = "Uid 4711 4711 4711 4711\nGid 815 815 815 815\nGroups \nNoNewPrivs 1\nhas its secrets\ncannot log in\nhome /"
		said, rest, _ := strings.Cut(res.stdout, "\nat ")
		if said != want {
			t.Errorf("the command is\n%s\nwant\n%s", said, want)
		}
		file, _, _ := strings.Cut(rest, "\n")
		if dir := filepath.Dir(file); strings.HasPrefix(dir, "/dev/shm/vaultexec-") {
			_ = os.RemoveAll(dir) // exec mode leaves it
		}
	})
}

// withUsers starts a command where the user database is these two files, as in
// somebody's image, and as a member of the group 4714.
func withUsers(t *testing.T, passwd, group string) func(*testing.T, []string) *exec.Cmd {
	const script = `mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/group && shift 2 && exec setpriv --groups=4714 -- "$@"`
	dir := t.TempDir()
	files := []string{writeFile(t, filepath.Join(dir, "passwd"), passwd), writeFile(t, filepath.Join(dir, "group"), group)}
	for _, file := range files {
		mustDo(t, os.Chmod(file, 0o644))
	}
	return func(_ *testing.T, argv []string) *exec.Cmd {
		return exec.Command("unshare", slices.Concat([]string{"--mount", "--propagation", "private", "sh", "-c", script, "sh"}, files, argv)...)
	}
}

// A user that is named has its groups, as the user database of the image says, a
// group that is named is the only one, and none is vaultexec's own.
func TestP7GroupsOfAnotherUser(t *testing.T) {
	needRoot(t)
	needNamespaces(t)
	t.Parallel()
	start := withUsers(t, "root:x:0:0::/root:/bin/sh\nalice:x:4711:815::/home/alice:/bin/sh\n",
		"root:x:0:\nstaff:x:815:\naudio:x:4712:bob,alice\nvideo:x:4713:alice\nours:x:4714:bob\n")
	for user, want := range map[string]string{
		"alice": "4711 815 4712 4713 /home/alice", "4711": "4711 815 4712 4713 /home/alice",
		"alice:staff": "4711 815 /home/alice", "4711:video": "4711 4713 /home/alice", "4710:815": "4710 815 /",
	} {
		for _, mode := range []string{"exec", "supervise"} {
			res := vaultexec(t, "--mode", mode, "--user", user).exec("/bin/sh", "-c", `echo "$(id -u) $(id -G) $HOME"`).startIn(start).wait().exited(0)
			if res.stdout != want+"\n" {
				t.Errorf("%s, --mode %s: the command is %q, want %q", user, mode, res.stdout, want)
			}
		}
	}
}

// The pipes are vaultexec's own: another user has them, and no name for them.
func TestP7StdoutOfAnotherUser(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for _, mode := range []string{"exec", "supervise"} {
		res := vaultexec(t, "--mode", mode, "--user", "4711:815").
			exec("/bin/sh", "-c", "echo has it; { echo opened >/dev/stdout; } 2>/dev/null || echo cannot open it").run().exited(0)
		if res.stdout != "has it\ncannot open it\n" {
			t.Errorf("%s: the command says %q", mode, res.stdout)
		}
	}
}

// What a change runs is no more than the command.
func TestP7HookOfAnotherUser(t *testing.T) {
	needRoot(t)
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	l := kv.run(t, []string{"app"}, append(quick, "--mode", "supervise", "--user", "4711:815", "--no-new-privs", "--env",
		"A="+kv.path("app")+"?on_change=exec:/usr/bin/env%20grep%20-E%20Uid|NoNewPrivs%20/proc/self/status#password")...).exec("/bin/sh", "-c", "trap 'exit 0' TERM; echo ready"+loop).start()
	l.waitLine("ready")
	kv.put(t, "app", fields{"password": canary(t, "next password")})
	l.waitLog("NoNewPrivs:\t1")
	l.waitLog("Uid:\t4711\t4711\t4711\t4711")
	l.signal(syscall.SIGTERM)
	l.wait().exited(0)
}

// Four capabilities are all that it takes, and the command has none.
func TestP7FourCapabilities(t *testing.T) {
	needRoot(t)
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	c := kv.run(t, []string{"app"}, append(quick, "--mode", "supervise", "--on-change", "none", "--user", "4711:815", "--no-new-privs", "--require-tmpfs", "--file-env", "A="+kv.path("app")+"#password")...).
		exec("/bin/sh", "-c", `trap 'exit 0' TERM; grep CapPrm /proc/self/status; was=$(cat "$A_FILE"); echo ready; while [ "$(cat "$A_FILE")" = "$was" ]; do sleep 0.1; done; echo changed`+loop)
	r := c.startIn(func(t *testing.T, argv []string) *exec.Cmd {
		return exec.Command("setpriv", append([]string{"--bounding-set=-all,+setuid,+setgid,+chown,+kill", "--"}, argv...)...)
	})
	r.waitLine("ready")
	kv.put(t, "app", fields{"password": canary(t, "next password")})
	r.waitLine("changed")
	r.signal(syscall.SIGTERM)
	if res := r.wait().exited(0); !strings.Contains(res.stdout, "CapPrm:\t0000000000000000") {
		t.Errorf("the command has capabilities:\n%s", res.stdout)
	}
}

// Who may not change its user hears so.
func TestP12AnotherUserWithoutRoot(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for _, mode := range []string{"exec", "supervise"} {
		c := vaultexec(t, "--mode", mode, "--user", "4711:815").exec("/bin/true")
		c.startIn(func(t *testing.T, argv []string) *exec.Cmd {
			return exec.Command("setpriv", append([]string{"--bounding-set=-setuid,-setgid", "--"}, argv...)...)
		}).wait().exited(126).says("cannot be run as user 4711 and group 815", "CAP_SETUID")
	}
	// Nor is a command started that could not be stopped.
	for _, mode := range []string{"never", "always"} {
		c := vaultexec(t, "--mode", "supervise", "--init", mode, "--user", "4711:815").exec("/bin/true")
		c.startIn(func(t *testing.T, argv []string) *exec.Cmd {
			return exec.Command("setpriv", append([]string{"--bounding-set=-kill", "--"}, argv...)...)
		}).wait().exited(126).says("could not be signalled or stopped as user 4711", "CAP_KILL")
	}
	vaultexec(t, "--user", "no-such-user").exec("/bin/true").run().refused("usage", `there is no user "no-such-user" here`)
}

// When the kernel refuses the command to its user, it is still vaultexec that
// takes the files away and reports.
func TestP11AnotherUserCannotRunIt(t *testing.T) {
	needRoot(t)
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	for _, flags := range [][]string{{"--mode", "exec"}, {"--mode", "exec", "--no-new-privs"}, {"--mode", "supervise"}} {
		dir := t.TempDir()
		files, last, command := filepath.Join(dir, "files"), filepath.Join(dir, "last"), filepath.Join(dir, "command")
		mustDo(t, os.Mkdir(files, 0o700))
		writeFile(t, last, "")
		mustDo(t, os.Chmod(last, 0o600))
		mustDo(t, os.WriteFile(command, []byte("#!/bin/sh\n"), 0o700))
		mustDo(t, os.Chmod(dir, 0o700)) // not to be entered by the user
		kv.run(t, []string{"app"}, append(flags, "--user", "4711:815", "--termination-log", last, "--file", files+"/a="+kv.path("app")+"#password")...).
			exec(command).run().exited(126).says("permission denied to user 4711 and group 815")
		nothingLeft(t, files)
		if said, err := os.ReadFile(last); err != nil || !strings.Contains(string(said), "permission denied to user 4711") {
			t.Errorf("%v: the termination log has %q, %v", flags, said, err)
		}
	}
}

// Files stay off the disk.
func TestP11RequireTmpfs(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	ref := kv.path("app") + "#password"
	disk := t.TempDir()
	var fs unix.Statfs_t
	if err := unix.Statfs(disk, &fs); err != nil || fs.Type == unix.TMPFS_MAGIC {
		disk = "/sys" // no disk, but not tmpfs either
	}
	memory, err := os.MkdirTemp("/dev/shm", "vaultexec-test-")
	mustDo(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(memory) })
	kv.run(t, []string{"app"}, "--require-tmpfs", "--file", memory+"/a="+ref, "--file", memory+"/d/="+kv.path("app"), "--file-env", "B="+ref).run().exited(0)
	for _, file := range []string{"a=" + ref, "d/=" + kv.path("app")} {
		kv.run(t, []string{"app"}, "--require-tmpfs", "--file", filepath.Join(disk, file[:1])+file[1:]).run().
			refused("write_failed", disk, "is not in memory (tmpfs), as --require-tmpfs wants")
	}
	nothingLeft(t, memory)
	if disk != "/sys" {
		nothingLeft(t, disk)
	}
}
