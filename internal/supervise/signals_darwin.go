package supervise

import "syscall"

const (
	lastSignal  = syscall.Signal(31)
	realTimeMin = syscall.Signal(0) // there are none
)

var platformForwardable []syscall.Signal

// runtimeReserved says why the Go runtime cannot deliver sig, or nothing.
func runtimeReserved(sig syscall.Signal) string {
	if sig == syscall.SIGEMT {
		return "it reports a fault in vaultexec itself"
	}
	return ""
}

// rare are signals that are caught when there is time.
func rare() []syscall.Signal { return []syscall.Signal{syscall.SIGVTALRM, syscall.SIGIO} }
