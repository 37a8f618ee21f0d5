package supervise

import "syscall"

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
