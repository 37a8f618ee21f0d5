package from

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// points are where a change shows: directory, as canonical names it -> the names
// in it that matter; nil: all of them.
type points map[string][]string

// maxLinks is how many links the kernel follows (path_resolution(7)).
const maxLinks = 40

// pointsOf are those of a path: the directory that it is in, those of what each
// link of it leads to, and the directory that it is itself. A link on the way to
// the path is only found by looking.
func pointsOf(path string) points {
	at := points{}
	file := path
	for range maxLinks {
		at.add(filepath.Dir(file), filepath.Base(file), versionLink)
		target, err := os.Readlink(file)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(file), target)
		}
		file = target
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		at[canonical(path)] = nil
	}
	return at
}

// canonical is the one name that a directory has here. The kernel watches it once
// and tells of it under the name that it was given first, whatever others lead
// there.
func canonical(dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return dir
}

func (at points) add(dir string, names ...string) {
	dir = canonical(dir)
	if known, there := at[dir]; !there || known != nil {
		at[dir] = append(known, names...)
	}
}

// about tells whether an event with this path is about one of them.
func (at points) about(path string) bool {
	if _, itself := at[path]; itself {
		return true
	}
	names, there := at[filepath.Dir(path)]
	return there && (names == nil || slices.Contains(names, filepath.Base(path)))
}

// isMissing tells the absence of a directory from a refusal to watch it.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
