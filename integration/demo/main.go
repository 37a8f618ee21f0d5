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

// app is a server as any other: it takes its settings from its environment, and
// ends when it is asked to.
func app() {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	fmt.Printf("app (pid %d): %s as %s with password %s\n", os.Getpid(), connected, os.Getenv("DB_USERNAME"), os.Getenv("DB_PASSWORD"))
	<-term
	fmt.Printf("app (pid %d): asked to stop, closing connections\n", os.Getpid())
}

// connected is what the app says when it is ready.
const connected = "connected"

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
	running, err := s.begin(ctx, "--secret", secretPath+"?prefix=DB_", "--case", "upper", "--refresh", "2s")
	if err != nil {
		return err
	}
	if err := running.wait(ctx, connected); err != nil {
		return err
	}
	say("", "2. The password is changed in Vault. vaultexec notices within --refresh, lets",
		"   the app close what it has open, and starts it with the new one.")
	if err := s.put(ctx, "db-secret-password-2"); err != nil {
		return err
	}
	if err := running.wait(ctx, connected); err != nil {
		return err
	}
	say("", "3. vaultexec is asked to stop, as by 'kubectl delete pod'. It asks the app to,",
		"   and gives back its exit status and the token to Vault.")
	if err := running.stop(); err != nil {
		return err
	}
	say("4. What if something is missing? A typing error in a key: the app is not",
		"   started, and vaultexec says what is wrong and exits with 125.")
	failing, err := s.begin(ctx, "--env", "DB_PASSWORD="+secretPath+"#pasword")
	if err != nil {
		return err
	}
	return failing.end(125)
}

// run is vaultexec in front of the app.
type run struct {
	cmd *exec.Cmd
	out *indented
}

// begin starts it, and shows the command as one would type it.
func (s *stage) begin(ctx context.Context, source ...string) (*run, error) {
	flags := append([]string{"--role", role, "--jwt-path", s.jwt}, source...)
	fmt.Printf("\n   $ vaultexec %s -- app\n", strings.Join(flags, " "))
	cmd := exec.CommandContext(ctx, s.vaultexec, append(flags, "--", s.self, appWord)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "VAULT_ADDR=" + s.vault.Address, "VAULTEXEC_LOG_FORMAT=text"}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	out := &indented{to: os.Stdout, atStart: true, linec: make(chan string, 64)}
	cmd.Stdout, cmd.Stderr = out, out
	return &run{cmd, out}, cmd.Start()
}

// wait waits for a line with a text in it.
func (r *run) wait(ctx context.Context, text string) error {
	timeout := time.After(time.Minute)
	for {
		select {
		case line := <-r.out.linec:
			if strings.Contains(line, text) {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout:
			return fmt.Errorf("the app has not said %q for a minute", text)
		}
	}
}

// stop asks it to stop, and expects it to end well.
func (r *run) stop() error {
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return r.end(0)
}

// end waits for its end and checks the exit status.
func (r *run) end(status int) error {
	err := r.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	if got := r.cmd.ProcessState.ExitCode(); got != status {
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
	atStart bool        // of a line
	linec   chan string // gets each piece of a line too, while there is room
}

func (w *indented) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		select {
		case w.linec <- line:
		default:
		}
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
