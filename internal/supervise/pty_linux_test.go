package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo terminal with a process in front of it.
type terminal struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	outc   chan string
	seen   string // output that no expect has consumed yet
	all    string
}

// onTerminal starts argv as the leader of a session with a new terminal.
func onTerminal(t *testing.T, argv []string, change ...func(*exec.Cmd)) *terminal {
	t.Helper()
	master, slave, err := openTerminal()
	if err != nil {
		untestable(t, "no pseudo terminal can be had: %v", err)
	}
	term := &terminal{t: t, master: master, outc: make(chan string, 1024)}
	term.cmd = exec.Command(argv[0], argv[1:]...)
	term.cmd.Stdin, term.cmd.Stdout, term.cmd.Stderr = slave, slave, slave
	term.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	term.cmd.Env = append(os.Environ(), "PS1=prompt> ", "PROMPT_COMMAND=", "HISTFILE=", "TERM=dumb", "HELPER="+os.Args[0])
	for _, f := range change {
		f(term.cmd)
	}
	if err := term.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	go func() {
		defer close(term.outc)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			if n > 0 {
				term.outc <- string(buf[:n])
			}
			if err != nil {
				return // EIO: nobody has the terminal any more
			}
		}
	}()
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := exec.Command("ps", "-o", "pid,ppid,pgid,tpgid,stat,wchan:20,args", "-s", fmt.Sprint(term.cmd.Process.Pid)).Output()
			t.Logf("in the session:\n%s", out)
		}
		killSession(term.cmd.Process.Pid)
		_ = master.Close() // hangs up on whoever is left
		if term.cmd.ProcessState == nil {
			_ = term.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("%v; the terminal showed:\n%s", term.cmd.ProcessState, term.all)
		}
	})
	return term
}

func openTerminal() (master, slave *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	master = os.NewFile(uintptr(fd), "master")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, err
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	// Without echo, or a test would find what it typed, and without the loss of
	// output that comes with Ctrl-C.
	settings, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		return nil, nil, err
	}
	settings.Lflag &^= unix.ECHO
	settings.Lflag |= unix.NOFLSH
	return master, slave, unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, settings)
}

// expect waits until text is shown and forgets all up to it.
func (term *terminal) expect(texts ...string) {
	term.t.Helper()
	for _, text := range texts {
		for !strings.Contains(term.seen, text) {
			select {
			case out, ok := <-term.outc:
				if !ok {
					term.t.Fatalf("the terminal closed before %q", text)
				}
				term.seen += out
				term.all += out
			case <-time.After(patience):
				term.t.Fatalf("the terminal never showed %q", text)
			}
		}
		_, term.seen, _ = strings.Cut(term.seen, text)
	}
}

// expectBoth is expect for two lines whose order is open.
func (term *terminal) expectBoth(one, other string) {
	term.t.Helper()
	term.expect(one)
	if !strings.Contains(strings.TrimSuffix(term.all, term.seen), other) {
		term.expect(other)
	}
}

func (term *terminal) write(text string) {
	term.t.Helper()
	if _, err := term.master.WriteString(text); err != nil {
		term.t.Fatal(err)
	}
}

// exit waits for the end of the process.
func (term *terminal) exit(code int) {
	term.t.Helper()
	watchdog := time.AfterFunc(patience, func() { killSession(term.cmd.Process.Pid) })
	defer watchdog.Stop()
	for out := range term.outc {
		term.all += out
	}
	_ = term.cmd.Wait()
	if got := term.cmd.ProcessState.ExitCode(); got != code {
		term.t.Errorf("%v, want exit status %d", term.cmd.ProcessState, code)
	}
}

// count is how often the terminal showed a line.
func (term *terminal) count(line string) int {
	n := 0
	for shown := range strings.Lines(term.all) {
		if strings.TrimSpace(shown) == line {
			n++
		}
	}
	return n
}

func (term *terminal) once(lines ...string) {
	term.t.Helper()
	for _, line := range lines {
		if n := term.count(line); n != 1 {
			term.t.Errorf("%q was shown %d times", line, n)
		}
	}
}

func (term *terminal) resize(rows uint16) {
	term.t.Helper()
	if err := unix.IoctlSetWinsize(int(term.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: 80}); err != nil {
		term.t.Fatal(err)
	}
}

const (
	ctrlC     = "\x03"
	ctrlZ     = "\x1a"
	backslash = "\x1c"
)

// Leading the session, as in a container with -t, ssh -t or tmux.
func TestP5SessionTerminal(t *testing.T) {
	needNamespace(t)
	for name, change := range map[string][]func(*exec.Cmd){"ssh": nil, "container": {inNamespace}} {
		for _, mode := range []string{"supervise", "init"} {
			t.Run(name+" "+mode, func(t *testing.T) {
				term := onTerminal(t, run("-mode "+mode, helper("print")...), change...)
				term.expect("ready")
				term.write(ctrlC)
				term.expect("INT")
				term.resize(40)
				term.expect("WINCH")
				term.write(backslash)
				term.expect("QUIT")
				term.write(ctrlZ)
				term.expect("TSTP") // caught by the helper, as a shell would
				_ = term.cmd.Process.Signal(syscall.SIGHUP)
				term.expect("HUP")
				_ = term.cmd.Process.Signal(syscall.SIGTERM)
				term.expect("TERM")
				term.exit(0)
				term.once("INT", "WINCH", "QUIT", "TSTP", "HUP", "TERM")
				if n := term.count("CONT"); n != 0 {
					t.Errorf("the hand-over of the terminal sent %d CONT", n)
				}
			})
		}
	}
}

// A command that does not catch TSTP must not stop where nobody could resume
// it.
func TestP5CtrlZDoesNotFreezeASession(t *testing.T) {
	for _, mode := range []string{"supervise", "init"} {
		term := onTerminal(t, run("-mode "+mode, "sh", "-c", `echo begin; while read -r x; do echo "got $x"; done; exit 4`))
		term.expect("begin")
		term.write(ctrlZ)
		term.write("hello\n")
		term.expect("got hello")
		term.write("\x04")
		term.exit(4)
	}
}

// Ctrl-C while the preparation still runs ends it.
func TestP5CtrlCBeforeStart(t *testing.T) {
	for _, mode := range []string{"supervise", "exec", "init"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		term := onTerminal(t, run("-hold -mode "+mode, "sh", "-c", "echo started"), func(cmd *exec.Cmd) { cmd.ExtraFiles = []*os.File{r} })
		term.expect("preparing")
		term.write(ctrlC)
		term.expect("cancelled")
		term.exit(130)
		_ = w.Close()
		_ = r.Close()
	}
}

func (term *terminal) typeLine(line string) { term.t.Helper(); term.write(line + "\n") }

// session returns the pids in this terminal's session, but for its leader.
func (term *terminal) session() []int {
	term.t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		term.t.Fatal(err)
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == term.cmd.Process.Pid {
			continue
		}
		if session, err := unix.Getsid(pid); err == nil && session == term.cmd.Process.Pid {
			pids = append(pids, pid)
		}
	}
	return pids
}

// signalHelper signals the helper:run in this terminal's session from outside.
func (term *terminal) signalHelper(sig syscall.Signal) {
	term.t.Helper()
	term.signalMember(os.Args[0]+"\x00helper:run\x00", sig)
}

// signalMember signals, alone, the process in this terminal's session whose
// command line begins so.
func (term *terminal) signalMember(cmdline string, sig syscall.Signal) {
	term.t.Helper()
	for _, pid := range term.session() {
		theirs, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && strings.HasPrefix(string(theirs), cmdline) {
			if err := unix.Kill(pid, sig); err != nil {
				term.t.Fatal(err)
			}
			return
		}
	}
	term.t.Fatalf("no %q in this session", cmdline)
}

// stopped waits for the shell's word that its job has stopped, and until every
// member really has: one that is still on its way could read what we type next.
func (term *terminal) stopped() {
	term.t.Helper()
	term.expect("Stopped", "prompt> ")
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		moving := 0
		for _, pid := range term.session() {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			if state, _, _ := parseStat(stat); err == nil && state != "T" {
				moving++
			}
		}
		if moving == 0 {
			return
		}
	}
	term.t.Fatal("the job has not stopped")
}

// given waits until the shell has given the terminal to its job, which it does
// after it has shown the job's command.
func (term *terminal) given() {
	term.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if group, err := foregroundGroup(int(term.master.Fd())); err == nil && group != term.cmd.Process.Pid {
			return
		}
	}
	term.t.Fatal("the job has not got the terminal")
}
