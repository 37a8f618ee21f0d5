package supervise

import "golang.org/x/sys/unix"

// HideMemory keeps this process's memory from other processes of its user and
// out of core dumps (PR_SET_DUMPABLE(2const)). What it starts, or becomes, is
// not affected: execve(2) makes a process dumpable again, and its limit for core
// files stays what it was. Call it after ScrubEnviron.
func HideMemory() error {
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}
