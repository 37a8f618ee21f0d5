// Package smallfile reads files that are small if they are what they are taken
// for: settings, credentials, templates, secrets. What a path leads to is the
// user's word alone, and may as well be a device without end.
package smallfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Error is why a file cannot be read.
type Error struct {
	Path string
	Err  error
}

// Error names the path once, whatever Err does.
func (e *Error) Error() string {
	why := e.Err
	if path := (*fs.PathError)(nil); errors.As(why, &path) {
		why = path.Err
	}
	return fmt.Sprintf("%s cannot be read: %v", e.Path, why)
}

func (e *Error) Unwrap() error { return e.Err }

// TooLarge is the Err of a file that has more than it may.
type TooLarge struct{ Limit int }

func (e *TooLarge) Error() string {
	return fmt.Sprintf("it has more than the %d bytes that such a file can have: name another, or make it smaller", e.Limit)
}

// Read reads a file of at most limit bytes, or nothing of it; its error is an
// *Error. It waits for the writer of a pipe, as process substitution needs it.
// What stat(2) says of a size is not asked: for pipes and in /proc it is 0.
func Read(path string, limit int) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", &Error{path, err}
	}
	defer f.Close() // it was only read
	text, err := ReadFrom(f, limit)
	if err != nil {
		return "", &Error{path, err}
	}
	return text, nil
}

// IsPipe tells whether a path leads to a pipe, which gives what is in it once.
func IsPipe(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeNamedPipe != 0
}

// ReadFrom is for who opens the file in a way of its own; its error names no
// path where it is a *TooLarge. A directory is refused by read(2).
func ReadFrom(f *os.File, limit int) (string, error) {
	var text Buffer
	_, err := text.ReadFrom(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(text.b) > limit {
		err = &TooLarge{limit}
	}
	if err != nil {
		text.Wipe()
		return "", err
	}
	return text.Take(), nil
}
