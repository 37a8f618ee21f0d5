package supervise

import (
	"os"
	"os/signal"
	"syscall"
)

// withoutTTOU calls f with SIGTTOU ignored: there is no portable way to block
// a signal here without cgo. Nothing is started meanwhile, so nothing inherits
// it; afterwards it is caught and thrown away, because signal.Reset leaves an
// ignored signal ignored.
func withoutTTOU(f func()) {
	signal.Ignore(syscall.SIGTTOU)
	defer signal.Notify(make(chan os.Signal, 1), syscall.SIGTTOU)
	f()
}

// stopSelf stops this process; a shell says "stopped (signal)" instead of
// "stopped", since the Go runtime keeps its handler for TSTP.
func stopSelf(syscall.Signal) error {
	return syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
}
