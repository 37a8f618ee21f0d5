package env

import (
	"os"

	"golang.org/x/sys/unix"
)

// checkMemory finds a directory whose files could reach a disk, where they must
// not. (What tmpfs(5) has may be swapped out all the same.)
func (w *Written) checkMemory(root *os.Root) error {
	if !w.inMemory {
		return nil
	}
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close() // it was only looked at
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &fs); err != nil {
		return err
	}
	if !IsMemory(&fs) {
		return errDisk
	}
	return nil
}

// IsMemory tells whether a file system has all its files in memory.
func IsMemory(fs *unix.Statfs_t) bool {
	// The field is 32 or 64 bits wide, with or without a sign; the number is 32.
	kind := uint32(fs.Type)
	return kind == unix.TMPFS_MAGIC || kind == unix.RAMFS_MAGIC
}
