//go:build !linux

package supervise

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// Die ends this process by sig, so that its parent sees what it would have
// seen of the command.
func Die(sig syscall.Signal) {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) // lowering a limit is always allowed
	signal.Reset(sig)
	_ = unix.Kill(os.Getpid(), sig) // a process may always signal itself
	select {}                       // until it arrives
}
