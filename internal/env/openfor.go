package env

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// errLink is a symbolic link that we do not follow.
var errLink = errors.New("a link of another user")

// errMoved is a directory that is not any more where it was a moment ago.
var errMoved = errors.New("it was moved")

// openFor opens a directory in which root writes for the user uid. That user may be
// able to put a symbolic link in its path, where we would write, and remove, as
// root: a link is followed only if it is root's.
func openFor(dir string, uid int) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil || os.Geteuid() != 0 || uid <= 0 {
		return root, err
	}
	err = checkWay(dir, root)
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// checkWay goes to a directory name by name, and finds that it comes to root.
func checkWay(dir string, root *os.Root) error {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	at, err := unix.Open("/", searchOnly|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { unix.Close(at) }()
	names := strings.Split(absolute, "/")
	for links := 0; len(names) > 0; {
		name := names[0]
		names = names[1:]
		if name == "" || name == "." {
			continue
		}
		next, err := unix.Openat(at, name, searchOnly|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == nil {
			unix.Close(at)
			at = next
			continue
		}
		target, linkErr := ourLink(at, name)
		if linkErr != nil {
			return errors.Join(linkErr, err)
		}
		if links++; links > 40 { // as the kernel, path_resolution(7)
			return unix.ELOOP
		}
		if filepath.IsAbs(target) {
			if next, err = unix.Open("/", searchOnly|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
				return err
			}
			unix.Close(at)
			at = next
		}
		names = slices.Concat(strings.Split(target, "/"), names)
	}
	var reached unix.Stat_t
	if err := unix.Fstat(at, &reached); err != nil {
		return err
	}
	info, err := root.Stat(".")
	if err != nil {
		return err
	}
	if !sameFile(info, reached) {
		return errMoved
	}
	return nil
}

// ourLink reads a symbolic link that is root's.
func ourLink(at int, name string) (target string, err error) {
	var info unix.Stat_t
	if err := unix.Fstatat(at, name, &info, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return "", err
	}
	if uint32(info.Mode)&unix.S_IFMT != unix.S_IFLNK {
		return "", unix.ENOTDIR
	}
	if info.Uid != 0 {
		return "", errLink
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(at, name, buf)
	return string(buf[:max(n, 0)]), err
}

func sameFile(info os.FileInfo, other unix.Stat_t) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Ino == other.Ino && uint64(stat.Dev) == uint64(other.Dev)
}
