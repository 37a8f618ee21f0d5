package env

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Write writes files so that no reader ever sees one that is torn, missing or
// too widely readable: each is written whole beside its destination, with mode
// and owner set before the content, and then renamed over it. All are complete
// before the first is renamed, so that several flip together, as nearly as
// rename(2) allows.
//
// On an error, which names every file that fails, no new file is left and the
// old ones are as they were. (Where the file system has no hard links, those
// already renamed when a rename fails stay new: they cannot be brought back.)
//
// Missing parent directories are made for the owner alone, mode 0700, the
// owner being the file's. A destination that is a symbolic link is replaced,
// not followed; those in its directory's path are followed.
func Write(files []PlannedFile) (*Written, error) {
	w := &Written{}
	var batch []*staged
	var rep report
	for _, f := range files {
		s, err := w.stage(f)
		if s != nil {
			batch = append(batch, s)
			defer s.parent.Close()
		}
		if err != nil {
			rep.add(writeFinding(f, err))
		}
	}
	if rep.err() == nil {
		if f := flip(batch); f != nil {
			rep.add(f)
		}
	}
	for _, s := range batch {
		s.discard()
	}
	if err := rep.err(); err != nil {
		_ = w.removeDirs()
		return nil, err
	}
	for _, s := range batch {
		w.files = append(w.files, writtenFile{s.Dest, s.info})
	}
	return w, nil
}

// staged is one file that is complete but for its name.
type staged struct {
	PlannedFile
	parent  *os.Root // the directory of Dest, held so that all names mean the same one
	base    string
	temp    string      // in parent; empty when renamed
	backup  string      // in parent, the old file's second name; empty when there is none
	existed bool        // there was an old file
	info    fs.FileInfo // of the new file
}

// tempName cannot be guessed, and cannot be too long, whatever the file's own
// name is.
func tempName() string { return ".vaultexec-" + rand.Text() }

// stage writes the file under a temporary name. Also on an error, what it
// returns has to be discarded and its parent closed, unless it is nil.
func (w *Written) stage(f PlannedFile) (*staged, error) {
	switch info, err := os.Stat(f.Dest); {
	case err != nil: // writing will tell
	case info.IsDir():
		return nil, syscall.EISDIR
	case !info.Mode().IsRegular():
		return nil, errSpecial
	}
	dir, base := filepath.Dir(f.Dest), filepath.Base(f.Dest)
	parent, err := w.openDir(dir, f)
	if err != nil {
		return nil, err
	}
	s := &staged{PlannedFile: f, parent: parent, base: base}
	if _, err := parent.Lstat(base); err == nil {
		s.existed = true
	}
	temp := tempName()
	file, err := create(parent, temp)
	if err != nil {
		return s, err
	}
	s.temp = temp
	s.info, err = fill(file, f)
	return s, err
}

// create makes a file that is not there, O_EXCL, and follows no symbolic link.
// It is for its owner alone until its mode is set: whoever could open it while
// it is empty could read what comes later.
func create(parent *os.Root, name string) (*os.File, error) {
	return parent.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
}

// errOwner tells a refused chown from a directory that may not be written.
var errOwner = errors.New("owner refused")

// fill makes an empty file what it is to be, and closes it.
func fill(file *os.File, f PlannedFile) (fs.FileInfo, error) {
	defer file.Close()
	if err := f.restrict(file); err != nil {
		return nil, err
	}
	if _, err := file.WriteString(f.Content.Text()); err != nil {
		return nil, err
	}
	// Without Sync a crash of the machine after the rename can leave an empty
	// file (on XFS for one), and a full NFS or quota shows only here. On the
	// tmpfs where secrets belong it costs nothing. The directory need not be
	// synced: the old name and the new one both lead to a whole file.
	if err := file.Sync(); err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return info, file.Close()
}

// restrict gives a file its mode and its owner. The mode first: whom the file
// was given to may not be us.
func (f PlannedFile) restrict(file *os.File) error {
	if err := file.Chmod(f.Mode); err != nil {
		return err
	}
	if f.UID == -1 && f.GID == -1 {
		return nil
	}
	if err := file.Chown(f.UID, f.GID); err != nil {
		return errors.Join(errOwner, err)
	}
	return nil
}

// flip renames all files. When one fails, those before it are put back.
func flip(batch []*staged) *Finding {
	for i, s := range batch {
		last := i == len(batch)-1 // nothing can fail after it
		if s.existed && !last {
			if backup := tempName(); s.parent.Link(s.base, backup) == nil {
				s.backup = backup
			}
		}
		if err := s.parent.Rename(s.temp, s.base); err != nil {
			var changed []string
			for _, done := range batch[:i] {
				if !done.putBack() {
					changed = append(changed, done.Dest)
				}
			}
			return writeFinding(s.PlannedFile, err, changed...)
		}
		s.temp = ""
	}
	return nil
}

// putBack undoes a rename, and tells whether it could.
func (s *staged) putBack() bool {
	switch {
	case !s.existed:
		return s.parent.Remove(s.base) == nil
	case s.backup == "" || s.parent.Rename(s.backup, s.base) != nil:
		return false
	}
	s.backup = ""
	return true
}

// discard removes what stands under temporary names.
func (s *staged) discard() {
	for _, name := range []string{s.temp, s.backup} {
		if name != "" {
			_ = s.parent.Remove(name)
		}
	}
}

// openDir opens the directory of a file. It is made where it is missing.
func (w *Written) openDir(dir string, f PlannedFile) (*os.Root, error) {
	if f.Private {
		return w.openPrivate(dir, f.Mode&0o077 != 0 || f.UID != -1 || f.GID != -1)
	}
	if err := w.makeDirs(dir, f.UID, f.GID); err != nil {
		return nil, err
	}
	return os.OpenRoot(dir)
}

// errShared is a directory for our files alone into which others can write.
var errShared = errors.New("not private")

// openPrivate opens a directory that is for our files alone. It is looked at once
// it is open: in a directory that everybody may write, as /dev/shm, somebody
// else may have made it. Where files in it are meant for others, these may pass
// through it.
func (w *Written) openPrivate(dir string, forOthers bool) (*os.Root, error) {
	if err := w.makeDirs(dir, -1, -1); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err == nil {
		mode, owner := info.Mode().Perm(), info.Sys().(*syscall.Stat_t).Uid
		switch {
		case int(owner) != os.Geteuid() || mode&0o022 != 0:
			err = errShared
		case forOthers && mode&0o011 != 0o011:
			err = root.Chmod(".", mode|0o011)
		}
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// makeDirs makes a directory and those above it, as far as they are missing.
func (w *Written) makeDirs(dir string, uid, gid int) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return syscall.ENOTDIR
	case err == nil || !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if _, err := os.Lstat(dir); err == nil {
		return errDangling
	}
	if err := w.makeDirs(filepath.Dir(dir), uid, gid); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil // somebody was faster; opening it tells whether it will do
		}
		return err
	}
	w.dirs = append(w.dirs, dir)
	if uid != -1 || gid != -1 {
		if err := os.Lchown(dir, uid, gid); err != nil {
			return errors.Join(errOwner, err)
		}
	}
	return nil
}

// Written is what one Write made.
type Written struct {
	files []writtenFile
	dirs  []string // made by this Write, parents first
}

type writtenFile struct {
	dest string
	info fs.FileInfo
}

// Remove removes the files that are still the ones that were written, and the
// directories made for them, where they are empty. It may be called again.
// After several Writes of one plan, remove the newest first: the directories
// belong to the first.
func (w *Written) Remove() error {
	var rep report
	for _, f := range w.files {
		info, err := os.Lstat(f.dest)
		// The time too: a file system may give a new file the number of one
		// that the command removed.
		if err == nil && os.SameFile(info, f.info) && info.ModTime().Equal(f.info.ModTime()) {
			err = os.Remove(f.dest)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			rep.add(removeFinding(f.dest, err))
		}
	}
	for _, f := range w.removeDirs() {
		rep.add(f)
	}
	return rep.err()
}

// removeDirs leaves a directory in which others have put something.
func (w *Written) removeDirs() Findings {
	var findings Findings
	for _, dir := range slices.Backward(w.dirs) {
		// Not os.Remove, which would unlink a file that took the place.
		switch err := syscall.Rmdir(dir); err {
		case nil, syscall.ENOTEMPTY, syscall.EEXIST, syscall.ENOENT, syscall.ENOTDIR:
		default:
			findings = append(findings, removeFinding(dir, err))
		}
	}
	return findings
}

// RemoveAbandoned removes the files of a run that was killed and cannot remove
// them itself: what stands at a destination, relative to dir, has the mode of
// the file that belongs there and was written after the run had begun. The
// directories stay.
func (p *Planner) RemoveAbandoned(dir string, begun time.Time) error {
	begun = begun.Add(-clockGrain)
	var rep report
	files := slices.Clone(p.files)
	for _, f := range p.pointed {
		if f.number == 0 {
			files = append(files, f.file)
		}
	}
	for _, f := range files {
		dest := f.dest
		if !filepath.IsAbs(dest) {
			dest = filepath.Join(dir, dest)
		}
		info, err := os.Lstat(dest)
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != f.mode || info.ModTime().Before(begun) {
			continue
		}
		if err := os.Remove(dest); err != nil && !errors.Is(err, fs.ErrNotExist) {
			rep.add(removeFinding(dest, err))
		}
	}
	return rep.err()
}

// clockGrain is more than the kernel's timestamps of files are behind.
const clockGrain = 20 * time.Millisecond
