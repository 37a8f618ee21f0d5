package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"vaultexec/internal/settings"
)

// TestReadmeFlags keeps the table of flags in the README true: it prints the
// right one when it is not.
func TestReadmeFlags(t *testing.T) {
	const begin, end = "<!-- flags: checked against the code by TestReadmeFlags -->\n", "<!-- /flags -->"
	var want strings.Builder
	want.WriteString("| flag | meaning | default |\n| --- | --- | --- |\n")
	for _, g := range settings.Default().Groups() {
		fmt.Fprintf(&want, "| **%s** | | |\n", g.Title)
		g.Flags.VisitAll(func(f *pflag.Flag) {
			word, value := " "+f.Value.Type(), f.DefValue
			if f.Value.Type() == "bool" {
				word, value = "", ""
			}
			if value != "" {
				value = "`" + value + "`"
			}
			fmt.Fprintf(&want, "| `--%s%s` | %s | %s |\n", f.Name, word, f.Usage, value)
		})
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(readme), begin)
	got, _, found := strings.Cut(after, end)
	if !found || got != want.String() {
		t.Errorf("the README's table of flags should be:\n%s", want.String())
	}
}

// TestReadmeExitStatus keeps its table of exit statuses true.
func TestReadmeExitStatus(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []exitCode{exitFailure, exitNotExecutable, exitNotFound, exitUnknown} {
		if !strings.Contains(string(readme), fmt.Sprintf("| %d | ", code)) {
			t.Errorf("the README says nothing of exit status %d", code)
		}
		if !strings.Contains(helpTail, fmt.Sprintf("\n  %d  ", code)) {
			t.Errorf("the help says nothing of exit status %d", code)
		}
	}
}
