package servers

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// proxyTLS is a certificate that can be replaced while it is served.
type proxyTLS struct {
	addrs []net.IP

	mu      sync.Mutex
	ca      *authority
	current *tls.Certificate
}

func newProxyTLS(caFile, addr string) (*proxyTLS, error) {
	ca, err := newAuthority("proxy test authority")
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	t := &proxyTLS{ca: ca, addrs: []net.IP{net.ParseIP(host)}}
	now := time.Now()
	return t, errors.Join(os.WriteFile(caFile, ca.pem, 0o644), t.replace(now.Add(-clockSlack), now.Add(certLife)))
}

func (t *proxyTLS) replace(from, to time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	der, key, err := t.ca.sign("proxy", from, to, t.addrs...)
	if err != nil {
		return err
	}
	t.current = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return nil
}

func (t *proxyTLS) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current, nil
}

// SetCertificate replaces the certificate by a new one of the same authority,
// good from one time to another. Connections there are keep the old one: see
// Disconnect.
func (p *Proxy) SetCertificate(from, to time.Time) error {
	if p.tls == nil {
		return errors.New("the proxy has no certificate, it serves plain HTTP")
	}
	return p.tls.replace(from, to)
}

// ChangeAuthority replaces the authority and the certificate, and ends all
// connections. The file CA has the old one until PublishAuthority.
func (p *Proxy) ChangeAuthority() error {
	ca, err := newAuthority("another proxy test authority")
	if err != nil {
		return err
	}
	if p.tls == nil {
		return errors.New("the proxy has no certificate, it serves plain HTTP")
	}
	p.tls.mu.Lock()
	p.tls.ca = ca
	p.tls.mu.Unlock()
	if err := p.RenewCertificate(); err != nil {
		return err
	}
	p.Disconnect()
	return nil
}

// PublishAuthority puts the authority into the file CA.
func (p *Proxy) PublishAuthority() error {
	p.tls.mu.Lock()
	defer p.tls.mu.Unlock()
	return os.WriteFile(p.CA, p.tls.ca.pem, 0o644)
}

// ExpireCertificate replaces the certificate by one that ended a minute ago,
// and ends all connections so that everybody notices.
func (p *Proxy) ExpireCertificate() error {
	now := time.Now()
	if err := p.SetCertificate(now.Add(-clockSlack), now.Add(-time.Minute)); err != nil {
		return err
	}
	p.Disconnect()
	return nil
}

// RenewCertificate replaces it by one that is good.
func (p *Proxy) RenewCertificate() error {
	now := time.Now()
	return p.SetCertificate(now.Add(-clockSlack), now.Add(certLife))
}
