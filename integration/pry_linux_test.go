//go:build linux

package integration

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func init() { childVerbs["pry"] = childPry }

// childPry tries to get at another process, PID. It prints a line for each way:
// its name, and what came of it.
func childPry(args []string) int {
	runtime.LockOSThread() // ptrace(2) knows threads
	pid, err := strconv.Atoi(args[0])
	if err != nil {
		return 99
	}
	for _, way := range waysIn {
		if err := way.try(pid); err != nil {
			fmt.Printf("%s: %v\n", way.name, err)
		} else {
			fmt.Printf("%s: open\n", way.name)
		}
	}
	return 0
}

// waysIn are the ways to what a process knows that the kernel guards with
// ptrace's access check, which PR_SET_DUMPABLE closes (ptrace(2), "Ptrace access
// mode checking"; proc(5)).
var waysIn = []struct {
	name string
	try  func(pid int) error
}{
	{"environ", func(pid int) error { return readSome(pid, "environ", 0) }},
	{"maps", func(pid int) error { return readSome(pid, "maps", 0) }},
	{"auxv", func(pid int) error { return readSome(pid, "auxv", 0) }},
	{"fd", func(pid int) error { _, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); return err }},
	{"mem", func(pid int) error {
		f, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
		if err != nil {
			return err
		}
		return f.Close()
	}},
	{"process_vm_readv", func(pid int) error {
		// No address of ours is one of theirs: who may look is told that there
		// is nothing (EFAULT), who may not that he may not.
		var to [1]byte
		local := []unix.Iovec{{Base: &to[0], Len: 1}}
		remote := []unix.RemoteIovec{{Base: uintptr(8), Len: 1}}
		if _, err := unix.ProcessVMReadv(pid, local, remote, 0); !errors.Is(err, unix.EFAULT) {
			return err
		}
		return nil
	}},
	{"pidfd_getfd", func(pid int) error {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return err
		}
		_, err = unix.PidfdGetfd(fd, 2, 0)
		return err
	}},
	{"ptrace", func(pid int) error {
		if err := unix.PtraceSeize(pid); err != nil {
			return err
		}
		_, _, _ = unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_INTERRUPT, uintptr(pid), 0, 0, 0, 0)
		var status unix.WaitStatus
		_, _ = unix.Wait4(pid, &status, unix.WALL, nil)
		return unix.PtraceDetach(pid)
	}},
}

func readSome(pid int, file string, at int64) error {
	f, err := os.Open(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	if _, err := f.ReadAt(make([]byte, 16), at); err != nil && err != io.EOF {
		return err
	}
	return nil
}

// openDir makes a directory that others can get at too.
func openDir(t *testing.T, mode os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	mustDo(t, os.Chmod(filepath.Dir(dir), 0o755)) // the test's, above it
	mustDo(t, os.Chmod(dir, mode))
	return dir
}

// pryAs has another process of a user try all ways into a process: way -> what
// came of it.
func pryAs(t *testing.T, uid uint32, self string, pid int) map[string]string {
	t.Helper()
	report := openDir(t, 0o777)
	cmd := exec.Command(self, childWord, filepath.Join(report, "report"), "pry", strconv.Itoa(pid))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	cmd.Dir = "/"
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pry: %v", err)
	}
	came := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		way, what, _ := strings.Cut(strings.TrimSpace(line), ": ")
		came[way] = what
	}
	if len(came) != len(waysIn) {
		t.Fatalf("pry says\n%s", out)
	}
	return came
}

// While vaultexec holds secrets, no other process of its own user gets at what it
// knows, neither in the one process nor in the init or the supervisor; the
// command beside it, which nobody has closed, is open to the same attempts.
func TestP7MemoryIsClosed(t *testing.T) {
	needRoot(t)
	t.Parallel()
	const uid = 4711
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	dir := openDir(t, 0o755)
	// Programs that the user may read: who runs one that he cannot read is
	// closed for that reason already (execve(2)).
	copied := func(name, from string) string {
		text, err := os.ReadFile(from)
		mustDo(t, err)
		mustDo(t, os.WriteFile(filepath.Join(dir, name), text, 0o755))
		return filepath.Join(dir, name)
	}
	self := copied("self", shared.self)
	scope, _ := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope") // none without Yama
	for name, flags := range map[string][]string{"one process": {"--init", "never"}, "init and supervisor": {"--init", "always"}} {
		t.Run(name, func(t *testing.T) {
			c := kv.run(t, []string{"app"}, append(flags, "--mode", "supervise", "--env", "PASSWORD="+kv.path("app")+"#password")...).
				exec("/bin/sh", "-c", "trap 'exit 0' TERM"+loop)
			c.binary, c.dir, c.home = copied("vaultexec "+name, c.binary), "/", "/"
			r := c.startIn(func(t *testing.T, argv []string) *exec.Cmd {
				return exec.Command("setpriv", append([]string{"--reuid=4711", "--regid=4711", "--clear-groups", "--"}, argv...)...)
			})
			r.waitLine("ready")
			closed := []int{r.pid()}
			if name != "one process" {
				closed = append(closed, r.supervisor())
			}
			for _, pid := range closed {
				for way, what := range pryAs(t, uid, self, pid) {
					if !strings.Contains(what, "permission denied") && !strings.Contains(what, "operation not permitted") {
						t.Errorf("%s of process %d: %s", way, pid, what)
					}
				}
			}
			children := childrenOf(closed[len(closed)-1])
			if len(children) != 1 {
				t.Fatalf("it has %d children", len(children))
			}
			for way, what := range pryAs(t, uid, self, children[0].pid) {
				guarded := way == "mem" || way == "process_vm_readv" || way == "pidfd_getfd" || way == "ptrace"
				if what != "open" && (!guarded || strings.TrimSpace(string(scope)) <= "0") {
					t.Errorf("the test proves nothing: %s of the command is closed too: %s", way, what)
				}
			}
			r.signal(syscall.SIGTERM)
			r.wait().exited(0)
		})
	}
}
