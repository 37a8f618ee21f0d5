package supervise

import (
	"os"
	"os/signal"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sigaction is the kernel's struct sigaction, which differs from libc's. The
// zero value means SIG_DFL with no flags and an empty mask. The words behind
// the handler are in an order that depends on the architecture and are only
// ever given back as they came.
type sigaction struct {
	handler uintptr
	rest    [3]uint64
}

// sigIgn is SIG_IGN.
const sigIgn = 1

// rtSigaction is rt_sigaction(2) past the Go runtime, whose handler for a
// signal outlives signal.Stop and signal.Reset.
func rtSigaction(sig syscall.Signal, to, from *sigaction) error {
	const setSize = 8 // bytes of the kernel's sigset_t
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig),
		uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(from)), setSize, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// inheritedIgnore reports whether sig is ignored and the Go runtime does not
// know it: it looks at no job-control signal until somebody asks for one.
func inheritedIgnore(sig syscall.Signal) bool {
	var current sigaction
	return rtSigaction(sig, nil, &current) == nil && current.handler == sigIgn
}

// defaultDispositions makes the kernel treat the signals as if this process
// had never caught them.
func defaultDispositions(signals []syscall.Signal) {
	for _, sig := range signals {
		// It fails for numbers that are no signals, KILL and STOP only.
		_ = rtSigaction(sig, new(sigaction), nil)
	}
}

// awaitHandlers returns when every Go signal handler that had begun has
// returned. A handler runs with all signals blocked, so the runtime's call to
// all threads, which is itself a signal to each, comes after it.
func awaitHandlers() {
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_GETPID, 0, 0, 0); errno != 0 {
		// There is no such call in a program with cgo, which this one is under
		// the race detector only; a handler takes microseconds.
		time.Sleep(time.Millisecond)
	}
}

// awaitDelivery returns when every signal that a Go handler took is in the
// channel that it was caught for.
// That is what signal.Stop waits for; stopped is a channel of its own, because
// stopping that one would also take each signal out of the runtime, which is a turn
// of another thread for each.
func awaitDelivery(_ chan<- os.Signal, signals []syscall.Signal) {
	if len(signals) == 0 {
		return
	}
	second := make(chan os.Signal, 1)
	signal.Notify(second, signals[0]) // caught already: nothing to do for the runtime
	signal.Stop(second)
}
