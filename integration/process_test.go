//go:build linux

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// The statuses of supervision outside a namespace; pid1_test.go has all of
// them as PID 1.
func TestP3EveryStatus(t *testing.T) {
	t.Parallel()
	binary, all := released(t), endings()
	many(t, len(all), func(i int) {
		init := []string{"never", "always"}[i%2]
		cmd := exec.Command(binary, "--mode", "supervise", "--init", init, "--", "/bin/sh", "-c", "ulimit -c 0; "+all[i].script)
		cmd.Env = []string{"PATH=/usr/bin:/bin"}
		out, err := cmd.CombinedOutput()
		if status, sig := ended(cmd.ProcessState); status != all[i].status || sig != 0 {
			t.Errorf("%s, init %s: exit status %d (signal %v, %v), want %d\n%s", all[i].script, init, status, sig, err, all[i].status, out)
		}
	})
}

func TestP3NotFoundAndNotExecutable(t *testing.T) {
	plain := writeFile(t, t.TempDir()+"/plain", "#!/bin/sh\n")
	inEach(t, everywhere, func(t *testing.T, p place) {
		p.run(p.vaultexec(t).exec("no-such-command")).exited(127).says(`"no-such-command"`, "not found")
		p.run(p.vaultexec(t).exec(plain)).exited(126).says(plain, "permission denied")
		p.run(p.vaultexec(t).exec("/etc")).exited(126).says("/etc")
	})
}

func TestP3RemapExit(t *testing.T) {
	inEach(t, supervising, func(t *testing.T, p place) {
		remap := func(argv ...string) *result {
			return p.run(p.vaultexec(t, "--remap-exit", "143", "--remap-exit", "5").exec(argv...))
		}
		remap("/bin/sh", "-c", "kill -TERM $$").exited(0)
		remap("/bin/sh", "-c", "exit 5").exited(0)
		remap("/bin/sh", "-c", "exit 6").exited(6)
		remap("/bin/sh", "-c", "kill -HUP $$").exited(129)
	})
}

// Nobody may be listening to vaultexec; the child's status comes through all
// the same.
func TestP3StatusWithoutStderr(t *testing.T) {
	inEach(t, everywhere, func(t *testing.T, p place) {
		t.Run("nobody reads it", func(t *testing.T) {
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := reader.Close(); err != nil {
				t.Fatal(err)
			}
			defer writer.Close() // nothing was buffered
			cmd := p.command(p.vaultexec(t).exec("/bin/sh", "-c", "exit 7"))
			cmd.Stderr = writer
			_ = cmd.Run() // how it ended is in its state
			if status, sig := ended(cmd.ProcessState); status != 7 || sig != 0 {
				t.Errorf("status %d, signal %v, want 7", status, sig)
			}
		})
		t.Run("it is closed", func(t *testing.T) {
			c := p.vaultexec(t).exec("/bin/sh", "-c", "exit 7")
			c.flags = append([]string{"-c", `exec "$@" 2>&-`, "sh", c.binary}, c.flags...)
			c.binary = "/bin/sh"
			p.run(c).exited(7)
		})
		t.Run("all three are closed", func(t *testing.T) {
			c := p.vaultexec(t).exec("/bin/sh", "-c", "exit 7")
			c.flags = append([]string{"-c", `exec "$@" 0<&- 1>&- 2>&-`, "sh", c.binary}, c.flags...)
			c.binary = "/bin/sh"
			p.run(c).exited(7)
		})
	})
}

// command is a run in this place for exec's own use.
func (p place) command(c *command) *exec.Cmd {
	cmd := c.cmd()
	if p.pid1 {
		wrapped := pid1Command(c.t, cmd.Args)
		wrapped.Env, wrapped.Dir, wrapped.Stdin = cmd.Env, cmd.Dir, cmd.Stdin
		return wrapped
	}
	return cmd
}

// The child gets what vaultexec was started with, and none of vaultexec's own:
// descriptors, ignored signals, signal mask, session.
func TestP5ChildInheritsNothingOfVaultexec(t *testing.T) {
	inEach(t, everywhere, func(t *testing.T, p place) {
		p.vaultexec(t)
		res := p.run(p.vaultexec(t).exec("/bin/sh", "-c", `grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status; ls /proc/self/fd | wc -l`))
		res.exited(0)
		bare := exec.Command("/bin/sh", "-c", `grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status; ls /proc/self/fd | wc -l`)
		want, err := bare.Output()
		if err != nil {
			t.Fatal(err)
		}
		if res.stdout != string(want) {
			t.Errorf("the child has\n%swant\n%s", res.stdout, want)
		}
	})
}

// Ignored signals stay ignored for the child, as under nohup, and do not
// confuse vaultexec.
func TestP5IgnoredSignalsStayIgnored(t *testing.T) {
	inEach(t, everywhere, func(t *testing.T, p place) {
		c := p.vaultexec(t).exec("/bin/sh", "-c", `grep ^SigIgn /proc/self/status; kill -HUP $$; kill -INT $$; exit 8`)
		c.flags = append([]string{"-c", `trap "" HUP INT TSTP; exec "$@"`, "sh", c.binary}, c.flags...)
		c.binary = "/bin/sh"
		res := p.run(c).exited(8)
		var ignored uint64
		if _, err := fmt.Sscanf(res.stdout, "SigIgn: %x", &ignored); err != nil {
			t.Fatalf("the child says %q: %v", res.stdout, err)
		}
		// From 32 on they are the C library's own; its posix_spawn(3), which
		// make uses, leaves one ignored.
		if ignored &= 1<<31 - 1; ignored != 0x80003 {
			t.Errorf("the child ignores %x, want HUP, INT and TSTP: 80003", ignored)
		}
	})
}
