package env

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// quickDir is a directory of the test where fsync costs nothing, if there is one.
func quickDir(t *testing.T) string {
	t.Helper()
	if !isDir("/dev/shm") {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "vaultexec-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestP11ReadersNeverSeeATornFile reads while files are replaced a thousand
// times: each read finds a file, whole, and two files that flip together are
// never further apart than one round.
func TestP11ReadersNeverSeeATornFile(t *testing.T) {
	dir := quickDir(t)
	const size = 64 << 10
	round := func(n int) string { return strings.Repeat(fmt.Sprintf("%08d", n), size/8) }
	replace := func(n int) {
		if _, err := writeFiles([]PlannedFile{toWrite(dir+"/a", round(n)), toWrite(dir+"/b", round(n))}); err != nil {
			t.Error(err)
		}
	}
	replace(0)
	donec := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				var first [2]int
				for i, name := range []string{"/a", "/b"} {
					got, err := os.ReadFile(dir + name)
					if err != nil || len(got) != size || !bytes.Equal(got, bytes.Repeat(got[:8], size/8)) {
						t.Errorf("%s: %d bytes, %v: torn or missing", name, len(got), err)
						return
					}
					fmt.Sscanf(string(got[:8]), "%d", &first[i])
				}
				if first[1] < first[0]-1 { // b was read later, so it may be ahead
					t.Errorf("b is of round %d when a is of round %d", first[1], first[0])
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
	for n := range 1000 {
		replace(n + 1)
	}
	close(donec)
	readers.Wait()
	if got := len(listing(t, dir)); got != 2 {
		t.Errorf("%d files are left, want 2", got)
	}
}

func TestP11CreatedForTheOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	parent, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Close()
	defer syscall.Umask(syscall.Umask(0))
	f, err := create(parent, "f")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := os.Symlink("nowhere", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	for _, taken := range []string{"f", "link"} {
		if f, err := create(parent, taken); err == nil {
			f.Close()
			t.Errorf("created %s, which was there", taken)
		}
	}
	checkTree(t, dir, "f -rw------- ", "link Lrwxrwxrwx")
}

// TestP11ModeBeforeContent fills a pipe, which stops the writer in the middle
// of a content that does not fit, and looks at the mode then.
func TestP11ModeBeforeContent(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	f := toWrite("pipe", strings.Repeat(canary, 1<<20/len(canary)))
	f.Mode = 0o440
	if os.Getuid() == 0 {
		f.UID, f.GID = 1234, 5678
	}
	donec := make(chan error)
	go func() {
		_, err := fill(w, f)
		donec <- err
	}()
	if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	info, err := r.Stat()
	if err != nil || info.Mode().Perm() != f.Mode {
		t.Errorf("mode %v, %v, want %o", info.Mode(), err, f.Mode)
	}
	if got := info.Sys().(*syscall.Stat_t); f.UID != -1 && (int(got.Uid) != f.UID || int(got.Gid) != f.GID) {
		t.Errorf("owner %d:%d, want %d:%d", got.Uid, got.Gid, f.UID, f.GID)
	}
	r.Close()
	if err := <-donec; err == nil {
		t.Error("filling a closed pipe succeeded")
	}
}
