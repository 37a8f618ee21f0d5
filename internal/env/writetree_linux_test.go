package env

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vaultexec/internal/secret"
)

// letAllIn lets every user into a directory for tests.
func letAllIn(t *testing.T, dir string) {
	t.Helper()
	if err := errors.Join(os.Chmod(dir, 0o777), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
}

// A directory in which not even we can write is no hindrance, nor is a link
// under another name.
func TestTreeOfCredentials(t *testing.T) {
	dir := t.TempDir()
	letAllIn(t, dir)
	t.Run("as nobody", func(t *testing.T) {
		if os.Getuid() == 0 {
			asNobody(t)
		}
		tree := toTree(dir, "a=1", "sub/b=1")
		tree.Link, tree.Visible, tree.Mode = "credentials", false, 0o500
		w := writeTree(t, nil, tree)
		for range 3 {
			tree.Files[0].Content = secret.Of("2")
			w = writeTree(t, w, tree)
		}
		if got, err := os.ReadFile(dir + "/credentials/a"); err != nil || string(got) != "2" {
			t.Errorf("%q, %v", got, err)
		}
		if info, err := os.Stat(dir + "/credentials/sub"); err != nil || info.Mode().Perm() != 0o500 {
			t.Errorf("%v, %v", info, err)
		}
		if n := len(listing(t, dir)); n != 1+2*4 {
			t.Errorf("there are %d entries, want a link and two versions of four", n)
		}
		if err := w.Remove(); err != nil {
			t.Fatal(err)
		}
		checkTree(t, dir)
	})
}

// TestP11FullDiskTree runs out of room at every step there is: for the content,
// and for each entry that a new version needs.
func TestP11FullDiskTree(t *testing.T) {
	dir := t.TempDir()
	mount(t, "tmpfs", dir, "tmpfs", 0, "size=64k")
	writeTree(t, nil, toTree(dir+"/d", "a=old", "b=old"))
	writeOld(t, dir+"/f", "old")
	before := listing(t, dir)
	const why = ": no space is left on the file system of "
	big := strings.Repeat(canary, 128<<10/len(canary))
	_, err := Write(Output{Files: []PlannedFile{toWrite(dir+"/f", canary)}, Trees: []PlannedTree{
		toTree(dir+"/e", "x="+canary), toTree(dir+"/d", "a="+canary, "c="+canary, "sub/x="+big)}})
	checkError(t, err, ClassWriteFailed, "--file "+dir+"/d/"+why+dir+"/d: make room there, or give the volume more; nothing was changed")
	checkTree(t, dir, before...)
}

func TestP11NoInodesTree(t *testing.T) {
	for inodes := 2; ; inodes++ {
		dir := t.TempDir()
		mount(t, "tmpfs", dir, "tmpfs", 0, fmt.Sprintf("nr_inodes=%d", 9+inodes))
		writeTree(t, nil, toTree(dir+"/d", "a=old")) // takes 6 with the root
		writeOld(t, dir+"/f", "old")
		before := listing(t, dir)
		_, err := Write(Output{Files: []PlannedFile{toWrite(dir+"/f", canary)}, Trees: []PlannedTree{toTree(dir+"/d", "a="+canary, "c="+canary, "sub/x="+canary, "sub/deep/y="+canary), toTree(dir+"/e", "x="+canary)}})
		if err == nil {
			if inodes < 8 {
				t.Errorf("%d inodes are enough: the test tests nothing", inodes)
			}
			return
		}
		checkSilent(t, err.Error())
		if !strings.Contains(err.Error(), "no space is left") || !strings.HasSuffix(err.Error(), "nothing was changed") {
			t.Errorf("with %d inodes: %v", inodes, err)
		}
		checkTree(t, dir, before...)
	}
}

// A flip that fails when others have been done puts those back: in a directory
// as /tmp is, another user's link cannot be replaced.
func TestP11FlipTreesTogether(t *testing.T) {
	if os.Getuid() != 0 {
		untestable(t, "it takes root to make links of another user")
	}
	dir := t.TempDir()
	letAllIn(t, dir)
	others := toTree(dir+"/sticky", "a=old")
	others.Files[0].Mode = 0o444
	writeTree(t, nil, others)
	if err := os.Chmod(dir+"/sticky", os.ModeSticky|0o777); err != nil {
		t.Fatal(err)
	}
	t.Run("as nobody", func(t *testing.T) {
		asNobody(t)
		writeTree(t, nil, toTree(dir+"/d", "a=old"))
		before := listing(t, dir)
		_, err := Write(Output{Files: []PlannedFile{toWrite(dir+"/d/f", canary)}, Trees: []PlannedTree{
			toTree(dir+"/d", "a="+canary, "b="+canary), toTree(dir+"/new", "a="+canary), toTree(dir+"/sticky", "a="+canary, "b="+canary), toTree(dir+"/d2", "x="+canary)}})
		checkError(t, err, ClassWriteFailed, "--file "+dir+"/sticky/: permission to write into "+dir+"/sticky is denied: let this user write there, or choose another place; nothing was changed")
		checkTree(t, dir, before...)
	})
}
