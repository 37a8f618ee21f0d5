package from

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
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
	refs     []ref.Ref         // that name it
	whole    bool              // it is a directory of systemd's credentials
	optional bool              // no reference insists
	formats  map[string]Format // file -> what it turned out to be when it was first taken
}

// reading is what a place had at a moment; without fields it had nothing.
type reading struct {
	fields  secret.Fields
	formats map[string]Format // file -> how it was read
}

func (r reading) same(other reading) bool {
	return (r.fields == nil) == (other.fields == nil) && r.fields.Same(other.fields)
}

// take settles the formats: another value must not make another format of the
// same file.
func (p *place) take(r reading) { maps.Copy(p.formats, r.formats) }

// read gives what is there now.
func (p *place) read() (reading, *Error) {
	path := p.source.File
	c := collection{place: p, whole: p.whole, fields: secret.Fields{}, origins: map[string]string{}, used: map[string]Format{}}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return reading{}, p.refused(path, err)
	case info.IsDir():
		if err := c.readDir(path); err != nil {
			return reading{}, err
		}
	case !info.Mode().IsRegular():
		return reading{}, p.wrong(ClassIO, "%s is neither a file nor a directory", ref.Escape(path))
	default:
		if err := c.add(path, filepath.Base(path), false); err != nil {
			return reading{}, err
		}
	}
	if err := p.complete(c.fields); err != nil {
		return reading{}, err
	}
	return reading{c.fields, c.used}, nil
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
	var failed *fs.PathError
	if errors.As(err, &failed) {
		err = failed.Err // it has the path once more
	}
	return p.wrong(ClassIO, "%s cannot be read: %v", ref.Escape(path), err)
}

// versionLink is where kubelet and the CSI driver keep the newest version of a
// volume, a directory that they replace as a whole (AtomicWriter of Kubernetes).
const versionLink = "..data"

// collection is what the files of a place have, put together.
type collection struct {
	*place
	whole   bool // each file is one value, and may be empty
	hidden  bool // names may begin with a dot
	files   int
	size    int
	fields  secret.Fields
	origins map[string]string // field -> the file that it is from
	used    map[string]Format // file -> format
}

// readDir reads the files of a directory. In a volume with versions, and in a
// directory of systemd's credentials, each file is one value; elsewhere its
// content tells.
func (c *collection) readDir(path string) *Error {
	version, err := filepath.EvalSymlinks(filepath.Join(path, versionLink))
	switch {
	case err == nil:
		c.whole, c.hidden = true, true
		path = version
	case !errors.Is(err, fs.ErrNotExist):
		return c.refused(path, err)
	}
	return c.walk(path, "", 0)
}

// walk adds the files of a directory; name is its own below the place.
func (c *collection) walk(dir, name string, depth int) *Error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return c.refused(dir, err)
	}
	for _, entry := range entries {
		below := filepath.Join(name, entry.Name())
		if c.skips(entry.Name(), below) {
			continue
		}
		file := filepath.Join(dir, entry.Name())
		info, err := os.Stat(file)
		switch {
		case err != nil:
			return c.refused(file, err)
		case info.IsDir() && depth == maxDepth:
			return c.wrong(ClassMalformed, "%s: there are more than %d directories in each other, or a link leads back", ref.Escape(file), maxDepth)
		case info.IsDir():
			if err := c.walk(file, below, depth+1); err != nil {
				return err
			}
		case !info.Mode().IsRegular():
			return c.wrong(ClassIO, "%s is neither a file nor a directory: leave it out with except=%s", ref.Escape(file), ref.Escape(below))
		default:
			if err := c.add(file, below, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// skips tells whether an entry is none of ours. In a volume with versions those
// are the names that begin with two dots; in other directories hidden files, and
// the names of digits alone under which Vault Agent writes a file before it has
// its name.
func (c *collection) skips(entry, below string) bool {
	if c.hidden && strings.HasPrefix(entry, "..") || !c.hidden && (entry[0] == '.' || strings.Trim(entry, "0123456789") == "") {
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
	format, known := Format(c.source.FileFormat), c.formats[name]
	if format == Auto && c.whole {
		format = Raw
	}
	if format == Auto {
		format = known
	}
	shown := ref.Escape(filepath.Join(c.source.File, name)) // without the directory of a version
	if !inDir {
		shown = c.source.String()
	}
	if strings.TrimSpace(text) == "" && !(c.whole && format == Raw) {
		if c.optional {
			return nil
		}
		return c.wrong(ClassMissing, "%s: there is nothing in it", shown)
	}
	fields, used, err := Parse(shown, format, text)
	if err != nil {
		err.reference = c.source.String()
		return err
	}
	if used == Raw {
		if format == Auto && !inDir {
			return c.wrong(ClassMalformed, "%s:1: this is in no format that is known by its content: say ?format=%s behind the path, or format=raw to make one variable %s of it",
				shown, strings.Join(Formats()[:len(Formats())-1], ", "), name)
		}
		fields = secret.Fields{name: rawValue(text)}
	}
	c.used[name] = used
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if other, twice := c.origins[field]; twice {
			return c.wrong(ClassMalformed, "%s: the field %q is in %s and in %s: leave one of the files out with except=, or name the files one by one with --from", c.source, field, other, name)
		}
		c.origins[field], c.fields[field] = name, fields[field]
	}
	return nil
}

// readFile reads what is at most as large as secrets are.
func (c *collection) readFile(file string) (string, *Error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe that has taken its place must not hold us up
	if err != nil {
		return "", c.refused(file, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return "", c.refused(file, err)
	}
	c.files++
	c.size += len(text)
	switch {
	case len(text) > maxFileSize:
		return "", c.wrong(ClassMalformed, "%s is larger than the %d bytes that a file of secrets can have", ref.Escape(file), maxFileSize)
	case c.files > maxFiles || c.size > maxTotalSize:
		return "", c.wrong(ClassMalformed, "%s has more than the %d files and %d bytes that can be read of one directory: name the files one by one with --from", c.source, maxFiles, maxTotalSize)
	}
	return string(text), nil
}
