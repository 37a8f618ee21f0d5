//go:build linux

package integration

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"vaultexec/integration/servers"
)

// tunnel is a proxy for HTTPS: whatever host it is asked for, it leads to one.
type tunnel struct {
	address string
	mu      sync.Mutex
	asked   []string
}

func newTunnel(t *testing.T, to string) *tunnel {
	t.Helper()
	p := &tunnel{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, r.Method+" "+r.Host)
		p.mu.Unlock()
		there, err := net.Dial("tcp", to)
		if err != nil || r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer there.Close()
		here, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer here.Close()
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
		_, _ = io.Copy(here, there) // however it ends, it ends
	}))
	t.Cleanup(s.Close)
	p.address = s.URL
	return p
}

// requests are those so far.
func (p *tunnel) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

// What annotations say of the way to a real Vault with TLS is what is done: a
// certificate of our own, the name in Vault's, a proxy.
func TestAnnotationsTLSClient(t *testing.T) {
	t.Parallel()
	v := ownVault(t, servers.VaultOptions{Durable: true})
	kv := kvMountAt(t, v, "kv", 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	token := secretFile(t, "token", kv.token(t, "app"))
	proxy := newTunnel(t, strings.TrimPrefix(v.TLS.Address, "https://"))
	for name, tt := range map[string]struct {
		pairs []string
		says  string // empty: it works
		asked bool   // of the proxy
	}{
		"client certificate":     {[]string{"service", v.TLS.Mutual, "client-cert", v.TLS.ClientCert, "client-key", v.TLS.ClientKey}, "", false},
		"without":                {[]string{"service", v.TLS.Mutual}, "VAULT_CLIENT_CERT", false},
		"without its key":        {[]string{"service", v.TLS.Mutual, "client-cert", v.TLS.ClientCert}, "client-cert", false},
		"server name":            {[]string{"service", v.TLS.Address, "tls-server-name", "vault"}, "", false},
		"another server name":    {[]string{"service", v.TLS.Address, "tls-server-name", "elsewhere"}, "elsewhere", false},
		"proxy":                  {[]string{"service", "https://vault.example:8200", "tls-server-name", "vault", "proxy-address", proxy.address}, "", true},
		"proxy, but not a proxy": {[]string{"service", v.TLS.Address, "proxy-address", "http://127.0.0.1:1"}, "vault_unreachable", false},
		"plain HTTP takes none":  {[]string{"service", v.Address, "proxy-address", "http://127.0.0.1:1"}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(proxy.requests())
			file := annotationsFile(t, append(tt.pairs, "ca-cert", v.TLS.CA, "auth-type", "token_file", "auth-config-token-file-path", token)...)
			run := vaultexec(t, "--annotations", file, "--env", "PASSWORD="+kv.path("app")+"#password")
			if tt.says == "" {
				run.run().exited(0).childHas("PASSWORD", password)
			} else {
				run.env("VAULTEXEC_STARTUP_TIMEOUT=5s").run().refused(tt.says)
			}
			asked := proxy.requests()[before:]
			if tt.asked != (len(asked) > 0) {
				t.Errorf("the proxy was asked for %q", asked)
			}
			for _, what := range asked {
				if what != "CONNECT vault.example:8200" {
					t.Errorf("the proxy was asked for %q", what)
				}
			}
		})
	}
}

// The token of a volume that an annotation names is where the Injector mounts it,
// and without the annotation it is not looked for there.
func TestAnnotationsTokenVolume(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	a := newAccount(t, kv.policy(t, "app"))
	const there = "/var/run/secrets/vault.hashicorp.com/serviceaccount"
	run := func(pairs ...string) *result {
		file := annotationsFile(t, append(pairs, "service", a.vault.Address, "role", a.role, "auth-path", "auth/"+loginMount(t))...)
		c := vaultexec(t, "--annotations", file, "--env", "PASSWORD="+kv.path("app")+"#password")
		script := "mount -n -t tmpfs tmpfs /var/run && mkdir -p " + there + " && cp " + a.jwtFile(t, "vault") + " " + there + "/token && exec \"$@\""
		return c.startIn(func(t *testing.T, argv []string) *exec.Cmd {
			return mountCommand(t, append([]string{"/bin/sh", "-ec", script, "sh"}, argv...))
		}).wait()
	}
	run("agent-service-account-token-volume-name", "vault-token").exited(0).childHas("PASSWORD", password)
	run().refused("/var/run/secrets/kubernetes.io/serviceaccount/token")
	run("agent-service-account-token-volume-name", "vault-token", "auth-config-token-path", "/no/such/token").refused("/no/such/token")
}
