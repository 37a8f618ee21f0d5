package settings

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe gives what is in it to one of two processes that read the settings, also
// where a configuration file names it.
func TestPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	text := func(content string) string { return `env_template "A" { ` + content + ` }` }
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(pipe, []byte("x"), 0) }()
	s, _, err := loadFile(t, text(`source = "`+pipe+`"`), nil)
	if err != nil || s.Pipe() != pipe {
		t.Errorf("%q, %v, want %s", s.Pipe(), err, pipe)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
	if s, _, err := loadFile(t, text(`contents = "x"`), nil); err != nil || s.Pipe() != "" {
		t.Errorf("%q, %v, want none", s.Pipe(), err)
	}
}
