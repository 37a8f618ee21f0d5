package env

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Open makes the file, which is the caller's to close: memory that has no name
// in any directory (memfd_create(2)), sealed, so that what is in it cannot be
// changed by whoever inherits it either. It is at its beginning.
func (d PlannedDescriptor) Open() (*os.File, error) {
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		return nil, finding(ClassWriteFailed, "%s: there is no /proc here, through which the command would open it: mount one, or use --file-env", d.File.Place)
	}
	file, err := d.File.inMemory()
	switch {
	case err == nil:
		return file, nil
	case errors.Is(err, errOwner):
		return nil, finding(ClassWriteFailed, "%s: %s", d.File.Place, whyNot("", err))
	}
	return nil, finding(ClassWriteFailed, "%s: the kernel gives no memory for it (memfd_create: %v): look at the limits on memory and open files, or use --file-env", d.File.Place, cause(err))
}

func (f PlannedFile) inMemory() (_ *os.File, err error) {
	// The name is shown in /proc/PID/fd. Kernels before 6.3 do not know the third
	// flag, some later ones insist on it (vm.memfd_noexec in proc_sys_vm(5)).
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("vaultexec", flags|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate("vaultexec", flags)
	}
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), f.Dest)
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	if err := f.restrict(file); err != nil {
		return nil, err
	}
	// Not Write, which would leave it at its end.
	if text := f.Content.Text(); text != "" {
		if _, err := file.WriteAt([]byte(text), 0); err != nil {
			return nil, err
		}
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return nil, &fs.PathError{Op: "seal", Err: err}
	}
	return file, nil
}
