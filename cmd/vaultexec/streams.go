package main

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"vaultexec/internal/config"
	"vaultexec/internal/settings"
	"vaultexec/internal/supervise"
)

// streams are the command's, where a configuration file names files for them.
// What vaultexec itself says goes to its own standard error all the same.
func streams(files settings.Files) []supervise.Descriptor {
	var descriptors []supervise.Descriptor
	for i, v := range []config.Given[string]{files.Stdout, files.Stderr} {
		if v.IsSet() {
			descriptors = append(descriptors, supervise.Descriptor{Number: i + 1, Open: func() (*os.File, error) { return openStream(v) }})
		}
	}
	return descriptors
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
