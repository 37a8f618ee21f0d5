package env

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"vaultexec/internal/ref"
)

// PlannedTree is a directory of files that all change at once: they are in a
// directory of their own, a version, to which a symbolic link leads that is
// replaced by rename(2). So do the volumes of Kubernetes (AtomicWriter in its
// pkg/volume/util), and a reader of one of those can read one of these.
type PlannedTree struct {
	Dest    string        // the directory, cleaned; a relative one is relative to the working directory
	Link    string        // name in it of the link that leads to the newest version
	Visible bool          // each name in a version has a link beside Link, which leads through it
	Files   []PlannedFile // by Dest, which is relative to a version
	Mode    fs.FileMode   // of a version and the directories in it
	UID     int           // owner of Dest if that has to be made; -1: as it comes
	GID     int           // likewise
	Place   string        // where it is asked for, for messages
	Private bool          // Dest is for vaultexec's files alone
}

// dataLink is the name that kubelet gives its link.
const dataLink = "..data"

func (t PlannedTree) same(other PlannedTree) bool {
	return t.Dest == other.Dest && t.Link == other.Link && t.Mode == other.Mode && slices.EqualFunc(t.Files, other.Files, PlannedFile.same)
}

// tree is the directory of one --file DIR/=REF or of several, or that of all
// --credentials.
type tree struct {
	dest    string
	parts   []file // in the order of the settings
	private bool   // see PlannedTree
}

// isDirectory tells whether the DEST of a --file is a directory.
func isDirectory(dest string) bool { return strings.HasSuffix(dest, "/") }

// readTrees checks every --file that is a directory.
func readTrees(s *Sources, rep *report) []tree {
	var trees []tree
	for _, spec := range s.Files {
		if !isDirectory(spec.Dest) {
			continue
		}
		f, errs := readPart("--file "+spec.Dest, filepath.Clean(spec.Dest), spec.Ref)
		if f.check(s, errs, rep); len(errs) > 0 {
			continue
		}
		i := slices.IndexFunc(trees, func(t tree) bool { return absolute(t.dest) == absolute(f.dest) })
		if i < 0 {
			i, trees = len(trees), append(trees, tree{dest: f.dest})
		}
		if same := slices.IndexFunc(trees[i].parts, func(p file) bool { return p.ref.String() == f.ref.String() }); same >= 0 {
			rep.addf(ClassConflict, "%s is given twice with %s: remove one", f.place, f.ref)
			continue
		}
		trees[i].parts = append(trees[i].parts, f)
	}
	return trees
}

// readPart checks what fills a directory: each field is a file as it is.
func readPart(place, dest string, r ref.Ref) (f file, errs []error) {
	f = file{place: place, dest: dest, ref: r, format: formats[0], mode: defaultMode, uid: -1, gid: -1}
	if dest == "/" {
		errs = append(errs, errors.New("the root directory is no place for secrets: name a directory in it"))
	}
	if r.Template != "" {
		errs = append(errs, errors.New("a template in place of the key gives no file's name: name a file"))
	}
	if r.PathNames {
		errs = append(errs, errors.New("names=path has no meaning in a directory, where the secrets of PATH/* are directories: remove it"))
	}
	if r.Format != "" && r.Format != formats[0].name {
		errs = append(errs, fmt.Errorf("format=%s is for one file, and a directory has one for each key: name a file, or remove format=", r.Format))
	}
	return f, append(errs, f.setAccess()...)
}

// planTrees plans every directory. What its keys name in it must be nobody else's:
// only now are there the keys, and the other files.
func (p *Planner) planTrees(l lookup, plan *Plan) {
	taken := destinations{}
	for _, f := range plan.Files {
		taken.claim(absolute(f.Dest), f.Place) // NewPlanner has reported what clashes
	}
	for _, t := range p.trees {
		planned, ok := t.plan(&p.sources, l)
		if !ok {
			continue
		}
		plan.Trees = append(plan.Trees, planned)
		first := ""
		for _, inside := range planned.Files {
			name, _, _ := strings.Cut(inside.Dest, "/") // the links are at the top
			if name == first {
				continue // they are sorted
			}
			first = name
			if other, clash := taken.claim(filepath.Join(absolute(planned.Dest), name), planned.Place); clash != "" {
				l.report.addf(ClassConflict, "%s and %s both write %s: leave the key out with except=, or choose another place", other, planned.Place, clash)
			}
		}
	}
}

// plan makes the files of a directory. ok is false where there is nothing to
// write: all is optional and missing, or a finding has been reported.
func (t tree) plan(s *Sources, l lookup) (_ PlannedTree, ok bool) {
	before := len(l.report.findings)
	planned := t.outline(t.dest)
	taken := destinations{} // below the directory, by references
	for _, part := range t.parts {
		files, found := part.each(s, l)
		ok = ok || found
		for _, f := range files {
			if other, clash := taken.claim(f.Dest, part.ref.String()); clash != "" {
				l.report.addf(ClassConflict, "%s: %s comes from %s and %s from %s: leave one out with except=, or rename it with prefix=", part.place, clash, other, f.Dest, part.ref)
				continue
			}
			planned.Files = append(planned.Files, f)
		}
	}
	slices.SortFunc(planned.Files, func(a, b PlannedFile) int { return strings.Compare(a.Dest, b.Dest) })
	return planned, ok && len(l.report.findings) == before
}

// outline is the directory without its files.
func (t tree) outline(dest string) PlannedTree {
	first := t.parts[0]
	return PlannedTree{Dest: dest, Link: dataLink, Visible: true, Mode: 0o755, Place: first.place, UID: first.uid, GID: first.gid, Private: t.private}
}

// each makes a file of each field that is not null; those of PATH/* are in
// directories after the secrets.
func (f file) each(s *Sources, l lookup) (files []PlannedFile, found bool) {
	if f.alone {
		planned, ok := f.plan(s, l)
		if !ok {
			return nil, false
		}
		return []PlannedFile{planned}, true
	}
	members, found := l.each(f.place, f.ref)
	for _, m := range members {
		for _, n := range rename(m.place, m.fields, ownNaming(m.ref), l.report) {
			if n.value.IsNull() {
				continue
			}
			if err := checkFileName(n.name); err != nil {
				l.report.addf(ClassNotRepresentable, "%s: the field %q gives no file's name, %v: leave it out with except=, or write it with --file DEST=%s#%s", m.place, n.field, err, ref.Escape(m.ref.Path), ref.Escape(n.field))
				continue
			}
			if err := checkDirectories(m.name); err != nil {
				l.report.addf(ClassNotRepresentable, "%s: its path gives no directory's name, %v: leave it out with except=%s/*, or write it with --file DEST=%s#%s", m.place, err, m.name, ref.Escape(m.ref.Path), ref.Escape(n.field))
				continue
			}
			files = append(files, PlannedFile{Dest: filepath.Join(m.name, n.name), Content: n.value, Mode: f.mode, UID: f.uid, GID: f.gid, Place: m.place})
		}
	}
	return files, found
}

// checkDirectories judges the name of a secret below a path, which is that of a
// directory.
func checkDirectories(name string) error {
	if name == "" {
		return nil // the one secret: its files are at the top
	}
	for element := range strings.SplitSeq(name, "/") {
		if err := checkFileName(element); err != nil {
			return err
		}
	}
	return nil
}

// checkFileName judges a name in a directory. Two dots at its beginning are kept
// for what manages the directory, as in the volumes of Kubernetes.
func checkFileName(name string) error {
	switch {
	case name == "":
		return errors.New("it is empty")
	case name == "." || strings.HasPrefix(name, ".."):
		return errors.New("it is a dot or begins with two")
	case strings.ContainsAny(name, "/\x00"):
		return errors.New("it has a slash or a NUL byte in it")
	case len(name) > 255: // NAME_MAX of every file system that matters
		return errors.New("it is longer than 255 bytes")
	}
	return nil
}
