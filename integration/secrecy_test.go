//go:build linux

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// While the child runs, /proc shows nothing of what let vaultexec into Vault,
// nor of what it got there: in no command line of the machine, in no
// environment of vaultexec's processes, and in the child's only what was asked
// for. The logs at debug level are checked by the harness.
func TestP7ProcShowsNoSecret(t *testing.T) {
	kv := kvMount(t, 2)
	password, spare := canary(t, "password"), canary(t, "unasked")
	kv.put(t, "app", fields{"password": password, "spare": spare})
	inEach(t, supervising, func(t *testing.T, p place) {
		token := kv.token(t, "app")
		file := filepath.Join(t.TempDir(), "password")
		r := p.start(p.vaultexec(t, "--env", "PASSWORD="+kv.path("app")+"#password", "--file", file+"="+kv.path("app")+"#spare").
			vault(kv.vault.Address).token(token).tally("-"))
		r.waitLine("ready")
		child := r.childPid(p)
		checkProc(t, r, child)
		text := environment(t, child)
		if !strings.Contains(text, "PASSWORD="+password) {
			t.Error("the child has no password")
		}
		checkSilence(t, "the child's environment", strings.ReplaceAll(text, "PASSWORD="+password, ""))
		r.signal(syscall.SIGTERM)
		r.wait().exited(0).childLacks("VAULT_TOKEN", "VAULT_ADDR", "VAULTEXEC_LOG_LEVEL")
	})
}

// The same for a login with a service account's token.
func TestP7ProcShowsNoJWT(t *testing.T) {
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	inEach(t, supervising, func(t *testing.T, p place) {
		a := newAccount(t, kv.policy(t, "app"))
		flags := []string{"--role", a.role, "--jwt-path", a.jwtFile(t, "vault"), "--env", "PASSWORD=" + kv.path("app") + "#password"}
		r := p.start(p.vaultexec(t, flags...).vault(a.vault.Address).tally("-"))
		r.waitLine("ready")
		child := r.childPid(p)
		checkProc(t, r, child)
		checkSilence(t, "the child's environment", strings.ReplaceAll(environment(t, child), "PASSWORD="+password, ""))
		r.signal(syscall.SIGTERM)
		r.wait().exited(0).childLacks("VAULT_TOKEN")
	})
}

// In exec mode the process keeps its /proc entry, and what it was started with
// must not be in there either.
func TestP7ExecModeLeavesNoToken(t *testing.T) {
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	inEach(t, []place{execMode, execAsPid1}, func(t *testing.T, p place) {
		r := p.start(p.vaultexec(t, "--env", "PASSWORD="+kv.path("app")+"#password").
			vault(kv.vault.Address).token(kv.token(t, "app")).tally("-"))
		r.waitLine("ready")
		checkCommandLines(t)
		checkSilence(t, "the command's environment", strings.ReplaceAll(environment(t, r.pid()), "PASSWORD="+password, ""))
		r.signal(syscall.SIGTERM)
		r.wait().exited(0).childLacks("VAULT_TOKEN")
	})
}

// While vaultexec still waits for Vault, its token is not there for others to
// read either.
func TestP7ProcShowsNoTokenDuringLogin(t *testing.T) {
	inEach(t, everywhere, func(t *testing.T, p place) {
		address, reached := silentVault(t)
		token := canary(t, "token")
		r := p.start(p.vaultexec(t, "--env", "A=kv/app#a").vault(address).token(token).tally("-"))
		reached(r)
		checkProc(t, r, 0)
		r.signal(syscall.SIGTERM)
		r.wait().exited(143)
	})
}

// checkProc looks at all command lines, and at the environments of vaultexec's
// processes: the one we started and its descendants but for the child.
func checkProc(t *testing.T, r *running, child int) {
	t.Helper()
	checkCommandLines(t)
	own := []int{r.pid()}
	for _, p := range childrenOf(r.pid()) {
		if p.pid != child {
			own = append(own, p.pid)
		}
	}
	for _, pid := range own {
		text := environment(t, pid)
		if !strings.Contains(text, "PATH=") {
			t.Errorf("the environment of process %d cannot be seen: %q", pid, text)
		}
		checkSilence(t, fmt.Sprintf("environment of process %d", pid), text)
	}
}

// checkCommandLines looks at every process but us: what the tests register is
// in our memory, and nowhere else.
func checkCommandLines(t *testing.T) {
	t.Helper()
	for _, p := range processes(func(p process) bool { return p.pid != os.Getpid() }) {
		checkSilence(t, fmt.Sprintf("command line of process %d", p.pid), strings.Join(words(p.pid), " "))
	}
}
