package fetch

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"vaultexec/internal/ref"
)

// Default is a value for a VAULT_* variable that the environment does not set,
// and the place that gives it, for messages.
type Default struct{ Value, Place string }

// Defaults maps a VAULT_* variable -> its Default. The environment wins, variable
// by variable, as it does for Vault Agent over its configuration file. These
// variables can have one: VAULT_ADDR, VAULT_NAMESPACE, VAULT_TOKEN, VAULT_CACERT,
// VAULT_CACERT_BYTES, VAULT_CAPATH, VAULT_CLIENT_CERT, VAULT_CLIENT_KEY,
// VAULT_TLS_SERVER_NAME, VAULT_SKIP_VERIFY, VAULT_CLIENT_TIMEOUT and
// VAULT_PROXY_ADDR.
type Defaults map[string]Default

// tlsVariables are those that go together into one TLS configuration.
var tlsVariables = []string{api.EnvVaultCACert, api.EnvVaultCACertBytes, api.EnvVaultCAPath,
	api.EnvVaultClientCert, api.EnvVaultClientKey, api.EnvVaultTLSServerName, api.EnvVaultSkipVerify}

// value is what the variable comes to, and how messages call it.
func (d Defaults) value(name string) (value, called string) {
	if v := os.Getenv(name); v != "" {
		return v, name
	}
	return d[name].Value, d[name].Place
}

// apply puts into vault, which has the environment already, what that leaves to
// be said.
func (d Defaults) apply(vault *api.Config) error {
	if address, _ := d.value(api.EnvVaultAddress); address != "" {
		vault.Address = address
	}
	proxy, called := d.value(api.EnvVaultProxyAddr)
	if proxy != "" && os.Getenv(api.EnvVaultProxyAddr) == "" && os.Getenv(api.EnvHTTPProxy) == "" {
		u, err := url.Parse(proxy)
		if err != nil || u.Host == "" {
			return configError(called + " is not the URL of a proxy: write http://HOST:PORT")
		}
		vault.HttpClient.Transport.(*http.Transport).Proxy = http.ProxyURL(u)
	}
	return d.applyTLS(vault)
}

func (d Defaults) applyTLS(vault *api.Config) error {
	text, place := map[string]string{}, ""
	for _, name := range tlsVariables {
		value, called := d.value(name)
		text[name] = value
		if called != name && called != "" {
			place = called
		}
	}
	if place == "" {
		return nil // the environment alone has been read already
	}
	if (text[api.EnvVaultClientCert] == "") != (text[api.EnvVaultClientKey] == "") {
		return configError(place + ": a client certificate and its key go together: set both or none")
	}
	insecure, err := strconv.ParseBool(text[api.EnvVaultSkipVerify])
	if err != nil && text[api.EnvVaultSkipVerify] != "" {
		return configError(place + " has to be true or false")
	}
	err = vault.ConfigureTLS(&api.TLSConfig{
		CACert:        text[api.EnvVaultCACert],
		CACertBytes:   []byte(text[api.EnvVaultCACertBytes]),
		CAPath:        text[api.EnvVaultCAPath],
		ClientCert:    text[api.EnvVaultClientCert],
		ClientKey:     text[api.EnvVaultClientKey],
		TLSServerName: text[api.EnvVaultTLSServerName],
		Insecure:      insecure,
	})
	if err != nil {
		return d.blameTLS(err)
	}
	return nil
}

// blameTLS tries one setting at a time, to name the one that is wrong.
func (d Defaults) blameTLS(err error) error {
	if err := blameTLS(); err != nil { // it stands in the environment
		return err
	}
	_, called := d.value(api.EnvVaultClientCert)
	for _, name := range tlsVariables[:3] {
		value, place := d.value(name)
		if value == "" {
			continue
		}
		var one api.TLSConfig
		switch name {
		case api.EnvVaultCACert:
			one.CACert = value
		case api.EnvVaultCACertBytes:
			one.CACertBytes = []byte(value)
		default:
			one.CAPath = value
		}
		if bad := (&api.Config{HttpClient: bareClient()}).ConfigureTLS(&one); bad != nil {
			called, err = place, bad
			break
		}
	}
	return configError(fmt.Sprintf("%s cannot be used: %s", called, firstLine(err.Error())))
}

// token is that of VAULT_TOKEN, unless that only asks for the one of the login.
func (d Defaults) token(given string) string {
	own := strings.TrimPrefix(strings.TrimSpace(given), ref.Login)
	return cmp.Or(own, strings.TrimSpace(d[api.EnvVaultToken].Value))
}

// namespaces are those of references and of the login. given is VAULT_NAMESPACE.
func (cfg Config) namespaces(given string) (namespace, login string) {
	namespace = strings.Trim(cmp.Or(cfg.Namespace, given, cfg.Defaults[api.EnvVaultNamespace].Value), "/")
	login = strings.Trim(cfg.LoginNamespace, "/")
	if cfg.Namespace != "" || given != "" || login == "" {
		login = namespace
	}
	return namespace, login
}

// timeout is that of one request.
func (cfg Config) timeout(vault *api.Config) (time.Duration, error) {
	given := cfg.Defaults[api.EnvVaultClientTimeout]
	switch {
	case cfg.RequestTimeout != 0:
		return cfg.RequestTimeout, nil
	case os.Getenv(api.EnvVaultClientTimeout) != "":
		return vault.Timeout, nil
	case given.Value == "":
		return defaultRequestTimeout, nil
	}
	t, err := time.ParseDuration(given.Value)
	if err != nil || t < 0 {
		return 0, configError(given.Place + " is not a duration: write a number and a unit, such as 30s")
	}
	return cmp.Or(t, defaultRequestTimeout), nil
}
