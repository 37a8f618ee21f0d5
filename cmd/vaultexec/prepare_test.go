package main

import (
	"fmt"
	"log/slog"
	"os"
	"testing"

	"vaultexec/internal/env"
	"vaultexec/internal/secret"
)

// A rewriting may still be at work when the files are taken away: each waits for
// the other, and nothing is left.
func TestP11RemoveBesideARewriting(t *testing.T) {
	for range 100 {
		dir := t.TempDir()
		file := func(text string) env.Plan {
			return env.Plan{Output: env.Output{Files: []env.PlannedFile{{Dest: dir + "/file", Content: secret.Of(text), Mode: 0o400, UID: -1, GID: -1}}}}
		}
		p := &preparation{log: slog.New(slog.DiscardHandler), donec: make(chan struct{}), files: filesBegun, planned: file("old")}
		var err error
		if p.written, err = env.Write(p.planned.Output); err != nil {
			t.Fatal(err)
		}
		close(p.donec)
		donec := make(chan error)
		go func() { donec <- p.rewrite(file("new")) }()
		p.remove()
		if err := <-donec; err != nil {
			t.Fatal(err)
		}
		p.remove() // if the rewriting came last
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Fatal(fmt.Sprint(entries), err)
		}
	}
}
