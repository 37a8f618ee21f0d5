package env

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vaultexec/internal/secret"
)

// toTree is a directory with these files, NAME=TEXT each.
func toTree(dest string, files ...string) PlannedTree {
	t := PlannedTree{Dest: dest, Link: dataLink, Visible: true, Mode: 0o755, UID: -1, GID: -1, Place: "--file " + dest + "/"}
	for _, f := range files {
		name, text, _ := strings.Cut(f, "=")
		t.Files = append(t.Files, PlannedFile{Dest: name, Content: secret.Of(text), Mode: 0o400, UID: -1, GID: -1, Place: t.Place})
	}
	return t
}

func writeTree(t testing.TB, w *Written, trees ...PlannedTree) *Written {
	t.Helper()
	later, err := Write(Output{Trees: trees})
	if err != nil {
		t.Fatal(err)
	}
	if w == nil {
		return later
	}
	w.Follow(later)
	return w
}

// checkVersions tests what is in a directory: of the version that is led to
// as ..new, of others as ..old, and of links where they lead.
func checkVersions(t testing.TB, dir string, want ...string) {
	t.Helper()
	newest, _ := os.Readlink(filepath.Join(dir, dataLink)) // empty if there is none
	var got []string
	for _, line := range listing(t, dir) {
		name, _, _ := strings.Cut(line, " ")
		if target, err := os.Readlink(filepath.Join(dir, name)); err == nil {
			line = name + " -> " + target
		}
		if first, _, _ := strings.Cut(name, "/"); newest != "" && first == newest {
			line = strings.ReplaceAll(line, first, "..new")
		} else if isVersion(first) {
			line = strings.ReplaceAll(line, first, "..old")
		} else if newest != "" {
			line = strings.ReplaceAll(line, newest, "..new")
		}
		got = append(got, line)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s has\n%q\nwant\n%q", dir, got, want)
	}
}

const readable = "drwxr-xr-x"

// The layout is that of the volumes of Kubernetes; what goes loses its link, and
// of the versions only the last one is kept.
func TestTreeLayout(t *testing.T) {
	dir := t.TempDir() + "/new/d"
	w := writeTree(t, nil, toTree(dir, "a=1", "b=1", "sub/x=1", "sub/deep/y=1"))
	checkVersions(t, dir, "..data -> ..new", "..new "+readable, "..new/a -r-------- 1", "..new/b -r-------- 1",
		"..new/sub "+readable, "..new/sub/x -r-------- 1", "..new/sub/deep "+readable, "..new/sub/deep/y -r-------- 1",
		"a -> ..data/a", "b -> ..data/b", "sub -> ..data/sub")
	w = writeTree(t, w, toTree(dir, "a=2", "c=2"))
	second := []string{"..data -> ..new", "..new " + readable, "..new/a -r-------- 2", "..new/c -r-------- 2", "a -> ..data/a", "c -> ..data/c"}
	checkVersions(t, dir, append(second, "..old "+readable, "..old/a -r-------- 1", "..old/b -r-------- 1",
		"..old/sub "+readable, "..old/sub/x -r-------- 1", "..old/sub/deep "+readable, "..old/sub/deep/y -r-------- 1")...)
	writeOld(t, dir+"/foreign", "f")
	w = writeTree(t, w, toTree(dir))
	checkVersions(t, dir, "..data -> ..new", "..new "+readable, "..old "+readable, "..old/a -r-------- 2", "..old/c -r-------- 2", "foreign -rw-r--r-- f")
	w = writeTree(t, w, toTree(dir, "b=4"))
	if got, err := os.ReadFile(dir + "/b"); err != nil || string(got) != "4" {
		t.Errorf("%q, %v", got, err)
	}
	if err := w.Remove(); err != nil {
		t.Fatal(err)
	}
	checkVersions(t, dir, "foreign -rw-r--r-- f")
	if err := os.Remove(dir + "/foreign"); err != nil {
		t.Fatal(err)
	}
	if err := w.Remove(); err != nil { // now the directories are empty
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(dir)); !os.IsNotExist(err) {
		t.Errorf("the directories are left: %v", err)
	}
}

// What somebody else has put there is never touched.
func TestTreeTaken(t *testing.T) {
	const taken = `there is "a" in it, which is not vaultexec's: move it away, leave the key out with except=, or choose another place`
	const managed = "there is ..data in it, which is not vaultexec's, as in a volume of Kubernetes: choose another place"
	for _, tt := range []struct {
		name, want string
		prepare    func(dir string) error
	}{
		{"a file", taken, func(dir string) error { return os.WriteFile(dir+"/a", nil, 0o644) }},
		{"a directory", taken, func(dir string) error { return os.Mkdir(dir+"/a", 0o755) }},
		{"a link", taken, func(dir string) error { return os.Symlink("..data/b", dir+"/a") }},
		{"kubelet", managed, func(dir string) error {
			_ = os.Mkdir(dir+"/..2026_11_24_10_32_02.3154871215", 0o755)
			return os.Symlink("..2026_11_24_10_32_02.3154871215", dir+"/..data")
		}},
		{"a directory called ..data", managed, func(dir string) error { return os.Mkdir(dir+"/..data", 0o755) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := tt.prepare(dir); err != nil {
				t.Fatal(err)
			}
			before := listing(t, dir)
			_, err := Write(Output{Files: []PlannedFile{toWrite(dir+"/f", canary)}, Trees: []PlannedTree{toTree(dir+"/good", "x="+canary), toTree(dir, "a="+canary, "b="+canary)}})
			checkError(t, err, ClassWriteFailed, "--file "+dir+"/: "+tt.want+"; nothing was changed")
			checkTree(t, dir, before...)
		})
	}
}

// What a run that was killed has left is taken over, at whatever point it was.
func TestTreeLeftovers(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, nil, toTree(dir, "a=1", "gone=1"))
	writeTree(t, nil, toTree(dir, "a=2", "gone=2"))
	stale := versionName(time.Now())
	for _, err := range []error{os.Mkdir(dir+"/"+stale, 0o700), os.WriteFile(dir+"/"+stale+"/a", nil, 0o400), os.Symlink(stale, dir+"/.vaultexec-X"), os.Symlink("..data/new", dir+"/new")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	writeOld(t, dir+"/foreign", "f")
	w := writeTree(t, nil, toTree(dir, "a=3"))
	checkVersions(t, dir, "..data -> ..new", "..new "+readable, "..new/a -r-------- 3", "..old "+readable, "..old/a -r-------- 2", "..old/gone -r-------- 2", "a -> ..data/a", "foreign -rw-r--r-- f")

	// Another one takes over: what is there now is not the first one's to remove.
	writeTree(t, nil, toTree(dir, "a=4"))
	if err := w.Remove(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(dir + "/a"); err != nil || string(got) != "4" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestP11RemoveAbandonedTree(t *testing.T) {
	dir := t.TempDir()
	f, err := ParseFile("d/=kv/a")
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlanner(Sources{Files: []File{f}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.RemoveAbandoned(dir, time.Now()); err != nil { // nothing is there
		t.Fatal(err)
	}
	writeTree(t, nil, toTree(dir+"/d", "a=1"))
	writeOld(t, dir+"/d/foreign", "f")
	if err := p.RemoveAbandoned(dir, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	checkVersions(t, dir+"/d", "..data -> ..new", "..new "+readable, "..new/a -r-------- 1", "a -> ..data/a", "foreign -rw-r--r-- f")
	if err := p.RemoveAbandoned(dir, time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	checkVersions(t, dir+"/d", "foreign -rw-r--r-- f")
	// Killed before its first flip.
	if err := os.Mkdir(dir+"/d/"+versionName(time.Now()), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := p.RemoveAbandoned(dir, time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	checkVersions(t, dir+"/d", "foreign -rw-r--r-- f")
}

// TestP11ReadersNeverSeeAMix reads while a directory is replaced a thousand
// times: through one version all files are of one round, and each name always
// leads to a whole file.
func TestP11ReadersNeverSeeAMix(t *testing.T) {
	dir := quickDir(t)
	round := func(n int) PlannedTree {
		text := strings.Repeat(fmt.Sprintf("%08d", n), 1<<10)
		return toTree(dir, "a="+text, "b="+text, fmt.Sprintf("c%d=%s", n%2, text))
	}
	w := writeTree(t, nil, round(0))
	donec := make(chan struct{})
	var rounds atomic.Int64
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				// Who is held up while two rounds pass finds the version gone.
				begun := rounds.Load()
				heldUp := func(err error) bool { return errors.Is(err, fs.ErrNotExist) && rounds.Load() >= begun+2 }
				if got, err := os.ReadFile(dir + "/a"); !heldUp(err) && (err != nil || len(got) != 8<<10) {
					t.Errorf("a: %d bytes, %v", len(got), err)
					return
				}
				version, err := os.OpenRoot(dir + "/" + dataLink)
				if heldUp(err) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				a, errA := version.ReadFile("a")
				b, errB := version.ReadFile("b")
				version.Close()
				if errA == nil && errB == nil && string(a) != string(b) {
					t.Errorf("a is of round %.8s when b is of round %.8s", a, b)
					return
				}
				select {
				case <-donec:
					return
				default:
				}
			}
		})
	}
	before := openFiles(t)
	for n := range 1000 {
		rounds.Add(1) // before it, so that no reader is told too late
		w = writeTree(t, w, round(n+1))
	}
	if after := openFiles(t); after > before+6 { // the readers' come and go
		t.Errorf("%d files are open, %d before", after, before)
	}
	close(donec)
	readers.Wait()
	if got := len(entriesOf(t, dir)); got != 2+1+3 { // versions, ..data and names
		t.Errorf("%q are left", entriesOf(t, dir))
	}
	if len(w.trees) != 1 {
		t.Errorf("%d trees are remembered", len(w.trees))
	}
	if err := w.Remove(); err != nil {
		t.Fatal(err)
	}
	checkTree(t, dir)
}

func openFiles(t testing.TB) int {
	t.Helper()
	if !isDir("/proc/self/fd") {
		return 0
	}
	return len(entriesOf(t, "/proc/self/fd"))
}

func entriesOf(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
