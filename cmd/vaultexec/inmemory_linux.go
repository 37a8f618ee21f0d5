package main

import "golang.org/x/sys/unix"

// inMemory tells whether a directory's files stay off disks.
func inMemory(dir string) (memory, known bool) {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return false, false
	}
	// The field is 32 or 64 bits wide, with or without a sign; the number is 32.
	kind := uint32(fs.Type)
	return kind == unix.TMPFS_MAGIC || kind == unix.RAMFS_MAGIC, true
}
