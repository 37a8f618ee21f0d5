package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"vaultexec/integration/servers"
)

// A Vault as it is after its installation is initialized and unsealed with what the
// doctor says.
func TestDoctorInitializesVault(t *testing.T) {
	t.Parallel()
	c := &clinic{vault: ownVault(t, servers.VaultOptions{Durable: true, Uninitialized: true})}
	patient := vaultexec(t, "--env", "PASSWORD=kv/app#password").vault(c.vault.Address).token(canary(t, "token"))
	look := func(says, fix string) string {
		t.Helper()
		res, d := patient.examine()
		res.exited(2)
		s := d.find(t, "health", "failed")
		if !strings.Contains(s.Detail, says) || len(s.Fix) != 1 || s.Fix[0] != fix+" -address="+c.vault.Address {
			t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
		}
		d.find(t, "login", "skipped")
		return s.Fix[0]
	}
	var made struct {
		Keys  []string `json:"unseal_keys_b64"`
		Token string   `json:"root_token"`
	}
	init := look("is not initialized", "vault operator init")
	mustDo(t, json.Unmarshal([]byte(c.administer(t, init+" -key-shares=1 -key-threshold=1 -format=json")), &made))
	register("root's token", made.Token)
	register("the unseal key", made.Keys[0])
	c.administer(t, look("is sealed", "vault operator unseal")+" "+made.Keys[0])
	_, d := patient.examine()
	d.find(t, "health", "ok")
}

// Whatever else answers at the address is told from Vault.
func TestDoctorTellsWhatIsNotVault(t *testing.T) {
	t.Parallel()
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html><body>It works!</body></html>") // a client that goes away is no failure of ours
	}))
	t.Cleanup(pages.Close)
	cluster := sharedCluster(t)
	ca := writeFile(t, filepath.Join(t.TempDir(), "ca.pem"), string(cluster.CA))
	for name, address := range map[string]string{"web server": pages.URL, "API server of Kubernetes": cluster.Address} {
		t.Run(name, func(t *testing.T) {
			res, d := vaultexec(t, "--env", "PASSWORD=kv/app#password").vault(address).env("VAULT_CACERT=" + ca).token(canary(t, "token")).examine()
			res.exited(2)
			s := d.find(t, "health", "failed")
			if !strings.Contains(s.Detail, "not Vault") || s.Fix[0] != "vault status -address="+address {
				t.Errorf("%q is mended by %q", s.Detail, s.Fix)
			}
			d.find(t, "login", "skipped")
			d.find(t, "pid 1", "ok")
		})
	}
}

// A quota of Vault's that is used up is trouble, wherever it applies; the doctor
// shows where to find it.
func TestDoctorFindsQuotas(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.policies...)
	for _, tt := range []struct{ path, used, check string }{
		{"kv/", "kv/data/app", "secrets"},
		{"auth/" + clinicMount + "/", "auth/" + clinicMount + "/config", "login"},
	} {
		t.Run(tt.check, func(t *testing.T) {
			quota := unique("quota")
			client := c.vault.Client().Logical()
			_, err := client.WriteWithContext(t.Context(), "sys/quotas/rate-limit/"+quota, fields{"path": tt.path, "rate": 1, "interval": "1h"})
			mustDo(t, err)
			_, err = client.ReadWithContext(t.Context(), tt.used)
			mustDo(t, err) // that was the one
			res, d := c.patient(t, a).examine()
			res.exited(2)
			s := d.find(t, tt.check, "failed")
			if !strings.Contains(s.Detail, "HTTP 429") || len(s.Fix) != 2 || s.Fix[0] != "export VAULTEXEC_CONCURRENCY=2   # fewer requests at once" {
				t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
			}
			if d.Class != "rate_limited" {
				t.Errorf("the class is %q", d.Class)
			}
			if out := c.administer(t, s.Fix[1]); !strings.Contains(out, quota) {
				t.Errorf("%s shows %q", s.Fix[1], out)
			}
			_, err = client.DeleteWithContext(t.Context(), "sys/quotas/rate-limit/"+quota)
			mustDo(t, err)
			res, d = c.patient(t, a).examine()
			res.exited(0)
			d.find(t, tt.check, "ok")
		})
	}
}
