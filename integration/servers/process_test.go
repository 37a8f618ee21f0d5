package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// starterWord makes this binary a process that starts a server and waits.
const starterWord = "be-the-starter"

// starters start what a starter is told to by name, with a directory.
var starters = map[string]func(dir string) error{
	"family": func(dir string) error {
		_, err := startProcess(dir, "/bin/sh", []string{"-c", family}, nil)
		return err
	},
}

// family is a server with a child of its own; both hold the fifo open.
const family = `exec 3>fifo; sleep 1000 & echo started >&3; wait`

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == starterWord {
		if err := starters[os.Args[2]](os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		select {}
	}
	os.Exit(m.Run())
}

// openFifo makes dir/fifo and opens it for reading: its end of file comes when
// the last process of a family has ended.
func openFifo(t *testing.T, dir string) *os.File {
	t.Helper()
	path := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	// Without waiting for a writer; reads wait for one's first line then.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return f
}

func waitStarted(t *testing.T, fifo *os.File) *bufio.Reader {
	t.Helper()
	r := bufio.NewReader(fifo)
	for {
		line, err := r.ReadString('\n')
		switch {
		case err == nil && line == "started\n":
			return r
		case !errors.Is(err, io.EOF): // that there is nobody yet reads as the end
			t.Fatalf("waiting for the family: %q, %v", line, err)
		}
	}
}

func waitEnded(t *testing.T, r *bufio.Reader) {
	t.Helper()
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Fatalf("the family still runs: %q, %v", rest, err)
	}
}

// Whatever way the starter ends, so do the server and the server's children.
func TestServerEndsWithItsStarter(t *testing.T) {
	dir := t.TempDir()
	fifo := openFifo(t, dir)
	starter := exec.Command(os.Args[0], starterWord, "family", dir)
	if err := starter.Start(); err != nil {
		t.Fatal(err)
	}
	r := waitStarted(t, fifo)
	if err := starter.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = starter.Wait()
	waitEnded(t, r)
}

func TestStopEndsWhatTheServerStarted(t *testing.T) {
	for name, stop := range map[string]func(*process){
		"stop": func(p *process) { _ = p.stop() },
		"kill": func(p *process) { p.kill() },
		"paused": func(p *process) {
			if err := p.signal(syscall.SIGSTOP); err != nil {
				t.Error(err)
			}
			_ = p.stop()
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			fifo := openFifo(t, dir)
			p, err := startProcess(dir, "/bin/sh", []string{"-c", family}, nil)
			if err != nil {
				t.Fatal(err)
			}
			r := waitStarted(t, fifo)
			stop(p)
			waitEnded(t, r)
			if err := p.stop(); err != nil {
				t.Errorf("a second stop: %v", err)
			}
		})
	}
}

func TestReadyShowsTheLogOfAServerThatEnds(t *testing.T) {
	p, err := startProcess(t.TempDir(), "/bin/sh", []string{"-c", "echo no such storage; exit 3"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	never := func(context.Context) error { return errors.New("connection refused") }
	err = p.ready(t.Context(), never)
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "no such storage") {
		t.Fatalf("got %v, want the exit status and the log", err)
	}
}
