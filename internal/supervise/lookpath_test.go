package supervise

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// write makes a file and returns its path.
func write(t *testing.T, path, content string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLookPath(t *testing.T) {
	dir := t.TempDir()
	plain := write(t, filepath.Join(dir, "a", "plain"), "", 0o644)
	good := write(t, filepath.Join(dir, "b", "plain"), "", 0o755)
	write(t, filepath.Join(dir, "here"), "", 0o755)
	t.Chdir(dir)
	path := func(dirs ...string) []string {
		return []string{"A=1", "PATH=" + strings.Join(dirs, ":"), "PATH=/nowhere"}
	}
	tests := []struct {
		name string
		env  []string
		want string
		code int
		text string // part of the message
	}{
		{name: good, want: good},
		{name: "./here", want: "./here"},
		{name: "plain", env: path(dir+"/b", dir+"/a"), want: good},
		{name: "plain", env: path(dir+"/a", dir+"/b"), want: good},
		{name: "plain", env: path(dir + "/a"), code: 126, text: "permission denied"},
		{name: "plain", env: path(dir), code: 127, text: "not found in PATH (" + dir + ")"},
		{name: "here", env: path("/nowhere", ""), want: "./here"},
		{name: "here", env: path("."), want: "./here"},
		{name: "no-such-command", code: 127, text: "not found in PATH (/usr/local/sbin:"},
		{name: "", code: 127, text: "the name is empty"},
		{name: plain, code: 126, text: "permission denied"},
		{name: dir, code: 126, text: "is a directory"},
		{name: "b", env: path(dir), code: 126, text: "is a directory"},
		{name: plain + "/x", code: 127, text: "not a directory"},
		{name: dir + "/none", code: 127, text: "no such file"},
	}
	for _, tt := range tests {
		got, err := LookPath(tt.name, tt.env)
		if tt.code == 0 {
			if err != nil || got != tt.want {
				t.Errorf("LookPath(%q, %q) = %q, %v, want %q", tt.name, tt.env, got, err, tt.want)
			}
			continue
		}
		start, ok := errors.AsType[*StartError](err)
		if !ok || start.Code() != tt.code || !strings.Contains(start.Error(), tt.text) {
			t.Errorf("LookPath(%q, %q) = %q, %v, want %d with %q", tt.name, tt.env, got, err, tt.code, tt.text)
		}
	}
}

func TestLookPathDefault(t *testing.T) {
	for _, env := range [][]string{nil, {"HOME=/"}} {
		if got, err := LookPath("sh", env); err != nil || filepath.Base(got) != "sh" {
			t.Errorf("LookPath(sh, %q) = %q, %v", env, got, err)
		}
	}
}

func TestStartErrorText(t *testing.T) {
	dir := t.TempDir()
	script := write(t, filepath.Join(dir, "script"), "#!/no/such/python -u\nprint()\n", 0o755)
	dos := write(t, filepath.Join(dir, "dos"), "#!/bin/sh\r\nexit 0\r\n", 0o755)
	elf := write(t, filepath.Join(dir, "elf"), "\x7fELF", 0o755)
	tests := []struct {
		path  string
		errno syscall.Errno
		code  int
		class string
		text  string
	}{
		{script, syscall.ENOENT, 127, "exec_not_found", `interpreter "/no/such/python" is missing`},
		{dos, syscall.ENOENT, 127, "exec_not_found", "ends in a carriage return"},
		{elf, syscall.ENOENT, 127, "exec_not_found", "dynamic loader is missing"},
		{elf, syscall.ENOEXEC, 126, "exec_denied", "has no #! line"},
		{elf, syscall.EACCES, 126, "exec_denied", "noexec"},
		{elf, syscall.E2BIG, 126, "exec_denied", "hand large secrets over as files"},
		{elf, syscall.ETXTBSY, 126, "exec_denied", "open for writing"},
		{elf, syscall.EAGAIN, 126, "exec_denied", "limits on processes"},
		{elf, syscall.EPERM, 126, "exec_denied", "operation not permitted"},
	}
	for _, tt := range tests {
		err := newStartError(tt.path, &os.PathError{Op: "fork/exec", Path: tt.path, Err: tt.errno})
		if err.Code() != tt.code || err.Class() != tt.class || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%v: %d %s %q, want %d %s %q", tt.errno, err.Code(), err.Class(), err, tt.code, tt.class, tt.text)
		}
		if !errors.Is(err, tt.errno) {
			t.Errorf("%v is not %v", err, tt.errno)
		}
	}
}
