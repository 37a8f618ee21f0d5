package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Whoever reads the log may stop reading: nothing may wait for him.
func TestP4StalledLogReader(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want int
	}{
		{"before the start", []string{"--secret", "kv/app", "--", "true"}, 143},
		{"before the start, exec mode", []string{"--mode", "exec", "--secret", "kv/app", "--", "true"}, 143},
		{"a child that ignores TERM", []string{"--stop-timeout", "100ms", "--mode", "supervise", "--", "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"}, 137},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := start(t, silentVault(t), append([]string{"--log-level", "debug"}, tt.args...)...)
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != tt.want {
				t.Errorf("exit status %d, want %d", code, tt.want)
			}
		})
	}
}

// A message that does not fit into a pipe that nobody reads does not keep
// vaultexec from ending; the termination log has its beginning.
func TestP4LongMessageToAStalledReader(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	args := []string{"--termination-log", log}
	for i := range 1500 { // each name is there twice
		args = append(args, "--env", fmt.Sprintf("%s%d=kv/app#b", strings.Repeat("A", 100), i/2))
	}
	stderr, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	cmd := exec.Command(self, append(args, "--", "true")...)
	cmd.Env, cmd.Stderr = []string{asVaultexec + "=1"}, theirs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 125 {
		t.Errorf("exit status %d, want 125", code)
	}
	if text, err := os.ReadFile(log); err != nil || len(text) != terminationLogLimit {
		t.Errorf("%d bytes in the termination log, %v", len(text), err)
	}
}

// silentVault accepts and never answers. A connection tells that vaultexec has
// come so far.
func silentVault(t *testing.T) net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// start runs vaultexec with a standard error that is full and that nobody
// reads, and waits until it talks to Vault or its command says that it is
// ready.
func start(t *testing.T, vault net.Listener, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	stdout, stdoutEnd, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, stderrEnd, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdout.Close(); stderr.Close(); stderrEnd.Close() })
	fill(t, stderrEnd)
	cmd := exec.Command(self, args...)
	cmd.Env = []string{asVaultexec + "=1", "PATH=" + os.Getenv("PATH"), "VAULT_TOKEN=t", "VAULT_ADDR=http://" + vault.Addr().String()}
	cmd.Stdout, cmd.Stderr = stdoutEnd, stderrEnd
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdoutEnd.Close()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	reached := make(chan struct{}, 2)
	go func() {
		if c, err := vault.Accept(); err == nil {
			reached <- struct{}{}
			_, _ = io.Copy(io.Discard, c)
		}
	}()
	go func() {
		if _, err := stdout.Read(make([]byte, 1)); err == nil {
			reached <- struct{}{}
		}
	}()
	<-reached
	return cmd
}

// fill writes to a pipe until there is no room.
func fill(t *testing.T, pipe *os.File) {
	t.Helper()
	fd := int(pipe.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := unix.Write(fd, make([]byte, 1)); err == unix.EAGAIN {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}
