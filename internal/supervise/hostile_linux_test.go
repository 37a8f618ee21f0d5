package supervise

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	helpers["stray"] = helperStray
	helpers["await"] = helperAwait
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
