package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// debian is a program that comes from Debian's packages, not from a Go module.
type debian struct {
	what  string // in words
	pkg   string
	there func() error
}

var fromDebian = []debian{
	{"the PostgreSQL server", "postgresql", func() error { _, err := postgresBin(); return err }},
	{"the OpenLDAP server", "slapd", func() error { _, err := slapdProgram(); return err }},
	{"the fish shell", "fish", func() error { _, err := exec.LookPath("fish"); return err }},
	{"the zsh shell", "zsh", func() error { _, err := exec.LookPath("zsh"); return err }},
	{"bash's completion", "bash-completion", func() error { _, err := os.Stat(BashCompletion); return err }},
	{"the editor vi", "vim-tiny", func() error { _, err := exec.LookPath("vi"); return err }},
	{"the program ip", "iproute2", func() error { _, err := exec.LookPath("ip"); return err }},
	{"the program curl", "curl", func() error { _, err := exec.LookPath("curl"); return err }},
	{"the program jq", "jq", func() error { _, err := exec.LookPath("jq"); return err }},
	{"the program systemd-analyze", "systemd", func() error { _, err := exec.LookPath("systemd-analyze"); return err }}, // 3 MB; it needs no running systemd
}

// BashCompletion is what makes bash complete command lines as scripts say.
const BashCompletion = "/usr/share/bash-completion/bash_completion"

// InstallPackages installs what is missing of the programs that come from
// Debian's packages. What it does is told to progress; nothing is when all is
// there. Where it cannot be done here, the error says what is to be installed.
func InstallPackages(ctx context.Context, progress io.Writer) error {
	var missing, pkgs []string
	for _, d := range fromDebian {
		if d.there() != nil {
			missing, pkgs = append(missing, d.what), append(pkgs, d.pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	todo := fmt.Sprintf("%s not found: install Debian's %s, or what your system has instead",
		strings.Join(missing, " and "), strings.Join(pkgs, " and "))
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		return errors.New(todo)
	}
	for _, args := range installation(pkgs) {
		fmt.Fprintf(progress, "%s ...\n", strings.Join(args, " "))
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.Stdout, cmd.Stderr = progress, progress
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // dpkg is not to be killed
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%v: %v; %s", cmd, err, todo)
		}
	}
	for _, d := range fromDebian {
		if err := d.there(); err != nil {
			return fmt.Errorf("%s is installed, but %v", d.pkg, err)
		}
	}
	return nil
}

// installation is the commands that install the packages, in order. Debian's
// postgresql and slapd start servers of their own as soon as they are installed,
// unless they are told not to: that comes first.
func installation(pkgs []string) [][]string {
	install := func(pkgs ...string) []string {
		return append([]string{"apt-get", "install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"}, pkgs...)
	}
	commands := [][]string{{"apt-get", "update"}}
	for _, pkg := range pkgs {
		switch pkg {
		case "slapd":
			commands = append(commands, []string{"sh", "-c", "echo slapd slapd/no_configuration boolean true | debconf-set-selections"})
		case "postgresql":
			commands = append(commands, install("postgresql-common"),
				[]string{"pg_conftool", "/etc/postgresql-common/createcluster.conf", "set", "create_main_cluster", "off"})
		}
	}
	return append(commands, install(pkgs...))
}

// ErrNoPostgres is why there is no PostgreSQL here.
var ErrNoPostgres = errors.New("there is no PostgreSQL server; go -C integration run ./prepare says how to get one")

// postgresBin finds the directory of PostgreSQL's programs: Debian keeps those
// of a server beside PATH, for it may have several versions.
func postgresBin() (string, error) {
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		if isProgram(filepath.Join(dirs[i], "initdb")) && isProgram(filepath.Join(dirs[i], "postgres")) {
			return dirs[i], nil
		}
	}
	// Those on PATH are perhaps links into the directory where the rest is.
	path, err := exec.LookPath("initdb")
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil || !isProgram(filepath.Join(filepath.Dir(path), "postgres")) {
		return "", ErrNoPostgres
	}
	return filepath.Dir(path), nil
}

func isProgram(file string) bool {
	st, err := os.Stat(file)
	return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
}
