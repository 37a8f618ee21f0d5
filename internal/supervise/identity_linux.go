package supervise

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

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
