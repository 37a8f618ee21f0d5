//go:build linux

package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// The real Vault Agent writes a file, later than vaultexec starts, and again when
// the secret has changed: the command runs with what the file has, and there is
// one restart a change.
func TestP8FromVaultAgent(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	passwords := []string{canary(t, "first"), canary(t, "second"), canary(t, "third")}
	kv.put(t, "app", fields{"password": passwords[0]})
	dir := t.TempDir()
	agent := newAgentConfig(t, fmt.Sprintf(`
template_config {
  static_secret_render_interval = "1s"
}
template {
  destination = "DIR/secrets/config"
  contents    = "{{ with secret \"%s\" }}export DB_USER=\"app\"\nexport DB_PASSWORD='{{ .Data.data.password }}'\n{{ end }}"
}
`, kv.data("app")))
	l := vaultexec(t, append(quick, "--refresh", "1h", "--from", filepath.Join(dir, "secrets/config"))...).live()
	l.waitLog("waiting for what others write")
	runAgentBeside(t, agent.in(t, dir))
	if m := l.starts(1, "DB_PASSWORD", passwords[0]); m.lookup("DB_USER") != "app" {
		t.Error("DB_USER is not what it should be")
	}
	for i, password := range passwords[1:] {
		kv.put(t, "app", fields{"password": password})
		l.starts(i+2, "DB_PASSWORD", password)
	}
	l.stop()
	l.order(len(passwords))
}

// runAgentBeside runs the real Vault Agent until the test ends.
func runAgentBeside(t *testing.T, config string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := agentCommand(ctx, t, config)
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, 10*time.Second
	mustDo(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("vault agent:\n%s", hidden(out.String()))
		}
	})
}

// A file that is mounted alone, as by subPath, is the file that it was whatever is
// put in the place of that; what is written into it shows, and nobody tells of it
// here, for that happens in another directory. So looking finds it.
func TestP8FromMountedFile(t *testing.T) {
	t.Parallel()
	first, second, never := canary(t, "first"), canary(t, "second"), canary(t, "never")
	source := injected(t, first)
	mounted := writeFile(t, filepath.Join(t.TempDir(), "config"), "")
	c := vaultexec(t, append(quick, "--from", mounted)...)
	c.shell = "mount --bind " + source + " " + mounted + "\nexec \"$@\""
	journal := filepath.Join(t.TempDir(), "journal")
	l := &life{c.child("live", journal).startIn(mountCommand), journal}
	t.Cleanup(l.killAll)
	l.starts(1, "DB_PASSWORD", first)

	held, err := os.OpenFile(source, os.O_WRONLY|os.O_TRUNC, 0)
	mustDo(t, err)
	defer held.Close()
	if _, err := held.WriteString(exportLines(second)); err != nil {
		t.Fatal(err)
	}
	l.starts(2, "DB_PASSWORD", second)

	replace(t, source, exportLines(never))
	if _, err := held.WriteString("export MORE=1\n"); err != nil { // into what is mounted still
		t.Fatal(err)
	}
	if m := l.starts(3, "MORE", "1"); m.lookup("DB_PASSWORD") != second {
		t.Error("it is not what is mounted")
	}
	l.stop()
	l.order(3)
}

// mountCommand runs a command in a mount namespace of its own.
func mountCommand(t *testing.T, argv []string) *exec.Cmd {
	t.Helper()
	needNamespaces(t)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = namespaceAttr()
	cmd.SysProcAttr.Cloneflags &^= syscall.CLONE_NEWPID
	return cmd
}
