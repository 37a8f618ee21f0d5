package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vaultexec/integration/servers"
)

// symptom is what the doctor says of one thing.
type symptom struct {
	Check, State, Detail string
	Fix                  []string
}

// diagnosis is what vaultexec doctor --json prints.
type diagnosis struct {
	OK     bool
	Class  string
	Checks []symptom
}

// examine runs the doctor in place of the command, for a program and for a person,
// who have to hear the same. All that is wrong comes with what mends it.
func (c *command) examine() (*result, diagnosis) {
	c.t.Helper()
	return c.examineBy(func(c *command) *result { return c.run() })
}

// examineBy is the same where the doctor is run in another way.
func (c *command) examineBy(run func(*command) *result) (*result, diagnosis) {
	c.t.Helper()
	flags := c.flags
	c.argv = nil
	c.flags = append([]string{"doctor", "--json", "--log-level", "debug"}, flags...)
	res := run(c)
	var d diagnosis
	if err := json.Unmarshal([]byte(res.stdout), &d); err != nil {
		c.t.Fatalf("%v: %s\n%s", err, res.stdout, res.stderr)
	}
	c.flags = append([]string{"doctor"}, flags...)
	plain := run(c).exited(res.status)
	c.flags = flags
	for _, s := range d.Checks {
		if s.State != "failed" && s.State != "warning" {
			continue
		}
		if !hasRow(plain.stdout, s.State+" "+s.Check+" ") {
			c.t.Errorf("nobody reads that %s is %s:\n%s", s.Check, s.State, plain.stdout)
		}
		if len(s.Fix) == 0 {
			c.t.Errorf("nothing mends that %s is %s: %s", s.Check, s.State, s.Detail)
		}
		for n, fix := range s.Fix {
			first, _, _ := strings.Cut(fix, "\n")
			if word := []string{"fix", "or"}[min(n, 1)]; !hasRow(plain.stdout, word+" "+first) {
				c.t.Errorf("nobody reads %s %q:\n%s", word, first, plain.stdout)
			}
		}
	}
	return res, d
}

// hasRow tells whether a line of a table begins with these words, whatever is
// between them.
func hasRow(table, words string) bool {
	want := strings.Join(strings.Fields(words), " ")
	for line := range strings.Lines(table) {
		if strings.HasPrefix(strings.Join(strings.Fields(line), " "), want) {
			return true
		}
	}
	return false
}

// paste puts what the doctor has said into a shell, before vaultexec or, if it is
// flags, behind it.
func (c *command) paste(fix string) *command {
	script := fix + "\n" + `exec "$@"`
	if strings.HasPrefix(fix, "--") {
		script = `exec "$@" ` + fix
	}
	c.shell = script
	return c
}

// find is the symptom of a check that has a state, or else what there is.
func (d diagnosis) find(t *testing.T, check, state string) symptom {
	t.Helper()
	for _, s := range d.Checks {
		if s.Check == check && s.State == state {
			return s
		}
	}
	t.Errorf("no %s is %s: %+v", check, state, d.Checks)
	return symptom{}
}

// clinic is a Vault with all that a start needs.
type clinic struct {
	vault    *servers.Vault
	kv       *kv
	policies []string // one of them is not written yet
	extra    string   // and that is the one
}

const clinicMount = "kubernetes"

func newClinic(t *testing.T) *clinic {
	t.Helper()
	c := &clinic{vault: ownVault(t, servers.VaultOptions{Durable: true}), extra: unique("extra")}
	c.kv = kvMountAt(t, c.vault, "kv", 2)
	for _, path := range []string{"app", "closed"} {
		c.kv.put(t, path, fields{"password": canary(t, "password")})
	}
	self := unique("self")
	mustDo(t, c.vault.Policy(t.Context(), self, "update", "sys/capabilities-self", "auth/token/revoke-self"))
	look := unique("look")
	mustDo(t, c.vault.Policy(t.Context(), look, "read", "auth/token/lookup-self"))
	c.policies = []string{c.kv.policy(t, "app"), self, look, c.extra}
	mustDo(t, c.vault.EnableKubernetesAuth(t.Context(), sharedCluster(t), clinicMount))
	return c
}

// patient is a vaultexec that would start well, but for what its flags do to it:
// the last one counts.
func (c *clinic) patient(t *testing.T, a *account, flags ...string) *command {
	t.Helper()
	flags = append([]string{"--role", a.role, "--jwt-path", a.jwtFile(t, "vault"), "--env", "PASSWORD=kv/app#password"}, flags...)
	return vaultexec(t, flags...).vault(c.vault.Address)
}

// administer runs a command that the doctor has given, as who may do everything,
// and returns what it prints.
func (c *clinic) administer(t *testing.T, command string) string {
	t.Helper()
	bin := vaultCommand(t)
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", command)
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + bin, "VAULT_ADDR=" + c.vault.Address, "VAULT_TOKEN=" + c.vault.Token}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", hidden(command), err, hidden(string(out)))
	}
	return string(out)
}

// vaultCommand is a directory for PATH that has the vault command in it.
func vaultCommand(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	mustDo(t, os.Symlink(shared.bin.Vault, filepath.Join(bin, "vault")))
	return bin
}

// Where all is well the doctor says so, with what there is to know.
func TestDoctorFindsNothing(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.policies...)
	res, d := c.patient(t, a).vault(c.vault.TLS.Address).env("VAULT_CACERT=" + c.vault.TLS.CA).examine()
	if res.exited(0); !d.OK {
		t.Errorf("%+v", d)
	}
	for check, detail := range map[string]string{
		"tls": ": good for ", "health": "is unsealed and active", "clock": "agrees with Vault's", "jwt": "for vault, issued by https://", "login": a.role,
		"token": "good for ", "capabilities": "read of kv/data/app (mount kv/, KV v2)", "secrets": "all are there", "sizes": "variables take",
	} {
		if s := d.find(t, check, "ok"); !strings.Contains(s.Detail, detail) {
			t.Errorf("%s is %q, without %q", check, s.Detail, detail)
		}
	}
	if s := d.find(t, "jwt", "ok"); !strings.Contains(s.Detail, "system:serviceaccount:"+a.namespace+":app") {
		t.Errorf("the JWT is %q", s.Detail)
	}
}

// A standby is no trouble: it forwards.
func TestDoctorAtAStandby(t *testing.T) {
	t.Parallel()
	raft, err := servers.StartRaft(t.Context(), shared.bin)
	mustDo(t, err)
	t.Cleanup(func() { mustDo(t, raft.Stop()) })
	register("root's token", raft.Token)
	active, err := raft.Active(t.Context())
	mustDo(t, err)
	standby := raft.Addresses()[(active+1)%len(raft.Addresses())]
	res, d := vaultexec(t).vault(standby).token(raft.Token).examine()
	res.exited(0)
	if s := d.find(t, "health", "ok"); !strings.Contains(s.Detail, "a standby") {
		t.Errorf("%+v", s)
	}
}
