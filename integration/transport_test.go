package integration

import (
	"strings"
	"testing"

	"vaultexec/integration/servers"
)

// The VAULT_* variables mean what they mean for the vault command.
func TestP1StandardVariables(t *testing.T) {
	t.Parallel()
	v := ownVault(t, servers.VaultOptions{Durable: true})
	kv := kvMountAt(t, v, "kv", 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	token := kv.token(t, "app")
	start := func(t *testing.T, vars ...string) *command {
		return vaultexec(t, "--env", "PASSWORD=kv/app#password").token(token).env(vars...)
	}
	localhost := strings.Replace(v.TLS.Address, "127.0.0.1", "localhost", 1)
	good := map[string][]string{
		"private authority":  {"VAULT_ADDR=" + v.TLS.Address, "VAULT_CACERT=" + v.TLS.CA},
		"by host name":       {"VAULT_ADDR=" + localhost, "VAULT_CACERT=" + v.TLS.CA},
		"server name":        {"VAULT_ADDR=" + v.TLS.Address, "VAULT_CACERT=" + v.TLS.CA, "VAULT_TLS_SERVER_NAME=vault"},
		"client certificate": {"VAULT_ADDR=" + v.TLS.Mutual, "VAULT_CACERT=" + v.TLS.CA, "VAULT_CLIENT_CERT=" + v.TLS.ClientCert, "VAULT_CLIENT_KEY=" + v.TLS.ClientKey},
		"unverified":         {"VAULT_ADDR=" + v.TLS.Address, "VAULT_SKIP_VERIFY=true"},
		"unix socket":        {"VAULT_ADDR=unix://" + v.TLS.Socket},
		"agent address":      {"VAULT_ADDR=http://127.0.0.1:1", "VAULT_AGENT_ADDR=" + v.Address},
	}
	for name, vars := range good {
		t.Run(name, func(t *testing.T) {
			res := start(t, vars...).run()
			res.exited(0)
			res.childHas("PASSWORD", password)
			for _, kv := range vars {
				name, _, _ := strings.Cut(kv, "=")
				res.childLacks(name)
			}
		})
	}
	bad := []struct {
		name string
		vars []string
		says []string
	}{
		{"no authority", []string{"VAULT_ADDR=" + v.TLS.Address}, []string{"tls", "VAULT_CACERT"}},
		{"another authority", []string{"VAULT_ADDR=" + v.TLS.Address, "VAULT_CACERT=" + v.TLS.OtherCA}, []string{"tls", "VAULT_CACERT"}},
		{"another server name", []string{"VAULT_ADDR=" + v.TLS.Address, "VAULT_CACERT=" + v.TLS.CA, "VAULT_TLS_SERVER_NAME=elsewhere"}, []string{"tls", "elsewhere"}},
		{"no client certificate", []string{"VAULT_ADDR=" + v.TLS.Mutual, "VAULT_CACERT=" + v.TLS.CA}, []string{"tls", "VAULT_CLIENT_CERT"}},
		{"authority's file is not there", []string{"VAULT_ADDR=" + v.TLS.Address, "VAULT_CACERT=/no/such/ca.pem"}, []string{"config", "/no/such/ca.pem"}},
		{"plain HTTP to a TLS listener", []string{"VAULT_ADDR=" + strings.Replace(v.TLS.Address, "https", "http", 1)}, []string{"https"}},
	}
	for _, tt := range bad {
		t.Run(tt.name, func(t *testing.T) {
			start(t, append(tt.vars, "VAULTEXEC_STARTUP_TIMEOUT=5s")...).run().refused(tt.says...)
		})
	}
}

// Vault is reached through an HTTP proxy where the variables say so.
func TestP1Proxy(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	for _, name := range []string{"VAULT_HTTP_PROXY", "VAULT_PROXY_ADDR", "HTTP_PROXY"} {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t, kv.vault.Address) // a proxy gets whole addresses, and this one goes to Vault with them
			c := vaultexec(t, "--env", "PASSWORD="+kv.path("app")+"#password").token(kv.token(t, "app"))
			c.vault("http://vault.example:8200").env(name+"="+p.address).run().exited(0).childHas("PASSWORD", password)
			for _, r := range p.requests() {
				if r.URL.Host != "vault.example:8200" {
					t.Errorf("asked for %s", r.URL)
				}
			}
			if len(p.requests()) == 0 {
				t.Error("the proxy was not used")
			}
		})
	}
}

// The namespace goes with every request, the login included; that of a
// reference goes with its own. (Only Vault Enterprise and OpenBao have them:
// seen is the header.)
func TestP1Namespace(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"user": "app"})
	a := newAccount(t, kv.policy(t, "app"))
	tests := map[string]func(*testing.T) *command{
		"VAULT_NAMESPACE": func(t *testing.T) *command {
			return a.login(t, "--env", "USER_NAME="+kv.path("app")+"#user").env("VAULT_NAMESPACE=team/a")
		},
		"flag": func(t *testing.T) *command {
			return a.login(t, "--namespace", "team/a", "--env", "USER_NAME="+kv.path("app")+"#user").env("VAULT_NAMESPACE=other")
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t, kv.vault.Address)
			prepare(t).vault(p.address).run().exited(0)
			for _, r := range p.requests() {
				if got := strings.Trim(r.Header.Get("X-Vault-Namespace"), "/"); got != "team/a" {
					t.Errorf("%s %s is in namespace %q", r.Method, r.URL.Path, got)
				}
			}
		})
	}
	t.Run("of a reference", func(t *testing.T) {
		p := newProxy(t, kv.vault.Address)
		a.login(t, "--namespace", "team/a", "--env", "USER_NAME="+kv.path("app")+"?namespace=team/b#user").vault(p.address).run().exited(0)
		for _, r := range p.requests() {
			want := "team/b"
			if strings.HasPrefix(r.URL.Path, "/v1/auth/") {
				want = "team/a"
			}
			if got := strings.Trim(r.Header.Get("X-Vault-Namespace"), "/"); got != want {
				t.Errorf("%s %s is in namespace %q, want %q", r.Method, r.URL.Path, got, want)
			}
		}
	})
}
