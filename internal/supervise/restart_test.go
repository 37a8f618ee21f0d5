package supervise

import (
	"slices"
	"strings"
	"syscall"
	"testing"
)

// P9 never two children at once, nor a child beside what another one left.
func TestP9RestartNeverTwoAtOnce(t *testing.T) {
	for _, flags := range []string{"", "-child", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			lock := t.TempDir() + "/lock"
			// Deaf to the stop signal, both of them.
			p := start(t, run("-rotate -stop-timeout 200ms "+flags,
				helper("print", "-until", "USR1", "-leave", "none", "-stay", "-lock", lock, "-code", "7")...))
			p.expect("left ready", "ready")
			for _, generation := range []string{"1 ", "2 "} {
				p.order("restart")
				seen := map[string]bool{}
				for !seen[generation+"ready"] || !seen["applied"] {
					line := p.next()
					if line == generation+"two at once: resource temporarily unavailable" {
						t.Fatal(line)
					}
					seen[line] = true
				}
				if !seen[generation+"left ready"] {
					t.Errorf("the child is there without its own: %v", seen)
				}
			}
			// P3 the status is the child's, also after restarts.
			p.signal(syscall.SIGUSR1)
			p.exit(7)
		})
	}
}

// A deaf child gets KILL with all of its group before the next one starts.
func TestP4RestartKillsTheWholeGroup(t *testing.T) {
	for _, flags := range []string{"", "-child", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			lock := t.TempDir() + "/lock"
			p := start(t, run("-rotate -stop-timeout 100ms "+flags,
				helper("print", "-until", "none", "-leave", "none", "-stay", "-lock", lock)...))
			p.expect("left ready", "ready")
			p.order("restart")
			for seen := map[string]bool{}; !seen["applied"] || !seen["1 ready"]; {
				seen[p.next()] = true
			}
			p.signal(syscall.SIGTERM)
			p.exit(137)
			free(t, lock)
		})
	}
}

// P4 a TERM mid-restart ends the run with the old child's status, and no child
// starts any more.
func TestP4TermDuringARestart(t *testing.T) {
	for _, flags := range []string{"", "-child", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			// While the files are put in place.
			p := start(t, run("-rotate "+flags, helper("print", "-code", "3")...))
			p.expect("ready")
			p.order("held restart")
			p.delivering()
			p.signal(syscall.SIGTERM)
			p.expect("TERM")
			p.order("go")
			if rest := p.exit(3); rest != nil && !slices.Equal(rest, []string{"cancelled"}) { // as it ends by itself
				t.Errorf("more output after the stop: %q", rest)
			}

			// While the old child takes its time.
			p = start(t, run("-rotate "+flags, helper("print", "-until", "USR1", "-code", "4")...))
			p.expect("ready")
			p.order("restart")
			p.expect("TERM")
			p.signal(syscall.SIGTERM)
			p.expect("TERM")
			p.signal(syscall.SIGUSR1)
			p.expect("USR1")
			if rest := p.exit(4); rest != nil {
				t.Errorf("more output after the stop: %q", rest)
			}

			// With no child, because files for the next one are put in place.
			p = start(t, run("-rotate "+flags, helper("print", "-until", "USR1", "-code", "5")...))
			p.expect("ready")
			p.order("restart")
			p.expect("TERM")
			p.order("held restart")
			p.order("ping")
			p.expect("pong")
			p.signal(syscall.SIGUSR1)
			p.expect("USR1")
			p.delivering()
			p.signal(syscall.SIGTERM)
			if rest := p.exit(5); !slices.Equal(rest, []string{"cancelled"}) {
				t.Errorf("output after the stop: %q, want the delivery to be cancelled and no more", rest)
			}
		})
	}
}

// P4 a TERM during a back-off.
func TestP4TermDuringABackOff(t *testing.T) {
	for _, flags := range []string{"", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			p := start(t, run("-v -rotate -on-failure "+flags, "sh", "-c", "trap 'exit 3' TERM; exit 3"))
			p.logs("to=backingOff")
			p.signal(syscall.SIGTERM)
			p.exit(3)
		})
	}
}

// A child that fails is started again, and its last status is ours.
func TestP3StatusAfterFailures(t *testing.T) {
	for _, flags := range []string{"", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			p := start(t, run("-rotate -on-failure -max-failures 2 "+flags, "sh", "-c", "echo begun; exit 9"))
			p.expect("begun", "begun")
			p.exit(9)
			p = start(t, run("-rotate -on-failure -max-failures 2 "+flags, "sh", "-c", "ulimit -c 0; echo begun; kill -SEGV $$"))
			p.expect("begun", "begun")
			p.exit(139)
		})
	}
}

func TestReactSignalAndNone(t *testing.T) {
	p := start(t, run("-rotate", helper("print")...))
	p.expect("ready")
	p.order("held HUP")
	p.delivering()
	p.order("go")
	for seen := map[string]bool{}; !seen["HUP"] || !seen["applied"]; {
		seen[p.next()] = true
	}
	p.order("none")
	p.expect("applied")
	p.signal(syscall.SIGTERM)
	p.expect("TERM")
	p.exit(0)
}

func TestReactExit(t *testing.T) {
	for _, flags := range []string{"", "-mode init"} {
		p := start(t, run("-rotate "+flags, helper("print", "-code", "6")...))
		p.expect("ready")
		p.order("exit")
		p.expect("TERM")
		p.exit(6)
	}
}

// A restart whose command cannot be executed ends the run with 126 or 127.
func TestP3RestartImpossible(t *testing.T) {
	notExecutable := write(t, t.TempDir()+"/plain", "x", 0o644)
	for command, code := range map[string]int{"/no/such/command": 127, notExecutable: 126} {
		p := start(t, run("-v -rotate -next "+command, helper("print")...))
		p.expect("ready")
		p.order("restart")
		p.expect("TERM")
		p.exit(code)
		p.logs("cannot be started again")
	}
}

func TestP4HookTimeoutKillsItsGroup(t *testing.T) {
	lock := t.TempDir() + "/lock"
	hook := helper("print", "-until", "none", "-leave", "none", "-stay", "-lock", lock, "-name", "hook-")
	p := start(t, append(append(helper("run"), "-rotate", "-v", "-hook-timeout", "500ms", "-hook", strings.Join(hook, " ")), helper("print")...))
	p.expect("ready")
	p.order("exec")
	p.expect("applied") // nothing of the hook is on stdout
	free(t, lock)
	p.logs("did not end in time")
	p.signal(syscall.SIGTERM)
	p.expect("TERM")
	p.exit(0)
}

// P4 a stop kills the hook, and does not wait for it.
func TestP4StopKillsTheHook(t *testing.T) {
	for _, flags := range []string{"", "-mode init"} {
		lock := t.TempDir() + "/lock"
		hook := helper("print", "-until", "none", "-lock", lock, "-name", "hook-")
		p := start(t, append(append(helper("run", strings.Fields("-rotate "+flags)...), "-hook", strings.Join(hook, " ")), helper("print")...))
		p.expect("ready")
		p.order("exec")
		p.logs("hook-ready") // its stdout is our stderr
		p.signal(syscall.SIGTERM)
		p.expect("TERM")
		p.exit(0)
		free(t, lock)
	}
}

// The child does not notice that a hook fails, or cannot be started.
func TestHookFails(t *testing.T) {
	for hook, text := range map[string]string{"false": "the hook failed", "/no/such/hook": "the hook could not be started"} {
		p := start(t, run("-v -rotate -hook "+hook, helper("print")...))
		p.expect("ready")
		p.order("exec")
		p.expect("applied")
		p.logs(text)
		p.signal(syscall.SIGTERM)
		p.expect("TERM")
		p.exit(0)
	}
}

// A signal that the command does not know ends it, and the log says what was
// before.
func TestSignalOfAChangeEndsTheChild(t *testing.T) {
	for _, flags := range []string{"", "-mode init"} {
		p := start(t, run("-v -rotate "+flags, "sh", "-c", "echo ready; exec sleep 1000"))
		p.expect("ready")
		p.order("HUP")
		p.expect("applied")
		p.exit(128 + int(syscall.SIGHUP))
		p.logs(`the command ended soon after a rotation" reason="change 1" status=129`)
	}
}
