package supervise

import (
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The init hears of every child and hook and of its end, and has the numbers of
// those that are there.
func TestInitKnowsWhatRuns(t *testing.T) {
	childc := make(chan os.Signal, 1)
	signal.Notify(childc, syscall.SIGCHLD)
	defer signal.Stop(childc)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s := testSystem()
	s.link = &Link{reports: w}
	path, err := LookPath("true", nil)
	if err != nil {
		t.Fatal(err)
	}
	command := Command{Path: path, Args: []string{"true"}}
	type numbers struct{ target, hook int }
	var want, got []numbers
	for range 2 {
		s.perform(action{verb: startChild, command: command})
		want = append(want, numbers{-s.child.Pid, 0}, numbers{0, 0})
		if e := pollUntil(t, s, childc); e.kind != childExited {
			t.Fatalf("got %s, want the child's end", e.kind)
		}
		s.perform(action{verb: lookAtGroup})
		s.perform(action{verb: reapChild})
		s.perform(action{verb: runHook, command: command})
		want = append(want, numbers{0, s.hook.Pid}, numbers{0, 0})
		if e := pollUntil(t, s, childc); e.kind != hookEnded {
			t.Fatalf("got %s, want the hook's end", e.kind)
		}
	}
	_ = w.Close()
	in := &initRole{}
	for report, err := readReport(r); err == nil; report, err = readReport(r) {
		in.reported(report)
		got = append(got, numbers{in.target, in.hook})
	}
	if !slices.Equal(got, want) {
		t.Errorf("the init had %v, want %v", got, want)
	}
}

// P6 the supervisor dies after restarts: the newest child gets the stop signal,
// and where there is none nobody does.
func TestP6SupervisorKilledAfterRestarts(t *testing.T) {
	needNamespace(t)
	for name, begin := range map[string]func(*testing.T, []string, ...func(*exec.Cmd)) *process{
		"subreaper": start, "PID 1": container,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := begin(t, run("-mode init -rotate", helper("print")...))
			p.expect("ready")
			p.order("restart")
			p.expect("TERM")
			for seen := map[string]bool{}; !seen["1 ready"] || !seen["applied"]; {
				seen[p.next()] = true
			}
			p.order("die")
			p.expect("1 TERM")
			p.exit(137)

			p = begin(t, run("-mode init -rotate -stop-timeout 1h", helper("print", "-until", "USR1")...))
			p.expect("ready")
			p.order("restart")
			p.expect("TERM")
			p.order("held restart")
			p.order("ping")
			p.expect("pong")
			p.signal(syscall.SIGUSR1)
			p.expect("USR1")
			p.delivering()
			p.order("die")
			if rest := p.exit(137); rest != nil {
				t.Errorf("somebody still said %q", rest)
			}
			p.logs("its status is lost")
		})
	}
}

// P6 the hook of a change does not outlive its supervisor either, however deaf it
// is, and the command still has its grace.
func TestP6SupervisorKilledBesideAHook(t *testing.T) {
	needNamespace(t)
	for name, begin := range map[string]func(*testing.T, []string, ...func(*exec.Cmd)) *process{
		"subreaper": start, "PID 1": container,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lock := t.TempDir() + "/lock"
			hook := helper("print", "-until", "none", "-leave", "none", "-stay", "-lock", lock, "-name", "hook-")
			p := begin(t, append(append(helper("run"), "-mode", "init", "-rotate", "-hook", strings.Join(hook, " ")), helper("print", "-until", "USR1")...))
			p.expect("ready")
			p.order("exec")
			p.logs("hook-ready")
			p.order("die")
			p.expect("TERM")
			free(t, lock) // while the command still takes its time
			p.signal(syscall.SIGUSR1)
			p.expect("USR1")
			p.exit(137)
		})
	}
}

// P6 the death of an init that is not PID 1 between two children: no child
// starts any more.
func TestP6InitKilledBetweenChildren(t *testing.T) {
	p := start(t, run("-mode init -rotate", helper("print", "-until", "USR1")...))
	p.expect("ready")
	p.order("restart")
	p.expect("TERM")
	p.order("held restart")
	p.order("ping")
	p.expect("pong")
	p.signal(syscall.SIGUSR1)
	p.expect("USR1")
	p.delivering()
	p.signal(syscall.SIGKILL)
	if rest := p.exit(-1); !slices.Equal(rest, []string{"cancelled"}) {
		t.Errorf("somebody still said %q, want the delivery to be cancelled and no more", rest)
	}
}
