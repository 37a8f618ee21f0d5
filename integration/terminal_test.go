//go:build linux

package integration

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// What a user types.
const (
	ctrlZ = "\x1a"
	quit  = "\x1c" // Ctrl-\
)

// terminal is a pty with a program that leads its session. It does not echo,
// so that what is on the screen was written by a program.
type terminal struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	screen lockedBuffer
	seen   int           // bytes of the screen that expect has gone past
	donec  chan struct{} // closed when the program has ended
}

// onTerminal starts a program as the leader of a terminal's session, as sshd,
// a terminal window and docker run -t do.
func onTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, master: master, cmd: cmd, donec: make(chan struct{})}
	noEcho(t, slave)
	term.resize(24, 80)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true // of descriptor 0
	err = cmd.Start()
	_ = slave.Close() // theirs alone now
	if err != nil {
		t.Fatal(err)
	}
	readc := make(chan struct{})
	go func() {
		defer close(readc)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf) // EIO when the last of them has closed it
			_, _ = term.screen.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	go func() {
		_ = cmd.Wait() // how it ended is in its state
		close(term.donec)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-term.donec
		_ = master.Close() // HUP for whoever is still there
		<-readc
		checkSilence(t, "the terminal", term.screen.String())
	})
	return term
}

// noEcho keeps what is typed, and newline conversion, off the screen.
func noEcho(t *testing.T, slave *os.File) {
	t.Helper()
	attr, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	attr.Lflag &^= unix.ECHO
	attr.Oflag &^= unix.ONLCR
	if err := unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, attr); err != nil {
		t.Fatal(err)
	}
}

// send types.
func (term *terminal) send(text string) {
	term.t.Helper()
	if _, err := term.master.WriteString(text); err != nil {
		term.t.Fatal(err)
	}
}

// expect waits until the text is on the screen, behind what was expected
// before.
func (term *terminal) expect(text string) {
	term.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(waitLimit)
	for {
		screen := term.screen.String()
		if at := strings.Index(screen[term.seen:], text); at >= 0 {
			term.seen += at + len(text)
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			term.t.Fatalf("no %q on the screen within %v:\n%s\n%v", text, waitLimit, screen, descendants(term.cmd.Process.Pid))
		}
	}
}

// descendants are the processes that one has started, itself first.
func descendants(pid int) []process {
	var out []process
	if p, ok := processOf(pid); ok {
		out = append(out, p)
	}
	for _, child := range childrenOf(pid) {
		out = append(out, descendants(child.pid)...)
	}
	return out
}

// resize gives it another size.
func (term *terminal) resize(rows, cols uint16) {
	term.t.Helper()
	if err := pty.Setsize(term.master, &pty.Winsize{Rows: rows, Cols: cols}); err != nil {
		term.t.Fatal(err)
	}
}

// foreground is the process group that it sends its signals to.
func (term *terminal) foreground() int {
	term.t.Helper()
	group, err := unix.IoctlGetInt(int(term.master.Fd()), unix.TIOCGPGRP)
	if err != nil {
		term.t.Fatal(err)
	}
	return group
}

// end waits for the program that leads the session to end with a status.
func (term *terminal) end(status int) {
	term.t.Helper()
	select {
	case <-term.donec:
	case <-time.After(waitLimit):
		term.t.Fatalf("it still runs after %v:\n%s", waitLimit, term.screen.String())
	}
	if n, sig := ended(term.cmd.ProcessState); n != status || sig != 0 {
		term.t.Errorf("exit status %d (signal %v), want %d\n%s", n, sig, status, term.screen.String())
	}
}

// leading is where vaultexec leads the session of a terminal.
var leading = []place{oneProcess, outsideInit, asPid1, pid1NoInit}

// onTerminal starts a run in this place on a terminal of its own. What it has
// to say at debug level would come between the child's lines.
func (p place) onTerminal(t *testing.T, c *command) *terminal {
	t.Helper()
	return onTerminal(t, p.command(c.env("VAULTEXEC_LOG_LEVEL=warn")))
}

// What the user types reaches the child once; so does what is sent to
// vaultexec.
func TestP5TerminalSignals(t *testing.T) {
	inEach(t, append([]place{execMode, execAsPid1}, leading...), func(t *testing.T, p place) {
		term := p.onTerminal(t, p.vaultexec(t).tally("-"))
		term.expect("ready\n")
		for range 3 {
			term.send(ctrlC)
			term.expect("got 2\n")
			term.send(quit)
			term.expect("got 3\n")
		}
		term.resize(30, 100)
		term.expect("got 28 30x100\n")
		if err := term.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		term.expect("got 10\n")
		if err := term.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		term.expect("got 15\n")
		term.end(0)
		gotExactly(t, term.screen.String(), 2, 3, 2, 3, 2, 3, 28, 10, 15)
	})
}

// Nobody could continue what Ctrl-Z has stopped, so nothing stops.
func TestP5TerminalCtrlZFreezesNothing(t *testing.T) {
	inEach(t, leading, func(t *testing.T, p place) {
		term := p.onTerminal(t, p.vaultexec(t).exec("/bin/sh", "-c",
			"echo ready; while read line; do echo \"read $line\"; done; exit 5"))
		term.expect("ready\n")
		for range 3 {
			term.send(ctrlZ)
			term.send("words\n")
			term.expect("read words\n")
		}
		term.send(ctrlD)
		term.end(5)
	})
}

// The child has a terminal: it can be named, asked for its size, read, and be
// opened as /dev/tty.
func TestP5TerminalIsThere(t *testing.T) {
	inEach(t, leading, func(t *testing.T, p place) {
		term := p.onTerminal(t, p.vaultexec(t).exec("/bin/sh", "-c",
			"stty size; tty; echo through >/dev/tty; read line </dev/tty; echo \"read $line\""))
		term.expect("24 80\n/dev/pts/")
		term.expect("through\n")
		term.send("words\n")
		term.expect("read words\n")
		term.end(0)
	})
}

// A shell has job control of its own.
func TestP5TerminalShellHasJobControl(t *testing.T) {
	inEach(t, leading, func(t *testing.T, p place) {
		c := p.vaultexec(t).env("PS1=inner> ").exec(shellArgs...)
		term := p.onTerminal(t, c)
		term.expect("inner> ")
		checkJobControl(term, "inner> ")
		term.send("exit 3\n")
		term.end(3)
	})
}

// The status is that of a child that Ctrl-C has ended.
func TestP3TerminalCtrlCIsTheStatus(t *testing.T) {
	inEach(t, leading, func(t *testing.T, p place) {
		term := p.onTerminal(t, p.vaultexec(t).exec("/bin/sh", "-c", "echo ready; exec sleep 100"))
		term.expect("ready\n")
		term.send(ctrlC)
		term.end(130)
	})
}

// Ctrl-C ends a login like TERM does.
func TestP4TerminalCtrlCBeforeLogin(t *testing.T) {
	inEach(t, leading, func(t *testing.T, p place) {
		address, reached := silentVault(t)
		c := p.vaultexec(t, "--env", "A=kv/app#a", "--request-timeout", "1m").vault(address).token(canary(t, "token"))
		term := p.onTerminal(t, c)
		reached(&running{command: c})
		term.send(ctrlC)
		term.end(130)
	})
}
