package fetch

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What the environment leaves open comes from the defaults, and only that.
func TestDefaults(t *testing.T) {
	d := Defaults{
		"VAULT_ADDR":            {"http://file.test", "f:1"},
		"VAULT_NAMESPACE":       {"file/", "f:2"},
		"VAULT_TOKEN":           {canary, "f:3"},
		"VAULT_CLIENT_TIMEOUT":  {"7s", "f:4"},
		"VAULT_TLS_SERVER_NAME": {"name.test", "f:5"},
		"VAULT_SKIP_VERIFY":     {"true", "f:6"},
		"VAULT_PROXY_ADDR":      {"http://proxy.test", "f:7"},
	}
	for _, test := range []struct {
		what, env, value                string
		address, ns, token, name, proxy string
		insecure                        bool
		timeout                         time.Duration
	}{
		{"all", "", "", "http://file.test", "file", canary, "name.test", "proxy.test", true, 7 * time.Second},
		{"address", "VAULT_ADDR", "http://env.test", "http://env.test", "file", canary, "name.test", "proxy.test", true, 7 * time.Second},
		{"namespace", "VAULT_NAMESPACE", "env", "http://file.test", "env", canary, "name.test", "proxy.test", true, 7 * time.Second},
		{"token", "VAULT_TOKEN", "t", "http://file.test", "file", "t", "name.test", "proxy.test", true, 7 * time.Second},
		{"name", "VAULT_TLS_SERVER_NAME", "env", "http://file.test", "file", canary, "env", "proxy.test", true, 7 * time.Second},
		{"verify", "VAULT_SKIP_VERIFY", "false", "http://file.test", "file", canary, "name.test", "proxy.test", false, 7 * time.Second},
		{"proxy", "VAULT_HTTP_PROXY", "http://env.test", "http://file.test", "file", canary, "name.test", "env.test", true, 7 * time.Second},
		{"timeout", "VAULT_CLIENT_TIMEOUT", "3s", "http://file.test", "file", canary, "name.test", "proxy.test", true, 3 * time.Second},
	} {
		t.Run(test.what, func(t *testing.T) {
			if test.env != "" {
				t.Setenv(test.env, test.value)
			}
			c, err := New(Config{Defaults: d})
			if err != nil {
				t.Fatal(err)
			}
			proxy, err := c.transport.latest().Proxy(&http.Request{URL: mustURL(t, "http://vault.test")})
			if err != nil || proxy == nil || proxy.Host != test.proxy {
				t.Errorf("proxy %v, %v", proxy, err)
			}
			tls := c.transport.latest().TLSClientConfig
			if c.address != test.address || c.namespace != test.ns || c.envToken != test.token || c.requestTimeout != test.timeout ||
				tls.ServerName != test.name || tls.InsecureSkipVerify != test.insecure {
				t.Errorf("address %s, namespace %s, timeout %s, name %s, insecure %v", c.address, c.namespace, c.requestTimeout, tls.ServerName, tls.InsecureSkipVerify)
			}
		})
	}
}

// A login of its own namespace is that of a file alone.
func TestLoginNamespace(t *testing.T) {
	cfg := Config{LoginNamespace: "a/", Defaults: Defaults{"VAULT_NAMESPACE": {"a/b", "f:1"}}}
	check := func(cfg Config, ns, login string) {
		t.Helper()
		if c, err := New(cfg); err != nil || c.namespace != ns || c.loginNamespace != login {
			t.Errorf("%v, %+v, want %s and %s", err, c, ns, login)
		}
	}
	check(cfg, "a/b", "a")
	check(Config{Defaults: cfg.Defaults}, "a/b", "a/b")
	cfg.Namespace = "flag"
	check(cfg, "flag", "flag")
	cfg.Namespace = ""
	t.Setenv("VAULT_NAMESPACE", "env")
	check(cfg, "env", "env")
}

func TestBadDefaults(t *testing.T) {
	notPEM := writeFile(t, "not.pem", "nonsense "+canary, 0o600)
	missing := filepath.Join(t.TempDir(), "missing.pem")
	for _, test := range []struct {
		name, value, want string
	}{
		{"VAULT_ADDR", "vault.test", "f:1 is not an address: write http://HOST[:PORT], https://HOST[:PORT] or unix:///PATH"},
		{"VAULT_CACERT", missing, "f:1 cannot be used: "},
		{"VAULT_CACERT", notPEM, "f:1 cannot be used: "},
		{"VAULT_CAPATH", missing, "f:1 cannot be used: "},
		{"VAULT_CLIENT_CERT", notPEM, "f:1: a client certificate and its key go together: set both or none"},
		{"VAULT_CLIENT_TIMEOUT", "soon", "f:1 is not a duration: "},
		{"VAULT_SKIP_VERIFY", canary, "f:1 has to be true or false"},
		{"VAULT_PROXY_ADDR", canary, "f:1 is not the URL of a proxy: "},
	} {
		_, err := New(Config{Defaults: Defaults{test.name: {test.value, "f:1"}}})
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || classOf(err) != string(ClassConfig) {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
			continue
		}
		checkSilence(t, err.Error())
	}
	_, err := New(Config{Defaults: Defaults{"VAULT_CLIENT_CERT": {notPEM, "f:1"}, "VAULT_CLIENT_KEY": {notPEM, "f:2"}}})
	if err == nil || !strings.HasPrefix(err.Error(), "f:1 cannot be used: ") {
		t.Errorf("got %v", err)
	}
	t.Setenv("VAULT_CACERT", missing)
	_, err = New(Config{Defaults: Defaults{"VAULT_TLS_SERVER_NAME": {"x", "f:1"}}})
	if err == nil || !strings.HasPrefix(err.Error(), "VAULT_CACERT cannot be used: ") {
		t.Errorf("got %v", err)
	}
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
