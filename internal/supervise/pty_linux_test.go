package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
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

// bash starts an interactive bash with job control on a terminal.
func bash(t *testing.T, change ...func(*exec.Cmd)) *terminal {
	t.Helper()
	path, err := exec.LookPath("bash")
	if err != nil {
		untestable(t, "needs an interactive shell with job control: %v", err)
	}
	term := onTerminal(t, []string{path, "--norc", "--noprofile", "--noediting", "-i"}, change...)
	term.expect("prompt> ")
	return term
}

func (term *terminal) typeLine(line string) { term.t.Helper(); term.write(line + "\n") }

// The foreground job of a job-control shell.
func TestP5ForegroundJob(t *testing.T) {
	term := bash(t)
	term.typeLine(`$HELPER helper:run $HELPER helper:print -until USR1 -code 7 -front`)
	term.expect("ready", "in front")
	term.write(ctrlC)
	term.expect("INT")
	term.resize(50)
	term.expect("WINCH")
	term.signalHelper(syscall.SIGUSR1)
	term.expect("USR1", "prompt> ")
	term.typeLine("echo status=$?")
	term.expect("status=7")
	term.once("INT", "WINCH")
	term.typeLine("exit 0")
	term.exit(0)
}

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

func TestP5CtrlZAndFg(t *testing.T) {
	for _, mode := range []string{"supervise", "init"} {
		t.Run(mode, func(t *testing.T) {
			term := bash(t)
			term.typeLine(`$HELPER helper:run -mode ` + mode + ` sh -c 'echo begin; while read -r x; do echo "got $x"; done; exit 4'`)
			term.expect("begin")
			for i := range 3 {
				term.write(ctrlZ)
				term.stopped()
				term.typeLine(fmt.Sprintf("echo shell=%d$((1))", i))
				term.expect(fmt.Sprintf("shell=%d1", i))
				term.typeLine("fg")
				term.expect("helper:run")
				term.typeLine(fmt.Sprint("line", i))
				term.expect(fmt.Sprint("got line", i))
			}
			// To the background: it reads, so it stops again. Then back.
			term.write(ctrlZ)
			term.stopped()
			term.typeLine("bg; wait %1; jobs; echo bg=$((2))")
			term.expect("Stopped", "bg=2")
			term.typeLine("fg")
			term.expect("helper:run")
			term.typeLine("again")
			term.expect("got again")
			term.write("\x04")
			term.expect("prompt> ")
			term.typeLine("echo status=$?")
			term.expect("status=4")
			term.typeLine("exit 0")
			term.exit(0)
		})
	}
}

// The CONT of a shell's bg takes away a TTIN that has not stopped its target
// yet. Where the command has stopped for input by then, all of its job must,
// or the shell never hears of it.
func TestP5SharedJobStopsAsAWhole(t *testing.T) {
	for _, tt := range []struct{ name, job, stopped string }{
		{"the command, under an init", "helper:run -mode init $HELPER helper:ask", "$HELPER\x00helper:ask"},
		{"the supervisor", "helper:run -mode init $HELPER helper:ask", "vaultexec-supervisor:"},
		{"the command in a pipeline's first place", "helper:run $HELPER helper:ask | cat", "$HELPER\x00helper:ask"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			term := bash(t)
			term.typeLine("$HELPER " + tt.job)
			term.expect("begin")
			if strings.Contains(tt.job, "|") { // nobody but us stops it
				term.signalMember("cat\x00", syscall.SIGTTIN)
			}
			term.signalMember(strings.ReplaceAll(tt.stopped, "$HELPER", os.Args[0]), syscall.SIGTTIN)
			term.expect("Stopped", "prompt> ")
			term.typeLine("fg")
			term.expect("helper:run")
			term.signalMember(os.Args[0]+"\x00helper:ask", syscall.SIGUSR1)
			term.expect("asking")
			term.typeLine("hello")
			term.expect("got hello", "prompt> ")
			term.typeLine("exit 0")
			term.exit(0)
		})
	}
}

func init() { helpers["ask"] = helperAsk }

// helperAsk reads a line when it gets USR1.
func helperAsk([]string) int {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	fmt.Println("begin")
	<-c
	fmt.Println("asking")
	var line string
	_, err := fmt.Scanln(&line)
	fmt.Println("got", line, err)
	return 4
}

// fg gives a running job the terminal without telling it. The command gets it
// when it asks.
func TestP5FgOfARunningJob(t *testing.T) {
	term := bash(t)
	// Not a shell: one that is in the middle of vfork(2) cannot be stopped.
	term.typeLine(`$HELPER helper:run $HELPER helper:ask`)
	term.expect("begin")
	term.write(ctrlZ)
	term.stopped()
	term.typeLine("bg")
	term.expect("&", "prompt> ")
	term.typeLine("fg")
	term.expect("helper:run")
	term.given() // else it asks too early and stops, as without us
	term.signalHelper(syscall.SIGUSR1)
	term.expect("asking")
	term.typeLine("hello")
	term.expect("got hello", "prompt> ")
	term.typeLine("echo status=$?")
	term.expect("status=4")
	term.typeLine("exit 0")
	term.exit(0)
}

// A shell with job control as the command keeps its job control.
func TestP5InteractiveShellAsCommand(t *testing.T) {
	for _, mode := range []string{"supervise", "init"} {
		t.Run(mode, func(t *testing.T) {
			term := bash(t)
			term.typeLine(`PS1='inner> ' $HELPER helper:run -mode ` + mode + ` bash --norc --noprofile --noediting -i`)
			term.expect("inner> ")
			term.typeLine(`sh -c 'echo inside; exec cat'`)
			term.expect("inside")
			term.write(ctrlZ)
			term.expect("Stopped", "inner> ")
			term.typeLine("fg")
			term.expect("exec cat")
			term.typeLine("through cat")
			term.expect("through cat")
			term.write(ctrlC)
			term.expect("inner> ")
			term.typeLine("exit 5")
			term.expect("prompt> ")
			term.typeLine("echo status=$?")
			term.expect("status=5")
			if strings.Contains(term.all, "job control") {
				t.Error("the inner shell has no job control")
			}
			term.typeLine("exit 0")
			term.exit(0)
		})
	}
}

func init() { helpers["shell"] = helperShell }

// helperShell runs its arguments as a foreground job and says whether the
// terminal is that job's whenever it stops or ends. Unlike bash it never takes
// the terminal, and like zsh it minds whom it belongs to.
func helperShell(args []string) int {
	job, err := os.StartProcess(args[0], args, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: 0},
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for {
		var status unix.WaitStatus
		if _, err := unix.Wait4(job.Pid, &status, unix.WUNTRACED, nil); err != nil {
			fmt.Println(err)
			return 1
		}
		whose := "somebody else's"
		if group, err := foregroundGroup(0); err == nil && group == job.Pid {
			whose = "the job's"
		}
		if status.Stopped() {
			fmt.Printf("stopped by %s, the terminal is %s\n", signalName(syscall.Signal(status.StopSignal())), whose)
			_ = job.Signal(syscall.SIGCONT)
			continue
		}
		fmt.Printf("ended, the terminal is %s\n", whose)
		return status.ExitStatus()
	}
}

// Whoever waits for the job finds the terminal with it, not with a group it
// never heard of.
func TestP5TerminalIsTakenBack(t *testing.T) {
	term := onTerminal(t, append(helper("shell"), run("", "sh", "-c", `echo begin; while read -r x; do echo "got $x"; done; exit 4`)...))
	term.expect("begin")
	term.write(ctrlZ)
	term.expect("stopped by TSTP, the terminal is the job's")
	term.typeLine("hello")
	term.expect("got hello")
	term.write("\x04")
	term.expect("ended, the terminal is the job's")
	term.exit(4)
}

func init() { helpers["abandon"] = helperAbandon }

// helperAbandon leaves its arguments behind as a foreground job whose parent,
// and with it everybody who would continue it, is gone.
func helperAbandon(args []string) int {
	_, err := os.StartProcess(args[0], args, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: 0},
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// Where nobody would continue us the child must not stay stopped.
func TestP5CtrlZDoesNotFreezeAnOrphanedJob(t *testing.T) {
	script := `$HELPER helper:abandon $HELPER helper:run sh -c 'echo begin; while read -r x; do echo "got $x"; done'; echo abandoned; sleep 600`
	term := onTerminal(t, []string{"sh", "-c", script})
	term.expectBoth("begin", "abandoned")
	term.write(ctrlZ)
	term.typeLine("hello")
	term.expect("got hello")
}

// A command that cannot be started leaves the terminal where it was.
func TestP5TerminalAfterAFailedStart(t *testing.T) {
	noLine := write(t, t.TempDir()+"/noline", "echo hello\n", 0o755)
	term := onTerminal(t, append(helper("shell"), run("", noLine)...))
	term.expect("no #! line", "ended, the terminal is the job's")
	term.exit(126)
}

// A pipeline's member shares the group.
func TestP5Pipeline(t *testing.T) {
	term := bash(t)
	term.typeLine(`$HELPER helper:run $HELPER helper:print -until QUIT -code 3 | cat; echo status=${PIPESTATUS[0]}`)
	term.expect("ready")
	term.signalHelper(syscall.SIGUSR1)
	term.expect("USR1")
	// cat would die of Ctrl-C; a WINCH reaches everybody and hurts nobody.
	term.resize(51)
	term.expect("WINCH")
	term.signalHelper(syscall.SIGTERM)
	term.expect("TERM")
	term.write(backslash)
	term.expect("status=3", "prompt> ")
	term.once("USR1", "WINCH", "TERM")
	term.typeLine("exit 0")
	term.exit(0)
}

func TestP5CtrlCInAPipelineArrivesOnce(t *testing.T) {
	term := bash(t)
	term.typeLine(`$HELPER helper:run $HELPER helper:print -until USR1 | (trap '' INT; cat)`)
	term.expect("ready")
	term.write(ctrlC)
	term.expect("INT")
	term.signalHelper(syscall.SIGUSR1)
	term.expect("USR1", "prompt> ")
	term.once("INT")
	term.typeLine("exit 0")
	term.exit(0)
}
