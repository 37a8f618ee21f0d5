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
	if errors.Is(err, ErrNoPostgres) {
		cannot(t, err.Error())
	}
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
		cannot(t, err.Error())
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
	_ = starter.Process.Kill()
	_ = starter.Wait()
	if dir == "" || len(running) < 2 {
		t.Fatalf("the starter says %q, and %q work there", line, running)
	}
	defer os.RemoveAll(dir)
	poll(t, "the last process that works in "+dir, func() bool { return len(workingIn(t, dir)) == 0 })
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

func TestInstallPackagesCommands(t *testing.T) {
	var got []string
	for _, args := range installation([]string{"postgresql", "iproute2"}) {
		got = append(got, args[0]+" "+args[1]+" ... "+args[len(args)-1])
	}
	want := []string{"apt-get update ... update", "apt-get install ... postgresql-common",
		"pg_conftool /etc/postgresql-common/createcluster.conf ... off", "apt-get install ... iproute2"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
