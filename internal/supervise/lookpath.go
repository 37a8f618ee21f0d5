package supervise

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// defaultPath is searched when the child's environment has no PATH. It is
// what container runtimes set.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// LookPath finds the program called name as execvp(3) does: with a slash it is
// a path, without one it is looked for along PATH of env, which is the child's
// environment and not ours. An error is a *StartError.
func LookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") || name == "" {
		if err := checkExecutable(name); err != nil {
			return "", err
		}
		return name, nil
	}
	path := defaultPath
	for _, variable := range env {
		if value, ok := strings.CutPrefix(variable, "PATH="); ok {
			path = value
			break // getenv(3) takes the first one too
		}
	}
	// A file that must not be executed does not end the search, but if
	// nothing else turns up it is the better explanation.
	var denied error
	for dir := range strings.SplitSeq(path, ":") {
		candidate := dir + "/" + name
		if dir == "" {
			candidate = "./" + name // POSIX: an empty element is the working directory
		}
		err := checkExecutable(candidate)
		if err == nil {
			return candidate, nil
		}
		if err.Code() == exitDenied && denied == nil {
			denied = err
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", &StartError{name: name, searched: path, err: unix.ENOENT}
}

// checkExecutable reports what execve(2) would find wrong with the file
// itself; nil: nothing.
func checkExecutable(path string) *StartError {
	info, err := os.Stat(path)
	if err != nil {
		return newStartError(path, err)
	}
	if info.IsDir() {
		return &StartError{name: path, err: unix.EISDIR}
	}
	if err := unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS); err != nil {
		return newStartError(path, err)
	}
	return nil
}

// newStartError wraps what the kernel said about path.
func newStartError(path string, err error) *StartError {
	errno, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return &StartError{name: path, err: err}
	}
	return &StartError{name: path, err: errno}
}
