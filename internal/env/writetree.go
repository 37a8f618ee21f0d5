package env

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// stagedTree is a version of a directory that is complete but for the link that
// leads to it.
type stagedTree struct {
	PlannedTree
	root    *os.Root // Dest, held so that all names mean the same one
	before  string   // the version that Link leads to; empty: there is none
	version string   // the new one; empty until it is made
	temp    string   // the link to it, under another name; empty when renamed
	made    []string // the visible links that are new
	flipped bool     // Link leads to the new version
}

// versionName is one as kubelet makes it, but for its end, which tells ours from
// its.
func versionName(now time.Time) string {
	return now.UTC().Format("..2006_01_02_15_04_05.") + rand.Text()
}

// isVersion tells our versions from everything else that is in a directory.
func isVersion(name string) bool {
	const dated, whole = len("..2006_01_02_15_04_05."), len("..2006_01_02_15_04_05.") + 26 // of rand.Text
	if len(name) != whole || name[:2] != ".." || name[dated-1] != '.' {
		return false
	}
	return !strings.ContainsFunc(name[2:dated-1], func(r rune) bool { return r != '_' && (r < '0' || '9' < r) }) &&
		!strings.ContainsFunc(name[dated:], func(r rune) bool { return (r < 'A' || 'Z' < r) && (r < '2' || '7' < r) })
}

// takenError is a name in a directory that has something under it which is not
// ours.
type takenError struct{ name string }

func (e *takenError) Error() string { return e.name + " is taken" }

// stageTree writes a version. Also on an error, what it returns has to be
// finished, unless it is nil.
func (w *Written) stageTree(t PlannedTree) (*stagedTree, error) {
	root, err := w.openTree(t)
	if err != nil {
		return nil, err
	}
	s := &stagedTree{PlannedTree: t, root: root}
	if err := w.checkMemory(root); err != nil {
		return s, err
	}
	if s.before, err = s.current(); err != nil {
		return s, err
	}
	if err := s.checkNames(); err != nil {
		return s, err
	}
	version := versionName(time.Now())
	if err := root.Mkdir(version, 0o700); err != nil {
		return s, err
	}
	s.version = version
	if err := s.writeVersion(); err != nil {
		return s, err
	}
	temp := tempName()
	if err := root.Symlink(version, temp); err != nil {
		return s, err
	}
	s.temp = temp
	return s, s.linkNames()
}

// forOthers tells whether somebody else than us is to read a file of it.
func (t PlannedTree) forOthers() bool {
	return t.UID != -1 || t.GID != -1 || slices.ContainsFunc(t.Files, PlannedFile.forOthers)
}

// showing is the mode with which a directory shows its names, which are those of
// keys, to those whom its files are for.
func showing(forOthers bool) fs.FileMode {
	if forOthers {
		return 0o055
	}
	return 0
}

func (w *Written) openTree(t PlannedTree) (*os.Root, error) {
	if t.Private {
		above, err := w.openPrivate(filepath.Dir(t.Dest), passing(t.forOthers()))
		if err != nil {
			return nil, err
		}
		above.Close() // it was only looked at
		return w.openPrivate(t.Dest, showing(t.forOthers()))
	}
	if err := w.makeDirs(filepath.Dir(t.Dest), dirMode|passing(t.forOthers())); err != nil {
		return nil, err
	}
	return w.makeAndOpen(t.Dest, dirMode|showing(t.forOthers()), t.UID)
}

// current is the version that the link leads to. A link that leads elsewhere is
// of somebody else who manages the directory.
func (s *stagedTree) current() (string, error) {
	target, err := s.root.Readlink(s.Link)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil || !isVersion(target):
		return "", &takenError{s.Link}
	}
	return target, nil
}

// names are those that get a visible link, each once.
func (t PlannedTree) names() []string {
	if !t.Visible {
		return nil
	}
	var names []string
	for _, f := range t.Files {
		name, _, _ := strings.Cut(f.Dest, "/")
		names = append(names, name)
	}
	return slices.Compact(names)
}

// through is where the visible link of a name leads.
func (t PlannedTree) through(name string) string { return t.Link + "/" + name }

// checkNames finds a name that is taken.
func (s *stagedTree) checkNames() error {
	for _, name := range s.names() {
		if _, err := s.root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if target, err := s.root.Readlink(name); err != nil || target != s.through(name) {
			return &takenError{name}
		}
	}
	return nil
}

// writeVersion fills the version. The directories get their mode at the end:
// it may be one in which not even we can write.
func (s *stagedTree) writeVersion() error {
	root, err := s.root.OpenRoot(s.version)
	if err != nil {
		return err
	}
	defer root.Close()
	dirs := []string{"."}
	for _, f := range s.Files {
		if dir := path.Dir(f.Dest); !slices.Contains(dirs, dir) {
			if err := root.MkdirAll(dir, 0o700); err != nil {
				return err
			}
			for ; dir != "."; dir = path.Dir(dir) {
				dirs = append(dirs, dir)
			}
		}
		file, err := create(root, f.Dest)
		if err != nil {
			return err
		}
		if _, err := fill(file, f); err != nil {
			return err
		}
	}
	slices.Sort(dirs)
	for _, dir := range slices.Backward(dirs) { // what is below before it
		if err := root.Chmod(dir, s.Mode); err != nil {
			return err
		}
	}
	return nil
}

// linkNames makes the visible links that are new. They lead nowhere until the
// version is flipped to.
func (s *stagedTree) linkNames() error {
	for _, name := range s.names() {
		switch err := s.root.Symlink(s.through(name), name); {
		case err == nil:
			s.made = append(s.made, name)
		case !errors.Is(err, fs.ErrExist):
			return err
		}
	}
	return s.checkNames() // somebody may have been faster
}

func (s *stagedTree) flip(bool) error {
	if err := s.root.Rename(s.temp, s.Link); err != nil {
		return err
	}
	s.temp, s.flipped = "", true
	return nil
}

// putBack undoes a flip, and tells whether it could.
func (s *stagedTree) putBack() bool {
	if s.before == "" {
		s.flipped = s.root.Remove(s.Link) != nil
		return !s.flipped
	}
	temp := tempName()
	if s.root.Symlink(s.before, temp) != nil {
		return false
	}
	if s.root.Rename(temp, s.Link) != nil {
		_ = s.root.Remove(temp) // it was just made
		return false
	}
	s.flipped = false
	return true
}

// finish removes what is not needed any more: if the flip took place, what the
// version before the last had and links of names that are no more; else all
// that is new. The last version stays until the next one, for readers who are on
// their way to it.
func (s *stagedTree) finish() {
	defer s.root.Close()
	if s.flipped {
		_ = s.clear(func(name string) bool { return name == s.version || name == s.before }, s.names())
		return // what cannot be removed now is tried again the next time
	}
	for _, name := range s.made {
		_ = s.root.Remove(name)
	}
	if s.temp != "" {
		_ = s.root.Remove(s.temp)
	}
	if s.version != "" {
		_ = removeVersion(s.root, s.version)
	}
}

func (s *stagedTree) note(w *Written) {
	w.trees = append(w.trees, writtenTree{s.PlannedTree, s.version})
}

// clear removes versions, links to them that were never renamed, and visible
// links, except those to be kept.
func (s *stagedTree) clear(keep func(version string) bool, names []string) error {
	dir, err := s.root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close() // it was only read
	entries, err := dir.ReadDir(-1)
	var errs []error
	for _, e := range entries {
		name := e.Name()
		target := ""
		if e.Type() == fs.ModeSymlink {
			target, _ = s.root.Readlink(name) // of one that is gone: empty
		}
		switch {
		case e.IsDir() && isVersion(name) && !keep(name):
			errs = append(errs, removeVersion(s.root, name))
		case name != s.Link && isVersion(target), s.Visible && target == s.through(name) && !slices.Contains(names, name):
			errs = append(errs, ignoreGone(s.root.Remove(name)))
		}
	}
	return errors.Join(append(errs, err)...)
}

// removeVersion removes a version, whose directories may be such that not even
// we can write in them.
func removeVersion(root *os.Root, name string) error {
	err := root.RemoveAll(name)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = fs.WalkDir(root.FS(), name, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = root.Chmod(path, 0o700)
		}
		return err
	})
	return root.RemoveAll(name)
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// writtenTree is a directory as one Write left it.
type writtenTree struct {
	PlannedTree
	version string
}

// remove removes all versions, if the newest is still the one that was written.
// If it is not, somebody else manages the directory by now.
func (t writtenTree) remove() error {
	return t.removeIf(func(newest string) bool { return newest == t.version }, func(string) bool { return false })
}

// removeIf removes all versions but those to be kept, and the links, if the
// newest version is the right one. Whatever else is in the directory stays.
func (t PlannedTree) removeIf(right, keep func(version string) bool) error {
	root, err := os.OpenRoot(t.Dest)
	if err != nil {
		return ignoreGone(err)
	}
	defer root.Close()
	s := stagedTree{PlannedTree: t, root: root}
	newest, err := s.current()
	if err != nil || !right(newest) {
		return nil
	}
	err = ignoreGone(root.Remove(t.Link))
	return errors.Join(err, s.clear(keep, nil))
}

// abandoned removes what a run that was killed has left and cannot remove
// itself: what is newer than its beginning.
func (t tree) abandoned(dir string, begun time.Time) error {
	dest := t.dest
	if !filepath.IsAbs(dest) {
		dest = filepath.Join(dir, dest)
	}
	isOlder := func(version string) bool {
		info, err := os.Lstat(filepath.Join(dest, version))
		return err == nil && info.ModTime().Before(begun)
	}
	err := t.outline(dest).removeIf(func(newest string) bool { return newest == "" || !isOlder(newest) }, isOlder)
	if t.private && err == nil {
		_ = syscall.Rmdir(dest) // where something is left in it, it stays
	}
	return err
}

func (t PlannedTree) where() where {
	return where{place: t.Place, dest: t.Dest + "/", dir: t.Dest}
}
