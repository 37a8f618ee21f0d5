package env

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// stagedFile is one file that is complete but for its name.
type stagedFile struct {
	PlannedFile
	parent  *os.Root // the directory of Dest, held so that all names mean the same one
	base    string
	temp    string      // in parent; empty when renamed
	backup  string      // in parent, the old file's second name; empty when there is none
	existed bool        // there was an old file
	changed bool        // it was another one
	flipped bool        // the new file has the name
	info    fs.FileInfo // of the new file
}

// tempName cannot be guessed, and cannot be too long, whatever the file's own
// name is.
func tempName() string { return ".vaultexec-" + rand.Text() }

// stageFile writes the file under a temporary name. Also on an error, what it
// returns has to be finished, unless it is nil.
func (w *Written) stageFile(f PlannedFile) (*stagedFile, error) {
	old, err := os.Stat(f.Dest)
	switch {
	case err != nil: // writing will tell
	case old.IsDir():
		return nil, syscall.EISDIR
	case !old.Mode().IsRegular():
		return nil, errSpecial
	}
	dir, base := filepath.Dir(f.Dest), filepath.Base(f.Dest)
	parent, err := w.openDir(dir, f)
	if err != nil {
		return nil, err
	}
	s := &stagedFile{PlannedFile: f, parent: parent, base: base, changed: true}
	if err := w.checkMemory(parent); err != nil {
		return s, err
	}
	if _, err := parent.Lstat(base); err == nil {
		s.existed = true
	}
	if s.existed && old != nil {
		s.compare(old)
	}
	temp := tempName()
	file, err := create(parent, temp)
	if err != nil {
		return s, err
	}
	s.temp = temp
	s.info, err = fill(file, s.PlannedFile)
	return s, err
}

// compare looks at the old file, which gives a block's file its mode and owner.
func (s *stagedFile) compare(old fs.FileInfo) {
	if s.Lasting {
		s.Mode = old.Mode().Perm()
	}
	// Who may not give files away leaves the owner as it comes, as the agent does.
	if s.KeepsOwner && os.Geteuid() == 0 {
		stat := old.Sys().(*syscall.Stat_t)
		if s.UID == -1 {
			s.UID = int(stat.Uid)
		}
		if s.GID == -1 {
			s.GID = int(stat.Gid)
		}
	}
	if !s.Backup && len(s.Commands) == 0 || old.Mode().Perm() != s.Mode || old.Size() != int64(len(s.Content.Text())) {
		return
	}
	content, err := s.parent.ReadFile(s.base)
	s.changed = err != nil || string(content) != s.Content.Text()
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

// restrict gives a file its mode and its owner. In this order, because who is in
// our own group may not be meant, and because we may not change the mode of a
// file that is not ours any more.
func (f PlannedFile) restrict(file *os.File) error {
	if f.GID != -1 {
		if err := file.Chown(-1, f.GID); err != nil {
			return errors.Join(errOwner, err)
		}
	}
	if err := file.Chmod(f.Mode); err != nil {
		return err
	}
	if f.UID != -1 {
		if err := file.Chown(f.UID, -1); err != nil {
			return errors.Join(errOwner, err)
		}
	}
	return nil
}

// forOthers tells whether somebody else than us is to read the file.
func (f PlannedFile) forOthers() bool { return f.Mode&0o077 != 0 || f.UID != -1 || f.GID != -1 }

func (s *stagedFile) flip(last bool) error {
	keep := s.Backup && s.changed
	if s.existed && (keep || !last) { // nothing can fail after the last
		backup := tempName()
		switch err := s.parent.Link(s.base, backup); {
		case err == nil:
			s.backup = backup
		case keep:
			return err
		}
	}
	if err := s.parent.Rename(s.temp, s.base); err != nil {
		return err
	}
	s.temp, s.flipped = "", true
	return nil
}

// backupSuffix is what the agent calls a backup.
const backupSuffix = ".bak"

// putBack undoes a rename, and tells whether it could.
func (s *stagedFile) putBack() bool {
	switch {
	case !s.existed:
		return s.parent.Remove(s.base) == nil
	case s.backup == "" || s.parent.Rename(s.backup, s.base) != nil:
		return false
	}
	s.backup, s.flipped = "", false
	return true
}

// finish keeps the old file where that is wanted, and removes what stands under
// temporary names.
func (s *stagedFile) finish() {
	if s.flipped && s.Backup && s.changed && s.backup != "" && s.parent.Rename(s.backup, s.base+backupSuffix) == nil {
		// Two names of one file are left as they are by rename(2).
		_ = s.parent.Remove(s.backup)
		s.backup = ""
	}
	for _, name := range []string{s.temp, s.backup} {
		if name != "" {
			_ = s.parent.Remove(name)
		}
	}
	s.parent.Close()
}

func (s *stagedFile) note(w *Written) {
	w.files = append(w.files, writtenFile{s.Dest, s.info, s.Backup})
	if !s.changed {
		return
	}
	for _, c := range s.Commands {
		if !slices.ContainsFunc(w.commands, func(o Command) bool { return slices.Equal(o.Args, c.Args) }) {
			w.commands = append(w.commands, c)
		}
	}
}

func (f PlannedFile) where() where {
	w := where{f.Place, f.Dest, filepath.Dir(f.Dest), ""}
	if f.Private {
		w.hint = ", or use --fd-env, which needs no directory"
	}
	return w
}
