package env

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"vaultexec/internal/secret"
)

func toWrite(dest, text string) PlannedFile {
	return PlannedFile{Dest: dest, Content: secret.Of(text), Mode: 0o400, UID: -1, GID: -1, Place: "--file " + dest}
}

func writeFiles(files []PlannedFile) (*Written, error) { return Write(Output{Files: files}) }

// listing lists a directory: path, mode and content of each file.
func listing(t testing.TB, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		line := fmt.Sprintf("%s %v", name, info.Mode())
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += " " + string(text)
		}
		list = append(list, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func checkTree(t testing.TB, dir string, want ...string) {
	t.Helper()
	if got := listing(t, dir); !slices.Equal(got, want) {
		t.Errorf("%s has\n%q\nwant\n%q", dir, got, want)
	}
}

func writeOld(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	writeOld(t, dir+"/old", "old")
	files := []PlannedFile{toWrite(dir+"/old", "new"), toWrite(dir+"/a/b/c", "\x00\n"), toWrite(dir+"/a/d", ""), toWrite(dir+"/"+strings.Repeat("n", 255), "long name")}
	files[2].Mode = 0o664
	defer syscall.Umask(syscall.Umask(0o077)) // the mode is what was asked for all the same
	w, err := writeFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	checkTree(t, dir, "a drwx------", "a/b drwx------", "a/b/c -r-------- \x00\n", "a/d -rw-rw-r-- ", strings.Repeat("n", 255)+" -r-------- long name", "old -r-------- new")
	if err := w.Remove(); err != nil {
		t.Fatal(err)
	}
	checkTree(t, dir)
	if err := w.Remove(); err != nil {
		t.Errorf("removing again: %v", err)
	}
}

func TestWriteRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	w, err := writeFiles([]PlannedFile{toWrite("f", "1"), toWrite("d/f", "2")})
	if err != nil {
		t.Fatal(err)
	}
	checkTree(t, ".", "d drwx------", "d/f -r-------- 2", "f -r-------- 1")
	if err := w.Remove(); err != nil {
		t.Fatal(err)
	}
	checkTree(t, ".")
}

func TestWriteOwner(t *testing.T) {
	dir := t.TempDir()
	f := toWrite(dir+"/d/f", "x")
	f.UID, f.GID = os.Getuid(), os.Getgid()
	if os.Getuid() == 0 {
		f.UID, f.GID = 1234, 5678
	}
	w, err := writeFiles([]PlannedFile{f})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Remove()
	// The owner can get at the file, and cannot put another directory in its place.
	for path, want := range map[string][2]int{dir + "/d": {os.Getuid(), os.Getgid()}, dir + "/d/f": {f.UID, f.GID}} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t); int(got.Uid) != want[0] || int(got.Gid) != want[1] {
			t.Errorf("%s belongs to %d:%d, want %d", path, got.Uid, got.Gid, want)
		}
		if info.IsDir() && info.Mode().Perm() != 0o711 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
}

// Root follows no link that the user of a file could have put there.
func TestP11OthersLinks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root writes where others could mislead it")
	}
	dir := t.TempDir()
	for _, d := range []string{"roots", "others"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, owner := range map[string]int{"root-link": 0, "other-link": 1234} {
		link := filepath.Join(dir, name)
		if err := os.Symlink("./others/../roots", link); err != nil {
			t.Fatal(err)
		}
		if err := os.Lchown(link, owner, 0); err != nil {
			t.Fatal(err)
		}
	}
	for path, refused := range map[string]bool{"root-link/f": false, "other-link/f": true, "others/f": false} {
		for _, owner := range []int{1234, -1} { // nobody else is meant by -1
			f := toWrite(filepath.Join(dir, path), "x")
			f.UID = owner
			tree := PlannedTree{Dest: f.Dest + ".d", Link: dataLink, Visible: true, Mode: 0o755, UID: owner, GID: -1}
			w, err := Write(Output{Files: []PlannedFile{f}, Trees: []PlannedTree{tree}})
			if wrong := refused && owner != -1; wrong != (err != nil) {
				t.Errorf("%s for %d: %v", path, owner, err)
			} else if wrong {
				if text := err.Error(); !strings.Contains(text, "a symbolic link in the path of "+filepath.Join(dir, "other-link")+" is another user's") {
					t.Error(text)
				}
			}
			if w != nil {
				w.Remove()
			}
		}
	}
	if names, err := os.ReadDir(filepath.Join(dir, "roots")); err != nil || len(names) != 0 {
		t.Errorf("%v is left, %v", names, err)
	}
}

func TestRemoveTakesOnlyItsOwn(t *testing.T) {
	dir := t.TempDir()
	first, err := writeFiles([]PlannedFile{toWrite(dir+"/a/kept", "1"), toWrite(dir+"/a/replaced", "2"), toWrite(dir+"/b/c/gone", "3"), toWrite(dir+"/e/f", "4")})
	if err != nil {
		t.Fatal(err)
	}
	second, err := writeFiles([]PlannedFile{toWrite(dir+"/a/replaced", "22")})
	if err != nil {
		t.Fatal(err)
	}
	writeOld(t, dir+"/b/stranger", "s")
	for _, err := range []error{os.RemoveAll(dir + "/e"), os.Remove(dir + "/b/c/gone")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	writeOld(t, dir+"/e", "a file now")
	if err := first.Remove(); err != nil {
		t.Fatal(err)
	}
	checkTree(t, dir, "a drwx------", "a/replaced -r-------- 22", "b drwx------", "b/stranger -rw-r--r-- s", "e -rw-r--r-- a file now")
	if err := second.Remove(); err != nil {
		t.Fatal(err)
	}
	if err := first.Remove(); err != nil {
		t.Fatal(err)
	}
	checkTree(t, dir, "b drwx------", "b/stranger -rw-r--r-- s", "e -rw-r--r-- a file now")
}

func TestWriteSymlinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/real", 0o755); err != nil {
		t.Fatal(err)
	}
	writeOld(t, dir+"/target", "target")
	for link, to := range map[string]string{"via": "real", "link": "target"} {
		if err := os.Symlink(to, dir+"/"+link); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := writeFiles([]PlannedFile{toWrite(dir+"/via/f", "1"), toWrite(dir+"/link", "2")}); err != nil {
		t.Fatal(err)
	}
	checkTree(t, dir, "link -r-------- 2", "real drwxr-xr-x", "real/f -r-------- 1", "target -rw-r--r-- target", "via Lrwxrwxrwx")
}

// TestP11RefusedWritesChangeNothing has one good file with each bad one.
func TestP11RefusedWritesChangeNothing(t *testing.T) {
	tests := []struct {
		name, dest, want string
		prepare          func(t *testing.T, dir string) error
	}{
		{"a directory", "/bad", "it is a directory: name a file in it", func(t *testing.T, dir string) error {
			return os.Mkdir(dir+"/bad", 0o755)
		}},
		{"a link to a directory", "/bad", "it is a directory: name a file in it", func(t *testing.T, dir string) error {
			return os.Symlink(".", dir+"/bad")
		}},
		{"a FIFO", "/bad", "it is a device, a pipe or a socket, which a file would replace: choose another place", func(t *testing.T, dir string) error {
			return syscall.Mkfifo(dir+"/bad", 0o600)
		}},
		{"a link to a device", "/bad", "it is a device, a pipe or a socket, which a file would replace: choose another place", func(t *testing.T, dir string) error {
			return os.Symlink("/dev/null", dir+"/bad")
		}},
		{"below a file", "/bad/f", "something in the path of DIR/bad is a file, not a directory: choose another place", func(t *testing.T, dir string) error {
			return os.WriteFile(dir+"/bad", nil, 0o644)
		}},
		{"far below a file", "/bad/a/b/f", "something in the path of DIR/bad/a/b is a file, not a directory: choose another place", func(t *testing.T, dir string) error {
			return os.WriteFile(dir+"/bad", nil, 0o644)
		}},
		{"below a dangling link", "/bad/a/f", "a symbolic link in the path of DIR/bad/a leads nowhere: make what it points to", func(t *testing.T, dir string) error {
			return os.Symlink("nowhere", dir+"/bad")
		}},
		{"below links in a circle", "/bad/f", "the symbolic links in the path of DIR/bad go in a circle: choose another place", func(t *testing.T, dir string) error {
			return os.Symlink("bad", dir+"/bad")
		}},
		{"a name too long", "/" + strings.Repeat("n", 256), "the name is too long for the file system", func(*testing.T, string) error { return nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			writeOld(t, dir+"/old", "old")
			if err := tt.prepare(t, dir); err != nil {
				t.Fatal(err)
			}
			before := listing(t, dir)
			for _, files := range [][]PlannedFile{
				{toWrite(dir+"/old", canary), toWrite(dir+"/new/f", canary), toWrite(dir+tt.dest, canary)},
				{toWrite(dir+tt.dest, canary), toWrite(dir+"/old", canary), toWrite(dir+"/new/f", canary)},
			} {
				_, err := writeFiles(files)
				why := strings.ReplaceAll(tt.want, "DIR", dir)
				checkError(t, err, ClassWriteFailed, "--file "+dir+tt.dest+": "+why+"; nothing was changed")
				checkTree(t, dir, before...)
			}
		})
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func TestWriteReportsAll(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"/a", "/b"} {
		if err := os.Mkdir(dir+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	_, err := writeFiles([]PlannedFile{toWrite(dir+"/a", canary), toWrite(dir+"/c", canary), toWrite(dir+"/b", canary)})
	checkError(t, err, ClassWriteFailed,
		"--file "+dir+"/a: it is a directory: name a file in it; nothing was changed",
		"--file "+dir+"/b: it is a directory: name a file in it; nothing was changed")
	checkTree(t, dir, "a drwxr-xr-x", "b drwxr-xr-x")
}

// What a killed run left is told from what others have put there.
func TestP11RemoveAbandoned(t *testing.T) {
	dir := t.TempDir()
	var files []File
	for _, name := range []string{"ours", "older", "mode", "absent"} {
		f, err := ParseFile(name + "=kv/a#b")
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	p, err := NewPlanner(Sources{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	for name, mode := range map[string]os.FileMode{"ours": 0o400, "older": 0o400, "mode": 0o440} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(filepath.Join(dir, "older"), begun, begun.Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := p.RemoveAbandoned(dir, begun); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 || entries[0].Name() != "mode" || entries[1].Name() != "older" {
		t.Errorf("left are %v, %v", entries, err)
	}
}
