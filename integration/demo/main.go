// Command demo shows what vaultexec does, with a real Vault and a real
// Kubernetes API: a program gets its database password from Vault, logged in
// with its service account, and knows nothing of either.
//
// The values that it prints are those of Vault's tutorials, made up for being
// printed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// appWord as the first argument makes this binary the program of the demo.
const appWord = "app"

func main() {
	if len(os.Args) == 2 && os.Args[1] == appWord {
		app()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := demo(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		stop()
		os.Exit(1)
	}
}

// app is a program as any other: it takes its settings from its environment.
func app() {
	fmt.Printf("app: connecting as %s with password %s\n", os.Getenv("DB_USERNAME"), os.Getenv("DB_PASSWORD"))
}

// demo does what it says, line by line.
func demo(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "vaultexec-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &stage{dir: dir}
	if err := s.build(ctx); err != nil {
		return err
	}
	defer s.stop()
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.seed(ctx); err != nil {
		return err
	}
	if err := s.play(ctx); err != nil {
		return err
	}
	s.stop()
	say("Done. Vault and the Kubernetes API are stopped, nothing is left behind.")
	return nil
}

// play is the demo itself.
func (s *stage) play(ctx context.Context) error {
	say("1. The app, with its secret. vaultexec logs in with the pod's service account,",
		"   reads the secret, and runs the app with one variable for each key.")
	if err := s.run(ctx, 0, "--secret", secretPath+"?prefix=DB_", "--case", "upper"); err != nil {
		return err
	}
	say("2. The password is changed in Vault:")
	if err := s.put(ctx, "db-secret-password-2"); err != nil {
		return err
	}
	say("   and the next start of the app has it.")
	if err := s.run(ctx, 0, "--secret", secretPath+"?prefix=DB_", "--case", "upper"); err != nil {
		return err
	}
	say("3. What if something is missing? A typing error in a key: the app is not",
		"   started, and vaultexec says what is wrong and exits with 125.")
	return s.run(ctx, 125, "--env", "DB_PASSWORD="+secretPath+"#pasword")
}

// run runs the app under vaultexec, and shows the command as one would type it.
func (s *stage) run(ctx context.Context, status int, source ...string) error {
	flags := append([]string{"--role", role, "--jwt-path", s.jwt}, source...)
	fmt.Printf("\n   $ vaultexec %s -- app\n", strings.Join(flags, " "))
	cmd := exec.CommandContext(ctx, s.vaultexec, append(flags, "--", s.self, appWord)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "VAULT_ADDR=" + s.vault.Address, "VAULTEXEC_LOG_FORMAT=text"}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	out := &indented{to: os.Stdout, atStart: true}
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	if got := cmd.ProcessState.ExitCode(); got != status {
		return fmt.Errorf("vaultexec ended with status %d, the demo expected %d", got, status)
	}
	fmt.Println()
	return nil
}

// say tells the audience.
func say(lines ...string) {
	for _, line := range lines {
		fmt.Println(line)
	}
}

// indented moves what it is given to the right, so that it is seen to come
// from the programs.
type indented struct {
	to      *os.File
	atStart bool // of a line
}

func (w *indented) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		if w.atStart {
			line = "   " + line
		}
		w.atStart = strings.HasSuffix(line, "\n")
		if _, err := w.to.WriteString(line); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}
