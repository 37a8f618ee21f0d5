package template

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// TestNothingIsMadeBeforeMain: package init is in front of every container,
// templates or not. The runtime lists what has any.
func TestNothingIsMadeBeforeMain(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	trace, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(trace, []byte("init text/template")) {
		t.Fatalf("%v, or no trace:\n%s", err, trace)
	}
	for line := range bytes.Lines(trace) {
		if bytes.HasPrefix(line, []byte("init vaultexec/internal/template ")) {
			t.Errorf("%s", line)
		}
	}
}
