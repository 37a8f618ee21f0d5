//go:build linux

package integration

import (
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// forwardable are the signals that somebody else sends, without TERM.
var forwardable = []syscall.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM,
	syscall.SIGCONT, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGWINCH, syscall.SIGPWR,
}

// bursts are those that can be pending together: for the kernel a CONT undoes
// a pending TSTP, TTIN or TTOU, and they undo a CONT.
func bursts() [][]syscall.Signal {
	stops := []syscall.Signal{syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU}
	without := func(these ...syscall.Signal) []syscall.Signal {
		return slices.DeleteFunc(slices.Clone(forwardable), func(sig syscall.Signal) bool { return slices.Contains(these, sig) })
	}
	return [][]syscall.Signal{without(stops...), without(syscall.SIGCONT)}
}

// Each arrives, however many come at once, and once; nothing arrives that
// nobody sent.
func TestP5EachSignalArrivesOnce(t *testing.T) {
	inEach(t, everywhere, func(t *testing.T, p place) {
		r := p.start(p.vaultexec(t).tally("-"))
		r.waitLine("ready")
		var sent []syscall.Signal
		for range 3 {
			for _, sig := range forwardable {
				r.signal(sig)
				r.waitLine("got " + number(sig))
				sent = append(sent, sig)
			}
		}
		for i := range 40 {
			burst := bursts()[i%2]
			for _, sig := range burst {
				r.signal(sig)
			}
			for range burst {
				r.waitLine("got ")
			}
			sent = append(sent, burst...)
		}
		r.signal(syscall.SIGTERM)
		res := r.wait().exited(0)
		gotExactly(t, res.stdout, append(sent, syscall.SIGTERM)...)
	})
}

// Many of one kind may become fewer, as the kernel keeps one of each pending,
// but not none and not more; and they get in nobody's way.
func TestP5ManyOfOneSignal(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		const n = 500
		r := p.start(p.vaultexec(t).tally("-"))
		r.waitLine("ready")
		for range n {
			r.signal(syscall.SIGUSR1)
		}
		r.signal(syscall.SIGUSR2)
		// In either order: a thread that has taken a signal may be interrupted.
		for _, sig := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2} {
			r.poll("signal "+number(sig), func() bool { return slices.Contains(got(r.out()), sig) })
		}
		r.signal(syscall.SIGTERM)
		res := r.wait().exited(0)
		usr1 := slices.DeleteFunc(got(res.stdout), func(sig syscall.Signal) bool { return sig != syscall.SIGUSR1 })
		if len(usr1) < 1 || len(usr1) > n {
			t.Errorf("%d of %d arrived", len(usr1), n)
		}
		gotExactly(t, res.stdout, append(usr1, syscall.SIGUSR2, syscall.SIGTERM)...)
	})
}

// What vaultexec itself gets is no business of the child: CHLD for its
// processes, PIPE for its output, URG from its own runtime.
func TestP5NothingOfItsOwnIsForwarded(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		r := p.start(p.vaultexec(t).tally("-"))
		r.waitLine("ready")
		for _, sig := range []syscall.Signal{syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPIPE} {
			r.signal(sig)
		}
		r.signal(syscall.SIGUSR1)
		r.waitLine("got")
		r.signal(syscall.SIGTERM)
		gotExactly(t, r.wait().exited(0).stdout, syscall.SIGUSR1, syscall.SIGTERM)
	})
}

// family is a child with a child of its own in the same group. Each says what
// it gets; the inner one can be asked to with USR2.
const family = `
	trap 'echo outer HUP' HUP; trap 'exit 7' TERM; trap : USR2
	sh -c 'trap "echo inner HUP" HUP; trap "echo inner USR2" USR2; echo inner $$; while :; do sleep 100 & wait $!; done' &
	while :; do wait $!; done`

func TestP5ForwardToGroupOrChild(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		for _, target := range []string{"group", "child"} {
			t.Run(target, func(t *testing.T) {
				t.Parallel()
				r := p.start(p.vaultexec(t, "--forward", target).exec("/bin/sh", "-c", family))
				r.waitLine("inner")
				child := r.childPid(p)
				r.signal(syscall.SIGHUP)
				r.waitLog("signal received signal=HUP")
				// The group gets one more from here, and the inner one answers
				// it after whatever came before.
				r.poll("both to answer", func() bool {
					_ = syscall.Kill(-child, syscall.SIGUSR2)
					return strings.Contains(r.out(), "outer HUP") && strings.Contains(r.out(), "inner USR2")
				})
				r.signal(syscall.SIGTERM)
				res := r.wait().exited(7)
				want := 0
				if target == "group" {
					want = 1
				}
				if n := strings.Count(res.stdout, "inner HUP"); n != want {
					t.Errorf("the child's child got %d HUP, want %d\n%s", n, want, res.stdout)
				}
				if n := strings.Count(res.stdout, "outer HUP"); n != 1 {
					t.Errorf("the child got %d HUP, want 1\n%s", n, res.stdout)
				}
			})
		}
	})
}

func TestP5RewriteSignal(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		r := p.start(p.vaultexec(t, "--rewrite-signal", "HUP:USR1", "--rewrite-signal", "USR2:0",
			"--rewrite-signal", "RTMIN+3:WINCH", "--rewrite-signal", "INT:TERM").tally("-"))
		r.waitLine("ready")
		for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR2, 37} {
			r.signal(sig)
			r.waitLog("signal received signal=" + map[syscall.Signal]string{1: "HUP", 12: "USR2", 37: "RTMIN+3"}[sig])
		}
		r.poll("the last to arrive", func() bool { return len(got(r.out())) == 2 })
		r.signal(syscall.SIGINT)
		gotExactly(t, r.wait().exited(0).stdout, syscall.SIGUSR1, syscall.SIGWINCH, syscall.SIGTERM)
	})
}

// TERM reaches the child as what it wants to be stopped with.
func TestP5StopSignal(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		r := p.start(p.vaultexec(t, "--stop-signal", "QUIT").exec("/bin/sh", "-c",
			`trap 'echo TERM' TERM; trap 'exit 4' QUIT; echo ready; while :; do sleep 100 & wait $!; done`))
		r.waitLine("ready")
		r.signal(syscall.SIGTERM)
		res := r.wait().exited(4)
		if strings.Contains(res.stdout, "TERM") {
			t.Errorf("the child got TERM as well:\n%s", res.stdout)
		}
	})
}

// A signal that is no stop request and comes before the child is there is kept
// for it. The child has had no time to do anything about this one, and dies.
func TestP5SignalsBeforeTheStartAreKept(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		kv := kvMount(t, 2)
		kv.put(t, "app", fields{"user": "app"})
		vault, open := newProxy(t, kv.vault.Address), make(chan struct{})
		vault.onRequest(func(_ int, _ http.ResponseWriter, req *http.Request) bool {
			select {
			case <-open:
			case <-req.Context().Done():
			}
			return false
		})
		c := p.vaultexec(t, "--env", "USER_NAME="+kv.path("app")+"#user").exec("/bin/sleep", "100")
		r := p.start(c.vault(vault.address).token(kv.token(t, "app")))
		vault.wait(1)
		r.signal(syscall.SIGUSR1)
		r.waitLog("signal received signal=USR1")
		close(open)
		r.wait().exited(128 + int(syscall.SIGUSR1))
	})
}
