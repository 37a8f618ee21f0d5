package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

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
