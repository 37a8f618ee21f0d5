//go:build linux

package integration

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// In exec mode vaultexec is the command afterwards: the same process, the same
// parent, and nothing else.
func TestP3ExecModeKeepsThePid(t *testing.T) {
	t.Parallel()
	r := execMode.start(execMode.vaultexec(t).tally("-"))
	r.waitLine("ready")
	child := r.waitChild()
	if child.Pid != r.pid() || child.Parent != os.Getpid() {
		t.Errorf("the command is process %d of %d, want %d of %d", child.Pid, child.Parent, r.pid(), os.Getpid())
	}
	if others := processes(func(p process) bool { return p.group == r.pid() && p.pid != r.pid() }); len(others) > 0 {
		t.Errorf("other processes are left: %v", others)
	}
	if ours := openFDs(); !slices.Equal(child.FDs, ours) {
		t.Errorf("the command has inherited the descriptors %v, vaultexec %v", child.FDs, ours)
	}
	r.signal(syscall.SIGTERM)
	r.wait().exited(0)
}

// It ends as the command does, by a signal too.
func TestP3ExecModeStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []int{0, 1, 125, 255} {
		execMode.run(execMode.vaultexec(t).exec("/bin/sh", "-c", "exit "+number(syscall.Signal(status)))).exited(status)
	}
	for _, sig := range fatalSignals {
		res := execMode.run(execMode.vaultexec(t).exec("/bin/sh", "-c", "ulimit -c 0; kill -"+number(sig)+" $$"))
		if res.signal != sig {
			t.Errorf("status %d, signal %v; the command died of %v", res.status, res.signal, sig)
		}
	}
}

// A TERM at any moment ends it: none is lost between vaultexec and the command
// that it becomes.
func TestP4ExecModeLosesNoTerm(t *testing.T) {
	t.Parallel()
	binary, runs := released(t), 600
	if testing.Short() {
		runs = 100
	}
	full := timeToExec(t, binary) * 3 / 2
	many(t, runs, func(i int) {
		cmd := exec.Command(binary, "--mode", "exec", "--", "/bin/sleep", "100")
		cmd.Env = []string{}
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		// What is tested is a moment.
		time.Sleep(full * time.Duration(i) / time.Duration(runs))
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		watchdog := time.AfterFunc(waitLimit/2, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // how it ended is in its state
		watchdog.Stop()
		if status, sig := ended(cmd.ProcessState); sig != syscall.SIGTERM && status != 143 {
			t.Errorf("TERM after %d/%d of %v: status %d, signal %v", i, runs, full, status, sig)
		}
	})
}

// timeToExec measures how long it takes until the process is the command, as
// busy as the machine is. The delays have to reach past that.
func timeToExec(t *testing.T, binary string) time.Duration {
	t.Helper()
	var took []time.Duration
	for range 5 {
		cmd := exec.Command(binary, "--mode", "exec", "--", "/bin/sleep", "100")
		cmd.Env = []string{}
		begin := time.Now()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for begin := time.Now(); strings.Join(words(cmd.Process.Pid), " ") != "/bin/sleep 100"; {
			if time.Since(begin) > waitLimit {
				_ = cmd.Process.Kill()
				t.Fatalf("vaultexec has not become the command within %v", waitLimit)
			}
		}
		took = append(took, time.Since(begin))
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	}
	return slices.Max(took)
}
