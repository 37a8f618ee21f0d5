package main

import (
	"golang.org/x/sys/unix"

	"vaultexec/internal/env"
)

// inMemory tells whether a directory's files stay off disks.
func inMemory(dir string) (memory, known bool) {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return false, false
	}
	return env.IsMemory(&fs), true
}
