package supervise

import (
	"os"
	"os/signal"
	"syscall"
)

// inheritedIgnore is answered by signal.Ignored alone here: sigaction(2) is
// out of reach without cgo.
func inheritedIgnore(syscall.Signal) bool { return false }

// defaultDispositions gives the signals back to the Go runtime, whose handler
// ends the process like the kernel would.
func defaultDispositions(signals []syscall.Signal) {
	for _, sig := range signals {
		signal.Reset(sig)
	}
}

// awaitHandlers is signal.Stop's own waiting here; what has not come so far
// meets the runtime's handler, which ends the process.
func awaitHandlers() {}

// awaitDelivery returns when sigc has got every signal that a Go handler took.
func awaitDelivery(sigc chan<- os.Signal, _ []syscall.Signal) { signal.Stop(sigc) }
