package main

import (
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

	"vaultexec/internal/from"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
	"vaultexec/internal/settings"
)

// filesPatience is how long the doctor waits for what others have yet to write.
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
		d.failed("sources", classOf(err), err.Error())
		return false
	}
	all := map[ref.Source]secret.Fields{}
	maps.Copy(all, *secrets)
	maps.Copy(all, fields)
	*secrets = all
	d.ok("sources", "the files of --from can be read")
	return true
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
		d.examineDir(filepath.Dir(name))
	}
	switch {
	case !d.settings.Private():
	case d.settings.RuntimeDir != "":
		d.examineDir(d.settings.RuntimeDir)
	default:
		dir, err := runtimeBase(d.environ, anotherUser(d.settings))
		if err != nil {
			d.failed("files", classOf(err), err.Error(), "export VAULTEXEC_RUNTIME_DIR=/path/to/a/tmpfs")
		} else {
			d.examineDir(dir)
		}
	}
}

// examineDir looks at a directory, or at what it will be made in.
func (d *doctor) examineDir(dir string) {
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
	const volume = "volumes: [{name: secrets, emptyDir: {medium: Memory}}]   # in the pod, and a volumeMount for it"
	switch memory, known := inMemory(there); {
	case err != nil:
		d.failed("files", "write_failed", printable(dir)+": "+err.Error())
	case unix.Access(there, unix.W_OK|unix.X_OK) != nil:
		d.failed("files", "write_failed", fmt.Sprintf("%s: user %d may not write to %s", printable(dir), os.Getuid(), printable(there)), volume)
	case known && !memory && d.settings.RequireTmpfs:
		d.failed("files", "write_failed", printable(dir)+" is on a disk, and --require-tmpfs refuses that", volume)
	case known && !memory:
		d.warn("files", printable(dir)+" is on a disk: what is written there may outlive the command", volume)
	case known:
		d.ok("files", printable(dir)+" is in memory and can be written")
	default:
		d.ok("files", printable(dir)+" can be written")
	}
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
		d.warn("pid 1", pid+", and --init never leaves orphans to nobody", "vaultexec --init auto")
	case needsInit(s):
		d.ok("pid 1", pid+", which takes the role of the init; "+mode)
	default:
		d.ok("pid 1", pid+", which is not the init; "+mode)
	}
	var ttys []string
	for _, f := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		if term.IsTerminal(int(f.Fd())) {
			ttys = append(ttys, strings.TrimPrefix(f.Name(), "/dev/"))
		}
	}
	if slices.Sort(ttys); len(ttys) == 0 {
		d.ok("tty", "none of the standard streams is a terminal")
	} else {
		d.ok("tty", strings.Join(ttys, ", ")+" are a terminal")
	}
}
