package from

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
	"vaultexec/internal/smallfile"
)

// Limits that no secret comes near, against a path that is a slip: a Secret of
// Kubernetes has 1 MiB at most, all its keys together.
const (
	maxFileSize  = 1 << 20
	maxTotalSize = 16 << 20
	maxFiles     = 1000
	maxDepth     = 8 // of directories in directories, and against links that lead back
)

// place is a file or a directory that is read.
type place struct {
	source   ref.Source
	refs     []ref.Ref // that name it
	whole    bool      // it is a directory of systemd's credentials
	optional bool      // no reference insists

	// What was taken last; nil: nothing was.
	fields secret.Fields
	files  map[string]content // name below the place -> what is in it
}

// content is what one file has.
type content struct {
	format Format // how it was read
	fields secret.Fields
	guess  secret.Value // the text in which no format was recognized; null: one was, or was named
}

// formatFor is that of what a file has by now. Raw may have been taken for want
// of the rest of the first line: it is left open while the text only grows.
func (c content) formatFor(text string) Format {
	if !c.guess.IsNull() && strings.HasPrefix(text, c.guess.Text()) {
		return Auto
	}
	return c.format
}

// reading is what a place had at a moment; without fields it had nothing.
type reading struct {
	fields  secret.Fields
	files   map[string]content
	dirs    []string  // that were read, but for versions of a volume
	trouble *Error    // with a file whose last values these are
	written time.Time // when any of the files was, but for versions of a volume
}

func (r reading) same(other reading) bool {
	return (r.fields == nil) == (other.fields == nil) && r.fields.Same(other.fields)
}

// take makes a reading the newest. Its formats stay: another value must not make
// another format of the same file.
func (p *place) take(r reading) { p.fields, p.files = r.fields, r.files }

// read gives what is there now. Once something was taken, a file that cannot be
// read any more does not hold up the others in its directory.
func (p *place) read() (reading, *Error) {
	path := p.source.File
	c := collection{place: p, whole: p.whole, found: map[string]content{}}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return reading{}, p.refused(path, err)
	case info.IsDir():
		if err := c.readDir(path); err != nil {
			return reading{dirs: c.dirs}, err
		}
	case !info.Mode().IsRegular():
		return reading{}, p.wrong(ClassIO, "%s is neither a file nor a directory", ref.Escape(path))
	default:
		name := filepath.Base(path)
		if err := c.bear(name, c.add(path, name, false)); err != nil {
			return reading{}, err
		}
	}
	fields, problem := c.merge()
	if problem == nil {
		problem = p.complete(fields)
	}
	if problem != nil {
		return reading{dirs: c.dirs}, problem
	}
	return reading{fields, c.found, c.dirs, c.trouble, c.written}, nil
}

// complete finds what is still to be waited for.
func (p *place) complete(fields secret.Fields) *Error {
	if len(fields) == 0 {
		return p.wrong(ClassMissing, "%s: there is nothing in it", p.source)
	}
	for _, r := range p.refs {
		missing := r.Misses(func(name string) bool { _, there := fields[name]; return there })
		if len(missing) > 0 && !r.Optional {
			return p.wrong(ClassMissing, "%s: there is no field %q for only=", p.source, missing[0])
		}
	}
	return nil
}

func (p *place) wrong(class, format string, args ...any) *Error {
	return &Error{class: class, text: fmt.Sprintf(format, args...), reference: p.source.String()}
}

// refused is an error of the file system.
func (p *place) refused(path string, err error) *Error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return p.wrong(ClassMissing, "%s: there is no such file or directory", ref.Escape(path))
	}
	class := ClassIO
	if tooLarge := (*smallfile.TooLarge)(nil); errors.As(err, &tooLarge) {
		class = ClassMalformed
	}
	return p.wrong(class, "%v", &smallfile.Error{Path: ref.Escape(path), Err: err})
}

// versionLink is where kubelet and the CSI driver keep the newest version of a
// volume, a directory that they replace as a whole (AtomicWriter of Kubernetes).
const versionLink = "..data"

// collection is what the files of a place have.
type collection struct {
	*place
	whole   bool // each file is one value, and may be empty
	volume  bool // it has versions: they are whole, and names may begin with a dot
	count   int
	size    int
	found   map[string]content // name -> content
	dirs    []string
	trouble *Error
	written time.Time
}

// readDir reads the files of a directory. In a volume with versions, and in a
// directory of systemd's credentials, each file is one value; elsewhere its
// content tells.
func (c *collection) readDir(path string) *Error {
	version, err := filepath.EvalSymlinks(filepath.Join(path, versionLink))
	switch {
	case err == nil:
		c.whole, c.volume = true, true
		return c.walk(version, "", 0)
	case !errors.Is(err, fs.ErrNotExist):
		return c.refused(path, err)
	}
	if err := c.walk(path, "", 0); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.files)) {
		if _, there := c.found[name]; !there {
			gone := c.wrong(ClassMissing, "%s: there is no such file or directory", ref.Escape(filepath.Join(path, name)))
			if err := c.bear(name, gone); err != nil {
				return err
			}
		}
	}
	return nil
}

// bear lives with a file that cannot be read where something was taken before:
// its last values stay, if there are any. What is wrong with a version of a
// volume is wrong with all of it.
func (c *collection) bear(name string, err *Error) *Error {
	if err == nil || c.fields == nil || c.volume {
		return err
	}
	if c.trouble == nil {
		c.trouble = err
	}
	if last, known := c.files[name]; known {
		c.found[name] = last
	}
	return nil
}

// walk adds the files of a directory; name is its own below the place.
func (c *collection) walk(dir, name string, depth int) *Error {
	if !c.volume {
		c.dirs = append(c.dirs, dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return c.refused(dir, err)
	}
	for _, entry := range entries {
		below := filepath.Join(name, entry.Name())
		if c.skips(entry.Name(), below) {
			continue
		}
		if err := c.bear(below, c.enter(filepath.Join(dir, entry.Name()), below, depth)); err != nil {
			return err
		}
	}
	return nil
}

// enter adds a file, or those of a directory.
func (c *collection) enter(path, name string, depth int) *Error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return c.refused(path, err)
	case info.IsDir() && depth == maxDepth:
		return c.wrong(ClassMalformed, "%s: there are more than %d directories in each other, or a link leads back", ref.Escape(path), maxDepth)
	case info.IsDir():
		return c.walk(path, name, depth+1)
	case !info.Mode().IsRegular():
		return c.wrong(ClassIO, "%s is neither a file nor a directory: leave it out with except=%s", ref.Escape(path), ref.Escape(name))
	}
	return c.add(path, name, true)
}

// skips tells whether an entry is none of ours. In a volume with versions those
// are the names that begin with two dots; in other directories hidden files, and
// the names of digits alone under which Vault Agent writes a file before it has
// its name.
func (c *collection) skips(entry, below string) bool {
	if c.volume && strings.HasPrefix(entry, "..") || !c.volume && (entry[0] == '.' || strings.Trim(entry, "0123456789") == "") {
		return true
	}
	for _, r := range c.refs {
		if !ref.Match(r.Except, below) {
			return false
		}
	}
	return true
}

// add reads one file.
func (c *collection) add(file, name string, inDir bool) *Error {
	text, err := c.readFile(file)
	if err != nil {
		return err
	}
	last, known := c.files[name]
	format := cmp.Or(Format(c.source.FileFormat), last.formatFor(text))
	if format == Auto && c.whole {
		format = Raw
	}
	shown := c.source.String()
	if inDir {
		shown = ref.Escape(filepath.Join(c.source.File, name)) // without the directory of a version
	}
	if strings.TrimSpace(text) == "" && !(c.whole && format == Raw) {
		if c.optional && !known {
			return nil
		}
		return c.wrong(ClassMissing, "%s: there is nothing in it", shown)
	}
	fields, used, err := Parse(shown, format, text)
	switch {
	case err != nil:
		err.reference = c.source.String()
		return err
	case used == Raw && format == Auto && !inDir:
		return c.wrong(ClassMalformed, "%s:1: this is in no format that is known by its content: say ?format=%s behind the path, or format=raw to make one variable %s of it",
			shown, strings.Join(Formats()[:len(Formats())-1], ", "), name)
	case used == Raw:
		fields = secret.Fields{name: rawValue(text)}
	}
	read := content{format: used, fields: fields}
	if used == Raw && format == Auto {
		read.guess = secret.Of(text)
	}
	c.found[name] = read
	return nil
}

// merge puts the fields of all files together.
func (c *collection) merge() (secret.Fields, *Error) {
	fields, origins := secret.Fields{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.found)) {
		for _, field := range slices.Sorted(maps.Keys(c.found[name].fields)) {
			if other, twice := origins[field]; twice {
				return nil, c.wrong(ClassMalformed, "%s: the field %q is in %s and in %s: leave one of the files out with except=, or name the files one by one with --from", c.source, field, other, name)
			}
			origins[field], fields[field] = name, c.found[name].fields[field]
		}
	}
	return fields, nil
}

// readFile reads what is at most as large as secrets are.
func (c *collection) readFile(file string) (string, *Error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe that has taken its place must not hold us up
	if err != nil {
		return "", c.refused(file, err)
	}
	defer f.Close()
	text, err := smallfile.ReadFrom(f, maxFileSize)
	if err != nil {
		return "", c.refused(file, err)
	}
	if info, err := f.Stat(); err == nil && !c.volume && info.ModTime().After(c.written) { // after the text: it is not older than that
		c.written = info.ModTime()
	}
	c.count++
	c.size += len(text)
	if c.count > maxFiles || c.size > maxTotalSize {
		return "", c.wrong(ClassMalformed, "%s has more than the %d files and %d bytes that can be read of one directory: name the files one by one with --from", c.source, maxFiles, maxTotalSize)
	}
	return text, nil
}
