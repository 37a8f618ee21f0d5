package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"vaultexec/internal/supervise"
)

// installMode lets everybody run what nobody can change: whoever could would
// run code in the application's place.
const installMode = 0o555

// installCommand leaves the work to a verb: a stop signal is not to come in its way.
func (inv *invocation) installCommand(ran *bool) *cobra.Command {
	return &cobra.Command{Use: "install DIR", Short: "copy this binary into DIR, where there is no cp", RunE: func(_ *cobra.Command, words []string) error {
		*ran = true
		if len(words) != 1 {
			return &usageError{"vaultexec install takes the one directory to copy itself into: vaultexec install DIR"}
		}
		inv.verb = func(*stage) (outcome supervise.Outcome) {
			if err := install(words[0]); err != nil {
				outcome.Err = &installError{words[0], err}
			}
			return outcome
		}
		return nil
	}}
}

// installError is a copy that could not be made.
type installError struct {
	dir string
	err error
}

func (e *installError) Error() string {
	return fmt.Sprintf("vaultexec install %s: the copy cannot be made: %v; give a directory that may be written", e.dir, e.err)
}
func (*installError) Class() string { return "write_failed" }

// install copies the running binary to DIR/vaultexec, whole or not at all: a
// container that starts meanwhile runs the old one or the new one.
func install(dir string) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	from, err := os.Open(self)
	if err != nil {
		return err
	}
	defer from.Close() // it was only read
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temp := filepath.Join(dir, ".vaultexec-"+rand.Text())
	to, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp)
		}
	}()
	_, err = io.Copy(to, from)
	if err := errors.Join(err, to.Chmod(installMode), to.Sync(), to.Close()); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(dir, "vaultexec"))
}
