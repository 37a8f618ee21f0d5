package env

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// PlannedFile is one file to write.
type PlannedFile struct {
	Dest    string       // cleaned; a relative one is relative to the working directory
	Content secret.Value // text: Content.Text() is the bytes
	Mode    fs.FileMode  // permission bits only
	UID     int          // -1 leaves it as it comes
	GID     int          // -1 leaves it as it comes
	Place   string       // where it is asked for, for messages
	Private bool         // its directory is for vaultexec's files alone

	// Of template blocks, which the agent reads too.
	Lasting    bool        // a file that is there keeps its mode
	KeepsOwner bool        // and, as far as possible, what UID and GID do not say of its owner
	DirMode    fs.FileMode // of directories made for it; 0: 0700
	NoDirs     bool        // none is made
	Backup     bool        // the old file stays beside it, as DEST.bak
	Commands   []Command   // run when the file has changed
}

// Command is a command that is run when a file has changed.
type Command struct {
	Args    []string
	Timeout time.Duration
	Place   string // where it is asked for, for messages
}

// defaultMode lets nobody but the owner read a secret, and nobody write it.
const defaultMode fs.FileMode = 0o400

// file is a --file, or another file, that has been checked.
type file struct {
	place    string // for messages
	dest     string
	private  bool // see PlannedFile
	alone    bool // of a directory: one file, not one for each key
	ref      ref.Ref
	format   format
	mode     fs.FileMode
	uid, gid int
}

// readFiles checks every --file.
func readFiles(s *Sources, taken destinations, rep *report) []file {
	var files []file
	for _, spec := range s.Files {
		if isDirectory(spec.Dest) {
			continue // readTrees' business
		}
		f, errs := readFile(spec)
		if f.check(s, errs, rep); len(errs) > 0 {
			continue
		}
		if taken.output(f.dest, cmp.Or(spec.Place, f.place+"="+f.ref.String()), rep) {
			files = append(files, f)
		}
	}
	return files
}

func readFile(spec File) (f file, errs []error) {
	f = file{place: cmp.Or(spec.Place, "--file "+spec.Dest), dest: filepath.Clean(spec.Dest), ref: spec.Ref, mode: defaultMode, uid: -1, gid: -1}
	check := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	check(checkDest(spec.Dest))
	var err error
	f.format, err = chooseFormat(f.dest, f.ref)
	check(err)
	if f.format.nests && f.ref.PathNames {
		check(fmt.Errorf("names=path has no meaning in %s, where the secrets are nested by their paths: remove it", f.format.name))
	}
	return f, append(errs, f.setAccess()...)
}

// setAccess takes mode and owner from the reference.
func (f *file) setAccess() (errs []error) {
	var err error
	if f.ref.Mode != "" {
		if f.mode, err = parseMode(f.ref.Mode); err != nil {
			errs = append(errs, err)
		}
	}
	if f.ref.Owner != "" {
		if f.uid, f.gid, err = parseOwner(f.ref.Owner); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// check reports what is wrong with a file, errs before all.
func (f file) check(s *Sources, errs []error, rep *report) {
	for _, err := range errs {
		rep.addf(ClassConfig, "%s: %v", f.place, err)
	}
	checkKey(f.place, f.ref, rep)
	if n := s.naming(f.ref); len(errs) == 0 && f.format.variables && n.spoils() {
		rep.addf(ClassConfig, "%s: prefix %q cannot begin a variable's name: a name is letters, digits and _, and begins with no digit", f.place, n.prefix)
	}
}

func checkDest(dest string) error {
	switch {
	case dest == "":
		return errors.New("the destination is empty")
	case strings.Contains(dest, "\x00"):
		return errors.New("the destination has a NUL byte in it")
	case !isDirectory(dest) && (filepath.Base(dest) == "." || filepath.Base(dest) == ".."):
		return errors.New("the destination is a directory: name a file in it, or end it in a slash for a file for each key")
	}
	return nil
}

func parseMode(text string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(text, 8, 32)
	switch {
	case err != nil:
		return 0, fmt.Errorf("mode=%s is no octal number, as in mode=0440", text)
	case n > 0o777:
		return 0, fmt.Errorf("mode=%s has more than permission bits: it is at most 0777", text)
	case n&0o002 != 0:
		return 0, fmt.Errorf("mode=%s lets everybody write the file: take the last 2 off", text)
	}
	return fs.FileMode(n), nil
}

// parseOwner reads USER[:GROUP] or :GROUP; -1 stands for the one not given.
func parseOwner(text string) (uid, gid int, err error) {
	name, group, hasGroup := strings.Cut(text, ":")
	if name == "" && group == "" || hasGroup && group == "" {
		return 0, 0, fmt.Errorf("owner=%s is not USER, USER:GROUP or :GROUP", text)
	}
	uid, gid = -1, -1
	if name != "" {
		uid, err = parseID(name, "user", func() (string, error) {
			u, err := user.Lookup(name)
			if err != nil {
				return "", err
			}
			return u.Uid, nil
		})
	}
	if hasGroup && err == nil {
		gid, err = parseID(group, "group", func() (string, error) {
			g, err := user.LookupGroup(group)
			if err != nil {
				return "", err
			}
			return g.Gid, nil
		})
	}
	if err != nil {
		return 0, 0, fmt.Errorf("owner=%s: %v", text, err)
	}
	return uid, gid, nil
}

// parseID takes a number as it is, like chown(1), also one without a name.
func parseID(text, kind string, find func() (string, error)) (int, error) {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		if n >= math.MaxUint32 { // (uid_t)-1 means no change, chown(2)
			return 0, fmt.Errorf("%s %s is too large", kind, text)
		}
		return int(n), nil
	}
	id, err := find()
	if err != nil {
		return 0, fmt.Errorf("there is no %s %q here: use a name of this system (the container's own, if in one) or a number", kind, text)
	}
	return strconv.Atoi(id)
}

// plan makes the file's content. ok is false where there is no file to write:
// its reference is optional and missing, or a finding has been reported.
func (f file) plan(s *Sources, l lookup) (_ PlannedFile, ok bool) {
	var text string
	var err error
	if f.format.encode == nil { // raw
		value, found := l.value(f.place, f.ref)
		if !found {
			return PlannedFile{}, false
		}
		text = value.Text()
	} else {
		content, found := f.content(f.place, s, l)
		if !found {
			return PlannedFile{}, false
		}
		if text, err = f.format.encode(content); err != nil {
			l.report.addf(ClassNotRepresentable, "%s: %v", f.place, err)
			return PlannedFile{}, false
		}
	}
	return PlannedFile{Dest: f.dest, Content: secret.Of(text), Mode: f.mode, UID: f.uid, GID: f.gid, Place: f.place, Private: f.private}, true
}

// content names the fields as the format wants it; ok is false where there are
// none or a finding has been reported.
func (f file) content(place string, s *Sources, l lookup) (_ content, ok bool) {
	if f.ref.Below {
		return f.contentBelow(place, s, l)
	}
	fields, ok := l.fields(place, f.ref)
	if !ok {
		return content{}, false
	}
	before := len(l.report.findings)
	var list []named
	if f.format.variables {
		list = asVariables(place, f.ref, rename(place, fields, s.naming(f.ref), l.report), l.report)
		checkReserved(place, list, l.report)
	} else {
		list = rename(place, fields, ownNaming(f.ref), l.report)
	}
	return content{list, f.ref.IsOne()}, len(l.report.findings) == before
}

func checkReserved(place string, list []named, rep *report) {
	for _, v := range list {
		if isReserved(v.name) {
			rep.addf(ClassConfig, "%s: %s decides which programs or libraries run, so no secret sets it by itself: leave it out with except=", place, v.name)
		}
	}
}
