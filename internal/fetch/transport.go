package fetch

import (
	"crypto/tls"
	"errors"
	"net/http"
	"sync"

	rootcerts "github.com/hashicorp/go-rootcerts"
	"github.com/hashicorp/vault/api"
)

// maxBody bounds what one answer may have. Vault takes requests of up to
// 32 MiB (max_request_size), so no secret is larger.
const maxBody = 32 << 20

// transport is what requests go through. The api package reads the files of the
// CA once; here a certificate that does not verify has them read anew, so that a
// CA that is replaced while the command runs does not cut it off for ever.
type transport struct {
	ca rootcerts.Config // its files; the zero value: there are none

	mu   sync.Mutex
	base *http.Transport // of the files' latest content; replaced, never changed
}

func newTransport(base *http.Transport, defaults Defaults) *transport {
	t := &transport{base: base}
	file, _ := defaults.value(api.EnvVaultCACert)
	text, _ := defaults.value(api.EnvVaultCACertBytes)
	dir, _ := defaults.value(api.EnvVaultCAPath)
	switch { // in the api package's order
	case file != "":
		t.ca.CAFile = file
	case text == "":
		t.ca.CAPath = dir
	}
	return t
}

// latest is valid for one request.
func (t *transport) latest() *http.Transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.base
}

// RoundTrip keeps a broken or hostile server from filling the memory: the api
// package reads answers to their end.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	base := t.latest()
	resp, err := base.RoundTrip(req)
	if verify := (*tls.CertificateVerificationError)(nil); errors.As(err, &verify) && t.reload(base) &&
		(req.Body == nil || req.Body == http.NoBody) { // others are closed by now; who sent them tries again
		resp, err = t.latest().RoundTrip(req)
	}
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxBody)
	}
	return resp, err
}

// reload makes requests verify with what the CA's files hold now, and tells
// whether that is something else than used has. Files that cannot be read may be
// about to be replaced: the next failure looks again.
func (t *transport) reload(used *http.Transport) bool {
	if t.ca.CAFile == "" && t.ca.CAPath == "" {
		return false
	}
	pool, err := rootcerts.LoadCACerts(&t.ca)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.base != used {
		return true // another request was first
	}
	if err != nil || pool.Equal(used.TLSClientConfig.RootCAs) {
		return false
	}
	t.base = used.Clone()
	t.base.TLSClientConfig.RootCAs = pool
	used.CloseIdleConnections()
	return true
}

// CloseIdleConnections is found by http.Client through an interface.
func (t *transport) CloseIdleConnections() { t.latest().CloseIdleConnections() }
