package env

import (
	"cmp"
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
// and owner set before the content, and then renamed over it. So are the links
// that lead to the newest version of a directory. All are complete before the
// first is renamed, so that several flip together, as nearly as rename(2) allows.
//
// On an error, which names every file that fails, no new file is left and the
// old ones are as they were. (Where the file system has no hard links, those
// already renamed when a rename fails stay new: they cannot be brought back.)
//
// Missing parent directories are made for us alone, mode 0700, or 0711 where a file
// is for others. A destination that is a symbolic link is replaced, not followed;
// those in its directory's path are followed, but none of another user's where we
// are root and write for somebody else.
func Write(o Output) (*Written, error) {
	w := &Written{inMemory: o.InMemory}
	var batch []staged
	var rep report
	for _, f := range o.Files {
		s, err := w.stageFile(f)
		if s != nil {
			batch = append(batch, s)
		}
		if err != nil {
			rep.add(f.where().finding(err))
		}
	}
	for _, t := range o.Trees {
		s, err := w.stageTree(t)
		if s != nil {
			batch = append(batch, s)
		}
		if err != nil {
			rep.add(t.where().finding(err))
		}
	}
	if rep.err() == nil {
		if f := flip(batch); f != nil {
			rep.add(f)
		}
	}
	for _, s := range batch {
		s.finish()
	}
	if err := rep.err(); err != nil {
		_ = w.removeDirs()
		return nil, err
	}
	for _, s := range batch {
		s.note(w)
	}
	return w, nil
}

// staged is something that is complete but for its name.
type staged interface {
	flip(last bool) error // last: nothing is flipped after it
	putBack() bool        // undoes a flip, and tells whether it could
	finish()              // removes what stands under temporary names, whatever came of it
	where() where
	note(w *Written) // that it was flipped
}

// flip renames all of it. When one fails, those before it are put back.
func flip(batch []staged) *Finding {
	for i, s := range batch {
		err := s.flip(i == len(batch)-1)
		if err == nil {
			continue
		}
		var changed []string
		for _, done := range batch[:i] {
			if !done.putBack() {
				changed = append(changed, done.where().dest)
			}
		}
		return s.where().finding(err, changed...)
	}
	return nil
}

// openDir opens the directory of a file. It is made where it is missing.
func (w *Written) openDir(dir string, f PlannedFile) (*os.Root, error) {
	if f.Private {
		return w.openPrivate(dir, passing(f.forOthers()))
	}
	if f.NoDirs {
		root, err := os.OpenRoot(dir)
		if errors.Is(err, fs.ErrNotExist) {
			err = errNoDir
		}
		return root, err
	}
	return w.makeAndOpen(dir, cmp.Or(f.DirMode, dirMode|passing(f.forOthers())), f.UID)
}

// makeAndOpen makes a directory where it is missing. Another vaultexec, at its end,
// may take it away again at that moment, when it is empty.
func (w *Written) makeAndOpen(dir string, mode fs.FileMode, uid int) (root *os.Root, err error) {
	for range 3 {
		if err := w.makeDirs(dir, mode); err != nil {
			return nil, err
		}
		if root, err = openFor(dir, uid); !errors.Is(err, fs.ErrNotExist) {
			return root, err
		}
	}
	return nil, err
}

// passing is the mode with which a directory lets those pass whom its files are
// for, and show them nothing else.
func passing(forOthers bool) fs.FileMode {
	if forOthers {
		return 0o011
	}
	return 0
}

// errShared is a directory for our files alone into which others can write.
var errShared = errors.New("not private")

// openPrivate opens a directory that is for our files alone. It is looked at once
// it is open: in a directory that everybody may write, as /dev/shm, somebody
// else may have made it. others is what those may do in it whom its files are for.
func (w *Written) openPrivate(dir string, others fs.FileMode) (*os.Root, error) {
	if err := w.makeDirs(dir, dirMode|others&passing(true)); err != nil {
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
		case mode&others != others:
			err = root.Chmod(".", mode|others)
		}
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// dirMode is that of directories that are made, where nothing else is said.
const dirMode fs.FileMode = 0o700

// makeDirs makes a directory and those above it, as far as they are missing. They
// are ours, whoever the files are for: who owns a directory can put something else
// in its place, in which we would write as who we are.
func (w *Written) makeDirs(dir string, mode fs.FileMode) error {
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
	if err := w.makeDirs(filepath.Dir(dir), mode); err != nil {
		return err
	}
	if err := os.Mkdir(dir, mode); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil // somebody was faster; opening it tells whether it will do
		}
		return err
	}
	w.dirs = append(w.dirs, dir)
	return nil
}

// Written is what one Write made.
type Written struct {
	files []writtenFile
	trees []writtenTree
	dirs  []string // made by this Write, parents first

	inMemory bool      // see Output
	commands []Command // of files that have changed
}

type writtenFile struct {
	dest   string
	info   fs.FileInfo
	backup bool // the one that comes after it keeps it as a backup
}

// Commands are those of the files that have changed, in the order of the files,
// each once.
func (w *Written) Commands() []Command { return w.commands }

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
	for _, t := range w.trees {
		if err := t.remove(); err != nil {
			rep.add(removeFinding(t.Dest, err))
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
	for _, f := range p.places() {
		dest := f.Dest
		if !filepath.IsAbs(dest) {
			dest = filepath.Join(dir, dest)
		}
		info, err := os.Lstat(dest)
		if err != nil || !info.Mode().IsRegular() || !f.Lasting && info.Mode().Perm() != f.Mode || info.ModTime().Before(begun) {
			continue
		}
		if err := os.Remove(dest); err != nil && !errors.Is(err, fs.ErrNotExist) {
			rep.add(removeFinding(dest, err))
		}
	}
	for _, t := range slices.Concat(p.trees, p.credentials) {
		if err := t.abandoned(dir, begun); err != nil {
			rep.add(removeFinding(t.dest, err))
		}
	}
	return rep.err()
}

// places are the files that a plan may have, without their content.
func (p *Planner) places() []PlannedFile {
	var files []PlannedFile
	for _, f := range p.files {
		files = append(files, PlannedFile{Dest: f.dest, Mode: f.mode})
	}
	for _, f := range p.pointed {
		if f.number == 0 {
			files = append(files, PlannedFile{Dest: f.file.dest, Mode: f.file.mode})
		}
	}
	for _, r := range p.templates {
		if r.Dest != "" {
			files = append(files, r.file)
		}
		if r.file.Backup { // one of the user's is older than the run
			backup := r.file
			backup.Dest += backupSuffix
			files = append(files, backup)
		}
	}
	return files
}

// clockGrain is more than the kernel's timestamps of files are behind.
const clockGrain = 20 * time.Millisecond
