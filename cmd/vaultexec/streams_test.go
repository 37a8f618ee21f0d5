package main

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"vaultexec/internal/config"
	"vaultexec/internal/settings"
)

// The command's output is added to the files that a configuration file names, as
// Vault Agent does; vaultexec's own goes where it always does.
func TestStreams(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	write("agent.hcl", "exec {\n  child_process_stdout = \"out\"\n  child_process_stderr = \"err\"\n}\n", 0o600)
	write("no-program", "\x7fELF", 0o755)
	for _, mode := range outputModes() {
		args := append(mode, "--config", "agent.hcl", "--log-format", "text")
		for range 2 {
			if got := vaultexec(t, nil, append(args, "--", "/bin/sh", "-c", "echo out; echo err >&2; exit 3")...); got != (result{code: 3}) {
				t.Errorf("%s: %+v", mode, got)
			}
		}
		if out, err := read("out"), read("err"); out != "out\nout\n" || err != "err\nerr\n" {
			t.Errorf("%s: out is %q, err is %q", mode, out, err)
		}
		if info, err := os.Stat("out"); err != nil || info.Mode().Perm()&^0o644 != 0 {
			t.Errorf("%s: %v, %v", mode, info, err)
		}
		got := vaultexec(t, nil, append(args, "--", "./no-program")...)
		if got.code != 126 || !strings.Contains(got.stderr, "no-program") || read("err") != "err\nerr\n" {
			t.Errorf("%s: no program: %+v", mode, got)
		}
		for _, name := range []string{"out", "err"} {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// P12, P4: a file that cannot be opened is a sentence, and a pipe that nobody
// reads keeps nobody waiting.
func TestP12Streams(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := syscall.Mkfifo("pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	for file, why := range map[string]syscall.Errno{"none/out": syscall.ENOENT, ".": syscall.EISDIR, "pipe": syscall.ENXIO} {
		if err := os.WriteFile("agent.hcl", []byte("exec {\n  child_process_stdout = \""+file+"\"\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		want := "agent.hcl:2: the file for the command's output " + file + " cannot be opened: " + why.Error() + ": correct it, or leave it out for vaultexec's own"
		for _, mode := range outputModes() {
			got := vaultexec(t, nil, append(mode, "--config", "agent.hcl", "--log-format", "text", "--", "/bin/sh", "-c", "echo it runs")...)
			if got.code != 125 || got.stdout != "" || !strings.Contains(got.stderr, want) || !strings.Contains(got.stderr, "write_failed") {
				t.Errorf("%s: %+v, want %s", mode, got, want)
			}
		}
	}
}

// A command that has run before is started anew also where a file cannot be opened
// any more: its output goes where vaultexec's own does, which is said.
func TestP2StreamsGone(t *testing.T) {
	t.Chdir(t.TempDir())
	var log bytes.Buffer
	o := outputs{log: slog.New(slog.NewTextHandler(&log, nil)), files: settings.Files{Stdout: config.Given[string]{Value: "dir/out", Place: "f:1"}}}
	d := o.descriptors()
	if len(d) != 1 || d[0].Number != 1 {
		t.Fatalf("%+v", d)
	}
	if _, err := d[0].Open(); err == nil {
		t.Error("the first start has a file that cannot be opened")
	}
	if err := os.Mkdir("dir", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []bool{false, true, false} {
		if gone {
			if err := os.RemoveAll("dir"); err != nil {
				t.Fatal(err)
			}
		} else if err := os.MkdirAll("dir", 0o755); err != nil {
			t.Fatal(err)
		}
		file, err := o.descriptors()[0].Open() // each plan has its own
		if err != nil {
			t.Fatal(err)
		}
		if want := map[bool]string{true: os.Stdout.Name(), false: "dir/out"}[gone]; file.Name() != want {
			t.Errorf("%s, want %s", file.Name(), want)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(log.String(), "f:1: the file for the command's output dir/out cannot be opened"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
}
