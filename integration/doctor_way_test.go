package integration

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// closed is a way to Vault that is closed somewhere, with what mends it.
type closed struct {
	name, address      string
	vars               []string
	check, detail, fix string
	mend               func(t *testing.T, c *command, fix string) // does what the fix says; nil: pasting it does
	last               bool                                       // it takes more than this machine has
}

// What keeps Vault from being asked is found where it is, and exits with 2. What the
// doctor says opens the way.
func TestDoctorFindsTheWayClosed(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.policies...)
	v, sealed := c.vault.TLS, ownVault(t, servers.VaultOptions{Durable: true})
	mustDo(t, sealed.Seal(t.Context()))
	listener := strings.TrimPrefix(c.vault.Address, "http://")
	put := func(t *testing.T, from, to string) {
		text, err := os.ReadFile(from)
		mustDo(t, err)
		writeFile(t, to, string(text))
	}
	authority := func(t *testing.T, c *command, fix string) {
		put(t, v.CA, filepath.Join(c.dir, "ca.pem"))
		c.paste(fix)
	}
	trusted := "VAULT_CACERT=" + v.CA
	for _, tt := range []closed{
		{"nobody there", "http://127.0.0.1:1", nil, "connection", "connection refused", "systemctl start vault   # on 127.0.0.1", nil, true},
		{"unknown name", "https://vault.invalid:8200", nil, "dns", "vault.invalid cannot be resolved", "nslookup vault.invalid ", nil, true},
		{"no scheme", listener, nil, "address", "VAULT_ADDR is not an address", "export VAULT_ADDR=http://" + listener, nil, false},
		{"unknown authority", v.Address, nil, "tls", "signed by an unknown authority", "export VAULT_CACERT=$PWD/ca.pem ", authority, false},
		{"another authority", v.Address, []string{"VAULT_CACERT=" + v.OtherCA}, "tls", "signed by an unknown authority", "export VAULT_CACERT=$PWD/ca.pem ", authority, false},
		{"no authority's file", v.Address, []string{"VAULT_CACERT=/no/such/ca.pem"}, "address", "VAULT_CACERT cannot be used", "unset VAULT_CACERT", func(_ *testing.T, c *command, fix string) {
			c.paste(fix + "; export VAULT_CACERT=" + v.CA) // our authority is not the system's
		}, false},
		{"another name", "https://" + forward(t, v.Address), []string{trusted}, "tls", "not for 127.0.0.2", "export VAULT_TLS_SERVER_NAME=localhost", nil, false},
		{"no client certificate", v.Mutual, []string{trusted}, "health", "does it want a client certificate", "export VAULT_CLIENT_CERT=$PWD/client.crt VAULT_CLIENT_KEY=$PWD/client.key ", func(t *testing.T, c *command, fix string) {
			put(t, v.ClientCert, filepath.Join(c.dir, "client.crt"))
			put(t, v.ClientKey, filepath.Join(c.dir, "client.key"))
			c.paste(fix)
		}, false},
		{"no TLS there", "https://" + listener, nil, "tls", "does not speak TLS", "export VAULT_ADDR=http://" + listener, nil, false},
		{"TLS there", strings.Replace(v.Address, "https:", "http:", 1), []string{trusted}, "health", "this address serves https", "export VAULT_ADDR=" + v.Address, nil, false},
		{"no socket", "unix:///no/such/vault.sock", nil, "connection", "no such file or directory", "ls -l /no/such/vault.sock ", nil, true},
		{"no proxy", c.vault.Address, []string{"VAULT_PROXY_ADDR=http://127.0.0.1:1"}, "health", "connection refused", "unset VAULT_PROXY_ADDR ", nil, false},
		{"proxy without a way", "http://vault.invalid:8200", []string{"HTTP_PROXY=http://127.0.0.1:1"}, "health", "connection refused", "export NO_PROXY=vault.invalid ", nil, true},
		{"sealed", sealed.Address, nil, "health", "is sealed", "vault operator unseal -address=" + sealed.Address, func(t *testing.T, _ *command, _ string) { mustDo(t, sealed.Unseal(t.Context())) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			command := c.patient(t, a).vault(tt.address).env(tt.vars...)
			res, d := command.examine()
			s := d.find(t, tt.check, "failed")
			if res.exited(map[bool]int{true: 3, false: 2}[tt.check == "address"]); !strings.Contains(s.Detail, tt.detail) || len(s.Fix) == 0 || !strings.HasPrefix(s.Fix[0], tt.fix) {
				t.Fatalf("%q is mended by %q, want %q", s.Detail, s.Fix, tt.fix)
			}
			d.find(t, "login", "skipped")
			if tt.check != "address" {
				d.find(t, "jwt", "ok") // it goes on
			}
			d.find(t, "pid 1", "ok")
			switch {
			case tt.last:
				return
			case tt.mend == nil:
				command.paste(s.Fix[0])
			default:
				tt.mend(t, command, s.Fix[0])
			}
			_, d = command.examine()
			d.find(t, tt.check, "ok")
		})
	}
}

// forward is an address of this machine that nobody's certificate is for, and which
// leads to another.
func forward(t *testing.T, address string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.2:0") // all of 127/8 is this machine on Linux
	mustDo(t, err)
	var going sync.WaitGroup
	t.Cleanup(func() {
		mustDo(t, l.Close())
		going.Wait()
	})
	_, to, _ := strings.Cut(address, "://")
	going.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			going.Go(func() {
				defer in.Close()
				out, err := net.Dial("tcp", to)
				if err != nil {
					t.Error(err)
					return
				}
				going.Go(func() {
					defer out.Close()
					_, _ = io.Copy(out, in) // one end goes away
				})
				_, _ = io.Copy(in, out)
			})
		}
	})
	return l.Addr().String()
}

// A certificate is told by its life: what has ended, has not begun or ends soon.
func TestDoctorLooksAtCertificates(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.policies...)
	proxy, err := servers.StartProxy(servers.ProxyOptions{Targets: []string{c.vault.Address}, TLS: true})
	mustDo(t, err)
	t.Cleanup(func() { mustDo(t, proxy.Stop()) })
	const hour = time.Hour
	for _, tt := range []struct {
		name             string
		begins, ends     time.Duration // from now
		state, says, fix string
	}{
		{"ended", -2 * hour, -hour, "failed", ": ended 1h0m", "systemctl reload vault "},
		{"not yet valid", hour + time.Minute, 2 * hour, "failed", ": not valid for another 1h", "timedatectl set-ntp true   # it is not valid before 20"},
		{"ends soon", -9 * hour, 55 * time.Minute, "warning", ": ends in 5", "systemctl reload vault "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Now()
			mustDo(t, proxy.SetCertificate(now.Add(tt.begins), now.Add(tt.ends)))
			patient := c.patient(t, a).vault(proxy.Address).env("VAULT_CACERT=" + proxy.CA)
			res, d := patient.examine()
			res.exited(map[string]int{"failed": 2, "warning": 0}[tt.state])
			if s := d.find(t, "tls", tt.state); !strings.Contains(s.Detail, tt.says) || len(s.Fix) == 0 || !strings.HasPrefix(s.Fix[0], tt.fix) {
				t.Errorf("%q is mended by %q", s.Detail, s.Fix)
			}
			if d.find(t, "jwt", "ok"); tt.state == "warning" {
				d.find(t, "secrets", "ok")
			}
			mustDo(t, proxy.RenewCertificate())
			res, d = patient.examine()
			res.exited(0)
			d.find(t, "tls", "ok")
		})
	}
}

// Through a proxy nobody here looks for the name, or sees the certificate.
func TestDoctorThroughAProxy(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.policies...)
	p := newProxy(t, c.vault.Address)
	res, d := c.patient(t, a).vault("http://vault.invalid:8200").env("HTTP_PROXY=" + p.address).examine()
	res.exited(0)
	if s := d.find(t, "dns", "ok"); !strings.Contains(s.Detail, "through the proxy 127.0.0.1:") || !strings.Contains(s.Detail, "which looks for vault.invalid") {
		t.Errorf("%+v", s)
	}
	for _, check := range []string{"connection", "tls"} {
		d.find(t, check, "skipped")
	}
	d.find(t, "secrets", "ok")
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
