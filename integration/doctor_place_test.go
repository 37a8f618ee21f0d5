//go:build linux

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"

	"vaultexec/integration/servers"
)

// onDisk is a directory whose files outlive this machine's power.
func onDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var fs syscall.Statfs_t
	mustDo(t, syscall.Statfs(dir, &fs))
	if uint32(fs.Type) != tmpfsMagic {
		return dir
	}
	if os.Getenv("CI") != "" {
		t.Fatal("temporary files are in memory here, and CI must test what is on a disk")
	}
	t.Skip("temporary files are in memory here: TMPDIR names a directory that is not")
	return ""
}

const tmpfsMagic = 0x01021994 // statfs(2)

// Places for files are on a disk, closed or no directories, and the doctor has
// another for each.
func TestDoctorLooksAtFiles(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.policies...)
	disk, closed := filepath.Join(onDisk(t), "new"), t.TempDir()
	file := func(dir string) string { return filepath.Join(dir, unique("file")) + "=kv/app#password" }
	const readOnly = "mount -t tmpfs -o ro none "
	for _, tt := range []struct {
		name        string
		flags, file []string // and those that the fix stands in for
		setUp       string   // in a mount namespace of its own; empty: none is needed
		state, says string
		fix         string // how the n-th begins
		n           int
		pod         bool
	}{
		{"on a disk", nil, []string{"--file", file(disk)}, "", "warning", disk + " is on a disk", "--file '/dev/shm/file-", 0, false},
		{"on a disk, for root", nil, []string{"--file", file(disk)}, "true", "warning", disk + " is on a disk", "mkdir -p " + disk + " && mount -t tmpfs ", 1, false},
		{"refused on a disk", []string{"--require-tmpfs"}, []string{"--file", file(disk)}, "", "failed", disk + " is on a disk, and --require-tmpfs refuses that", "--file '/dev/shm/file-", 0, false},
		{"in a pod", []string{"--require-tmpfs"}, []string{"--file", file(disk)}, "", "failed", disk + " is on a disk", "volumes: [{name: secrets, emptyDir: {medium: Memory}}]", 0, true},
		{"closed", nil, []string{"--file", file(closed)}, readOnly + closed, "failed", "may not write to " + closed + ": read-only file system", "--file '/dev/shm/file-", 0, false},
		{"closed, for root", nil, []string{"--file", file(closed)}, readOnly + closed, "failed", "may not write to " + closed + ": read-only file system", "mkdir -p " + closed + " && mount -t tmpfs ", 1, false},
		{"no directory", nil, []string{"--file", file("/dev/null")}, "", "failed", "/dev/null: it is no directory", "--file '/dev/shm/file-", 0, false},
		{"private on a disk", []string{"--require-tmpfs", "--file-env", "A=kv/app#password"}, []string{"--runtime-dir", disk}, "", "failed", disk + " is on a disk", "--runtime-dir /dev/shm", 0, false},
		{"in memory", nil, []string{"--file", file("/dev/shm")}, "", "ok", "/dev/shm is in memory and can be written", "", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run := (*command).run
			if tt.setUp != "" {
				run = asPid1.run
			}
			look := func(flags []string, fix string) (*result, diagnosis) {
				patient := c.patient(t, a, flags...)
				if tt.pod {
					patient.env("KUBERNETES_SERVICE_HOST=10.0.0.1")
				}
				if patient.paste(fix); tt.setUp != "" {
					patient.shell = tt.setUp + "\n" + patient.shell
				}
				return patient.examineBy(run)
			}
			res, d := look(append(tt.flags, tt.file...), ":")
			res.exited(map[string]int{"failed": 3}[tt.state])
			s := d.find(t, "files", tt.state)
			if !strings.Contains(s.Detail, tt.says) {
				t.Errorf("%+v", s)
			}
			if tt.state == "ok" {
				return
			}
			if len(s.Fix) <= tt.n || !strings.HasPrefix(s.Fix[tt.n], tt.fix) {
				t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
			}
			switch fix := s.Fix[tt.n]; {
			case tt.pod:
				acceptPod(t, fix)
				return
			case strings.HasPrefix(fix, "--"):
				res, d = look(tt.flags, fix)
			default:
				res, d = look(append(tt.flags, tt.file...), fix)
			}
			res.exited(0)
			d.find(t, "files", "ok")
		})
	}
}

// acceptPod puts lines for a manifest into one, which the API server has to take.
func acceptPod(t *testing.T, lines string) {
	t.Helper()
	manifest := "apiVersion: v1\nkind: Pod\nmetadata: {name: app, namespace: default}\nspec:\n  serviceAccountName: app\n"
	container := "  containers:\n  - name: app\n    image: app\n"
	for line := range strings.Lines(lines) {
		line = strings.TrimSuffix(line, "\n") + "\n"
		if strings.Contains(line, "# in the container's") {
			container += "    " + line
		} else {
			manifest += "  " + line
		}
	}
	objects, err := servers.Objects(manifest + container)
	mustDo(t, err)
	if err := sharedCluster(t).DryRun(t.Context(), objects[0]); err != nil {
		t.Errorf("%v:\n%s", err, manifest+container)
	}
}

// Values are too large for a variable, all together for this system, or for others;
// what the doctor says hands them over.
func TestDoctorLooksAtSizes(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	many := func(n, size int) fields {
		f := fields{}
		for i := range n {
			f[string(rune('a'+i))] = strings.Repeat("x", size)
		}
		return f
	}
	c.kv.put(t, "large", fields{"blob": strings.Repeat("x", 140_000), "user": "app"})
	c.kv.put(t, "many", many(3, 100_000))
	c.kv.put(t, "mass/1", many(6, 100_000)) // a secret is at most 1 MiB itself
	c.kv.put(t, "mass/2", many(5, 100_000))
	a := newAccountAt(t, c.vault, clinicMount, append(c.policies, c.kv.policy(t, "large", "many", "mass/1", "mass/2"))...)
	for _, tt := range []struct {
		name, limit string   // of the stack, a quarter of which execve takes
		large, rest []string // flags that the fix stands in for, and others
		state, says string
		fix         string
	}{
		{"a variable", "8192", []string{"--env", "BLOB=kv/large?refresh=5m#blob"}, nil, "failed", "variable BLOB takes 140006 bytes, and this system passes at most 131072 in one", "--fd-env 'BLOB=kv/large?refresh=5m0s#blob'   # in place of --env BLOB"},
		{"one of a secret", "8192", []string{"--secret", "kv/large?case=upper"}, nil, "failed", "variable BLOB takes 140006 bytes", "--secret 'kv/large?case=upper&except=blob' --fd-env 'BLOB=kv/large#blob' "},
		{"all variables", "1024", []string{"--secret", "kv/many"}, nil, "failed", "and this system passes at most 262144 of arguments and environment together", "--secret 'kv/many?except=a' --fd-env 'a=kv/many#a' "},
		{"all, elsewhere", "8192", []string{"--secret", "kv/mass/2?prefix=x"}, []string{"--secret", "kv/mass/1"}, "warning", "other systems take at most 1048576", "--secret 'kv/mass/2?prefix=x&except=a' --fd-env 'xa=kv/mass/2#a' "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			look := func(fix string, flags ...string) (*result, diagnosis) {
				patient := c.patient(t, a, flags...).paste(fix)
				patient.shell = "ulimit -S -s " + tt.limit + "\n" + patient.shell
				return patient.examine()
			}
			res, d := look(":", append(tt.rest, tt.large...)...)
			res.exited(map[string]int{"failed": 3}[tt.state])
			s := d.find(t, "sizes", tt.state)
			if !strings.Contains(s.Detail, tt.says) || len(s.Fix) == 0 || !strings.HasPrefix(s.Fix[0], tt.fix) {
				t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
			}
			res, d = look(s.Fix[0], tt.rest...)
			res.exited(0)
			d.find(t, "sizes", "ok")
		})
	}
}

// As PID 1 there have to be an init and, at a terminal, somebody who can type.
func TestDoctorAsPid1(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.policies...)
	_, d := c.patient(t, a).examineBy(asPid1.run)
	if s := d.find(t, "pid 1", "ok"); !strings.HasPrefix(s.Detail, "this is process 1, which takes the role of the init") {
		t.Errorf("%+v", s)
	}
	_, d = c.patient(t, a, "--init", "never").examineBy(asPid1.run)
	s := d.find(t, "pid 1", "warning")
	if !strings.Contains(s.Detail, "--init never leaves orphans to nobody") || len(s.Fix) != 1 {
		t.Fatalf("%+v", s)
	}
	res, d := c.patient(t, a, "--init", "never").paste(s.Fix[0]).examineBy(asPid1.run)
	res.exited(0)
	d.find(t, "pid 1", "ok")
}

// The streams that are a terminal are named; a container's that has one for its
// output alone is warned.
func TestDoctorLooksAtTheTerminal(t *testing.T) {
	t.Parallel()
	doctor := func() *command { return vaultexec(t, "doctor").alone() }
	if res := doctor().run(); !hasRow(res.stdout, "ok tty none of the standard streams is a terminal") {
		t.Error(res.stdout)
	}
	term := onTerminal(t, doctor().cmd())
	term.expect("stdin, stdout, stderr: a terminal")
	term.end(0)

	master, slave, err := pty.Open()
	mustDo(t, err)
	defer master.Close()
	plain := doctor().cmd()
	cmd := pid1Command(t, plain.Args)
	cmd.Env, cmd.Stdout = plain.Env, slave
	screen, readc := lockedBuffer{}, make(chan struct{})
	go func() {
		defer close(readc)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf) // EIO when nobody has the other end any more
			_, _ = screen.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	mustDo(t, cmd.Run())
	mustDo(t, slave.Close())
	<-readc
	for _, row := range []string{"warning tty stdout is a terminal and stdin is not", "fix docker run --interactive --tty"} {
		if !hasRow(screen.String(), row) {
			t.Errorf("nobody reads %q:\n%s", row, screen.String())
		}
	}
}
