package supervise

import (
	"os"
	"syscall"
)

// Identity is who a command runs as, where that is not who vaultexec runs as.
type Identity struct {
	UID, GID int
	Groups   []int // supplementary groups; none of ours are kept
}

// Apply adds what a start as somebody else takes. Setting the groups takes root or
// CAP_SETGID, so nothing is set where nothing changes.
func (id *Identity) Apply(sys *syscall.SysProcAttr) {
	if id == nil || id.isOurs() {
		return
	}
	sys.Credential = &syscall.Credential{Uid: uint32(id.UID), Gid: uint32(id.GID)}
	for _, g := range id.Groups {
		sys.Credential.Groups = append(sys.Credential.Groups, uint32(g))
	}
}

// isOurs tells whether an ordinary user is to become himself.
func (id *Identity) isOurs() bool {
	return os.Geteuid() != 0 && os.Getuid() == id.UID && os.Geteuid() == id.UID && os.Getgid() == id.GID && os.Getegid() == id.GID
}
