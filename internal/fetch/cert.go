package fetch

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/hashicorp/vault/api"
)

func lacksCertificate(cfg Config) string {
	if file, _ := cfg.Defaults.value(api.EnvVaultClientCert); file == "" {
		return fmt.Sprintf("a client certificate: set %s and %s", api.EnvVaultClientCert, api.EnvVaultClientKey)
	}
	return ""
}

// cert logs in with the certificate that the TLS connection is made with. A
// role, the name of a certificate in Vault, narrows what it is compared with.
func (c *Client) cert(cfg Config) method {
	_, called := cfg.Defaults.value(api.EnvVaultClientCert)
	as, body := "the certificate of "+called, map[string]any{}
	if cfg.Role != "" {
		as, body["name"] = fmt.Sprintf("%s as role %q", as, cfg.Role), cfg.Role
	}
	return method{
		as: as,
		request: func() (api.AuthMethod, error) {
			// A connection keeps the certificate that it began with.
			c.transport.CloseIdleConnections()
			return write{"auth/" + c.mount + "/login", body}, nil
		},
		hint: func(said string) string {
			if strings.Contains(said, "tls connection required") {
				return "the certificate has to reach Vault itself: write https:// in VAULT_ADDR, and end TLS nowhere before"
			}
			return fmt.Sprintf("compare the certificate's authority, names and life with auth/%s/certs, and check that cert auth is mounted there and that Vault's listener asks for certificates", c.mount)
		},
	}
}

// reloadClientCertificate makes each new connection use the certificate that
// the files hold by then: one that lives for hours is replaced in place. The
// api package reads them once.
func reloadClientCertificate(transport *http.Transport, defaults Defaults) {
	certFile, _ := defaults.value(api.EnvVaultClientCert)
	keyFile, _ := defaults.value(api.EnvVaultClientKey)
	if certFile == "" || keyFile == "" {
		return
	}
	var mu sync.Mutex
	var last *tls.Certificate
	transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		mu.Lock()
		defer mu.Unlock()
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil && last == nil {
			return nil, err
		}
		if err == nil {
			last = &pair
		} // else one of the two files is ahead of the other; the next connection has both
		return cmp.Or(last, &tls.Certificate{}), nil
	}
}
