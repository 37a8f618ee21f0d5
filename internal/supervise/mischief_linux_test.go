package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	helpers["freeze"] = helperFreeze
	helpers["breed"] = helperBreed
}

// announce says a word the way helper:print does.
func announce(word string) { fmt.Println(os.Getenv("GENERATION") + word) }

// helperFreeze stops itself when it is told to end.
func helperFreeze([]string) int {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	announce("ready")
	<-c
	_ = unix.Kill(os.Getpid(), unix.SIGSTOP) // a process may always signal itself
	<-c
	return 1
}

// helperBreed is deaf to TERM and answers it with two children that do the same,
// down to a depth: helper:breed LOCK DEPTH. They all hold LOCK.
func helperBreed(args []string) int {
	c := make(chan os.Signal, 64)
	signal.Notify(c, syscall.SIGTERM)
	depth, _ := strconv.Atoi(args[1])
	held := os.NewFile(3, "lock")
	if args[0] != "" {
		var err error
		if held, err = hold(args[0]); err != nil {
			announce("two at once: " + err.Error())
		}
		announce("ready")
	}
	for range c {
		for range min(2, depth) {
			child := exec.Command(os.Args[0], "helper:breed", "", strconv.Itoa(depth-1))
			child.ExtraFiles = []*os.File{held}
			_ = child.Start() // it may be killed meanwhile
		}
		if args[0] != "" {
			announce("TERM")
		}
	}
	return 1
}

// P4 a child that stops itself when it is told to end is killed in time.
func TestP4ChildStopsItself(t *testing.T) {
	for _, flags := range []string{"", "-child", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			p := start(t, run("-rotate -stop-timeout 300ms "+flags, helper("freeze")...))
			p.expect("ready")
			p.order("restart")
			for seen := map[string]bool{}; !seen["1 ready"] || !seen["applied"]; {
				seen[p.next()] = true
			}
			p.signal(syscall.SIGTERM)
			p.exit(137)
		})
	}
}

// P9 a group that grows while it is being ended is gone before the next child.
func TestP9ChildForksWhenItIsStopped(t *testing.T) {
	for _, flags := range []string{"", "-child", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			lock := t.TempDir() + "/lock"
			p := start(t, run("-rotate -stop-timeout 500ms "+flags, helper("breed", lock, "3")...))
			p.expect("ready")
			for _, generation := range []string{"1 ", "2 "} {
				p.order("restart")
				for seen := map[string]bool{}; !seen[generation+"ready"] || !seen["applied"]; {
					line := p.next()
					if strings.Contains(line, "two at once") {
						t.Fatal(line)
					}
					seen[line] = true
				}
			}
			p.signal(syscall.SIGTERM)
			p.exit(137)
			free(t, lock)
		})
	}
}

// What a child has made a daemon is not of its group: it holds up no restart and
// no stop, and lives on.
func TestP9DaemonHoldsUpNothing(t *testing.T) {
	const script = `test "$GENERATION" || (setsid sh -c 'echo $$; exec sleep 1000 >/dev/null 2>&1' &)
		exec "$@"`
	for _, flags := range []string{"", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			p := start(t, append(run("-rotate "+flags, "sh", "-c", script, "sh"), helper("print", "-code", "6")...))
			daemon := 0
			for ready := false; !ready || daemon == 0; {
				line := p.next()
				if ready = ready || line == "ready"; line != "ready" {
					daemon, _ = strconv.Atoi(line)
				}
			}
			t.Cleanup(func() { _ = syscall.Kill(daemon, syscall.SIGKILL) })
			p.order("restart")
			p.expect("TERM")
			for seen := map[string]bool{}; !seen["1 ready"] || !seen["applied"]; {
				seen[p.next()] = true
			}
			p.signal(syscall.SIGTERM)
			p.expect("1 TERM")
			p.exit(6)
			if err := syscall.Kill(daemon, 0); err != nil {
				t.Errorf("the daemon is gone: %v", err)
			}
		})
	}
}

// A child that has closed all its descriptors is restarted and stopped like others.
func TestP3ChildClosesAllItsDescriptors(t *testing.T) {
	const script = `trap 'exit 8' TERM
		exec <&- >&- 2>&- 3>&-
		mkdir "$0$GENERATION"
		while :; do sleep 1000 & wait; done`
	for _, flags := range []string{"", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			mark := t.TempDir() + "/mark"
			p := start(t, run("-rotate "+flags, "sh", "-c", script, mark))
			exists(t, mark)
			p.order("restart")
			p.expect("applied")
			exists(t, mark+"1 ")
			p.signal(syscall.SIGTERM)
			p.exit(8)
		})
	}
}

// exists waits for a file.
func exists(t *testing.T, path string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("there is still no %s", path)
		}
	}
}

// P3 a child that ends while signals rain on it: a restart is completed, and the
// status is the child's own.
func TestP3ChildEndsUnderSignals(t *testing.T) {
	rain := func(p *process) {
		for range 200 {
			// One that it may get before it has set up anything, and that harms nobody.
			_ = p.cmd.Process.Signal(syscall.SIGWINCH) // it may have ended
		}
	}
	for _, flags := range []string{"", "-child", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			for range 5 {
				p := start(t, run("-rotate "+flags, helper("print", "-until", "USR1", "-code", "6")...))
				p.expect("ready")
				p.order("restart")
				p.expect("TERM")
				p.signal(syscall.SIGUSR1)
				rain(p)
				for seen := map[string]bool{}; !seen["1 ready"] || !seen["applied"]; {
					seen[p.next()] = true
				}
				p.signal(syscall.SIGUSR1)
				rain(p)
				p.exit(6)
			}
		})
	}
}
