//go:build linux

package integration

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
)

// fatalSignals end a program that does nothing about them.
var fatalSignals = []syscall.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGABRT,
	syscall.SIGBUS, syscall.SIGFPE, syscall.SIGKILL, syscall.SIGUSR1, syscall.SIGSEGV, syscall.SIGUSR2,
	syscall.SIGPIPE, syscall.SIGALRM, syscall.SIGTERM, syscall.SIGSTKFLT, syscall.SIGXCPU, syscall.SIGXFSZ,
	syscall.SIGVTALRM, syscall.SIGPROF, syscall.SIGIO, syscall.SIGPWR, syscall.SIGSYS,
}

// ending is a way for a child to end, in shell, and the status that is due.
type ending struct {
	script string
	status int
}

// endings are all there are.
func endings() []ending {
	var out []ending
	for n := range 256 {
		out = append(out, ending{fmt.Sprintf("exit %d", n), n})
	}
	for _, sig := range fatalSignals {
		out = append(out, ending{fmt.Sprintf("kill -%d $$", sig), 128 + int(sig)})
	}
	return out
}

// checkEnding runs a shell script as PID 1's child and checks the status.
func checkEnding(t *testing.T, binary, script string, want int) {
	t.Helper()
	cmd := pid1Command(t, []string{binary, "--mode", "supervise", "--", "/bin/sh", "-c", script})
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	out, err := cmd.CombinedOutput()
	if status, sig := ended(cmd.ProcessState); status != want || sig != 0 {
		t.Errorf("%s: exit status %d (signal %v, %v), want %d\n%s", script, status, sig, err, want, out)
	}
}

func TestP3EveryStatusAsPid1(t *testing.T) {
	t.Parallel()
	needNamespaces(t)
	binary, all := released(t), endings()
	many(t, len(all), func(i int) { checkEnding(t, binary, all[i].script, all[i].status) })
}

// Orphans die at the same moment as the child: one that has just been made,
// one that has ended, and one that gets TERM with the group. Whoever reaps one
// of them must not take the child's status for its own.
func TestP6NoStatusIsLostToOrphans(t *testing.T) {
	t.Parallel()
	needNamespaces(t)
	runs := 1000
	if testing.Short() {
		runs = 100
	}
	const orphans = "(: &); (sleep 100 &); (setsid sleep 100 &); (: &); "
	binary, all := released(t), endings()
	many(t, runs, func(i int) {
		end := all[rand.IntN(len(all))]
		checkEnding(t, binary, orphans+end.script, end.status)
	})
}

// A child that leaves orphans behind while it runs has no zombies around, and
// does not notice.
func TestP6NoZombieStays(t *testing.T) {
	inEach(t, withInit, func(t *testing.T, p place) {
		const script = `
			fork() { i=0; while [ $i -lt 200 ]; do (: &); i=$((i+1)); done; }
			trap 'fork; echo forked' USR1
			trap 'exit 9' TERM
			(sleep 100 &)
			echo ready
			while :; do sleep 100 & wait $!; done`
		r := p.start(p.vaultexec(t, "--forward", "child").exec("/bin/sh", "-c", script))
		r.waitLine("ready")
		r.poll("the orphan to be adopted", func() bool {
			for _, c := range childrenOf(r.pid()) {
				if argv := words(c.pid); len(argv) > 0 && argv[0] == "sleep" {
					return true
				}
			}
			return false
		})
		for range 3 {
			r.signal(syscall.SIGUSR1)
			r.waitLine("forked")
			// Two were there from the start: the supervisor and the sleep.
			r.poll("all zombies to be reaped", func() bool { return len(childrenOf(r.pid())) == 2 })
		}
		r.signal(syscall.SIGTERM)
		r.wait().exited(9)
	})
}

// The init of a pid namespace ends with everything in it gone, and gives the
// rest a TERM before that, wherever it went.
func TestP6LeftoversGetTermAsPid1(t *testing.T) {
	t.Parallel()
	const script = `
		trap 'exit 3' USR1
		setsid sh -c 'trap "echo left over; exit" TERM; echo ready; while :; do sleep 100 & wait $!; done' &
		while :; do sleep 100 & wait $!; done`
	r := asPid1.start(asPid1.vaultexec(t).exec("/bin/sh", "-c", script))
	r.waitLine("ready")
	r.signal(syscall.SIGUSR1)
	r.waitLine("left over")
	r.wait().exited(3)
}

// Whoever is told not to be an init is one process, PID 1 or not.
func TestP6NoInitIsOneProcess(t *testing.T) {
	inEach(t, []place{oneProcess, pid1NoInit}, func(t *testing.T, p place) {
		r := p.start(p.vaultexec(t).tally("-"))
		r.waitLine("ready")
		if children := childrenOf(r.pid()); len(children) != 1 || strings.HasPrefix(words(children[0].pid)[0], "vaultexec") {
			t.Errorf("vaultexec has the children %v, want the command alone", children)
		}
		r.signal(syscall.SIGTERM)
		r.wait().exited(0)
	})
}

// An init is two processes: what the one promises when the other dies needs that.
func TestP6InitIsTwoProcesses(t *testing.T) {
	inEach(t, withInit, func(t *testing.T, p place) {
		r := p.start(p.vaultexec(t).tally("-"))
		r.waitLine("ready")
		children := childrenOf(r.pid())
		if len(children) != 1 || children[0].pid != r.supervisor() {
			t.Errorf("the init has the children %v, want the supervisor alone", children)
		}
		r.signal(syscall.SIGTERM)
		r.wait().exited(0)
	})
}
