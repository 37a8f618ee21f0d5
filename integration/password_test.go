//go:build linux

package integration

import (
	"net/http"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"vaultexec/integration/servers"
)

// atKeyboard are the places where somebody at a keyboard runs vaultexec.
var atKeyboard = append([]place{execMode, execAsPid1}, leading...)

// echoes sets or tells whether a terminal shows what is typed.
func (term *terminal) echoes(set ...bool) bool {
	term.t.Helper()
	fd := int(term.master.Fd())
	attr, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	mustDo(term.t, err)
	for _, on := range set {
		attr.Lflag &^= unix.ECHO
		if on {
			attr.Lflag |= unix.ECHO
		}
		mustDo(term.t, unix.IoctlSetTermios(fd, unix.TCSETS, attr))
	}
	return attr.Lflag&unix.ECHO != 0
}

// newPerson makes a user with a password at a userpass mount.
func newPerson(t *testing.T) (c *authCase, password string) {
	t.Helper()
	c = newAuthCase(t, sharedVault(t), "userpass")
	password = canary(t, "typed pass word")
	mustDo(t, c.vault.CreateUser(t.Context(), c.mount, "alice", password, c.settings))
	return c, password
}

// person prepares a run in a place by somebody who has to be asked.
func (c *authCase) person(t *testing.T, p place, flags ...string) *command {
	t.Helper()
	return p.vaultexec(t, append(flags, "--auth", "userpass", "--username", "alice", "--auth-mount", c.mount, "--env", c.ref)...).vault(c.vault.Address)
}

// The password is asked for on the terminal, is not shown there, and what the
// terminal was like it is again when the command runs.
func TestP1PasswordIsTyped(t *testing.T) {
	inEach(t, atKeyboard, func(t *testing.T, p place) {
		c, password := newPerson(t)
		term := p.onTerminal(t, c.person(t, p).exec("/bin/sh", "-c", `read line; [ "$PASSWORD" ] && echo "it has read $line"`))
		term.echoes(true)
		term.expect("Password of alice for auth/" + c.mount + " at " + c.vault.Address + ": ")
		term.send(password + "\n")
		waitUntil(t, "the echo to be back", func() bool { return term.echoes() })
		term.send("words\n")
		term.expect("it has read words\n")
		term.end(0)
	})
}

// Ctrl-C, or TERM, at the question ends vaultexec, and the echo is back.
func TestP4PasswordCtrlC(t *testing.T) {
	inEach(t, atKeyboard, func(t *testing.T, p place) {
		for _, interrupt := range []bool{true, false} {
			c, password := newPerson(t)
			term := p.onTerminal(t, c.person(t, p))
			term.echoes(true)
			term.expect("Password of alice")
			if term.echoes() {
				t.Error("what is typed is shown")
			}
			term.send(password[:5])
			status := 130
			if interrupt {
				term.send(ctrlC)
			} else {
				status = 143
				mustDo(t, term.cmd.Process.Signal(syscall.SIGTERM))
			}
			term.end(status)
			if !term.echoes() {
				t.Error("what is typed is not shown any more")
			}
			if n := len(requests(t, "auth/"+c.mount+"/login")); n != 0 {
				t.Errorf("%d logins", n)
			}
		}
	})
}

// Under a shell: Ctrl-Z at the question stops vaultexec, and when it goes on
// nothing is shown though the shell has brought the echo back.
func TestP5PasswordCtrlZ(t *testing.T) {
	inEach(t, underShell, func(t *testing.T, p place) {
		c, password := newPerson(t)
		run := c.person(t, p)
		term, _, _ := interactive(t, p)
		line := run.binary
		for _, flag := range append(run.flags, "--", "sh", "-c", `[ "$PASSWORD" ] && echo it runs`) {
			line += " '" + flag + "'"
		}
		term.run("export VAULT_ADDR=" + c.vault.Address + " VAULTEXEC_LOG_LEVEL=warn")
		term.back()
		term.run(line)
		term.expect("Password of alice")
		term.send(ctrlZ)
		term.expect("Stopped")
		term.back()
		term.run("stty echo; fg")
		term.expect("Password of alice")
		term.send(password + "\n")
		term.expect("it runs")
		term.back()
		term.leave()
	})
}

// Where there is no terminal nobody is asked.
func TestP12PasswordWithoutTerminal(t *testing.T) {
	c, _ := newPerson(t)
	cmd := c.person(t, oneProcess).cmd()
	var stderr lockedBuffer
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // away from the terminal that these tests may have
	err := cmd.Run()
	res := &result{t: t, stderr: stderr.String(), status: cmd.ProcessState.ExitCode()}
	res.refused("config", `login with user "alice" at auth/`+c.mount, "there is no terminal", "--password-path")
	if err == nil {
		t.Error("it succeeds")
	}
}

// The same for a directory's people: the question names the mount, a wrong password
// is one try, and the right one starts the command.
func TestP1LDAPPasswordIsTyped(t *testing.T) {
	password := canary(t, "typed pass word")
	directory, err := servers.StartDirectory(t.Context(), map[string]string{"alice": password})
	mustDo(t, err)
	t.Cleanup(func() { _ = directory.Stop() })
	c := newAuthCase(t, sharedVault(t), "ldap")
	c.write(t, "config", directory.Config())
	for _, right := range []bool{false, true} {
		run := oneProcess.vaultexec(t, "--auth", "ldap", "--username", "alice", "--auth-mount", c.mount, "--env", c.ref).vault(c.vault.Address)
		term := oneProcess.onTerminal(t, run.exec("/bin/sh", "-c", `[ "$PASSWORD" ] && echo it runs`))
		term.expect("Password of alice for auth/" + c.mount + " at " + c.vault.Address + ": ")
		if right {
			term.send(password + "\n")
			term.expect("it runs")
			term.end(0)
			continue
		}
		term.send("wrong\n")
		term.expect("Vault denied it")
		term.end(125)
	}
}

// The next logins use the password again: the terminal is the command's by
// then.
func TestP8PasswordIsRemembered(t *testing.T) {
	c := newAuthCase(t, sharedVault(t), "userpass").short()
	password := canary(t, "typed pass word")
	mustDo(t, c.vault.CreateUser(t.Context(), c.mount, "alice", password, c.settings))
	p := newProxy(t, c.vault.Address)
	term := oneProcess.onTerminal(t, c.person(t, oneProcess).vault(p.address).exec("/bin/sh", "-c", "read line; echo it has read $line"))
	term.expect("Password of alice")
	term.send(password + "\n")
	waitUntil(t, "logins", func() bool { return p.count(http.MethodPut, "auth/"+c.mount+"/login/alice") >= 3 })
	term.send("words\n")
	term.expect("it has read words\n")
	term.end(0)
}
