package integration

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// A scratch root is a directory with vaultexec and its command in it and
// nothing else: no shell, no /etc/passwd, no /tmp, no CA certificates, and if
// a test wants it so, no /proc. vaultexec is PID 1 there. It stands in for a
// container where there is no engine, and shows what no engine allows: that
// /proc is not needed.
type scratchRoot struct {
	*command
	dir string
}

// enterWord is the child's verb that goes into a scratch root: enter ROOT
// PROC ARG..., where PROC is yes or no.
const enterWord = "enter"

func init() { childVerbs[enterWord] = childEnter }

// inScratchRoot prepares vaultexec as PID 1 of a scratch root, in front of a
// child that reports and exits with 0. Its environment has no PATH.
func inScratchRoot(t *testing.T, proc bool, flags ...string) *scratchRoot {
	t.Helper()
	const reason = "needs root: chroot(2) and mount(2)"
	switch {
	case os.Getuid() == 0:
	case os.Getenv("CI") != "":
		t.Fatal(reason)
	default:
		t.Skip(reason)
	}
	static, err := shared.static()
	if err != nil {
		t.Fatal(err)
	}
	app, err := staticSelf()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, file := range map[string]string{"vaultexec": static, "app": app} {
		if err := os.Link(file, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"proc", "report"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := vaultexec(t)
	word := "no"
	if proc {
		word = "yes"
	}
	c.binary = shared.self
	c.flags = append([]string{childWord, filepath.Join(t.TempDir(), "enter.json"), enterWord, dir, word, "/vaultexec"}, flags...)
	// The pids in the child's report are those inside: not for the harness.
	c.report = filepath.Join(dir, "none")
	c.spaces = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS
	c.vars = []string{"VAULTEXEC_LOG_LEVEL=debug", "VAULTEXEC_LOG_FORMAT=text"}
	return (&scratchRoot{c, dir}).child("report")
}

// child sets what the child does after it has reported.
func (s *scratchRoot) child(verb string, args ...string) *scratchRoot {
	s.exec(append([]string{"/app", childWord, "/report/child.json", verb}, args...)...)
	return s
}

// run runs it to its end.
func (s *scratchRoot) run() *result {
	s.t.Helper()
	return s.ended(s.start())
}

func (s *scratchRoot) ended(r *running) *result {
	s.t.Helper()
	res := r.wait()
	res.child = readReport(s.t, filepath.Join(s.dir, "report", "child.json"))
	return res
}

// childEnter becomes a program in a scratch root.
func childEnter(args []string) int {
	root, proc, argv := args[0], args[1] == "yes", args[2:]
	if err := enter(root, proc); err != nil {
		fmt.Fprintln(os.Stderr, "child: enter the scratch root:", err)
		return 99
	}
	fmt.Fprintln(os.Stderr, "child:", syscall.Exec(argv[0], argv, os.Environ()))
	return 99
}

func enter(root string, proc bool) error {
	// Else the mount would show outside as well (mount_namespaces(7)).
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	if proc {
		if err := syscall.Mount("proc", filepath.Join(root, "proc"), "proc", 0, ""); err != nil {
			return err
		}
	}
	if err := syscall.Chroot(root); err != nil {
		return err
	}
	return os.Chdir("/")
}

// both runs a test in a root with /proc and in one without.
func both(t *testing.T, test func(t *testing.T, proc bool)) {
	t.Run("with proc", func(t *testing.T) { test(t, true) })
	t.Run("without proc", func(t *testing.T) { test(t, false) })
}

// PID 1 is two processes there too, and the status is the command's.
func TestP3ScratchRootStatus(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proc bool) {
		for _, status := range []int{0, 1, 255} {
			res := inScratchRoot(t, proc, "--mode", "supervise").child("exit", fmt.Sprint(status)).run().exited(status)
			if res.started().Parent == 1 || res.started().Pid == 1 {
				t.Errorf("the command is process %d, its parent %d: there is no init", res.started().Pid, res.started().Parent)
			}
		}
		inScratchRoot(t, proc, "--mode", "supervise").child("signal-self", "11").run().exited(128 + 11)
		inScratchRoot(t, proc, "--mode", "exec").child("exit", "3").run().exited(3)
	})
}

// A command without a slash is looked for where execvp would without PATH; what
// is not there is 127, with the name.
func TestP3ScratchRootLookPath(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proc bool) {
		for _, mode := range []string{"exec", "supervise"} {
			s := inScratchRoot(t, proc, "--mode", mode)
			s.exec("app")
			s.ended(s.start()).exited(127).says(`"app"`)
			// What confstr(_CS_PATH) is: /bin:/usr/bin.
			s = inScratchRoot(t, proc, "--mode", mode)
			if err := os.Mkdir(filepath.Join(s.dir, "bin"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(s.dir, "app"), filepath.Join(s.dir, "bin", "app")); err != nil {
				t.Fatal(err)
			}
			s.exec("app", childWord, "/report/child.json", "exit", "4")
			s.ended(s.start()).exited(4)
		}
	})
}

// TERM, and a supervisor that is killed, are as in a container.
func TestP4ScratchRootStop(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proc bool) {
		s := inScratchRoot(t, proc, "--mode", "supervise").child("serve", "7")
		r := s.start()
		r.waitLine("ready")
		r.signal(syscall.SIGUSR1)
		r.waitLine("got user defined signal 1")
		r.signal(syscall.SIGTERM)
		if res := s.ended(r).exited(7); res.stdout != "ready\ngot user defined signal 1\ngot terminated\nstopping\n" {
			t.Errorf("the command says %q", res.stdout)
		}
	})
}

func TestP6ScratchRootSupervisorKilled(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, proc bool) {
		res := inScratchRoot(t, proc, "--mode", "supervise").child("kill-parent").run().exited(137)
		if res.stdout != "got terminated\nstopped in peace\n" {
			t.Errorf("the command says %q", res.stdout)
		}
	})
}

// Without /proc the command cannot see whether it is reaped; with it, it does.
func TestP6ScratchRootOrphans(t *testing.T) {
	t.Parallel()
	inScratchRoot(t, true, "--mode", "supervise").child("orphans", "5").run().exited(0)
}

// Login, read, variable and file need nothing of a distribution.
func TestP1ScratchRootLogin(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	a := newAccount(t, kv.policy(t, "app"))
	both(t, func(t *testing.T, proc bool) {
		for _, mode := range []string{"exec", "supervise"} {
			s := inScratchRoot(t, proc, "--mode", mode, "--role", a.role, "--env", "PASSWORD="+kv.path("app")+"#password",
				"--file", "/run/secrets/password="+kv.path("app")+"#password")
			s.vault(a.vault.Address)
			writeFile(t, filepath.Join(s.dir, podToken), a.jwt(t, "vault"))
			s.child("cat", "/run/secrets/password", "/report/copy")
			res := s.run().exited(0)
			res.childHas("PASSWORD", password).childLacks("VAULT_ADDR", "VAULTEXEC_LOG_LEVEL")
			if text, err := os.ReadFile(filepath.Join(s.dir, "report", "copy")); err != nil || string(text) != password {
				t.Errorf("the file does not have the password, error %v", err)
			}
			want := []string{"app", "proc", "report", "var", "vaultexec"}
			if mode == "exec" {
				want = []string{"app", "proc", "report", "run", "var", "vaultexec"} // nobody is left to remove it
			}
			if got := entries(t, s.dir); !slices.Equal(got, want) {
				t.Errorf("%s leaves %q, want %q", mode, got, want)
			}
		}
	})
}

// Without CA certificates a Vault with TLS is refused, with what to do.
func TestP12ScratchRootNoCertificates(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // that it is refused is the point
	server.StartTLS()
	t.Cleanup(server.Close)
	both(t, func(t *testing.T, proc bool) {
		s := inScratchRoot(t, proc, "--secret", "kv/app", "--startup-timeout", "5s")
		s.vault(server.URL).token(canary(t, "token"))
		s.run().refused("tls", "VAULT_CACERT")
	})
}

// entries are the names in a directory, sorted.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}
