package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// keepPIDFile writes our process id where pid_file says, as the agent does, and
// returns what removes it at the end. Of two processes it is the init's, which
// takes the signals. The command needs no such file: that it cannot be written,
// since a container has not the agent's directories, ends no start.
func keepPIDFile(path string, log *slog.Logger) (remove func()) {
	nothing := func() {}
	if path == "" {
		return nothing
	}
	path, err := filepath.Abs(path) // as PID 1 the init leaves the directory
	if err == nil {
		err = writePID(path)
	}
	if err != nil {
		log.Warn("pid_file is not written: " + err.Error())
		return nothing
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nothing // /dev/null, for who wants none
	}
	return func() {
		takeAway(log, func() error {
			if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		})
	}
}

func writePID(path string) error {
	// A named pipe must not keep the start waiting (open(2), O_NONBLOCK).
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.Itoa(os.Getpid()))
	return errors.Join(err, f.Close())
}
