package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	helpers["grab"] = helperGrab
	helpers["unprivileged"] = helperUnprivileged
}

// helperUnprivileged becomes its arguments, without the rights to take a terminal
// away from another session and to be another user.
func helperUnprivileged(args []string) int {
	runtime.LockOSThread()                                            // whose right it is
	_ = unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_ADMIN, 0, 0, 0) // who may not drop it has not got it
	_ = unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SETUID, 0, 0, 0)    // likewise
	fmt.Println("exec:", unix.Exec(args[0], args, os.Environ()))
	return 1
}

// helperGrab makes a session of its own and takes the terminal as soon as
// nobody has it, until it reads a line.
func helperGrab([]string) int {
	if _, err := unix.Setsid(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("grabbing")
	for unix.IoctlSetInt(0, unix.TIOCSCTTY, 0) != nil {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("grabbed")
	var line string
	_, err := fmt.Scanln(&line)
	fmt.Println("read", line, err)
	return 0
}

// ordered is a terminal whose process takes orders on descriptor 3.
type ordered struct {
	*terminal
	orders *os.File
}

// takingOrders makes begin's process take orders.
func takingOrders(t *testing.T, begin func(...func(*exec.Cmd)) *terminal) ordered {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	term := begin(func(cmd *exec.Cmd) { cmd.ExtraFiles = []*os.File{r} })
	_ = r.Close()
	t.Cleanup(func() { _ = w.Close() })
	return ordered{term, w}
}

func (o ordered) order(line string) {
	o.t.Helper()
	if _, err := o.orders.WriteString(line + "\n"); err != nil {
		o.t.Fatal(err)
	}
}

// P5 the terminal is that of the bare command also after restarts: leading the
// session, each child gets a session of its own and the terminal.
func TestP5RestartInASession(t *testing.T) {
	needNamespace(t)
	for name, change := range map[string][]func(*exec.Cmd){"ssh": nil, "container": {inNamespace}} {
		for _, mode := range []string{"supervise", "init"} {
			t.Run(name+" "+mode, func(t *testing.T) {
				term := takingOrders(t, func(orders ...func(*exec.Cmd)) *terminal {
					return onTerminal(t, run("-rotate -mode "+mode, helper("print", "-front", "-code", "5")...), append(orders, change...)...)
				})
				term.expect("ready", "in front")
				for _, generation := range []string{"1 ", "2 "} {
					term.order("restart")
					term.expect(generation+"ready", generation+"in front")
					term.write(ctrlC)
					term.expect(generation + "INT")
					term.write(ctrlZ)
					term.expect(generation + "TSTP")
				}
				_ = term.cmd.Process.Signal(syscall.SIGTERM)
				term.expect("2 TERM")
				term.exit(5)
				term.once("TERM", "1 TERM", "2 TERM", "1 INT", "2 INT", "1 TSTP", "2 TSTP")
				if n := term.count("1 HUP") + term.count("2 HUP") + term.count("1 CONT") + term.count("2 CONT"); n != 0 {
					t.Errorf("the hand-over of the terminal sent %d HUP and CONT", n)
				}
			})
		}
	}
}

// If somebody has taken the terminal between two children, the next one goes
// without.
func TestP5RestartWithoutTheTerminal(t *testing.T) {
	term := takingOrders(t, func(orders ...func(*exec.Cmd)) *terminal {
		return onTerminal(t, append(helper("unprivileged"), run("-v -rotate", "sh", "-c",
			`test -n "$GENERATION" || $HELPER helper:grab <&1 & exec $HELPER helper:print -front`)...), orders...)
	})
	term.expectBoth("grabbing", "in front")
	term.order("held restart")
	term.expect("delivering")
	term.order("held restart")
	term.order("go")
	term.expectBoth("delivering", "grabbed") // with no child
	term.order("go")
	term.expectBoth("the terminal cannot be handed to the command", "2 behind")
	term.write("hello\n")
	term.expect("read hello")
	_ = term.cmd.Process.Signal(syscall.SIGTERM)
	term.expect("2 TERM")
	term.exit(0)
}

// What is refused is not taken for the terminal if it is the user.
func TestP12AnotherUserOnATerminal(t *testing.T) {
	user := fmt.Sprint(os.Getuid() + 4711)
	term := onTerminal(t, append(helper("unprivileged"), run("-v -user "+user, "true")...))
	term.expect("cannot be run as user " + user)
	term.exit(126)
	if strings.Contains(term.all, "the terminal cannot be handed") {
		t.Error("the terminal is blamed")
	}
}

// A job gets the terminal back from each child and gives it to the next.
func TestP5RestartOfAJob(t *testing.T) {
	for _, mode := range []string{"supervise", "init"} { // foreground, shared
		t.Run(mode, func(t *testing.T) {
			term := takingOrders(t, func(orders ...func(*exec.Cmd)) *terminal { return bash(t, orders...) })
			term.typeLine(`$HELPER helper:run -rotate -mode ` + mode + ` $HELPER helper:print -code 7 -front`)
			term.expect("ready", "in front")
			for _, generation := range []string{"1 ", "2 "} {
				term.order("restart")
				term.expect(generation+"ready", generation+"in front")
				term.write(ctrlC)
				term.expect(generation + "INT")
			}
			term.signalMember(supervisorIn(mode), syscall.SIGTERM)
			term.expect("2 TERM", "prompt> ")
			term.typeLine("echo status=$?")
			term.expect("status=7")
			term.once("TERM", "1 TERM", "2 TERM", "1 INT", "2 INT")
			term.typeLine("exit 0")
			term.exit(0)
		})
	}
}

// supervisorIn is how the command line of the supervisor begins.
func supervisorIn(mode string) string {
	if mode == "init" {
		return "vaultexec-supervisor:"
	}
	return os.Args[0] + "\x00helper:run\x00"
}

// Ctrl-Z stops a restarted job, and fg brings it back with the terminal.
func TestP5CtrlZAfterARestart(t *testing.T) {
	term := takingOrders(t, func(orders ...func(*exec.Cmd)) *terminal { return bash(t, orders...) })
	term.typeLine(`$HELPER helper:run -rotate sh -c 'echo begin $GENERATION; while read -r x; do echo "got $x"; done; exit 4'`)
	term.expect("begin")
	term.order("restart")
	term.expect("begin 1")
	term.write(ctrlZ)
	term.stopped()
	term.order("restart") // applied when we go on
	term.typeLine("fg")
	term.expect("helper:run", "begin 2")
	term.typeLine("line")
	term.expect("got line")
	term.write("\x04")
	term.expect("prompt> ")
	term.typeLine("echo status=$?")
	term.expect("status=4")
	term.typeLine("exit 0")
	term.exit(0)
}

// Ctrl-C between two children of a job ends the run.
func TestP4CtrlCBetweenChildren(t *testing.T) {
	term := takingOrders(t, func(orders ...func(*exec.Cmd)) *terminal { return bash(t, orders...) })
	term.typeLine(`$HELPER helper:run -rotate $HELPER helper:print -until USR1 -code 7`)
	term.expect("ready")
	term.order("restart")
	term.expect("TERM")
	term.order("held restart")
	term.order("ping")
	term.expect("pong")
	term.signalHelper(syscall.SIGUSR1)
	term.expect("USR1", "delivering")
	term.write(ctrlC)
	term.expect("prompt> ")
	term.typeLine("echo status=$?")
	term.expect("status=7")
	term.typeLine("exit 0")
	term.exit(0)
}
