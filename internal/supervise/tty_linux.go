package supervise

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// withoutTTOU calls f with SIGTTOU blocked on its thread.
func withoutTTOU(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var block, before unix.Sigset_t
	bits := int(unsafe.Sizeof(block.Val[0]) * 8)
	n := int(unix.SIGTTOU) - 1
	block.Val[n/bits] |= 1 << (n % bits)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &block, &before); err != nil {
		return
	}
	f()
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) // cannot fail with a mask that the kernel gave
}

// stopSelf stops this process with sig, as if the signal had never been
// caught, and returns when it is continued. signal.Reset would not do: the Go
// runtime keeps its handler for TSTP and then ignores it. The signal goes to
// this very thread, so it has taken effect when the call returns.
func stopSelf(sig syscall.Signal) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if sig == syscall.SIGSTOP {
		return unix.Tgkill(os.Getpid(), unix.Gettid(), sig)
	}
	var caught, byDefault sigaction
	if err := rtSigaction(sig, &byDefault, &caught); err != nil {
		return err
	}
	err := unix.Tgkill(os.Getpid(), unix.Gettid(), sig)
	if restoreErr := rtSigaction(sig, &caught, nil); err == nil {
		err = restoreErr
	}
	return err
}
