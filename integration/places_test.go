//go:build linux

package integration

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// place is a way to run a supervising vaultexec. What is promised of processes
// holds in each.
type place struct {
	name  string
	flags []string
	pid1  bool // as PID 1 of a pid namespace
}

var (
	oneProcess  = place{name: "one process", flags: []string{"--mode", "supervise"}}
	outsideInit = place{name: "init outside a namespace", flags: []string{"--mode", "supervise", "--init", "always"}}
	asPid1      = place{name: "PID 1", flags: []string{"--mode", "supervise"}, pid1: true}
	pid1NoInit  = place{name: "PID 1 without init", flags: []string{"--mode", "supervise", "--init", "never"}, pid1: true}
	execMode    = place{name: "exec mode", flags: []string{"--mode", "exec"}}
	execAsPid1  = place{name: "exec mode as PID 1", flags: []string{"--mode", "exec"}, pid1: true}

	supervising = []place{oneProcess, outsideInit, asPid1, pid1NoInit}
	withInit    = []place{outsideInit, asPid1}
	everywhere  = []place{oneProcess, outsideInit, asPid1, pid1NoInit, execMode, execAsPid1}
)

// inEach runs a test in each of the places, all at once.
func inEach(t *testing.T, places []place, test func(t *testing.T, p place)) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			test(t, p)
		})
	}
}

// vaultexec prepares a run in this place.
func (p place) vaultexec(t *testing.T, flags ...string) *command {
	t.Helper()
	c := vaultexec(t, append(append([]string{}, p.flags...), flags...)...)
	// A pause of one process at its exit to see whether it has raced is no
	// part of what is timed here.
	return c.env("GORACE=atexit_sleep_ms=0")
}

// start starts a run that vaultexec has prepared.
func (p place) start(c *command) *running {
	c.t.Helper()
	if p.pid1 {
		return c.startIn(pid1Command)
	}
	r := c.start()
	c.t.Cleanup(r.killAll)
	return r
}

// run runs it to its end.
func (p place) run(c *command) *result {
	c.t.Helper()
	return p.start(c).wait()
}

// killAll ends a vaultexec that a failed test has left, and all it started.
func (r *running) killAll() {
	select {
	case <-r.donec:
		return
	default:
	}
	for _, p := range descendants(r.pid()) {
		_ = syscall.Kill(p.pid, syscall.SIGKILL) // it may have ended
	}
}

// startIn starts it through another command that becomes it. It is killed
// alone if it still runs when the test ends: the namespace ends with its PID
// 1, and what the child reports as its pid means somebody else out here.
func (c *command) startIn(wrap func(t *testing.T, argv []string) *exec.Cmd) *running {
	c.t.Helper()
	plain := c.cmd()
	cmd := wrap(c.t, plain.Args)
	cmd.Env, cmd.Dir, cmd.Stdin = plain.Env, plain.Dir, plain.Stdin
	r := &running{command: c, cmd: cmd, donec: make(chan struct{}), more: make(chan struct{})}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = stdoutOf{r}, &r.stderr, 10*time.Second
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		r.waitErr = cmd.Wait()
		close(r.donec)
	}()
	c.t.Cleanup(r.kill)
	return r
}

// pid1Script mounts the /proc of its namespace and becomes the command. Deaths
// by ABRT and the like leave no core files behind.
const pid1Script = `ulimit -c 0; mount -n -t proc proc /proc && exec "$@"`

// pid1Command runs a command as PID 1 of a pid namespace of its own, with the
// /proc that belongs to it. Its process id out here is that of the command.
func pid1Command(t *testing.T, argv []string) *exec.Cmd {
	t.Helper()
	needNamespaces(t)
	cmd := exec.Command("/bin/sh", append([]string{"-c", pid1Script, "sh"}, argv...)...)
	cmd.SysProcAttr = namespaceAttr()
	return cmd
}

// namespaceAttr asks for a pid namespace and a mount namespace that keeps its
// mounts to itself. An ordinary user may have them in a user namespace, where
// the kernel allows that.
func namespaceAttr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags:   syscall.CLONE_NEWPID,
		Unshareflags: syscall.CLONE_NEWNS, // Go makes all mounts private with this one
	}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

// namespacesWork tries once.
var namespacesWork = sync.OnceValue(func() error {
	cmd := exec.Command("/bin/sh", "-c", pid1Script, "sh", "true")
	cmd.SysProcAttr = namespaceAttr()
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.New(err.Error() + ": " + string(out))
	}
	return nil
})

// needNamespaces skips a test that has to be PID 1 where nobody may be: without
// root, user namespaces or the right to mount /proc, as in most containers. In
// CI that is a failure, or these promises would go untested for ever.
func needNamespaces(t *testing.T) {
	t.Helper()
	err := namespacesWork()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("no pid namespace can be made here, and CI must test vaultexec as PID 1: %v", err)
	default:
		t.Skipf("no pid namespace can be made here: %v", err)
	}
}

// released is the program as it is released. Tests that start it a thousand
// times take it: the race detector triples the time, and they look for lost
// statuses and signals, which it does not see.
func released(t *testing.T) string {
	t.Helper()
	binary, err := shared.static()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// atOnce is how many of a test's many runs go on at the same time: more than
// there are processors, so that they are interrupted at odd moments.
const atOnce = 6

// many calls run for 0 to n-1, several at once, until the test has failed.
func many(t *testing.T, n int, run func(i int)) {
	t.Helper()
	next := make(chan int)
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for i := range next {
				run(i)
			}
		})
	}
	for i := 0; i < n && !t.Failed(); i++ {
		next <- i
	}
	close(next)
	workers.Wait()
}

// ended is how a process ended: its exit status, or the signal that ended it.
func ended(state *os.ProcessState) (status int, sig syscall.Signal) {
	ws := state.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return -1, ws.Signal()
	}
	return ws.ExitStatus(), 0
}
