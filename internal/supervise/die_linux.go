package supervise

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Die ends this process by sig, without a core dump, so that its parent sees
// what it would have seen of the command: bash ends a script on Ctrl-C only if
// the child that it waited for died of SIGINT. It returns where that cannot be,
// as for PID 1.
func Die(sig syscall.Signal) {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) // lowering a limit is always allowed
	defaultDispositions([]syscall.Signal{sig})
	runtime.LockOSThread()
	_ = unix.Tgkill(os.Getpid(), unix.Gettid(), sig) // a process may always signal itself
}
