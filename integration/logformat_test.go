//go:build linux

package integration

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// The log is text for a person at a terminal and JSON for everything else, and
// it is standard error that decides, not the other two; --log-format says
// otherwise.
func TestLogFormat(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, flags []string, errOnTerminal, othersOnTerminal bool) string {
		t.Helper()
		master, slave, err := pty.Open()
		mustDo(t, err)
		defer master.Close()
		noEcho(t, slave)
		cmd := vaultexec(t, append(flags, "--mode", "supervise")...).env("VAULTEXEC_LOG_FORMAT=", "VAULTEXEC_LOG_LEVEL=debug").exec("/bin/true").cmd()
		var stderr strings.Builder
		if othersOnTerminal {
			cmd.Stdin, cmd.Stdout = slave, slave
		}
		if cmd.Stderr = &stderr; errOnTerminal {
			cmd.Stderr = slave
		}
		mustDo(t, cmd.Run())
		mustDo(t, slave.Close())
		buf := make([]byte, 4096)
		for errOnTerminal {
			n, err := master.Read(buf)
			stderr.Write(buf[:n])
			if err != nil { // EIO: all of it has been read
				break
			}
		}
		return stderr.String()
	}
	for _, tt := range []struct {
		name        string
		flags       []string
		err, others bool
		json        bool
	}{
		{"a terminal", nil, true, true, false},
		{"only standard error is one", nil, true, false, false},
		{"only standard error is none", nil, false, true, true},
		{"no terminal", nil, false, false, true},
		{"auto on a terminal", []string{"--log-format", "auto"}, true, true, false},
		{"auto without", []string{"--log-format", "auto"}, false, false, true},
		{"text without a terminal", []string{"--log-format", "text"}, false, false, false},
		{"JSON on a terminal", []string{"--log-format", "json"}, true, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := run(t, tt.flags, tt.err, tt.others)
			lines := 0
			for line := range strings.Lines(log) {
				lines++
				var record struct{ Time, Level, Msg string }
				isJSON := json.Unmarshal([]byte(line), &record) == nil && record.Time != "" && record.Level != "" && record.Msg != ""
				if isJSON != tt.json || !tt.json && !strings.HasPrefix(line, "vaultexec: ") {
					t.Errorf("JSON: %v, want %v: %q", isJSON, tt.json, line)
				}
			}
			if lines == 0 {
				t.Error("nothing is logged")
			}
		})
	}
}
