//go:build linux

package integration

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// unanswering makes addresses where no login comes to its end, each with a
// function that waits until a vaultexec is stuck there.
type unanswering func(t *testing.T) (address string, reached func(r *running))

// stuckVaults are the ways. key -> value: name -> its addresses.
var stuckVaults = map[string]func(t *testing.T) unanswering{
	"silent":   func(*testing.T) unanswering { return silentVault },
	"refusing": func(*testing.T) unanswering { return refusingVault },
	"paused":   pausedVault,
}

// silentVault accepts connections and says nothing.
func silentVault(t *testing.T) (string, func(*running)) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	acceptedc := make(chan struct{}, 64)
	go func() {
		var open []net.Conn // held, or the collector would close them
		for {
			conn, err := listener.Accept()
			if err != nil {
				for _, c := range open {
					_ = c.Close() // nobody is there any more
				}
				return
			}
			open = append(open, conn)
			acceptedc <- struct{}{}
		}
	}()
	t.Cleanup(func() { _ = listener.Close() })
	return "http://" + listener.Addr().String(), func(r *running) {
		select {
		case <-acceptedc:
		case <-time.After(waitLimit):
			r.t.Fatalf("vaultexec never came to Vault\n%s", r.outputs())
		}
	}
}

// refusingVault is a port where nothing listens: vaultexec is waiting for the
// time of its next try.
func refusingVault(t *testing.T) (string, func(*running)) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // so that it refuses
	return "http://" + listener.Addr().String(), func(r *running) { r.waitLog("waiting for vault") }
}

// pausedVault is a real one under SIGSTOP, for several runs.
func pausedVault(t *testing.T) unanswering {
	v := ownVault(t, servers.VaultOptions{})
	if err := v.Pause(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Resume(); err != nil {
			t.Error(err)
		}
	})
	return func(*testing.T) (string, func(*running)) {
		return v.Address, func(r *running) { r.waitLog("waiting for vault") }
	}
}

// loggingIn starts a vaultexec and waits until it is stuck in its login.
func (p place) loggingIn(t *testing.T, vault unanswering, flags ...string) *running {
	t.Helper()
	address, reached := vault(t)
	jwt := canary(t, "JWT")
	c := p.vaultexec(t, append([]string{"--role", "app", "--jwt-path", jwtFile(t, jwt), "--env", "A=kv/app#a"}, flags...)...)
	r := p.start(c.vault(address))
	reached(r)
	return r
}

// promptly is the promised second. A busy machine may need more, so that a
// test gives it several tries; one that works is what no design error allows.
const (
	promptly = time.Second
	tries    = 5
)

func TestP4StopBeforeLogin(t *testing.T) {
	for name, open := range stuckVaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vault := open(t)
			timeout := "1m" // TERM has to end a request
			if name == "paused" {
				timeout = "200ms" // or its log tells nothing before that
			}
			for _, p := range everywhere {
				for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
					t.Run(p.name+" "+sig.String(), func(t *testing.T) {
						stopsPromptly(t, sig, func() *running {
							return p.loggingIn(t, vault, "--request-timeout", timeout)
						})
					})
				}
			}
		})
	}
}

// stopsPromptly checks that a signal ends a vaultexec that has no child yet,
// with the signal's status and without a child.
func stopsPromptly(t *testing.T, sig syscall.Signal, start func() *running) {
	t.Helper()
	for try := 1; ; try++ {
		r := start()
		begin := time.Now()
		r.signal(sig)
		res := r.wait().exited(128 + int(sig))
		took := time.Since(begin)
		if res.child != nil {
			t.Error("the child was started")
		}
		switch {
		case took < promptly:
			return
		case try == tries:
			t.Fatalf("it took %v to end, %v is what is promised", took, promptly)
		}
	}
}

// A second TERM, as of an impatient user, changes nothing.
func TestP4StopTwiceBeforeLogin(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		r := p.loggingIn(t, silentVault)
		r.signal(syscall.SIGTERM)
		_ = r.cmd.Process.Signal(syscall.SIGTERM) // it may be gone
		if res := r.wait().exited(143); res.child != nil {
			t.Error("the child was started")
		}
	})
}

// loop is the shell for waiting until a trap ends it.
const loop = `; echo ready; while :; do sleep 100 & wait $!; done`

// The child may take its time within the grace period, and its status counts.
func TestP4ChildHasItsGrace(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		r := p.start(p.vaultexec(t).exec("/bin/sh", "-c", `trap 'echo stopping; sleep 0.3; echo stopped; exit 9' TERM`+loop))
		r.waitLine("ready")
		r.signal(syscall.SIGTERM)
		r.waitLine("stopping")
		r.waitLine("stopped")
		r.wait().exited(9)
	})
}

// A second TERM reaches the child like the first and is no KILL.
func TestP4StopTwice(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		r := p.start(p.vaultexec(t, "--forward", "child").exec("/bin/sh", "-c",
			`trap 'n=$((n+1)); echo TERM $n; [ $n = 1 ] || exit 5' TERM`+loop))
		r.waitLine("ready")
		r.signal(syscall.SIGTERM)
		r.waitLine("TERM 1")
		r.signal(syscall.SIGTERM)
		r.waitLine("TERM 2")
		r.wait().exited(5)
	})
}

// Who does not listen is killed, with all that is left of the group, when the
// stop timeout is over; asking again does not put that off.
func TestP4KillAfterStopTimeout(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		r := p.start(p.vaultexec(t, "--stop-timeout", "300ms").exec("/bin/sh", "-c", `trap "" TERM`+loop))
		r.waitLine("ready")
		begin := time.Now()
		r.signal(syscall.SIGTERM)
		r.signal(syscall.SIGTERM)
		res := r.wait().exited(137).says("not stopped in time, sent KILL")
		if took := time.Since(begin); took < 300*time.Millisecond || took > 15*time.Second {
			t.Errorf("it was killed after %v, with a stop timeout of 300ms\n%s", took, res.stderr)
		}
	})
}

// INT, QUIT and HUP mean something to many daemons: they start no deadline.
func TestP4OnlyTermStartsTheStopTimeout(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		signals := []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP}
		r := p.start(p.vaultexec(t, "--stop-timeout", "0s").tally("-", append(signals, syscall.SIGUSR1)...))
		r.waitLine("ready")
		for _, sig := range append(signals, syscall.SIGUSR1) {
			r.signal(sig)
			r.waitLine("got " + number(sig))
		}
		r.signal(syscall.SIGTERM)
		if res := r.wait(); res.status != 143 && res.status != 137 {
			t.Errorf("exit status %d after a TERM without grace", res.status)
		}
	})
}

// What the child leaves in its group gets TERM when the child ends, and KILL
// if that is not enough.
func TestP4Leftovers(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		r := p.start(p.vaultexec(t, "--stop-timeout", "1s").exec("/bin/sh", "-c", `
			sh -c 'trap "echo asked; sleep 0.1; echo polite; exit" TERM; echo ready; while :; do sleep 100 & wait $!; done' &
			sh -c 'trap "echo deaf" TERM; echo ready; while :; do sleep 100 & wait $!; done' &
			trap 'exit 6' TERM`+loop))
		for range 3 {
			r.waitLine("ready")
		}
		group := r.childPid(p)
		r.signal(syscall.SIGTERM)
		res := r.wait().exited(6)
		for _, text := range []string{"asked", "polite", "deaf"} {
			if !strings.Contains(res.stdout, text) {
				t.Errorf("no process said %q:\n%s", text, res.stdout)
			}
		}
		waitUntil(t, "the group to be gone", func() bool { return syscall.Kill(-group, 0) == syscall.ESRCH })
	})
}
