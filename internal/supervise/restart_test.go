package supervise

import (
	"syscall"
	"testing"
)

// P9 never two children at once, nor a child beside what another one left.
func TestP9RestartNeverTwoAtOnce(t *testing.T) {
	for _, flags := range []string{"", "-child", "-mode init"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			lock := t.TempDir() + "/lock"
			// Deaf to the stop signal, both of them.
			p := start(t, run("-rotate -stop-timeout 200ms "+flags,
				helper("print", "-until", "USR1", "-leave", "none", "-stay", "-lock", lock, "-code", "7")...))
			p.expect("left ready", "ready")
			for _, generation := range []string{"1 ", "2 "} {
				p.order("restart")
				seen := map[string]bool{}
				for !seen[generation+"ready"] || !seen["applied"] {
					line := p.next()
					if line == generation+"two at once: resource temporarily unavailable" {
						t.Fatal(line)
					}
					seen[line] = true
				}
				if !seen[generation+"left ready"] {
					t.Errorf("the child is there without its own: %v", seen)
				}
			}
			// P3 the status is the child's, also after restarts.
			p.signal(syscall.SIGUSR1)
			p.exit(7)
		})
	}
}
