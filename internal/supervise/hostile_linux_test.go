package supervise

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	helpers["stray"] = helperStray
	helpers["await"] = helperAwait
	helpers["besieged"] = helperBesieged
	helpers["intrude"] = helperIntrude
}

// helperStray leaves the process group that it was put in and is helper:print
// then. It takes its leave for the group of a process that does nothing and ends
// with it.
func helperStray(args []string) int {
	r, w, err := os.Pipe()
	if err != nil {
		return 1
	}
	defer w.Close() // its end is the other one's
	other := exec.Command(os.Args[0], "helper:await")
	other.ExtraFiles = []*os.File{r}
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := other.Start(); err != nil {
		fmt.Println(err)
		return 1
	}
	if err := unix.Setpgid(0, other.Process.Pid); err != nil {
		fmt.Println("leave the group:", err)
		return 1
	}
	return helperPrint(args)
}

// helperAwait ends with the process at the other end of descriptor 3.
func helperAwait([]string) int {
	_, _ = io.ReadAll(os.NewFile(3, "other"))
	return 0
}

// P5 a child that has left the group that it was put in gets every signal all
// the same, and gets it once.
func TestP5StrayedChildGetsEachSignalOnce(t *testing.T) {
	for _, flags := range []string{"", "-child", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			p := start(t, run(flags, helper("stray", "-code", "6")...))
			p.expect("ready")
			for _, sig := range forwarded() {
				p.signal(sig)
				p.expect(signalName(sig))
			}
			p.signal(syscall.SIGTERM)
			p.expect("TERM")
			if rest := p.exit(6); rest != nil {
				t.Errorf("more arrived: %q", rest)
			}
		})
	}
}

// P4 such a child is killed in time: for good, and for a restart. What a change
// sends reaches it too.
func TestP4StrayedChildIsStopped(t *testing.T) {
	for _, flags := range []string{"", "-child", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			lock := t.TempDir() + "/lock"
			p := start(t, run("-rotate -stop-timeout 200ms "+flags, helper("stray", "-until", "none", "-lock", lock)...))
			p.expect("ready")
			p.order("HUP")
			for seen := map[string]bool{}; !seen["HUP"] || !seen["applied"]; {
				seen[p.next()] = true
			}
			p.order("restart")
			p.expect("TERM")
			for seen := map[string]bool{}; !seen["2 ready"] || !seen["applied"]; {
				line := p.next()
				if strings.Contains(line, "two at once") {
					t.Fatal(line)
				}
				seen[line] = true
			}
			p.signal(syscall.SIGTERM)
			p.expect("2 TERM")
			p.exit(137)
			free(t, lock)
		})
	}
}

// P6 an init stops it as its supervisor would have.
func TestP6SupervisorOfAStrayedChildKilled(t *testing.T) {
	for _, until := range []string{"TERM", "none"} {
		lock := t.TempDir() + "/lock"
		p := start(t, run("-mode init -rotate -stop-timeout 200ms", helper("stray", "-until", until, "-lock", lock)...))
		p.expect("ready")
		p.order("die")
		p.expect("TERM")
		p.exit(137)
		free(t, lock)
	}
}

// helperBesieged is helper:print in whose group processes appear that are not its
// own: helper:besieged COUNT [flags of print]. The first child of a run starts
// who brings them.
func helperBesieged(args []string) int {
	if os.Getenv("GENERATION") == "" {
		intruder := exec.Command(os.Args[0], "helper:intrude", strconv.Itoa(os.Getpid()), args[0])
		intruder.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		in, err := intruder.StdoutPipe()
		if err == nil {
			err = intruder.Start()
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
		_, _ = io.ReadAll(in) // ends when the first is in the group
		fmt.Println("intruder", intruder.Process.Pid)
	}
	return helperPrint(args[1:])
}

// helperIntrude puts processes into a group, and another one for each that has
// been killed: helper:intrude GROUP COUNT. It leaves them zombies, so that the
// group is always there to be joined.
func helperIntrude(args []string) int {
	group, _ := strconv.Atoi(args[0])
	count, _ := strconv.Atoi(args[1])
	var crowd sync.WaitGroup
	for range 8 { // so many that one is there when the supervisor looks
		crowd.Go(func() {
			for range count {
				if err := intrude(group); err != nil {
					return
				}
			}
		})
	}
	crowd.Wait()
	return 0
}

// intrude puts a process into a group that ends by KILL or with us, and returns
// when it has ended.
func intrude(group int) error {
	signal.Ignore(syscall.SIGTERM)
	joins := exec.Command("cat")
	joins.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
	if _, err := joins.StdinPipe(); err != nil {
		return err
	}
	out, err := joins.StdoutPipe()
	if err != nil {
		return err
	}
	if err := joins.Start(); err != nil {
		return err
	}
	_ = os.Stdout.Close()  // which says that the first is there
	_, _ = io.ReadAll(out) // ends with it
	return nil
}

// intruder waits for the line of helper:besieged and makes sure that what it
// names ends with the test.
func (p *process) intruder() {
	p.t.Helper()
	line := p.next()
	pid, err := strconv.Atoi(strings.TrimPrefix(line, "intruder "))
	if err != nil {
		p.t.Fatalf("got line %q, want intruder PID", line)
	}
	p.t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
}

// besieged waits until the first child of a besieged run was told to restart.
func (p *process) besieged() {
	p.t.Helper()
	p.intruder()
	p.expect("ready")
	p.order("restart")
	p.expect("TERM")
}

// Who joins the group after its KILL is killed too, and the next child starts.
func TestP9RestartKillsWhoJoinsTheGroup(t *testing.T) {
	for _, flags := range []string{"", "-child", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			p := start(t, run("-v -rotate -stop-timeout 2s "+flags, helper("besieged", "3", "-code", "7")...))
			p.besieged()
			for seen := map[string]bool{}; !seen["1 ready"] || !seen["applied"]; {
				seen[p.next()] = true
			}
			p.signal(syscall.SIGTERM)
			p.expect("1 TERM")
			p.exit(7)
			if n := strings.Count(p.err.String(), "sent KILL"); n != 1 {
				t.Errorf("KILL is logged %d times, want once", n)
			}
		})
	}
}

// P4 a group that does not become empty keeps the next child from starting, for
// they are never two at once, and is reported. A stop is a stop all the same.
func TestP4StopWhileTheGroupIsNeverEmpty(t *testing.T) {
	for _, flags := range []string{"", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			for range 20 { // on a slow machine the group may be empty for once when that is looked at
				p := start(t, run("-v -rotate -stop-timeout 2s "+flags, helper("besieged", "1000000", "-code", "7")...))
				p.besieged()
				if !p.logsBefore("outlive KILL", "to=starting") {
					continue
				}
				p.logs("group=")
				p.signal(syscall.SIGTERM)
				if rest := p.exit(7); rest != nil {
					t.Errorf("more output after the stop: %q", rest)
				}
				return
			}
			t.Error("the group was always empty when that was looked at")
		})
	}
}

// logsBefore waits until stderr has one of two texts in it and reports whether it
// is the first.
func (p *process) logsBefore(text, other string) bool {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(p.err.String(), text); time.Sleep(time.Millisecond) {
		if strings.Contains(p.err.String(), other) {
			return false
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("stderr has no %q: %q", text, p.err.String())
		}
	}
	return true
}
