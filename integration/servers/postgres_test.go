package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	starters["postgres"] = func(string) error {
		p, err := StartPostgres(context.Background())
		if err != nil {
			return err
		}
		_, err = fmt.Println(p.dir)
		return err
	}
}

func newPostgres(t *testing.T) *Postgres {
	t.Helper()
	p, err := StartPostgres(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	if got, err := p.Ask(t.Context(), p.User, p.Password, "SELECT current_user"); err != nil || got != p.User {
		t.Errorf("asked who we are: %q, error %v", got, err)
	}
	for name, password := range map[string]string{"another": "no" + p.Password, "no": ""} {
		if _, err := p.Ask(t.Context(), p.User, password, "SELECT 'in'"); err == nil || !strings.Contains(err.Error(), "password") {
			t.Errorf("with %s password: error %v", name, err)
		}
	}
	_, port, _ := strings.Cut(p.Address, ":")
	if _, err := os.Stat(filepath.Join(p.SocketDir, ".s.PGSQL."+port)); err != nil {
		t.Error(err)
	}
	if _, err := p.DB().ExecContext(t.Context(), "CREATE ROLE app LOGIN"); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Logins(t.Context()); err != nil || !slices.Equal(got, []string{"app"}) {
		t.Errorf("who may log in: %q, error %v", got, err)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Stop its directory is there: error %v", err)
	}
}

// PostgreSQL's own children leave its process group, and end with it even so.
func TestPostgresEndsWithItsStarter(t *testing.T) {
	t.Parallel()
	if _, err := postgresBin(); err != nil {
		t.Fatal(err)
	}
	starter := exec.Command(os.Args[0], starterWord, "postgres", "")
	starter.Stderr = os.Stderr
	stdout, err := starter.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := starter.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	dir := strings.TrimSuffix(line, "\n")
	running := workingIn(t, dir)
	segment := sharedMemory(t, dir)
	_ = starter.Process.Kill()
	_ = starter.Wait()
	if dir == "" || len(running) < 2 {
		t.Fatalf("the starter says %q, and %q work there", line, running)
	}
	defer os.RemoveAll(dir)
	poll(t, "the last process that works in "+dir, func() bool { return len(workingIn(t, dir)) == 0 })
	// The one thing that is left: nothing was there to remove it.
	if _, err := unix.SysvShmCtl(segment, unix.IPC_RMID, nil); err != nil {
		t.Error(err)
	}
}

// sharedMemory is the identifier of a server's System V shared memory, a few
// bytes by which PostgreSQL sees that it runs already: in postmaster.pid, the
// seventh line is its key and identifier.
func sharedMemory(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	lines := strings.Split(string(text), "\n")
	if err != nil || len(lines) < 7 {
		t.Fatalf("postmaster.pid is %q, error %v", text, err)
	}
	var key, id int
	if _, err := fmt.Sscan(lines[6], &key, &id); err != nil {
		t.Fatal(err)
	}
	return id
}

// workingIn are the processes whose working directory is in dir.
func workingIn(t *testing.T, dir string) (pids []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, dir) {
			pids = append(pids, filepath.Base(filepath.Dir(link)))
		}
	}
	return pids
}
