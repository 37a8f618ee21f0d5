package env

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// blockFile is what a template block without more comes to.
func blockFile(t *testing.T, dest, text string, b Block) PlannedFile {
	t.Helper()
	p, err := NewPlanner(Sources{Templates: []Template{{Place: "f:1: template " + dest, Text: text, Dest: dest, Block: &b}}})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := p.Plan(nil)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Files[0]
}

func rewritten(t *testing.T, f PlannedFile) *Written {
	t.Helper()
	w, err := writeFiles([]PlannedFile{f})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A file has the mode that the agent gives it, and keeps it.
func TestP11BlockModes(t *testing.T) {
	dir := t.TempDir()
	dest := filepath.Join(dir, "new", "file")
	umask := syscall.Umask(0o022)
	defer syscall.Umask(umask)
	rewritten(t, blockFile(t, dest, "a", Block{}))
	checkTree(t, dir, "new drwxr-xr-x", "new/file -rw-r--r-- a")
	if err := os.Chmod(dest, 0o606); err != nil {
		t.Fatal(err)
	}
	rewritten(t, blockFile(t, dest, "b", Block{}))
	checkTree(t, dir, "new drwxr-xr-x", "new/file -rw----rw- b")

	for mode, want := range map[string]fs.FileMode{"0777": 0o777, "640": 0o640} {
		r, err := readRendering(Template{Dest: dest, Mode: mode, Block: &Block{}})
		if err != nil || r.file.Mode != want || r.file.Lasting {
			t.Errorf("%s is %v, %v", mode, r.file.Mode, err)
		}
	}
	if _, err := readRendering(Template{Place: "f:1", Dest: dest, Mode: "1777", Block: &Block{}}); err == nil || err.Error() != "f:1: perms=1777 is no permissions, as in 0640" {
		t.Errorf("1777: %v", err)
	}
}

func TestP11BlockNoDirs(t *testing.T) {
	dir := t.TempDir()
	dest := filepath.Join(dir, "none", "file")
	_, err := writeFiles([]PlannedFile{blockFile(t, dest, "a", Block{NoDirs: true})})
	want := "f:1: template " + dest + ": there is no directory " + dir + "/none: make it, or remove create_dest_dirs = false; nothing was changed"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	checkTree(t, dir)
}

// The file before is kept, and goes with the file if it was one of ours.
func TestP11BlockBackup(t *testing.T) {
	dir := t.TempDir()
	dest := filepath.Join(dir, "file")
	put := func(text string) *Written { return rewritten(t, blockFile(t, dest, text, Block{Backup: true})) }
	w := put("a")
	checkTree(t, dir, "file -rw-r--r-- a")
	w.Follow(put("b"))
	checkTree(t, dir, "file -rw-r--r-- b", "file.bak -rw-r--r-- a")
	w.Follow(put("b")) // no change
	checkTree(t, dir, "file -rw-r--r-- b", "file.bak -rw-r--r-- a")
	w.Follow(put("c"))
	checkTree(t, dir, "file -rw-r--r-- c", "file.bak -rw-r--r-- b")
	if err := w.Remove(); err != nil {
		t.Error(err)
	}
	checkTree(t, dir)

	if err := os.WriteFile(dest, []byte("the user's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := put("a").Remove(); err != nil {
		t.Error(err)
	}
	checkTree(t, dir, "file.bak -rw------- the user's")
}

// A command belongs to a file that has changed, and is there once.
func TestBlockCommands(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text, command string) PlannedFile {
		return blockFile(t, filepath.Join(dir, name), text, Block{Command: strings.Fields(command), Timeout: 3})
	}
	commands := func(files ...PlannedFile) (args []string) {
		w, err := writeFiles(files)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range w.Commands() {
			args = append(args, strings.Join(c.Args, " "))
		}
		return args
	}
	for i, tt := range []struct {
		a, b, c string
		want    []string
	}{
		{"1", "1", "1", []string{"one", "two x"}},
		{"1", "1", "1", nil},
		{"1", "2", "1", []string{"one"}},
		{"1", "3", "2", []string{"one", "two x"}},
	} {
		if got := commands(file("a", tt.a, "one"), file("b", tt.b, "one"), file("c", tt.c, "two x")); !slices.Equal(got, tt.want) {
			t.Errorf("%d: runs %q, want %q", i, got, tt.want)
		}
	}
	if f := blockFile(t, dir+"/d", "", Block{Command: []string{"x"}}); f.Commands[0].Timeout != 30*time.Second {
		t.Errorf("the timeout is %v", f.Commands[0].Timeout)
	}
}

// A template block of a run that was killed leaves nothing behind.
func TestP6BlockAbandoned(t *testing.T) {
	dir := t.TempDir()
	p, err := NewPlanner(Sources{Templates: []Template{{Text: "a", Dest: "file", Block: &Block{Backup: true}}, {Text: "a", Dest: "other", Mode: "0440"}}})
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	for name, mode := range map[string]fs.FileMode{"file": 0o604, "file.bak": 0o600, "other": 0o440} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("a"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.RemoveAbandoned(dir, begun); err != nil {
		t.Error(err)
	}
	checkTree(t, dir)
}
