//go:build linux

package integration

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// process is a line of /proc/PID/stat, with the numbers of our own namespace.
type process struct {
	pid        int
	state      byte // R, S, T (stopped), Z (zombie) ...
	parent     int
	group      int
	foreground int // group in the foreground of its terminal
}

// processOf reads one; it is false for a process that has gone.
func processOf(pid int) (process, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, false
	}
	// The name before it may have anything in it, parentheses too.
	p := process{pid: pid}
	var session, tty int
	_, err = fmt.Sscanf(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " %c %d %d %d %d %d",
		&p.state, &p.parent, &p.group, &session, &tty, &p.foreground)
	return p, err == nil
}

// processes are all that pass the test, in no order.
func processes(pass func(process) bool) []process {
	dir, err := os.ReadDir("/proc")
	if err != nil {
		panic("BUG: " + err.Error()) // TestMain has long used it
	}
	var out []process
	for _, entry := range dir {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if p, ok := processOf(pid); ok && pass(p) {
			out = append(out, p)
		}
	}
	return out
}

func childrenOf(pid int) []process {
	return processes(func(p process) bool { return p.parent == pid })
}

// words are the arguments of a process, none for a zombie.
func words(pid int) []string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // nothing of what has gone
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}

// supervisor finds the supervising process of an init that has started one.
func (r *running) supervisor() int {
	r.t.Helper()
	pid := 0
	r.poll("the supervising process", func() bool {
		for _, p := range childrenOf(r.pid()) {
			if argv := words(p.pid); len(argv) > 0 && strings.HasPrefix(argv[0], "vaultexec-supervisor") {
				pid = p.pid
			}
		}
		return pid != 0
	})
	return pid
}

// childPid is the process id of the running child out here: its own idea of it
// is another in a namespace. It is the only child of whoever supervises.
func (r *running) childPid(p place) int {
	r.t.Helper()
	parent := r.pid()
	switch {
	case p.flags[1] == "exec":
		return parent
	case p.name == outsideInit.name || p.name == asPid1.name:
		parent = r.supervisor()
	}
	pid := 0
	r.poll("the child", func() bool {
		if children := childrenOf(parent); len(children) == 1 {
			pid = children[0].pid
		}
		return pid != 0
	})
	return pid
}

// gone waits until a process is no more, not even as a zombie.
func (r *running) waitGone(pid int) {
	r.t.Helper()
	waitUntil(r.t, fmt.Sprintf("process %d (%s) to end", pid, strings.Join(words(pid), " ")), func() bool {
		return syscall.Kill(pid, 0) == syscall.ESRCH
	})
}

// environment is what /proc shows as a process's environment to the likes of us.
func environment(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
