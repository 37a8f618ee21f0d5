//go:build linux

package integration

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vaultexec/integration/servers"
)

// completedLines are what a user types, with a Tab in it that has one outcome,
// and what is on the screen if that came about. Quotes keep the line itself, as
// it is typed, from being taken for it.
var completedLines = []struct{ what, typed, shows string }{
	{"a verb", "vaultexec versi\t--json", `"arch":`},
	{"a flag", "vaultexec --stop-timeo\t5s -- echo fl''ag", "flag"},
	{"a value", "vaultexec --mode superv\t-- echo val''ue", "value"},
	{"the value of a verb's flag", "vaultexec env --format jso\t", "{}"},
	{"a command", "vaultexec --mode exec -- only-this-on\t", "program"},
	{"a file of its arguments", "vaultexec -- cat fil\t", "content"},
}

// completingShells start a shell that has taken the script, and can be typed to.
var completingShells = []struct{ shell, args, prepare string }{
	{"bash", "--noprofile --norc -i", "PS1='> '; . " + servers.BashCompletion + "; source <(vaultexec completion bash)"},
	{"zsh", "-f -i", "PS1='> '; unsetopt zle_bracketed_paste 2>/dev/null; autoload -Uz compinit && compinit -u -d zdump; source <(vaultexec completion zsh)"},
}

// In the shells themselves, a Tab makes the one line of what was begun, and
// nothing is asked of Vault for it.
func TestCompletionInShells(t *testing.T) {
	t.Parallel()
	vault := untouched(t)
	for _, s := range completingShells {
		t.Run(s.shell, func(t *testing.T) {
			shell, err := exec.LookPath(s.shell)
			if err != nil {
				t.Fatal(err) // 'make integration' installs what is missing
			}
			cmd := exec.Command(shell, strings.Fields(s.args)...)
			completionPlace(t, cmd, vault)
			term := onTerminal(t, cmd)
			term.send(s.prepare + "; echo rea''dy\n")
			term.expect("ready")
			for _, line := range completedLines {
				term.send(line.typed + "\n")
				term.expect(line.shows)
				term.send("echo ne''xt\n")
				term.expect("next")
			}
			term.send("exit 0\n")
			term.end(0)
		})
	}
}

// fish tells what it would offer.
func TestCompletionInFish(t *testing.T) {
	t.Parallel()
	vault := untouched(t)
	fish, err := exec.LookPath("fish")
	if err != nil {
		t.Fatal(err) // 'make integration' installs what is missing
	}
	for begun, want := range map[string]string{
		"vaultexec expl":                "explain",
		"vaultexec --stop-timeo":        "--stop-timeout",
		"vaultexec --mode superv":       "supervise",
		"vaultexec env --format dot":    "dotenv",
		"vaultexec -- only-this-on":     "only-this-one",
		"vaultexec explain startup-tim": "startup-timeout",
		"vaultexec --auth token-":       "token-file",
	} {
		cmd := exec.Command(fish, "-c", "vaultexec completion fish | source; complete -C '"+begun+"'")
		completionPlace(t, cmd, vault)
		out, err := cmd.CombinedOutput()
		if offer, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\t"); err != nil || offer != want {
			t.Errorf("%q offers %q, error %v, want %s", begun, out, err, want)
		}
	}
}

// untouched is an address that nobody may connect to until the test ends.
func untouched(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	donec := make(chan struct{})
	go func() {
		defer close(donec)
		if conn, err := listener.Accept(); err == nil {
			t.Error("Vault was asked for a completion")
			_ = conn.Close() // it is wrong whatever comes
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-donec
	})
	return "http://" + listener.Addr().String()
}

// completionPlace is a home and a PATH with vaultexec, a program and a file.
func completionPlace(t *testing.T, cmd *exec.Cmd, vault string) {
	t.Helper()
	dir := t.TempDir()
	c := vaultexec(t)
	if err := os.Symlink(c.binary, filepath.Join(dir, "vaultexec")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir+"/only-this-one", "#!/bin/sh\necho program\n")
	if err := os.Chmod(dir+"/only-this-one", 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir+"/files", "content\n")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir, "TERM=dumb", "VAULT_ADDR=" + vault, "VAULT_TOKEN=" + canary(t, "token")}
}
