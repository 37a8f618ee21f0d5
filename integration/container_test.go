package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What docker run gives back is the command's own status.
func TestP3ContainerStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []int{0, 1, 2, 127, 255} {
		t.Run(fmt.Sprint("exit ", status), func(t *testing.T) {
			inContainer(t, "--mode", "supervise").child("exit", fmt.Sprint(status)).run().exited(status)
		})
	}
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGABRT, syscall.SIGKILL, syscall.SIGSEGV, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			inContainer(t, "--mode", "supervise").child("signal-self", fmt.Sprint(int(sig))).run().exited(128 + int(sig))
		})
	}
	t.Run("exec", func(t *testing.T) {
		res := inContainer(t, "--mode", "exec").child("exit", "3").run().exited(3)
		if res.started().Pid != 1 {
			t.Errorf("the command is process %d, not 1", res.started().Pid)
		}
	})
	t.Run("not found", func(t *testing.T) {
		inContainer(t, "--mode", "supervise").exec("/nowhere").run().exited(127).says("/nowhere")
	})
	t.Run("not executable", func(t *testing.T) {
		inContainer(t, "--mode", "supervise").exec("/report").run().exited(126).says("/report")
	})
	t.Run("usage", func(t *testing.T) {
		inContainer(t, "--mod", "supervise").run().exited(125).says("did you mean --mode?")
	})
}

// docker stop: the command gets TERM and the time that it needs, and the
// container ends with it, with its status.
func TestP4ContainerStop(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]string{
		"PID 1":                      nil,
		"docker's init in front":     {"--init"},
		"the host's PID namespace":   {"--pid", "host"},
		"read-only, nobody, no caps": hardened(),
	} {
		t.Run(name, func(t *testing.T) {
			c := inContainer(t, "--mode", "supervise").with(options...).child("serve", "7").start()
			c.waitLine("ready")
			if took := c.stop(); took > stopPrompt {
				t.Errorf("it took %v to stop", took)
			}
			res := c.wait().exited(7)
			if res.stdout != "ready\ngot terminated\nstopping\n" {
				t.Errorf("the command says %q", res.stdout)
			}
		})
	}
}

// A command that does not stop is killed when its time is over, and not when
// docker's is.
func TestP4ContainerStubborn(t *testing.T) {
	t.Parallel()
	c := inContainer(t, "--mode", "supervise", "--stop-timeout", "500ms").child("serve").start()
	c.waitLine("ready")
	if took := c.stop(); took > stopPrompt {
		t.Errorf("it took %v to stop", took)
	}
	if res := c.wait().exited(137); res.stdout != "ready\ngot terminated\n" {
		t.Errorf("the command says %q", res.stdout)
	}
}

// docker kill: each signal arrives once, in order.
func TestP5ContainerKill(t *testing.T) {
	t.Parallel()
	signals := []struct {
		name string
		sig  syscall.Signal
	}{
		{"HUP", syscall.SIGHUP}, {"INT", syscall.SIGINT}, {"QUIT", syscall.SIGQUIT}, {"USR1", syscall.SIGUSR1},
		{"USR2", syscall.SIGUSR2}, {"ALRM", syscall.SIGALRM}, {"CONT", syscall.SIGCONT}, {"WINCH", syscall.SIGWINCH},
		{"PWR", syscall.SIGPWR},
	}
	for name, options := range map[string][]string{"PID 1": nil, "docker's init in front": {"--init"}} {
		t.Run(name, func(t *testing.T) {
			c := inContainer(t, "--mode", "supervise").with(options...).child("serve", "0").start()
			c.waitLine("ready")
			want := "ready\n"
			for _, s := range signals {
				c.kill(s.name)
				c.waitLine(fmt.Sprint("got ", s.sig))
				want += fmt.Sprintf("got %v\n", s.sig)
			}
			c.kill("TERM")
			if res := c.wait().exited(0); res.stdout != want+"got terminated\nstopping\n" {
				t.Errorf("the command says %q", res.stdout)
			}
		})
	}
}

// A command that takes more memory than the container has is killed for it
// alone: vaultexec is there to give back its status, and to do with it what it
// was told.
func TestP3ContainerOutOfMemory(t *testing.T) {
	t.Parallel()
	for flag, status := range map[string]int{"--mode=supervise": 137, "--remap-exit=137": 0} {
		t.Run(flag, func(t *testing.T) {
			inContainer(t, flag).with("--memory", "64m", "--memory-swap", "64m").child("eat").run().exited(status)
		})
	}
}

// PID 1 reaps what others leave behind, and loses no status over it.
func TestP6ContainerOrphans(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]string{
		"PID 1":                      nil,
		"read-only, nobody, no caps": hardened(),
	} {
		t.Run(name, func(t *testing.T) {
			res := inContainer(t, "--mode", "supervise").with(options...).child("orphans", "5").run().exited(0)
			if res.stdout != "" {
				t.Error(res.stdout)
			}
		})
	}
	t.Run("--init always, not PID 1", func(t *testing.T) {
		inContainer(t, "--mode", "supervise", "--init", "always").with("--init").child("orphans", "5").run().exited(0)
	})
}

// The supervisor is killed: the command still gets its stop signal and its
// time, and the container ends as one that was killed.
func TestP6ContainerSupervisorKilled(t *testing.T) {
	t.Parallel()
	res := inContainer(t, "--mode", "supervise").child("kill-parent").run().exited(137)
	if res.stdout != "got terminated\nstopped in peace\n" {
		t.Errorf("the command says %q", res.stdout)
	}
	res.says("supervising process died")
}

// In another container's PID namespace vaultexec is not PID 1, and leaves what
// is not its own alone.
func TestP6ContainerSharedNamespace(t *testing.T) {
	t.Parallel()
	first := inContainer(t, "--mode", "supervise").child("serve", "0").start()
	first.waitLine("ready")
	second := inContainer(t, "--mode", "supervise").with("--pid", "container:"+first.container.name).child("serve", "5").start()
	second.waitLine("ready")
	second.kill("USR1")
	second.waitLine("got user defined signal 1")
	second.kill("TERM")
	res := second.wait().exited(5)
	if pid := res.started().Parent; pid == 1 {
		t.Error("the command's parent is the other container's PID 1")
	}
	first.kill("TERM")
	if res := first.wait().exited(0); res.stdout != "ready\ngot terminated\nstopping\n" {
		t.Errorf("the first command says %q", res.stdout)
	}
}

// hardened are the options of a container that may do nothing at all.
func hardened() []string {
	return append([]string{"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
		"--memory", "256m", "--pids-limit", "100"}, nobody()...)
}

// nobody is the user of distroless images; a test that is not root's can read
// the reports of its own user only.
func nobody() []string {
	if os.Getuid() != 0 {
		return nil
	}
	return []string{"--user", "65532:65532"}
}

// The least that a container can have is enough.
func TestP6ContainerHardened(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"exec", "supervise"} {
		t.Run(mode, func(t *testing.T) {
			c := inContainer(t, "--mode", mode).with(hardened()...).with("--network", "none").
				child("copy", "/proc/1/status", "status")
			res := c.run().exited(0)
			if want := os.Getuid(); want != 0 && res.started().UID != want || want == 0 && res.started().UID != 65532 {
				t.Errorf("the command's user is %d", res.started().UID)
			}
			status, err := os.ReadFile(filepath.Join(c.dir, "status"))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"NoNewPrivs:\t1", "CapPrm:\t0000000000000000"} {
				if !strings.Contains(string(status), want) {
					t.Errorf("PID 1 has not %q:\n%s", want, status)
				}
			}
		})
	}
}
