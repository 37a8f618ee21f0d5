package supervise

import "syscall"

const (
	lastSignal = syscall.Signal(64)

	// realTimeMin is glibc's SIGRTMIN, which kill(1), systemd and everybody
	// else count from; the kernel's own 32 and 33 belong to libc.
	realTimeMin = syscall.Signal(34)
)

// platformForwardable: PWR is how LXC and systemd-nspawn ask to stop.
var platformForwardable = []syscall.Signal{syscall.SIGPWR}

// runtimeReserved says why the Go runtime cannot deliver sig, or nothing.
func runtimeReserved(sig syscall.Signal) string {
	if sig >= 32 && sig <= 34 || sig == syscall.SIGSTKFLT {
		return "the Go runtime does not deliver it"
	}
	return ""
}
