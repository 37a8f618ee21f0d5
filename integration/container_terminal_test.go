package integration

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// winsize is struct winsize of ioctl_tty(2).
type winsize struct{ rows, columns, _, _ uint16 }

func terminalSize(f *os.File) (winsize, error) {
	var size winsize
	err := ioctl(f, syscall.TIOCGWINSZ, unsafe.Pointer(&size))
	return size, err
}

func ioctl(f *os.File, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

// screen is a terminal with docker run on it, as a user has it.
type screen struct {
	t      *testing.T
	keys   *os.File // the terminal's other side
	shown  lockedBuffer
	cmd    *exec.Cmd
	donec  chan struct{} // closed when docker run has ended
	cursor int           // what wait has gone past
}

// onScreen starts docker run on a terminal of this size.
func (c *container) onScreen(rows, columns uint16) *screen {
	c.t.Helper()
	s := &screen{t: c.t, donec: make(chan struct{}), cmd: c.command().cmd()}
	var err error
	if s.keys, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		c.t.Fatal(err)
	}
	var number, unlock int32
	if err := ioctl(s.keys, syscall.TIOCGPTN, unsafe.Pointer(&number)); err != nil {
		c.t.Fatal(err)
	}
	if err := ioctl(s.keys, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock)); err != nil {
		c.t.Fatal(err)
	}
	s.resize(rows, columns)
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer tty.Close()
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = tty, tty, tty
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := s.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	readc := make(chan struct{})
	go func() {
		defer close(readc)
		buf := make([]byte, 4096)
		for {
			n, err := s.keys.Read(buf)
			_, _ = s.shown.Write(buf[:n])
			if err != nil { // EIO: nobody has the terminal any more
				return
			}
		}
	}()
	go func() {
		defer close(s.donec)
		_ = s.cmd.Wait() // the status is in ProcessState
		<-readc
	}()
	c.t.Cleanup(func() {
		c.remove()
		<-s.donec
		s.keys.Close()
	})
	return s
}

// resize changes the terminal's size, as a window manager does.
func (s *screen) resize(rows, columns uint16) {
	s.t.Helper()
	size := winsize{rows: rows, columns: columns}
	if err := ioctl(s.keys, syscall.TIOCSWINSZ, unsafe.Pointer(&size)); err != nil {
		s.t.Fatal(err)
	}
}

// press types something.
func (s *screen) press(keys string) {
	s.t.Helper()
	if _, err := s.keys.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

const ctrlC, ctrlD = "\x03", "\x04"

// wait waits for a text behind the last one it waited for.
func (s *screen) wait(text string) {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(waitLimit)
	defer limit.Stop()
	for {
		if at := strings.Index(s.shown.String()[s.cursor:], text); at >= 0 {
			s.cursor += at + len(text)
			return
		}
		select {
		case <-tick.C:
		case <-limit.C:
			s.t.Fatalf("waited %v in vain for %q:\n%s", waitLimit, text, s.shown.String())
		}
	}
}

// exited waits for the end and checks the status.
func (s *screen) exited(status int) {
	s.t.Helper()
	select {
	case <-s.donec:
	case <-time.After(waitLimit):
		s.t.Fatalf("docker run still runs after %v:\n%s", waitLimit, s.shown.String())
	}
	if got := s.cmd.ProcessState.ExitCode(); got != status {
		s.t.Errorf("exit status %d, want %d:\n%s", got, status, s.shown.String())
	}
	checkSilence(s.t, "the terminal", s.shown.String())
}

// seen checks how often a text has been shown.
func (s *screen) seen(text string, want int) {
	s.t.Helper()
	if got := strings.Count(s.shown.String(), text); got != want {
		s.t.Errorf("%q is there %d times, want %d:\n%s", text, got, want, s.shown.String())
	}
}

// docker run -ti: Ctrl-C arrives once, and so does each change of the size.
func TestP5ContainerTerminal(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{
		"supervise": {"--mode", "supervise"},
		"exec":      {"--mode", "exec"},
	} {
		t.Run(name, func(t *testing.T) {
			c := inContainer(t, flags...).with("--interactive", "--tty").child("serve-size")
			s := c.onScreen(31, 101)
			s.wait("ready")
			// docker run tells the size after the start: it may be late.
			s.wait("size 31x101")
			s.press(ctrlC)
			s.wait("got interrupt")
			s.resize(32, 102)
			s.wait("size 32x102")
			s.press(ctrlC)
			s.wait("got interrupt")
			// Had anything come twice, it would be here before this.
			if _, err := c.engine.run("kill", "--signal", "TERM", c.name); err != nil {
				t.Fatal(err)
			}
			s.exited(0)
			s.seen("got interrupt", 2)
			s.seen("got terminated", 1)
		})
	}
}

// docker run -t without -i is a terminal that nobody types on.
func TestP5ContainerTerminalOnly(t *testing.T) {
	t.Parallel()
	c := inContainer(t, "--mode", "supervise").with("--tty").child("serve-size")
	s := c.onScreen(33, 103)
	s.wait("ready")
	for _, sig := range []string{"INT", "HUP", "TERM"} {
		if _, err := c.engine.run("kill", "--signal", sig, c.name); err != nil {
			t.Fatal(err)
		}
	}
	s.exited(0)
	for _, text := range []string{"got interrupt", "got hangup", "got terminated"} {
		s.seen(text, 1)
	}
	s.seen("no terminal", 0)
}

// docker run -i is a pipe: what goes in reaches the command byte for byte.
func TestP5ContainerStdin(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"exec", "supervise"} {
		t.Run(mode, func(t *testing.T) {
			in := "line\r\n\x00\x03binary\xff" + strings.Repeat("x", 100_000)
			c := inContainer(t, "--mode", mode).with("--interactive").child("echo")
			cmd := c.command()
			cmd.stdin = strings.NewReader(in)
			r := cmd.start()
			t.Cleanup(c.remove)
			if res := r.wait().exited(0); res.stdout != "terminal: false\n"+in {
				t.Errorf("%d bytes come back, want %d", len(res.stdout), len(in))
			}
		})
	}
	t.Run("with a terminal", func(t *testing.T) {
		c := inContainer(t, "--mode", "supervise").with("--interactive", "--tty").child("echo")
		s := c.onScreen(25, 80)
		s.wait("terminal: true")
		s.press("typed\r")
		s.wait("typed") // the terminal's echo
		s.wait("typed") // and the command's
		s.press(ctrlD)
		s.exited(0)
	})
}
