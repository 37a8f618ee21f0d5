package supervise

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A command of another user has that user's groups, and none of ours.
func TestIdentityGroups(t *testing.T) {
	if os.Geteuid() != 0 {
		untestable(t, "it takes root to become another user")
	}
	for groups, ids := range map[string][]int{"815": nil, "815 4712 4713": {4712, 4713}} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		command := Command{Path: "/usr/bin/id", Args: []string{"id", "-G"}, As: &Identity{4711, 815, ids}}
		p, err := startProcess(command, &syscall.SysProcAttr{}, os.Stdin, write, os.Stderr)
		write.Close()
		if err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(read)
		if _, waitErr := p.Wait(); err != nil || waitErr != nil || strings.TrimSpace(string(said)) != groups {
			t.Errorf("groups %q, %v, %v, want %q", said, err, waitErr, groups)
		}
		read.Close()
	}
}
