package supervise

import (
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// testSystem is a system without a terminal.
func testSystem() *system {
	return &system{tty: -1, log: slog.New(slog.DiscardHandler)}
}

// pollUntil polls at every SIGCHLD until there is news.
func pollUntil(t *testing.T, s *system, childc <-chan os.Signal) event {
	t.Helper()
	timeout := time.After(patience)
	for {
		if events := s.poll(); len(events) > 0 {
			return events[0]
		}
		select {
		case <-childc:
		case <-timeout:
			t.Fatal("no news of the child")
		}
	}
}

// The child's number must not be free before its group has been signalled.
func TestPollLeavesTheZombie(t *testing.T) {
	childc := make(chan os.Signal, 1)
	signal.Notify(childc, syscall.SIGCHLD)
	defer signal.Stop(childc)
	s := testSystem()
	path, err := LookPath("sh", nil)
	if err != nil {
		t.Fatal(err)
	}
	started := s.start(Command{Path: path, Args: []string{"sh", "-c", "kill -STOP $$; exit 6"}})
	if started.kind != childStarted {
		t.Fatalf("start: %v", started.err)
	}
	if e := pollUntil(t, s, childc); e.kind != childStopped || e.sig != syscall.SIGSTOP {
		t.Fatalf("got %s %s, want a stop by STOP", e.kind, signalName(e.sig))
	}
	if events := s.poll(); len(events) > 0 {
		t.Errorf("the stop was reported again: %v", events)
	}
	s.signalChild(syscall.SIGCONT)
	if e := pollUntil(t, s, childc); e.kind != childExited || e.code != 6 {
		t.Fatalf("got %s %d, want exit 6", e.kind, e.code)
	}
	if err := unix.Kill(s.child.Pid, 0); err != nil {
		t.Errorf("the child was reaped by poll: %v", err)
	}
	s.reap()
	if err := unix.Kill(s.child.Pid, 0); err != unix.ESRCH {
		t.Errorf("the child was not reaped at the end: %v", err)
	}
}

// As long as something lives in the child's group, its number must not be free:
// who is stopped may look away for long before it sends the KILL.
func TestGroupKeepsTheZombie(t *testing.T) {
	if _, err := livingMembers(os.Getpid()); err != nil {
		untestable(t, "%v", err)
	}
	childc := make(chan os.Signal, 1)
	signal.Notify(childc, syscall.SIGCHLD)
	defer signal.Stop(childc)
	s := testSystem()
	path, err := LookPath("sh", nil)
	if err != nil {
		t.Fatal(err)
	}
	// What is left gets its own descriptors, or go test would wait for it.
	if e := s.start(Command{Path: path, Args: []string{"sh", "-c", "sleep 600 <&- >&- 2>&- &"}}); e.kind != childStarted {
		t.Fatalf("start: %v", e.err)
	}
	defer func() { _ = unix.Kill(-s.child.Pid, unix.SIGKILL) }()
	if e := pollUntil(t, s, childc); e.kind != childExited {
		t.Fatalf("got %s, want the child's end", e.kind)
	}
	if s.groupEmpty() {
		t.Fatal("what the child left was not seen")
	}
	if state, parent, _ := processStat(s.child.Pid); state != "Z" || parent != strconv.Itoa(os.Getpid()) {
		t.Errorf("the child is in state %q with parent %q: its number is free", state, parent)
	}
	s.signalGroup(unix.SIGKILL)
	for deadline := time.Now().Add(patience); !s.groupEmpty(); {
		if time.Now().After(deadline) {
			t.Fatal("what was killed is still seen")
		}
	}
	if err := unix.Kill(s.child.Pid, 0); err != unix.ESRCH {
		t.Errorf("the zombie stays: %v", err)
	}
}

// A status that somebody else took is 137 and never 0.
func TestStolenStatusIsNotSuccess(t *testing.T) {
	s := testSystem()
	path, err := LookPath("true", nil)
	if err != nil {
		t.Fatal(err)
	}
	if e := s.start(Command{Path: path, Args: []string{"true"}}); e.kind != childStarted {
		t.Fatalf("start: %v", e.err)
	}
	if _, err := unix.Wait4(s.child.Pid, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	events := s.poll()
	if len(events) != 1 || events[0].kind != childExited || events[0].code != 137 {
		t.Errorf("got %v, want one end with 137", events)
	}
}
