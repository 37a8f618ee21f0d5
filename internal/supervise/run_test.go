package supervise

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// P3 the status is the child's.
func TestP3Status(t *testing.T) {
	for _, mode := range []string{"supervise", "exec", "init"} {
		for _, code := range []int{0, 1, 2, 3, 125, 126, 127, 128, 130, 143, 254, 255} {
			start(t, run("-mode "+mode, "sh", "-c", "exit "+strconv.Itoa(code))).exit(code)
		}
	}
	for _, mode := range []string{"supervise", "init"} {
		for _, name := range []string{"HUP", "INT", "QUIT", "ABRT", "KILL", "SEGV", "PIPE", "ALRM", "TERM", "USR1"} {
			sig, err := ParseSignal(name)
			if err != nil {
				t.Fatal(err)
			}
			start(t, run("-mode "+mode, "sh", "-c", "ulimit -c 0; kill -"+name+" $$")).exit(128 + int(sig))
		}
	}
}

func TestP3CommandCannotRun(t *testing.T) {
	dir := t.TempDir()
	noLine := write(t, dir+"/noline", "echo hello\n", 0o755)
	noInterpreter := write(t, dir+"/nointerpreter", "#!/no/such/interpreter\n", 0o755)
	for _, mode := range []string{"supervise", "exec", "init"} {
		tests := []struct {
			command string
			code    int
			text    string
		}{
			{"no-such-command", 127, "not found in PATH"},
			{dir, 126, "is a directory"},
			{noLine, 126, "no #! line"},
			{noInterpreter, 127, `interpreter "/no/such/interpreter" is missing`},
		}
		for _, tt := range tests {
			p := start(t, run("-mode "+mode, tt.command))
			p.exit(tt.code)
			if !strings.Contains(p.err.String(), tt.text) {
				t.Errorf("%s %s: stderr %q, want %q", mode, tt.command, p.err.String(), tt.text)
			}
		}
		p := start(t, run("-mode "+mode+" -fail", "true"))
		p.exit(125)
		if !strings.Contains(p.err.String(), "nothing is ready") {
			t.Errorf("%s: stderr %q", mode, p.err.String())
		}
	}
}

// forwarded are the signals that a test can send to a supervisor without a
// terminal and see arrive.
func forwarded() []syscall.Signal {
	others := []syscall.Signal{
		syscall.SIGTERM, // ends the helper
		syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPIPE, syscall.SIGPROF, syscall.SIGXCPU, syscall.SIGXFSZ,
		syscall.SIGILL, syscall.SIGTRAP, syscall.SIGABRT, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSYS,
	}
	var all []syscall.Signal
	for sig := syscall.Signal(1); sig <= lastSignal; sig++ {
		if !slices.Contains(others, sig) && runtimeReserved(sig) == "" {
			all = append(all, sig)
		}
	}
	return all
}

// P5 every forwardable signal arrives once.
func TestP5EachSignalOnce(t *testing.T) {
	for _, flags := range []string{"", "-child", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			p := start(t, run(flags, helper("print")...))
			p.expect("ready")
			for _, sig := range forwarded() {
				p.signal(sig)
				p.expect(signalName(sig))
			}
			p.signal(syscall.SIGTERM)
			p.expect("TERM")
			if rest := p.exit(0); rest != nil {
				t.Errorf("more arrived: %q", rest)
			}
		})
	}
}

// A stop signal that is none of the usual ones (systemd as the command wants
// RTMIN+3) is forwarded too when it is sent to us, and starts the stop timeout.
func TestP5RareStopSignal(t *testing.T) {
	for _, flags := range []string{"", "-mode init"} {
		p := start(t, run(flags+" -stop-signal USR2 -rewrite IO:0 -stop-timeout 10ms", helper("print", "-until", "none")...))
		p.expect("ready")
		p.signal(syscall.SIGUSR2)
		p.expect("USR2")
		p.exit(137)
		p = start(t, run(flags+" -hold -stop-signal VTALRM", helper("print")...))
		p.expect("preparing")
		p.signal(syscall.SIGVTALRM)
		p.expect("cancelled")
		p.exit(128 + int(syscall.SIGVTALRM))
	}
}

// P5 also in bursts. The kernel keeps one of each that is pending, so what
// must arrive is each kind at least once and nothing that was not sent. Stop
// signals and CONT are left out because they cancel each other, signal(7).
func TestP5Burst(t *testing.T) {
	for _, flags := range []string{"", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			p := start(t, run(flags, helper("print")...))
			p.expect("ready")
			kinds := slices.DeleteFunc(forwarded(), func(sig syscall.Signal) bool {
				return stopsJob(sig) || sig == syscall.SIGCONT
			})
			sent := map[string]int{}
			for i := range 256 {
				sig := kinds[i%len(kinds)]
				p.signal(sig)
				sent[signalName(sig)]++
			}
			got := map[string]int{}
			for len(got) < len(sent) {
				got[p.next()]++
			}
			p.signal(syscall.SIGTERM)
			for _, line := range p.exit(0) {
				got[line]++
			}
			delete(got, "TERM")
			for name, n := range got {
				if n > sent[name] {
					t.Errorf("%s arrived %d times, sent %d times", name, n, sent[name])
				}
			}
		})
	}
}

func TestP5Rewrite(t *testing.T) {
	p := start(t, run("-rewrite USR1:HUP,USR2:0,RTMIN+5:QUIT", helper("print")...))
	p.expect("ready")
	p.signal(syscall.SIGUSR1)
	p.expect("HUP")
	p.signal(syscall.SIGUSR2)
	p.signal(realTimeMin + 5)
	p.expect("QUIT")
	p.signal(syscall.SIGTERM)
	p.expect("TERM")
	p.exit(0)
}

// P4 a stop before the child exists.
func TestP4StopBeforeStart(t *testing.T) {
	for _, mode := range []string{"supervise", "exec", "init"} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
			p := start(t, run("-mode "+mode+" -hold", helper("print")...))
			p.expect("preparing")
			p.signal(sig)
			p.expect("cancelled")
			if rest := p.exit(128 + int(sig)); rest != nil {
				t.Errorf("%s: a child said %q after the stop", mode, rest)
			}
		}
	}
}

// What was kept reaches a child that may not have its handlers yet: it either
// dies of the first one or says what it got.
func TestKeptSignalsArriveAfterTheStart(t *testing.T) {
	for _, flags := range []string{"-hold", "-hold -mode init"} {
		p := start(t, run(flags, helper("print", "-until", "HUP", "-code", "129")...))
		p.expect("preparing")
		for range 3 {
			p.signal(syscall.SIGHUP)
			p.signal(syscall.SIGHUP)
		}
		_ = p.hold.Close()
		if rest := p.exit(129); len(rest) > 0 && !slices.Equal(rest, []string{"ready", "HUP"}) {
			t.Errorf("%s: output %q", flags, rest)
		}
	}
}

// P4 stop means stop.
func TestP4StopTimeout(t *testing.T) {
	for _, flags := range []string{"", "-child", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			p := start(t, run(flags+" -stop-timeout 300ms", helper("print", "-until", "none")...))
			p.expect("ready")
			p.signal(syscall.SIGTERM)
			p.expect("TERM")
			p.signal(syscall.SIGTERM)
			p.exit(137)
		})
	}
}

func TestP4TermTwice(t *testing.T) {
	p := start(t, run("-stop-signal QUIT", helper("print", "-until", "INT", "-code", "9")...))
	p.expect("ready")
	p.signal(syscall.SIGTERM)
	p.expect("QUIT")
	p.signal(syscall.SIGTERM)
	p.expect("QUIT")
	p.signal(syscall.SIGINT)
	p.expect("INT")
	p.exit(9)
}

// What a daemon uses for itself must not start the countdown.
func TestIntAndQuitDoNotStartTheTimeout(t *testing.T) {
	p := start(t, run("-stop-timeout 0s", helper("print", "-until", "USR1")...))
	p.expect("ready")
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP} {
		p.signal(sig)
		p.expect(signalName(sig))
	}
	p.signal(syscall.SIGUSR1)
	p.expect("USR1")
	p.exit(0)
}

func TestP6Leftovers(t *testing.T) {
	for _, flags := range []string{"", "-child", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			p := start(t, run(flags, helper("print", "-leave", "TERM", "-code", "3")...))
			p.expect("left ready", "left TERM")
			p.exit(3)

			// A deaf one gets KILL; the stop timeout is over by then.
			p = start(t, run(flags, helper("print", "-leave", "none", "-code", "3")...))
			p.expect("left ready", "left TERM")
			p.exit(3)
		})
	}
}

func TestClosedStderrSurvives(t *testing.T) {
	for _, mode := range []string{"supervise", "init"} {
		p := start(t, run("-v -mode "+mode, helper("print", "-code", "4")...), func(cmd *exec.Cmd) {
			broken, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			_ = broken.Close()
			cmd.Stderr = w
		})
		p.expect("ready")
		p.signal(syscall.SIGUSR1) // logged at debug level
		p.expect("USR1")
		p.signal(syscall.SIGTERM)
		p.expect("TERM")
		p.exit(4)
	}
}

// What was ignored stays ignored, and nothing else is ignored or blocked.
func TestDispositionsReachTheChild(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("reads /proc: ", err)
	}
	const hup, int_, tstp = 1 << 0, 1 << 1, 1 << 19
	tests := []struct {
		trap string
		want uint64
	}{
		{"", 0},
		{"trap '' HUP;", hup},
		{"trap '' HUP INT TSTP;", hup | int_ | tstp},
	}
	for _, mode := range []string{"supervise", "exec", "init"} {
		for _, tt := range tests {
			argv := run("-mode "+mode, helper("dispositions")...)
			p := start(t, append([]string{"sh", "-c", tt.trap + ` exec "$@"`, "sh"}, argv...))
			lines := p.exit(0)
			if len(lines) != 2 {
				t.Fatalf("output %q", lines)
			}
			blocked, _ := strconv.ParseUint(strings.Fields(lines[0])[1], 16, 64)
			ignored, _ := strconv.ParseUint(strings.Fields(lines[1])[1], 16, 64)
			ignored &= 1<<31 - 1 // the C library's own begin at 32
			if blocked != 0 || ignored != tt.want {
				t.Errorf("%s, %q: blocked %x, ignored %x, want 0 and %x", mode, tt.trap, blocked, ignored, tt.want)
			}
		}
	}
}

// P4 at any moment: a TERM around the start is never lost, neither in the
// hand-over to execve(2) nor between start and loop.
func TestP4TermAroundTheStart(t *testing.T) {
	runs := 200
	if testing.Short() {
		runs = 20
	}
	for _, mode := range []string{"exec", "supervise", "init"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			for i := range runs {
				p := start(t, run("-hold -mode "+mode, "sleep", "600"))
				p.expect("preparing")
				_ = p.hold.Close()
				for from := time.Now(); time.Since(from) < time.Duration(i%50)*20*time.Microsecond; {
				}
				p.signal(syscall.SIGTERM)
				p.ended(syscall.SIGTERM)
			}
		})
	}
}

// ended waits until sig has ended the process or is its exit status.
func (p *process) ended(sig syscall.Signal) {
	p.t.Helper()
	watchdog := time.AfterFunc(patience, func() { killSession(p.cmd.Process.Pid) })
	defer watchdog.Stop()
	for range p.linec { // whatever it still says
	}
	_ = p.cmd.Wait() // the state tells
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signal() != sig && status.ExitStatus() != exitBySignal(sig) {
		p.t.Fatalf("%q: %v, want an end by %s", p.cmd.Args, p.cmd.ProcessState, signalName(sig))
	}
}

func TestP3ArgumentsTooLarge(t *testing.T) {
	for _, mode := range []string{"supervise", "exec"} {
		p := start(t, run("-mode "+mode+" -huge", "true"))
		p.exit(126)
		if !strings.Contains(p.err.String(), "hand large secrets over as files") {
			t.Errorf("%s: stderr %q", mode, p.err.String())
		}
	}
}
