//go:build linux

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shellArgs is a real interactive shell that leaves the terminal's settings
// alone.
var shellArgs = []string{"/bin/bash", "--norc", "--noprofile", "--noediting", "-i"}

const prompt = "outer> "

// interactive starts an interactive shell on a terminal of its own; vx is how to
// run vaultexec in it, with a command behind it.
func interactive(t *testing.T, p place) (term *terminal, c *command, vx string) {
	t.Helper()
	c = p.vaultexec(t)
	cmd := exec.Command(shellArgs[0], shellArgs[1:]...)
	cmd.Env, cmd.Dir = append(c.vars, "PS1="+prompt, "VAULTEXEC_LOG_LEVEL=info"), c.dir
	term = onTerminal(t, cmd)
	term.expect(prompt)
	return term, c, c.binary + " " + strings.Join(p.flags, " ") + " -- "
}

// run types a command line.
func (term *terminal) run(line string) {
	term.t.Helper()
	term.send(line + "\n")
}

// back waits for the outer shell's prompt, and checks that it has the terminal.
func (term *terminal) back() {
	term.t.Helper()
	term.expect(prompt)
	if group := term.foreground(); group != term.cmd.Process.Pid {
		term.t.Errorf("the terminal belongs to group %d, the shell is %d\n%s", group, term.cmd.Process.Pid, term.screen.String())
	}
}

// leave ends the shell.
func (term *terminal) leave() {
	term.t.Helper()
	term.run("exit 0")
	term.end(0)
}

// checkJobControl uses a shell on the terminal like a user of job control.
func checkJobControl(term *terminal, prompt string) {
	term.t.Helper()
	term.run("sleep 100 &")
	term.expect("[1] ")
	term.expect(prompt)
	term.run("jobs")
	term.expect("Running")
	term.expect(prompt)
	term.run("echo in front; fg")
	term.expect("in front\nsleep 100\n")
	waitUntil(term.t, "the sleep to be in the foreground", func() bool { return foregroundIs(term, "sleep") })
	term.send(ctrlZ)
	term.expect("Stopped")
	term.expect(prompt)
	term.run("kill %1; fg; echo status $?")
	term.expect("status 143\n")
	term.expect(prompt)
	if text := term.screen.String(); strings.Contains(text, "cannot set terminal process group") || strings.Contains(text, "no job control") {
		term.t.Errorf("the shell has no job control:\n%s", text)
	}
}

// foregroundIs tells whether the leader of the foreground group is this program.
func foregroundIs(term *terminal, name string) bool {
	argv := words(term.foreground())
	return len(argv) > 0 && filepath.Base(argv[0]) == name
}

// underShell are the ways to run vaultexec from a shell.
var underShell = []place{oneProcess, outsideInit, execMode}

func TestP5ShellCtrlC(t *testing.T) {
	inEach(t, underShell, func(t *testing.T, p place) {
		term, c, vx := interactive(t, p)
		for range 2 {
			term.run(vx + strings.Join(c.tallyArgs("-", 2, 3, 15), " ") + "; echo status $?")
			term.expect("ready\n")
			for range 2 {
				term.send(ctrlC)
				term.expect("got 2\n")
			}
			term.send(quit)
			term.expect("got 3\n")
			term.signal(c, syscall.SIGTERM)
			term.expect("got 15\nstatus 0\n")
			term.back()
		}
		term.run(vx + `sh -c 'echo ready; exec sleep 100'`)
		term.expect("ready\n")
		term.send(ctrlC)
		term.back()
		term.run("echo status $?")
		term.expect("status 130\n")
		gotExactly(t, term.screen.String(), 2, 2, 3, 15, 2, 2, 3, 15)
		term.leave()
	})
}

// signal sends a signal to the process that is the parent of the child, or the
// child itself in exec mode.
func (term *terminal) signal(c *command, sig syscall.Signal) {
	term.t.Helper()
	report := readReport(term.t, c.report)
	pid := report.Parent
	if pid == term.cmd.Process.Pid {
		pid = report.Pid
	}
	if err := syscall.Kill(pid, sig); err != nil {
		term.t.Fatal(err)
	}
}

// Ctrl-Z stops the job for the shell to see, and fg goes on with it, in the
// foreground; bg and fg too.
func TestP5ShellCtrlZ(t *testing.T) {
	inEach(t, underShell, func(t *testing.T, p place) {
		term, c, vx := interactive(t, p)
		term.run(vx + strings.Join(c.tallyArgs("-", 2, 15), " "))
		term.expect("ready\n")
		child := readReport(t, c.report).Pid
		for range 3 {
			term.send(ctrlZ)
			term.expect("Stopped")
			term.back()
			if p, ok := processOf(child); !ok || p.state != 'T' {
				t.Errorf("the child has state %c, want T (stopped)", p.state)
			}
			term.run("jobs")
			term.expect("Stopped")
			term.back()
			term.run("echo going on; fg >/dev/null")
			term.expect("going on\n")
			moves(t, child)
			term.send(ctrlC)
			term.expect("got 2\n")
		}
		term.send(ctrlZ)
		term.expect("Stopped")
		term.back()
		term.run("bg >/dev/null; jobs")
		term.expect("Running")
		term.back()
		moves(t, child)
		term.run("echo going on; fg >/dev/null")
		term.expect("going on\n")
		waitUntil(t, "the job to have the terminal", func() bool { return term.foreground() != term.cmd.Process.Pid })
		term.send(ctrlC)
		term.expect("got 2\n")
		term.signal(c, syscall.SIGTERM)
		term.expect("got 15\n")
		term.back()
		gotExactly(t, term.screen.String(), 2, 2, 2, 2, 15)
		term.leave()
	})
}

// A full-screen program that a person works with under a shell: it has the keys one
// by one, Ctrl-C among them, hears of a new size, is stopped and goes on, and leaves
// the terminal as it was.
func TestP5FullScreen(t *testing.T) {
	if _, err := exec.LookPath("vi"); err != nil {
		t.Fatal("there is no vi here; go -C integration run ./prepare says how to get one")
	}
	inEach(t, underShell, func(t *testing.T, p place) {
		term, c, vx := interactive(t, p)
		file := filepath.Join(c.dir, "text")
		term.run("export TERM=xterm; stty -g; " + vx + "vi -N -u NONE -n " + file)
		term.expect("~")
		term.send("ifirst line\x1b")
		term.expect("first line")
		term.resize(31, 101)
		term.asks(":set columns?", "columns=101")
		term.send("\x1bosecond")
		term.expect("second")
		term.send(ctrlC)                   // ends the insertion, as Escape does
		term.asks(":echo 600*7+7", "4207") // what it has not read when Ctrl-C comes is gone
		term.send("a half\x1b")
		term.expect("half")
		term.send(ctrlZ)
		term.expect("Stopped")
		term.back()
		term.run("fg")
		waitUntil(t, "the editor to have the terminal", func() bool { return term.foreground() != term.cmd.Process.Pid })
		term.send("othird\x1b:wq\r")
		term.back()
		if got := readFile(file); got != "first line\nsecond half\nthird\n" {
			t.Errorf("the file has %q", got)
		}
		term.run("stty -g")
		term.back()
		settings := regexp.MustCompile(`[0-9a-f]+(:[0-9a-f]+){10,}`).FindAllString(term.screen.String(), -1)
		if len(settings) != 2 || settings[0] != settings[1] {
			t.Errorf("the settings of the terminal before and after: %q", settings)
		}
		term.leave()
	})
}

// asks has vi answer a command, however often it takes.
func (term *terminal) asks(command, answer string) {
	term.t.Helper()
	last := time.Time{}
	waitUntil(term.t, answer, func() bool {
		if time.Since(last) > time.Second {
			last = time.Now()
			term.send("\x1b" + command + "\r")
		}
		return strings.Contains(term.screen.String(), answer)
	})
}

// moves waits until a process is not stopped any more.
func moves(t *testing.T, pid int) {
	t.Helper()
	waitUntil(t, "the child to be continued", func() bool {
		p, ok := processOf(pid)
		return ok && p.state != 'T'
	})
}

// A shell that vaultexec runs under a shell has job control too, and its exit
// gives the terminal back.
func TestP5ShellInShell(t *testing.T) {
	inEach(t, underShell, func(t *testing.T, p place) {
		term, _, vx := interactive(t, p)
		term.run("PS1='inner> ' " + vx + strings.Join(shellArgs, " "))
		term.expect("inner> ")
		checkJobControl(term, "inner> ")
		term.run("exit 3")
		term.back()
		term.run("echo status $?")
		term.expect("status 3\n")
		term.leave()
	})
}

// In a pipeline each gets Ctrl-C once.
func TestP5ShellPipeline(t *testing.T) {
	inEach(t, underShell, func(t *testing.T, p place) {
		term, c, vx := interactive(t, p)
		first, second := filepath.Join(c.dir, "first"), filepath.Join(c.dir, "second")
		other := c.tallyArgs(second, 2, 15)
		other[4] += ".second"
		term.run(vx + strings.Join(c.tallyArgs(first, 2, 15), " ") + " | " + strings.Join(other, " "))
		for n := range 2 {
			for _, file := range []string{first, second} {
				waitUntil(t, fmt.Sprintf("line %d in %s", n+1, file), func() bool { return strings.Count(readFile(file), "\n") > n })
			}
			if n == 0 {
				term.send(ctrlC)
			}
		}
		term.signal(c, syscall.SIGTERM)
		if err := syscall.Kill(readReport(t, other[4]).Pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		term.back()
		gotExactly(t, readFile(first), 2, 15)
		gotExactly(t, readFile(second), 2, 15)
		term.leave()
	})
}

// readFile is the text of a file, nothing if it is not there.
func readFile(file string) string {
	text, _ := os.ReadFile(file) // see above
	return string(text)
}

// In the background nothing stops it but reading from the terminal.
func TestP5ShellBackground(t *testing.T) {
	inEach(t, underShell, func(t *testing.T, p place) {
		term, c, vx := interactive(t, p)
		term.run(vx + strings.Join(c.tallyArgs("-", 15), " ") + " &")
		term.expect("ready\n")
		term.run("")
		term.expect(prompt)
		term.run("jobs")
		term.expect("Running")
		term.signal(c, syscall.SIGTERM)
		term.expect("got 15\n")
		term.run("wait; echo over")
		term.expect("over\n")
		term.run(vx + `sh -c 'read line; echo "read $line"' &`)
		term.run("")
		waitUntil(t, "the reader to be stopped", func() bool {
			term.run("jobs")
			return strings.Contains(term.screen.String()[term.seen:], "Stopped")
		})
		term.run("fg >/dev/null")
		waitUntil(t, "the reader to have the terminal", func() bool { return term.foreground() != term.cmd.Process.Pid })
		term.run("words")
		term.expect("read words\n")
		term.back()
		term.leave()
	})
}

// Ctrl-C ends a script and a make, and vaultexec in it.
func TestP5ShellCtrlCEndsAll(t *testing.T) {
	for _, caller := range []string{"sh", "bash", "make -f"} {
		t.Run(caller, func(t *testing.T) {
			inEach(t, underShell, func(t *testing.T, p place) {
				term, c, vx := interactive(t, p)
				script := vx + "sh -c 'echo ready; exec sleep 100'\necho after\n"
				if caller == "make -f" {
					script = "all:\n\t@" + strings.ReplaceAll(strings.TrimSpace(script), "\n", "\n\t@") + "\n"
				}
				term.run(caller + " " + writeFile(t, filepath.Join(c.dir, "script"), script))
				term.expect("ready\n")
				group := term.foreground()
				term.send(ctrlC)
				term.back()
				waitUntil(t, "the job to be gone", func() bool { return syscall.Kill(-group, 0) == syscall.ESRCH })
				if strings.Contains(term.screen.String(), "after") {
					t.Errorf("the script went on after Ctrl-C:\n%s", term.screen.String())
				}
				term.leave()
			})
		})
	}
}
