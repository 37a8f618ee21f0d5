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
	if fs.Type != unix.TMPFS_MAGIC && fs.Type != unix.RAMFS_MAGIC {
		return errDisk
	}
	return nil
}
