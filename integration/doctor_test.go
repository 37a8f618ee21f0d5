package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// examine runs the doctor in place of the command.
func (c *command) examine() (*result, diagnosis) {
	c.t.Helper()
	c.flags, c.argv = append([]string{"doctor", "--json", "--log-level", "debug"}, c.flags...), nil
	res := c.run()
	var d diagnosis
	if err := json.Unmarshal([]byte(res.stdout), &d); err != nil {
		c.t.Fatalf("%v: %s\n%s", err, res.stdout, res.stderr)
	}
	return res, d
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

// administer runs a command that the doctor has given, as who may do everything.
func (c *clinic) administer(t *testing.T, command string) {
	t.Helper()
	bin := t.TempDir()
	mustDo(t, os.Symlink(shared.bin.Vault, filepath.Join(bin, "vault")))
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", command)
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + bin, "VAULT_ADDR=" + c.vault.Address, "VAULT_TOKEN=" + c.vault.Token}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
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
		"tls": ", until 20", "health": "is unsealed and active", "clock": "it is Vault's", "jwt": "for vault, issued by https://", "login": a.role,
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

// What the doctor says of a login that is refused mends it.
func TestDoctorMendsLogins(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	for _, tt := range []struct {
		name, fails string // and the check that does
		flags       func(t *testing.T, a *account) []string
		fix         string // how the command begins that mends it
	}{
		{"wrong audience", "login", func(t *testing.T, a *account) []string {
			return []string{"--jwt-path", a.jwtFile(t, "https://elsewhere.example")}
		}, "vault write auth/kubernetes/role/"},
		{"unknown role", "login", func(*testing.T, *account) []string { return []string{"--role", unique("unknown")} }, "vault write auth/kubernetes/role/unknown-"},
		{"another service account", "login", func(t *testing.T, _ *account) []string {
			return []string{"--jwt-path", newAccountAt(t, c.vault, clinicMount).jwtFile(t, "vault")}
		}, "vault write auth/kubernetes/role/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newAccountAt(t, c.vault, clinicMount, c.policies...)
			flags := tt.flags(t, a)
			res, d := c.patient(t, a, flags...).examine()
			res.exited(3)
			s := d.find(t, tt.fails, "failed")
			if len(s.Fix) == 0 || !strings.HasPrefix(s.Fix[0], tt.fix) {
				t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
			}
			for _, check := range []string{"token", "capabilities", "secrets"} {
				d.find(t, check, "skipped")
			}
			d.find(t, "pid 1", "ok") // it goes on
			c.administer(t, s.Fix[0])
			_, d = c.patient(t, a, flags...).examine()
			d.find(t, tt.fails, "ok")
		})
	}
}

// A JWT that has expired, an auth method that is not there and a token that is
// not there are found, with the line that helps.
func TestDoctorFindsNoLogin(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.policies...)
	expired, err := sharedCluster(t).ExpiredToken(t.Context(), a.namespace, a.name, "vault")
	mustDo(t, err)
	registerJWT(t, expired)
	file := jwtFile(t, expired)
	res, d := c.patient(t, a, "--jwt-path", file).examine()
	res.exited(3)
	s := d.find(t, "jwt", "failed")
	if want := "kubectl --namespace " + a.namespace + " create token app --audience vault > " + file; !strings.Contains(s.Detail, "expired 1h") || len(s.Fix) != 1 || s.Fix[0] != want {
		t.Errorf("%q is mended by %q, want %q", s.Detail, s.Fix, want)
	}
	d.find(t, "login", "failed")

	res, d = c.patient(t, a, "--auth-mount", "elsewhere").examine()
	res.exited(3)
	if s := d.find(t, "login", "failed"); len(s.Fix) != 2 || s.Fix[1] != "vault auth enable -path=elsewhere kubernetes" {
		t.Errorf("%q is mended by %q", s.Detail, s.Fix)
	}

	res, d = vaultexec(t, "--env", "PASSWORD=kv/app#password").vault(c.vault.Address).examine()
	res.exited(3)
	if s := d.find(t, "login", "failed"); len(s.Fix) != 1 || s.Fix[0] != "vault login -address="+c.vault.Address {
		t.Errorf("%q is mended by %q", s.Detail, s.Fix)
	}
}

// The policy that the doctor asks for is the one that is needed.
func TestDoctorMendsPolicies(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.policies...)
	flags := []string{"--env", "CLOSED=kv/closed#password", "--secret", "nowhere/app?optional"}
	res, d := c.patient(t, a, flags...).examine()
	res.exited(3)
	d.find(t, "capabilities", "ok") // of the other reference
	policy := ""
	for _, s := range d.Checks {
		switch {
		case s.State != "failed":
		case strings.HasPrefix(s.Detail, "kv/closed#password: the policies do not allow read of kv/data/closed") && len(s.Fix) == 1:
			policy = s.Fix[0]
		case strings.HasPrefix(s.Detail, "nowhere/app: permission denied: the policies open nothing below its mount, or there is no mount for it") && len(s.Fix) == 3:
		default:
			t.Errorf("it finds %+v", s)
		}
	}
	mustDo(t, c.vault.Client().Sys().PutPolicyWithContext(t.Context(), c.extra, policy))
	res, d = c.patient(t, a, flags[:2]...).examine()
	if res.exited(0); !d.OK {
		t.Errorf("with %s: %+v", policy, d)
	}
}

// A key that is missing is put there by the command that the doctor has.
func TestDoctorMendsSecrets(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.policies...)
	res, d := c.patient(t, a, "--env", "USER=kv/app#user").examine()
	res.exited(3)
	s := d.find(t, "secrets", "failed")
	if len(s.Fix) != 1 {
		t.Fatalf("%+v", s)
	}
	c.administer(t, "echo value | "+s.Fix[0])
	res, _ = c.patient(t, a, "--env", "USER=kv/app#user", "--drop", "USER").examine()
	res.exited(0)
}

// What keeps Vault from being asked is found where it is, and exits with 2.
func TestDoctorFindsTheWayClosed(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.policies...)
	proxy, err := servers.StartProxy(servers.ProxyOptions{Targets: []string{c.vault.Address}, TLS: true})
	mustDo(t, err)
	t.Cleanup(func() { mustDo(t, proxy.Stop()) })
	mustDo(t, proxy.ExpireCertificate())
	sealed := ownVault(t, servers.VaultOptions{Durable: true})
	mustDo(t, sealed.Seal(t.Context()))
	for _, tt := range []struct {
		name, address, ca  string
		check, detail, fix string
	}{
		{"unreachable", "http://127.0.0.1:1", "", "connection", "connection refused", "export VAULT_ADDR="},
		{"unknown name", "https://vault.invalid:8200", "", "dns", "vault.invalid cannot be resolved", "export VAULT_ADDR="},
		{"unknown authority", c.vault.TLS.Address, "", "tls", "signed by an unknown authority", "export VAULT_CACERT="},
		{"another authority", c.vault.TLS.Address, c.vault.TLS.OtherCA, "tls", "signed by an unknown authority", "export VAULT_CACERT="},
		{"expired certificate", proxy.Address, proxy.CA, "tls", "expired or not yet valid", "# renew Vault's certificate: it ended 1m"},
		{"no TLS there", strings.Replace(c.vault.Address, "http:", "https:", 1), "", "tls", "does not speak TLS", "export VAULT_ADDR=http://"},
		{"sealed", sealed.Address, "", "health", "is sealed", "vault operator unseal"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			command := c.patient(t, a).vault(tt.address)
			if tt.ca != "" {
				command.env("VAULT_CACERT=" + tt.ca)
			}
			res, d := command.examine()
			res.exited(2)
			if s := d.find(t, tt.check, "failed"); !strings.Contains(s.Detail, tt.detail) || len(s.Fix) == 0 || !strings.HasPrefix(s.Fix[0], tt.fix) {
				t.Errorf("%q is mended by %q", s.Detail, s.Fix)
			}
			d.find(t, "login", "skipped")
			d.find(t, "jwt", "ok") // it goes on
		})
	}
	mustDo(t, sealed.Unseal(t.Context()))
	_, d := c.patient(t, a).vault(sealed.Address).examine()
	d.find(t, "health", "ok")
}

// A clock that is wrong is seen by the Date of Vault's answers.
func TestDoctorComparesClocks(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.policies...)
	proxy := newProxy(t, c.vault.Address)
	for ahead, want := range map[time.Duration]string{
		-time.Hour: "ahead of Vault's", time.Hour: "behind Vault's", 0: "",
	} {
		proxy.onRequest(func(_ int, w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/v1/sys/health" {
				return false
			}
			resp, err := http.Get(c.vault.Address + r.URL.String())
			if err != nil {
				t.Error(err)
				return false
			}
			defer resp.Body.Close()
			w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
			_, _ = io.Copy(w, resp.Body) // a client that goes away is no failure of ours
			return true
		})
		res, d := c.patient(t, a).vault(proxy.address).examine()
		if want == "" {
			res.exited(0)
			continue
		}
		res.exited(3)
		if s := d.find(t, "clock", "failed"); !strings.Contains(s.Detail, want) || len(s.Fix) != 1 {
			t.Errorf("%+v", s)
		}
		d.find(t, "secrets", "ok") // it goes on
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
