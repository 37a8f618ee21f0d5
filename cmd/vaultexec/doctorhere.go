package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"vaultexec/internal/env"
	"vaultexec/internal/fetch"
	"vaultexec/internal/from"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
	"vaultexec/internal/settings"
)

// filesPatience is how long those that look wait for what others have yet to write.
const filesPatience = 3 * time.Second

// addFiles reads what --from names, and tells whether all of it is there.
func (d *doctor) addFiles(ctx context.Context, secrets *map[ref.Source]secret.Fields) bool {
	refs, _ := d.references()
	if len(refs) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, filesPatience)
	defer cancel()
	fields, err := from.New(fromConfig(d.settings, refs, d.log)).Fetch(ctx)
	if err != nil {
		d.sourcesFailed(refs, err)
		return false
	}
	all := map[ref.Source]secret.Fields{}
	maps.Copy(all, *secrets)
	maps.Copy(all, fields)
	*secrets = all
	d.ok("sources", "the files of --from can be read")
	return true
}

// sourcesFailed says of each file what is wrong with it.
func (d *doctor) sourcesFailed(refs []ref.Ref, err error) {
	var missing *from.MissingError
	if !errors.As(err, &missing) {
		d.failed("sources", classOf(err), err.Error(), whereSet)
		return
	}
	for _, f := range missing.Findings {
		fix := whereSet
		for _, r := range refs {
			if !slices.Contains(missing.Problems(r.String()), f.Error()) {
				continue
			}
			path := r.File
			switch f.Class() {
			case from.ClassMissing:
				r.Optional = true
				fix = fetch.Paste("ls -lR "+fetch.ShellWord(filepath.Dir(path))+"   # whoever writes it: does it run?", asking{place: "--from", ref: r}.flag()+"   # if it may be missing")
			case from.ClassIO:
				fix = fetch.Paste(fmt.Sprintf("chgrp -R %d %s && chmod -R g+rX %[2]s   # as its owner", os.Getgid(), fetch.ShellWord(path)))
			default:
				r.FileFormat = "raw"
				fix = fetch.Paste(asking{place: "--from", ref: r}.flag() + "   # takes it as it is, as one variable")
			}
		}
		if line := inFile(f.Error()); line != nil {
			fix = fetch.Paste("${EDITOR:-vi} +"+line[2]+" "+fetch.ShellWord(line[1]), fix.Lines()...)
		}
		d.failed("sources", f.Class(), f.Error(), fix)
	}
}

// examineFiles looks at the places that files are written to.
func (d *doctor) examineFiles() {
	if d.planner == nil {
		return
	}
	seen := map[string]bool{}
	for _, i := range d.planner.Items(nil) {
		name := i.Name
		if dir, ok := strings.CutPrefix(i.Place, "--file "); ok && name == "" {
			name = filepath.Join(dir, "key") // of a directory whose files are not known
		}
		if !i.File || name == "" || strings.HasPrefix(name, "$") || seen[filepath.Dir(name)] {
			continue
		}
		seen[filepath.Dir(name)] = true
		d.examineDir(filepath.Dir(name), d.elsewhere(i, name))
	}
	switch {
	case !d.settings.Private():
	case d.settings.RuntimeDir != "":
		d.examineDir(d.settings.RuntimeDir, "--runtime-dir "+fetch.ShellWord(d.inMemoryDir()))
	default:
		dir, err := runtimeBase(d.environ, anotherUser(d.settings))
		if err != nil {
			d.failed("files", classOf(err), err.Error(), d.makeMemory("/dev/shm", false, ""))
		} else {
			d.examineDir(dir, "")
		}
	}
}

// inMemoryDir is a directory in memory that is there and open to us, or that every
// Linux has.
func (d *doctor) inMemoryDir() string {
	dir, err := runtimeBase(d.environ, anotherUser(d.settings))
	if err != nil {
		return "/dev/shm"
	}
	return dir
}

// elsewhere is what writes a file to such a directory, as a flag.
func (d *doctor) elsewhere(i env.Item, name string) string {
	dest := filepath.Join(d.inMemoryDir(), filepath.Base(name))
	switch kind, at, _ := strings.Cut(i.Place, " "); {
	case kind == "--file" && len(i.Origins) > 0:
		if i.Name == "" || at != i.Name { // a directory
			dest = filepath.Join(d.inMemoryDir(), filepath.Base(at)) + "/"
		}
		return asking{place: "--file " + dest, ref: i.Origins[0].Asked}.flag()
	case kind == "--template":
		return "--template " + fetch.ShellWord(at+":"+dest)
	}
	return ""
}

// examineDir looks at a directory, or at what it will be made in. elsewhere is the
// flag that takes another; empty: there is none.
func (d *doctor) examineDir(dir, elsewhere string) {
	there, err := filepath.Abs(dir)
	for err == nil {
		var info os.FileInfo
		if info, err = os.Stat(there); err == nil && !info.IsDir() {
			err = errors.New("it is no directory")
		}
		if !errors.Is(err, os.ErrNotExist) || there == "/" {
			break
		}
		there, err = filepath.Dir(there), nil
	}
	memory := d.makeMemory(dir, dir == there, elsewhere)
	mayWrite := unix.Access(there, unix.W_OK|unix.X_OK)
	switch inMem, known := inMemory(there); {
	case err != nil:
		d.failed("files", "write_failed", printable(dir)+": "+err.Error(), fetch.Paste(cmp.Or(elsewhere, "ls -ld "+fetch.ShellWord(there))))
	case mayWrite != nil:
		d.failed("files", "write_failed", fmt.Sprintf("%s: user %d may not write to %s: %v", printable(dir), os.Getuid(), printable(there), mayWrite),
			memory.Or(fmt.Sprintf("install -d -m 0700 -o %d -g %d %s   # as root", os.Getuid(), os.Getgid(), fetch.ShellWord(dir))))
	case known && !inMem && d.settings.RequireTmpfs:
		d.failed("files", "write_failed", printable(dir)+" is on a disk, and --require-tmpfs refuses that", memory)
	case known && !inMem:
		d.warn("files", printable(dir)+" is on a disk: what is written there may outlive the command", memory)
	case known:
		d.ok("files", printable(dir)+" is in memory and can be written")
	default:
		d.ok("files", printable(dir)+" can be written")
	}
}

// makeMemory is how a file gets into memory where this user may write: in a pod by
// the manifest, elsewhere in another directory or, as root, in the same.
func (d *doctor) makeMemory(dir string, there bool, elsewhere string) fetch.Fix {
	if slices.ContainsFunc(d.environ, func(entry string) bool { return strings.HasPrefix(entry, "KUBERNETES_SERVICE_HOST=") }) {
		volume := fmt.Sprintf("volumes: [{name: secrets, emptyDir: {medium: Memory}}]   # in the pod's spec\n"+
			"volumeMounts: [{name: secrets, mountPath: %q}]   # in the container's\n"+
			"securityContext: {fsGroup: %d}   # in the pod's spec", dir, os.Getgid())
		if elsewhere == "" {
			return fetch.Paste(volume)
		}
		return fetch.Paste(volume, elsewhere)
	}
	mount := fmt.Sprintf("mkdir -p %s && mount -t tmpfs -o mode=0700,uid=%d,gid=%d,nosuid,nodev tmpfs %[1]s   # as root", fetch.ShellWord(dir), os.Getuid(), os.Getgid())
	if there {
		mount += "; what is in it now is hidden by that"
	}
	if elsewhere == "" {
		return fetch.Paste(mount)
	}
	return fetch.Paste(elsewhere, mount)
}

// examineHere looks at this process.
func (d *doctor) examineHere() {
	s := d.settings
	reads := d.planner != nil && len(d.planner.Refs()) > 0
	mode := "vaultexec becomes the command, nothing is left to do"
	if s.Supervise(reads) {
		mode = "vaultexec stays as the command's parent"
	}
	pid := fmt.Sprintf("this is process %d", os.Getpid())
	switch {
	case os.Getpid() == 1 && s.Init == settings.InitNever:
		d.warn("pid 1", pid+", and --init never leaves orphans to nobody", fetch.Paste("--init auto"))
	case needsInit(s):
		d.ok("pid 1", pid+", which takes the role of the init; "+mode)
	default:
		d.ok("pid 1", pid+", which is not the init; "+mode)
	}
	d.examineTerminal()
}

// examineTerminal looks at the standard streams. That one of a container's is a
// terminal and standard input is not is docker run -t without -i.
func (d *doctor) examineTerminal() {
	var ttys []string
	for _, f := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		if term.IsTerminal(int(f.Fd())) {
			ttys = append(ttys, strings.TrimPrefix(f.Name(), "/dev/"))
		}
	}
	switch {
	case len(ttys) == 0:
		d.ok("tty", "none of the standard streams is a terminal")
	case os.Getpid() == 1 && ttys[0] != "stdin":
		d.warn("tty", strings.Join(ttys, " and ")+" is a terminal and stdin is not: the command sees one at which nobody can type",
			fetch.Paste("docker run --interactive --tty", "{stdin: true, tty: true}   # in the container's, of a pod"))
	default:
		d.ok("tty", strings.Join(ttys, ", ")+": a terminal")
	}
}
