package env

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
)

// errDangling is a symbolic link to nowhere in the path of a directory, for
// which the kernel has no number of its own.
var errDangling = errors.New("dangling symbolic link")

// errSpecial is a destination that must not be replaced by a file: /dev/null
// would be gone for everybody.
var errSpecial = errors.New("not a regular file")

// errDisk is a directory whose files could reach a disk.
var errDisk = errors.New("not in memory")

// errNoDir is a directory that is not to be made.
var errNoDir = errors.New("no such directory")

// where is a file or a directory in messages.
type where struct {
	place string // where it is asked for
	dest  string
	dir   string // that of the file
	hint  string // another way out, behind a comma; may be empty
}

// finding says what the file system refused, and what to do. The name of the
// temporary file, on which it happened, means nothing to the user. changed are
// the files that were replaced before it and could not be brought back.
func (w where) finding(err error, changed ...string) *Finding {
	outcome := "nothing was changed"
	if len(changed) > 0 {
		outcome = "replaced before it: " + strings.Join(changed, ", ")
	}
	return finding(ClassWriteFailed, "%s: %s%s; %s", w.place, whyNot(w.dir, err), w.hint, outcome)
}

func removeFinding(path string, err error) *Finding {
	return finding(ClassWriteFailed, "%s is left behind: %v", path, cause(err))
}

func whyNot(dir string, err error) string {
	var taken *takenError
	switch {
	case errors.As(err, &taken) && strings.HasPrefix(taken.name, ".."):
		return "there is " + taken.name + " in it, which is not vaultexec's, as in a volume of Kubernetes: choose another place"
	case errors.As(err, &taken):
		return fmt.Sprintf("there is %q in it, which is not vaultexec's: move it away, leave the key out with except=, or choose another place", taken.name)
	case errors.Is(err, errOwner):
		return "the owner cannot be set, which takes root or CAP_CHOWN: run with it, or remove owner= or --user"
	case errors.Is(err, errSpecial):
		return "it is a device, a pipe or a socket, which a file would replace: choose another place"
	case errors.Is(err, errShared):
		return dir + " belongs to another user, or others can write into it: let --runtime-dir name a directory that is this user's alone, or one that is not there yet"
	case errors.Is(err, errDisk):
		return dir + " is not in memory (tmpfs), as --require-tmpfs wants: mount a volume there that is (such as an emptyDir with medium Memory), or choose another place"
	case errors.Is(err, errLink):
		return "a symbolic link in the path of " + dir + " is another user's, who could lead root elsewhere: let root own it, or choose another place"
	case errors.Is(err, errMoved):
		return dir + " was moved while it was opened: choose a place that no other user can change"
	case errors.Is(err, errNoDir):
		return "there is no directory " + dir + ": make it, or remove create_dest_dirs = false"
	case errors.Is(err, errDangling):
		return "a symbolic link in the path of " + dir + " leads nowhere: make what it points to"
	}
	switch cause(err) {
	case syscall.ENOSPC:
		return "no space is left on the file system of " + dir + ": make room there, or give the volume more"
	case syscall.EDQUOT:
		return "the disk quota of " + dir + " is used up: make room there, or raise it"
	case syscall.EROFS:
		return "the file system of " + dir + " is read-only: mount a volume that can be written there (such as an emptyDir with medium Memory), or choose another place"
	case syscall.EACCES, syscall.EPERM:
		return "permission to write into " + dir + " is denied: let this user write there, or choose another place"
	case syscall.EISDIR:
		return "it is a directory: name a file in it"
	case syscall.ENOTDIR:
		return "something in the path of " + dir + " is a file, not a directory: choose another place"
	case syscall.ELOOP:
		return "the symbolic links in the path of " + dir + " go in a circle: choose another place"
	case syscall.ENAMETOOLONG:
		return "the name is too long for the file system"
	case syscall.EBUSY:
		return "it is a mount point of its own (such as a subPath), which cannot be replaced: mount the directory around it"
	}
	return cause(err).Error()
}

// cause is the error number in err, or err without the name it happened on.
func cause(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
