package supervise

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// canBeSignalled tells whether kill(2) reaches a command that runs as id, which
// takes its user or CAP_KILL: root can have CAP_SETUID alone.
func (id *Identity) canBeSignalled() bool {
	if id == nil || id.UID == os.Getuid() || id.UID == os.Geteuid() {
		return true
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&header, &caps[0]); err != nil || caps[0].Effective&(1<<unix.CAP_SETUID) == 0 {
		return true // the start itself will say what it takes
	}
	return caps[0].Effective&(1<<unix.CAP_KILL) != 0
}

// take makes the thread that calls who the command is to be: groups first, which
// only root may set. The functions of package syscall would do it to the whole
// process; but credentials are a thread's (credentials(7)), and execve(2) goes by
// those of its caller. So the others stay who they are, to clean up after an
// execve that fails.
func (id *Identity) take() error {
	if id == nil || id.isOurs() {
		return nil
	}
	groups := make([]uint32, len(id.Groups))
	for i, g := range id.Groups {
		groups[i] = uint32(g)
	}
	if _, _, errno := unix.RawSyscall(sysSetgroups, uintptr(len(groups)), uintptr(unsafe.Pointer(unsafe.SliceData(groups))), 0); errno != 0 {
		return errno
	}
	gid, uid := uintptr(id.GID), uintptr(id.UID)
	if _, _, errno := unix.RawSyscall(sysSetresgid, gid, gid, gid); errno != 0 {
		return errno
	}
	if _, _, errno := unix.RawSyscall(sysSetresuid, uid, uid, uid); errno != 0 {
		return errno
	}
	return nil
}
