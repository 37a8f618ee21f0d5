package supervise

import "syscall"

// canBeSignalled tells whether kill(2) reaches a command that runs as id: who may
// become somebody else is root here, and may.
func (id *Identity) canBeSignalled() bool { return true }

// take makes this process who the command is to be: groups first, which only
// root may set.
func (id *Identity) take() error {
	if id == nil || id.isOurs() {
		return nil
	}
	if err := syscall.Setgroups(id.Groups); err != nil {
		return err
	}
	if err := syscall.Setgid(id.GID); err != nil {
		return err
	}
	return syscall.Setuid(id.UID)
}
