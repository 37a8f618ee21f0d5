//go:build linux

package integration

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// killed sends KILL to one process.
func killed(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// A supervisor that dies, as of memory, takes nobody with it: the child gets
// its stop signal and its time.
func TestP6SupervisorIsKilled(t *testing.T) {
	inEach(t, withInit, func(t *testing.T, p place) {
		r := p.start(p.vaultexec(t, "--stop-signal", "USR1").exec("/bin/sh", "-c",
			`trap 'echo stopping; sleep 0.3; echo stopped; exit 9' USR1`+loop))
		r.waitLine("ready")
		killed(t, r.supervisor())
		r.waitLine("stopping")
		r.waitLine("stopped")
		r.wait().exited(137).says("the supervising process died without a report, stopping the command")
	})
}

// And its files are removed in its place.
func TestP11FilesOfAKilledSupervisor(t *testing.T) {
	inEach(t, withInit, func(t *testing.T, p place) {
		kv := kvMount(t, 2)
		kv.put(t, "app", fields{"password": canary(t, "password")})
		file := filepath.Join(t.TempDir(), "password")
		r := p.start(p.vaultexec(t, "--file", file+"="+kv.path("app")+"#password").
			vault(kv.vault.Address).token(kv.token(t, "app")).exec("/bin/sh", "-c", `trap 'exit 0' TERM`+loop))
		r.waitLine("ready")
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
		killed(t, r.supervisor())
		r.wait().exited(137)
		if _, err := os.Lstat(file); !os.IsNotExist(err) {
			t.Errorf("the file is left behind: %v", err)
		}
	})
}

// The init keeps the stop timeout in the supervisor's place.
func TestP6SupervisorIsKilledAndChildIsDeaf(t *testing.T) {
	inEach(t, withInit, func(t *testing.T, p place) {
		r := p.start(p.vaultexec(t, "--stop-timeout", "300ms").exec("/bin/sh", "-c", `trap "echo deaf" TERM`+loop))
		r.waitLine("ready")
		child := r.childPid(p)
		killed(t, r.supervisor())
		r.waitLine("deaf")
		r.wait().exited(137).says("not stopped in time, sent KILL")
		r.waitGone(child)
	})
}

// Without a child there is nothing to be seen to.
func TestP6SupervisorIsKilledBeforeTheStart(t *testing.T) {
	inEach(t, withInit, func(t *testing.T, p place) {
		r := p.loggingIn(t, silentVault)
		killed(t, r.supervisor())
		if res := r.wait().exited(137); res.child != nil {
			t.Error("the child was started")
		}
	})
}

// A supervisor that crashes, with a trace of all its goroutines on stderr, is
// no different. What becomes of the child is not known then, and not 0.
func TestP6SupervisorCrashes(t *testing.T) {
	inEach(t, withInit, func(t *testing.T, p place) {
		kv := kvMount(t, 2)
		kv.put(t, "app", fields{"password": canary(t, "password")})
		token := kv.token(t, "app")
		c := p.vaultexec(t, "--env", "PASSWORD="+kv.path("app")+"#password").tally("-")
		r := p.start(c.vault(kv.vault.Address).token(token).env("GOTRACEBACK=system"))
		r.waitLine("ready")
		if err := syscall.Kill(r.supervisor(), syscall.SIGSEGV); err != nil {
			t.Fatal(err)
		}
		r.waitLine("got " + number(syscall.SIGTERM))
		r.wait().exited(137).says("goroutine", "the supervising process died without a report")
	})
}

// Outside a pid namespace the init can be killed as well. The child gets its
// stop signal from the supervisor then, which ends after it.
func TestP6InitIsKilled(t *testing.T) {
	t.Parallel()
	r := outsideInit.start(outsideInit.vaultexec(t).exec("/bin/sh", "-c",
		`trap 'echo stopping; sleep 0.3; echo stopped; exit 9' TERM`+loop))
	r.waitLine("ready")
	supervisor, child := r.supervisor(), r.childPid(outsideInit)
	killed(t, r.pid())
	<-r.donec // the others still hold its output open
	r.waitGone(child)
	r.waitGone(supervisor)
	for _, line := range []string{"stopping", "stopped"} {
		r.waitLine(line)
	}
	if res := r.wait(); res.signal != syscall.SIGKILL {
		t.Errorf("the init ended with status %d, signal %v, after a KILL", res.status, res.signal)
	}
}

// Also before there is a child: none is started for nobody.
func TestP6InitIsKilledBeforeTheStart(t *testing.T) {
	t.Parallel()
	r := outsideInit.loggingIn(t, silentVault)
	supervisor := r.supervisor()
	killed(t, r.pid())
	r.waitGone(supervisor)
	if res := r.wait(); res.child != nil {
		t.Error("the child was started")
	}
}

// The init's parent gets the status of a child that a signal ended, and the
// signal is not lost on the way through two processes.
func TestP3ForwardedSignalIsTheStatus(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1} {
			r := p.start(p.vaultexec(t).exec("/bin/sh", "-c", "echo ready; exec sleep 100"))
			r.waitLine("ready")
			r.signal(sig)
			r.wait().exited(128 + int(sig))
		}
	})
}
