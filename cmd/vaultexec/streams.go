package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"syscall"

	"vaultexec/internal/config"
	"vaultexec/internal/settings"
	"vaultexec/internal/supervise"
)

// outputs opens the files that a configuration file names for the command's output.
// What vaultexec itself says goes to its own standard error all the same.
type outputs struct {
	files settings.Files
	log   *slog.Logger
	begun [2]bool // that file has been opened for a start
}

// descriptors are the command's standard output and error, those that have a file.
func (o *outputs) descriptors() []supervise.Descriptor {
	var descriptors []supervise.Descriptor
	for i, own := range []*os.File{os.Stdout, os.Stderr} {
		v := []config.Given[string]{o.files.Stdout, o.files.Stderr}[i]
		if v.IsSet() {
			descriptors = append(descriptors, supervise.Descriptor{Number: i + 1, Open: func() (*os.File, error) { return o.open(i, v, own) }})
		}
	}
	return descriptors
}

// open opens one for a start. A command that has run before is started all the
// same: where its output goes matters less than that it runs.
func (o *outputs) open(i int, v config.Given[string], own *os.File) (*os.File, error) {
	file, err := openStream(v)
	if err == nil {
		o.begun[i] = true
		return file, nil
	}
	if !o.begun[i] {
		return nil, err
	}
	number, dup := syscall.Dup(int(own.Fd()))
	if dup != nil {
		return nil, err
	}
	syscall.CloseOnExec(number)
	o.log.Warn(err.Error() + "; the command's output goes to vaultexec's own until its next start")
	return os.NewFile(uintptr(number), own.Name()), nil
}

// openStream opens a file to add to, with the mode that Vault Agent makes one
// with. A pipe that nobody reads is an error and not a wait: the supervisor has
// other things to do (open(2), O_NONBLOCK).
func openStream(v config.Given[string]) (*os.File, error) {
	file, err := os.OpenFile(v.Value, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o644)
	if err == nil {
		if err = syscall.SetNonblock(int(file.Fd()), false); err == nil { // the command has not asked for it
			return file, nil
		}
		_ = file.Close() // nothing was written
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	return nil, &streamError{v.Place, v.Value, err.Error()}
}
