package smallfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const limit = 10

func TestRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(write("full", "0123456789"), link); err != nil {
		t.Fatal(err)
	}
	const tooLarge = "it has more than the 10 bytes that such a file can have: name another, or make it smaller"
	for _, tt := range []struct {
		path, text, why string
	}{
		{write("empty", ""), "", ""},
		{link, "0123456789", ""},
		{write("large", "0123456789\n"), "", tooLarge},
		{"/dev/zero", "", tooLarge},
		{dir, "", "is a directory"},
		{filepath.Join(dir, "none"), "", "no such file or directory"},
		{filepath.Join(link, "below"), "", "not a directory"},
	} {
		text, err := Read(tt.path, limit)
		if text != tt.text {
			t.Errorf("%s: %q, want %q", tt.path, text, tt.text)
		}
		if want := tt.path + " cannot be read: " + tt.why; tt.why == "" && err != nil || tt.why != "" && (err == nil || err.Error() != want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
	if _, err := Read(filepath.Join(dir, "none"), limit); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v does not tell that there is no such file", err)
	}
}

// TestReadPipe: what process substitution gives is waited for, to its end.
func TestReadPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if !IsPipe(pipe) || IsPipe(filepath.Dir(pipe)) || IsPipe("/dev/zero") || IsPipe(pipe+"-none") {
		t.Error("it is not told what is a pipe")
	}
	donec := make(chan error, 1)
	go func() {
		w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
		if err == nil {
			_, err = w.WriteString("01234")
			err = errors.Join(err, w.Close())
		}
		donec <- err
	}()
	if text, err := Read(pipe, limit); err != nil || text != "01234" {
		t.Errorf("%q, %v", text, err)
	}
	if err := <-donec; err != nil {
		t.Fatal(err)
	}
}

// TestReadWithoutSize: a file of /proc says that it has 0 bytes.
func TestReadWithoutSize(t *testing.T) {
	const proc = "/proc/self/status"
	if _, err := os.Stat(proc); err != nil {
		t.Skip("this system has no /proc: ", err)
	}
	if text, err := Read(proc, 1<<20); err != nil || !strings.HasPrefix(text, "Name:") {
		t.Errorf("%q, %v", text, err)
	}
}
