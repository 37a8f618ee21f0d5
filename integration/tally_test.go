//go:build linux

package integration

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

func init() { childVerbs["tally"] = childTally }

// childTally counts signals: tally FILE [SIGNAL...]. It writes ready and then
// "got NUMBER" for each of the listed signals, or each at all if none is
// listed, to FILE or, for "-", to standard output. After TERM it exits with 0;
// what is not listed does what it does to any program.
func childTally(args []string) int {
	sigc := make(chan os.Signal, 1024)
	if len(args) == 1 {
		signal.Notify(sigc)
	}
	for _, arg := range args[1:] {
		n, err := strconv.Atoi(arg)
		if err != nil {
			return 99
		}
		signal.Notify(sigc, syscall.Signal(n))
	}
	out := os.Stdout
	if args[0] != "-" {
		var err error
		if out, err = os.OpenFile(args[0], os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
			return 99
		}
	}
	fmt.Fprintln(out, "ready")
	limit := time.NewTimer(waitLimit)
	for {
		select {
		case sig := <-sigc:
			fmt.Fprintln(out, "got "+number(sig.(syscall.Signal))+windowSize(sig))
			if sig == syscall.SIGTERM {
				return 0
			}
		case <-limit.C:
			return 98
		}
	}
}

// windowSize is what a WINCH is followed by.
func windowSize(sig os.Signal) string {
	if size, err := pty.GetsizeFull(os.Stdin); err == nil && sig == syscall.SIGWINCH {
		return fmt.Sprintf(" %dx%d", size.Rows, size.Cols)
	}
	return ""
}

func number(sig syscall.Signal) string { return strconv.Itoa(int(sig)) }

// tally makes childTally the child.
func (c *command) tally(file string, signals ...syscall.Signal) *command {
	return c.exec(c.tallyArgs(file, signals...)...)
}

// tallyArgs is its command line. The Go runtime signals itself with URG, which
// it can be told not to, so that one from elsewhere shows; vaultexec is not
// told.
func (c *command) tallyArgs(file string, signals ...syscall.Signal) []string {
	argv := []string{"/usr/bin/env", "GODEBUG=asyncpreemptoff=1", shared.self, childWord, c.report, "tally", file}
	for _, sig := range signals {
		argv = append(argv, number(sig))
	}
	return argv
}

// got are the signals that a tally has written down.
func got(text string) []syscall.Signal {
	var out []syscall.Signal
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "got "); ok {
			n, _, _ := strings.Cut(rest, " ")
			sig, _ := strconv.Atoi(n)
			out = append(out, syscall.Signal(sig))
		}
	}
	return out
}

// gotExactly checks what the child got, in any order.
func gotExactly(t *testing.T, text string, want ...syscall.Signal) {
	t.Helper()
	have := got(text)
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("the child got %v, want %v", have, want)
	}
}

// waitUntil waits for something that announces itself to nobody.
func waitUntil(t *testing.T, what string, there func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(waitLimit)
	for !there() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited %v in vain for %s", waitLimit, what)
		}
	}
}
