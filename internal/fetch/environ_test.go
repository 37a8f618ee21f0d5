package fetch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Each variable that cannot be used is named, and its value is not repeated.
func TestBadEnvironment(t *testing.T) {
	notPEM := writeFile(t, "not.pem", "nonsense "+canary, 0o600)
	missing := filepath.Join(t.TempDir(), "missing.pem")
	tests := []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"VAULT_ADDR": "vault.test:8200"}, "VAULT_ADDR is not an address: write http://HOST[:PORT], https://HOST[:PORT] or unix:///PATH"},
		{map[string]string{"VAULT_ADDR": "localhost"}, "VAULT_ADDR is not an address: "},
		{map[string]string{"VAULT_ADDR": "ftp://h"}, "VAULT_ADDR is not an address: "},
		{map[string]string{"VAULT_ADDR": "http://u:" + canary + "@:8200"}, "VAULT_ADDR is not an address: "},
		{map[string]string{"VAULT_ADDR": "http://u:" + canary + "%zz@h"}, "VAULT_ADDR is not an address: "},
		{map[string]string{"VAULT_ADDR": "unix://"}, "VAULT_ADDR is not an address: "},
		{map[string]string{"VAULT_AGENT_ADDR": "agent"}, "VAULT_AGENT_ADDR is not an address: "},
		{map[string]string{"VAULT_MAX_RETRIES": canary}, "VAULT_MAX_RETRIES has to be a number from 0 up"},
		{map[string]string{"VAULT_RATE_LIMIT": canary}, "VAULT_RATE_LIMIT has to be RATE or RATE:BURST, in requests per second"},
		{map[string]string{"VAULT_SKIP_VERIFY": canary}, "VAULT_SKIP_VERIFY has to be true or false"},
		{map[string]string{"VAULT_SRV_LOOKUP": canary}, "VAULT_SRV_LOOKUP has to be true or false"},
		{map[string]string{"VAULT_DISABLE_REDIRECTS": canary}, "VAULT_DISABLE_REDIRECTS has to be true or false"},
		{map[string]string{"VAULT_CLIENT_TIMEOUT": canary}, "VAULT_CLIENT_TIMEOUT has to be a duration, as 10s or, in seconds, 10"},
		{map[string]string{"VAULT_HTTP_PROXY": "http://u:" + canary + "%zz@h"}, "VAULT_HTTP_PROXY has to be a URL"},
		{map[string]string{"VAULT_PROXY_ADDR": "http://u:" + canary + "%zz@h"}, "VAULT_PROXY_ADDR has to be a URL"},
		{map[string]string{"VAULT_HEADERS": canary}, "VAULT_HEADERS has to be a JSON object of strings, without X-Vault- headers"},
		{map[string]string{"VAULT_HEADERS": `{"X-Vault-Token":"` + canary + `"}`}, "VAULT_HEADERS has to be a JSON object of strings, without X-Vault- headers"},
		{map[string]string{"VAULT_HEADERS": `{"a":7}`}, "VAULT_HEADERS has to be a JSON object of strings, without X-Vault- headers"},
		{map[string]string{"VAULT_CLIENT_CERT": notPEM}, "VAULT_CLIENT_CERT and VAULT_CLIENT_KEY go together: set both or none"},
		{map[string]string{"VAULT_CLIENT_CERT": notPEM, "VAULT_CLIENT_KEY": notPEM}, "VAULT_CLIENT_CERT or VAULT_CLIENT_KEY cannot be used: tls: failed to find any PEM data"},
		{map[string]string{"VAULT_CACERT": missing}, "VAULT_CACERT cannot be used: "},
		{map[string]string{"VAULT_CACERT": notPEM}, "VAULT_CACERT cannot be used: "},
		{map[string]string{"VAULT_CACERT_BYTES": "nonsense " + canary}, "VAULT_CACERT_BYTES cannot be used: "},
		{map[string]string{"VAULT_CAPATH": missing}, "VAULT_CAPATH cannot be used: "},
	}
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			_, err := New(Config{})
			if err == nil || !strings.HasPrefix(err.Error(), test.want) || classOf(err) != string(ClassConfig) {
				t.Fatalf("got  %v\nwant %s", err, test.want)
			}
			checkSilence(t, err.Error())
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

func TestEnvironmentIsUsed(t *testing.T) {
	tests := []struct {
		name    string
		env     map[string]string
		cfg     Config
		address string
		ns      string
		timeout time.Duration
	}{
		{"defaults", nil, Config{}, "https://127.0.0.1:8200 (VAULT_ADDR is not set)", "", 10 * time.Second},
		{"address", map[string]string{"VAULT_ADDR": "http://vault.test"}, Config{}, "http://vault.test", "", 10 * time.Second},
		{"password in the address", map[string]string{"VAULT_ADDR": "http://u:" + canary + "@h"}, Config{}, "http://h", "", 10 * time.Second},
		{"agent before address", map[string]string{"VAULT_ADDR": "http://vault.test", "VAULT_AGENT_ADDR": "http://agent.test"}, Config{}, "http://agent.test", "", 10 * time.Second},
		{"namespace", map[string]string{"VAULT_NAMESPACE": "team/a/"}, Config{}, "https://127.0.0.1:8200 (VAULT_ADDR is not set)", "team/a", 10 * time.Second},
		{"explicit namespace", map[string]string{"VAULT_NAMESPACE": "team"}, Config{Namespace: "other/"}, "https://127.0.0.1:8200 (VAULT_ADDR is not set)", "other", 10 * time.Second},
		{"timeout", map[string]string{"VAULT_CLIENT_TIMEOUT": "7"}, Config{}, "https://127.0.0.1:8200 (VAULT_ADDR is not set)", "", 7 * time.Second},
		{"explicit timeout", map[string]string{"VAULT_CLIENT_TIMEOUT": "7s"}, Config{RequestTimeout: 3 * time.Second}, "https://127.0.0.1:8200 (VAULT_ADDR is not set)", "", 3 * time.Second},
		{"zero timeout, as for the vault command", map[string]string{"VAULT_CLIENT_TIMEOUT": "0"}, Config{}, "https://127.0.0.1:8200 (VAULT_ADDR is not set)", "", time.Minute},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			c, err := New(test.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if c.address != test.address || c.namespace != test.ns || c.requestTimeout != test.timeout {
				t.Errorf("address %s, namespace %q, timeout %s", c.address, c.namespace, c.requestTimeout)
			}
			if c.api.MaxRetries() != 0 {
				t.Errorf("the api package retries %d times on its own", c.api.MaxRetries())
			}
		})
	}
}

// New looks at files and variables only.
func BenchmarkNew(b *testing.B) {
	_ = os.Setenv("VAULT_ADDR", "http://127.0.0.1:1")
	defer os.Unsetenv("VAULT_ADDR")
	for b.Loop() {
		if _, err := New(Config{}); err != nil {
			b.Fatal(err)
		}
	}
}
