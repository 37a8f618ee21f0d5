package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	exitDenied   = 126 // the command was found and cannot be run
	exitNotFound = 127 // the command was not found
)

// errNoSignals is the cause where a command as another user would run but never
// hear of a stop.
var errNoSignals = errors.New("it could not be signalled")

// StartError says why a command could not be started.
type StartError struct {
	name     string // as given or as found
	searched string // the PATH that was searched; empty: none was
	err      error
	as       *Identity // who it was to run as; nil: who we are
}

// Code is the exit status that shells use for such a failure: 127 if the
// command or something it needs does not exist, 126 if it cannot be executed.
func (e *StartError) Code() int {
	if errors.Is(e.err, unix.ENOENT) || errors.Is(e.err, unix.ENOTDIR) {
		return exitNotFound
	}
	return exitDenied
}

// Class is the kind of failure, for reports: exec_not_found or exec_denied.
func (e *StartError) Class() string {
	if e.Code() == exitNotFound {
		return "exec_not_found"
	}
	return "exec_denied"
}

// Unwrap returns the cause, nearly always a syscall.Errno.
func (e *StartError) Unwrap() error { return e.err }

// Error is one sentence that names the command and what to do.
func (e *StartError) Error() string {
	return fmt.Sprintf("command %q: %s", e.name, e.reason())
}

func (e *StartError) reason() string {
	switch {
	case e.name == "":
		return "the name is empty"
	case e.searched != "" || errors.Is(e.err, unix.ENOENT) && !strings.Contains(e.name, "/"):
		return fmt.Sprintf("not found in PATH (%s)", e.searched)
	case errors.Is(e.err, unix.ENOENT):
		return missingPart(e.name)
	case errors.Is(e.err, unix.EISDIR):
		return "is a directory"
	case e.err == errNoSignals:
		return fmt.Sprintf("could not be signalled or stopped as user %d: that takes CAP_KILL, so give vaultexec that capability too, or remove --user", e.as.UID)
	case errors.Is(e.err, unix.EPERM) && e.as != nil:
		return fmt.Sprintf("cannot be run as user %d and group %d: that takes root or CAP_SETUID and CAP_SETGID, so start vaultexec as root, or remove --user", e.as.UID, e.as.GID)
	case errors.Is(e.err, unix.EACCES) && e.as != nil:
		return fmt.Sprintf("permission denied to user %d and group %d: the file must be executable for them, on a file system not mounted noexec", e.as.UID, e.as.GID)
	case errors.Is(e.err, unix.EACCES):
		return "permission denied: the file must be executable for this user, on a file system not mounted noexec"
	case errors.Is(e.err, unix.ENOEXEC):
		return "is not a program for this machine, or a script that has no #! line"
	case errors.Is(e.err, unix.E2BIG):
		return "arguments and environment together are larger than the kernel allows " +
			"(128 KiB a string, a quarter of the stack limit in all): hand large secrets over as files"
	case errors.Is(e.err, unix.ETXTBSY):
		return "the file is open for writing"
	case errors.Is(e.err, unix.EAGAIN), errors.Is(e.err, unix.ENOMEM):
		return fmt.Sprintf("no process could be made: %v: look at the limits on processes and memory", e.err)
	}
	return fmt.Sprintf("cannot be started: %v", e.err)
}

// missingPart explains ENOENT: for a file that is there, execve(2) means the
// program that it names to run it.
func missingPart(path string) string {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return "no such file"
	}
	if err != nil {
		return "the program that runs it (interpreter or dynamic loader) is missing from this image"
	}
	defer file.Close()        // it was only read
	head := make([]byte, 256) // the kernel looks at no more of a #! line
	n, _ := file.Read(head)   // nothing read is no #! line
	line, _, _ := bytes.Cut(head[:n], []byte("\n"))
	if rest, ok := bytes.CutPrefix(line, []byte("#!")); ok {
		if words := bytes.Fields(rest); len(words) > 0 {
			return fmt.Sprintf("the file is there but its interpreter %q is missing from this image%s",
				words[0], carriageReturnHint(line))
		}
	}
	return "the file is there but its dynamic loader is missing from this image: " +
		"build it statically or add its libc"
}

// carriageReturnHint: a script saved on Windows asks for "/bin/sh\r".
func carriageReturnHint(line []byte) string {
	if bytes.HasSuffix(line, []byte("\r")) {
		return " because its first line ends in a carriage return"
	}
	return ""
}
