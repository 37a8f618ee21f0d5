package env

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// untestable skips a test with the reason, but not in continuous integration:
// there it is a failure.
func untestable(t *testing.T, format string, a ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, a...)
	}
	t.Skipf("NOT TESTED: "+format, a...)
}

// mount mounts a file system for one test. It takes root, or a container that
// may mount; elsewhere the test is skipped, saying so.
func mount(t *testing.T, source, target, kind string, flags uintptr, options string) {
	t.Helper()
	if err := syscall.Mount(source, target, kind, flags, options); err != nil {
		untestable(t, "it takes root to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(target, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func TestP11FullDisk(t *testing.T) {
	dir := t.TempDir()
	mount(t, "tmpfs", dir, "tmpfs", 0, "size=64k")
	writeOld(t, dir+"/a", "old a")
	writeOld(t, dir+"/b", "old b")
	want := []string{"a -rw-r--r-- old a", "b -rw-r--r-- old b"}
	big := strings.Repeat(canary, 128<<10/len(canary))
	_, err := writeFiles([]PlannedFile{toWrite(dir+"/a", canary), toWrite(dir+"/b", big), toWrite(dir+"/new/c", big)})
	checkError(t, err, ClassWriteFailed,
		"--file "+dir+"/b: no space is left on the file system of "+dir+": make room there, or give the volume more; nothing was changed",
		"--file "+dir+"/new/c: no space is left on the file system of "+dir+"/new: make room there, or give the volume more; nothing was changed")
	checkTree(t, dir, want...)

	// What failed is gone, so what fits has room.
	if _, err := writeFiles([]PlannedFile{toWrite(dir+"/a", "new a")}); err != nil {
		t.Error(err)
	}
}

func TestP11ReadOnlyFileSystem(t *testing.T) {
	dir := t.TempDir()
	mount(t, "tmpfs", dir, "tmpfs", 0, "size=64k")
	writeOld(t, dir+"/old", "old")
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	const why = " is read-only: mount a volume that can be written there (such as an emptyDir with medium Memory), or choose another place; nothing was changed"
	_, err := writeFiles([]PlannedFile{toWrite(dir+"/old", canary), toWrite(dir+"/new/f", canary)})
	checkError(t, err, ClassWriteFailed,
		"--file "+dir+"/old: the file system of "+dir+why,
		"--file "+dir+"/new/f: the file system of "+dir+"/new"+why)
	checkTree(t, dir, "old -rw-r--r-- old")
}

// TestP11FlipTogether has a rename that fails when others have been done: the
// destination is a file that is a mount point, as with a subPath.
func TestP11FlipTogether(t *testing.T) {
	dir := t.TempDir()
	writeOld(t, dir+"/old", "old")
	writeOld(t, dir+"/mounted", "mounted")
	mount(t, dir+"/mounted", dir+"/mounted", "", syscall.MS_BIND, "")
	before := listing(t, dir)
	_, err := writeFiles([]PlannedFile{toWrite(dir+"/old", canary), toWrite(dir+"/new/f", canary), toWrite(dir+"/mounted", canary), toWrite(dir+"/later", canary)})
	checkError(t, err, ClassWriteFailed, "--file "+dir+"/mounted: it is a mount point of its own (such as a subPath), which cannot be replaced: mount the directory around it; nothing was changed")
	checkTree(t, dir, before...)
}

// A backup is made when all has the new names, and a failure leaves nothing behind
// however often it comes.
func TestP11BackupOfAFailedFlip(t *testing.T) {
	dir := t.TempDir()
	writeOld(t, dir+"/a", "old")
	writeOld(t, dir+"/a.bak", "older")
	writeOld(t, dir+"/mounted", "mounted")
	mount(t, dir+"/mounted", dir+"/mounted", "", syscall.MS_BIND, "")
	before := listing(t, dir)
	a := toWrite(dir+"/a", canary)
	a.Backup = true
	for range 3 {
		if _, err := writeFiles([]PlannedFile{a, toWrite(dir+"/mounted", canary)}); err == nil {
			t.Fatal("a mount point was replaced")
		}
		checkTree(t, dir, before...)
	}
	if _, err := writeFiles([]PlannedFile{a}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(dir + "/a.bak"); err != nil || string(text) != "old" {
		t.Errorf("the backup has %q, %v", text, err)
	}
}

// asNobody makes the file accesses of a subtest those of a user without
// privileges (setfsuid(2)). It runs in a goroutine of its own, and the thread,
// which it never unlocks, ends with it.
func asNobody(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
	if now, _, _ := syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0); now != nobody {
		untestable(t, "it takes root to become another user")
	}
}

const nobody = 65534

func TestP11Permissions(t *testing.T) {
	if os.Getuid() != 0 {
		untestable(t, "it takes root to make files of another user")
	}
	dir := t.TempDir()
	for _, d := range []string{"/mine", "/closed"} {
		if err := os.Mkdir(dir+d, 0o755); err != nil {
			t.Fatal(err)
		}
		writeOld(t, dir+d+"/old", "old")
	}
	for _, err := range []error{os.Chown(dir+"/mine", nobody, -1), os.Chmod(filepath.Dir(dir), 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	writeOld(t, dir+"/mine/mounted", "")
	mount(t, dir+"/mine/mounted", dir+"/mine/mounted", "", syscall.MS_BIND, "")
	before := listing(t, dir)
	owned := toWrite(dir+"/mine/new", canary)
	owned.UID = 0

	t.Run("as nobody", func(t *testing.T) {
		asNobody(t)
		_, err := writeFiles([]PlannedFile{toWrite(dir+"/closed/old", canary), toWrite(dir+"/closed/new/f", canary), owned})
		checkError(t, err, ClassWriteFailed,
			"--file "+dir+"/closed/old: permission to write into "+dir+"/closed is denied: let this user write there, or choose another place; nothing was changed",
			"--file "+dir+"/closed/new/f: permission to write into "+dir+"/closed/new is denied: let this user write there, or choose another place; nothing was changed",
			"--file "+dir+"/mine/new: the owner cannot be set, which takes root or CAP_CHOWN: run with it, or remove owner= or --user; nothing was changed")
		checkTree(t, dir, before...)

		// Another user's file cannot be linked (protected_hardlinks, proc_sys_fs(5)),
		// so it cannot be put back: then the message says which is new.
		if text, err := os.ReadFile("/proc/sys/fs/protected_hardlinks"); err != nil || string(text) != "1\n" {
			return
		}
		_, err = writeFiles([]PlannedFile{toWrite(dir+"/mine/old", "new"), toWrite(dir+"/mine/mounted", canary)})
		checkError(t, err, ClassWriteFailed, "--file "+dir+"/mine/mounted: it is a mount point of its own (such as a subPath), which cannot be replaced: mount the directory around it; replaced before it: "+dir+"/mine/old")
	})
}
