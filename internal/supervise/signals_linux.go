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

// rare are signals that are caught when there is time: whoever sends them has a
// reason, which is not vaultexec's start.
func rare() []syscall.Signal {
	all := []syscall.Signal{syscall.SIGVTALRM, syscall.SIGIO}
	for sig := realTimeMin + 1; sig <= lastSignal; sig++ { // RTMIN itself is not to be had
		all = append(all, sig)
	}
	return all
}

// runtimeReserved says why the Go runtime cannot deliver sig, or nothing.
func runtimeReserved(sig syscall.Signal) string {
	if sig >= 32 && sig <= 34 || sig == syscall.SIGSTKFLT {
		return "the Go runtime does not deliver it"
	}
	return ""
}
