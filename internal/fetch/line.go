package fetch

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Line is the way to Vault, as far as it can be gone.
type Line struct {
	Host   string // of the address; empty: there is none, as for a socket
	Port   string
	Scheme string
	Proxy  string // that requests go through, and nobody looks behind; empty: there is none

	Addresses []string // that the host's name has
	DNS       error    // why it has none

	Connect error // why there is no connection

	TLS     bool // https
	Chain   []Certificate
	Refused error // why its certificate is not good enough for us, or what else keeps TLS from being spoken

	chain []*x509.Certificate
}

// Certificate is what may be said of one.
type Certificate struct {
	Subject, Issuer string
	Begins, Ends    time.Time
	Names           []string // hosts and addresses that it is for
}

// Line goes the way, one step after the other.
func (c *Client) Line(ctx context.Context) Line {
	var l Line
	u, err := url.Parse(c.api.Address())
	if err != nil {
		panic("BUG: an address that checkAddress passed does not parse")
	}
	ctx, cancel := context.WithTimeout(ctx, c.requestTimeout)
	defer cancel()
	if strings.HasPrefix(c.address, "unix:") {
		l.dial(ctx, c, u) // the transport knows which socket
		return l
	}
	l.Host, l.Scheme, l.TLS = u.Hostname(), u.Scheme, u.Scheme == "https"
	l.Port = cmp.Or(u.Port(), map[bool]string{true: "443", false: "80"}[l.TLS])
	if c.transport.latest().Proxy != nil {
		if proxy, err := c.transport.latest().Proxy(&http.Request{URL: u}); err == nil && proxy != nil {
			l.Proxy = proxy.Host
			return l
		}
	}
	if l.Addresses, err = net.DefaultResolver.LookupHost(ctx, l.Host); err != nil {
		l.DNS = errors.New(diagnoseSilence(err, c.requestTimeout).reason)
		return l
	}
	if conn := l.dial(ctx, c, u); conn != nil && l.TLS {
		l.shake(ctx, conn, c.transport.latest().TLSClientConfig.Clone())
	}
	return l
}

// dial makes a connection, which is closed when ctx ends: nothing is asked.
func (l *Line) dial(ctx context.Context, c *Client, u *url.URL) net.Conn {
	conn, err := c.transport.latest().DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), l.Port))
	if err != nil {
		l.Connect = errors.New(diagnoseSilence(err, c.requestTimeout).reason)
		return nil
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn
}

// shake makes the handshake. The certificates of one that fails are shown too:
// they are what is to be mended.
func (l *Line) shake(ctx context.Context, conn net.Conn, config *tls.Config) {
	config.ServerName = cmp.Or(config.ServerName, l.Host)
	config.NextProtos = nil
	client := tls.Client(conn, config)
	err := client.HandshakeContext(ctx)
	chain := client.ConnectionState().PeerCertificates
	var unverified *tls.CertificateVerificationError
	if errors.As(err, &unverified) {
		chain = unverified.UnverifiedCertificates
	}
	for _, cert := range chain {
		l.Chain = append(l.Chain, describe(cert))
	}
	l.chain = chain
	if err == nil {
		return
	}
	if f := diagnoseTLS(err); f != nil {
		err = errors.New(f.reason)
	} else {
		err = errors.New(diagnoseSilence(err, 0).reason)
	}
	l.Refused = err
}

// describe says of a certificate what may be said of it.
func describe(cert *x509.Certificate) Certificate {
	c := Certificate{Subject: name(cert.Subject.String()), Issuer: name(cert.Issuer.String()), Begins: cert.NotBefore, Ends: cert.NotAfter}
	for _, dns := range cert.DNSNames {
		c.Names = append(c.Names, name(dns))
	}
	for _, ip := range cert.IPAddresses {
		c.Names = append(c.Names, ip.String())
	}
	return c
}

// name keeps what the other end calls itself to one line.
func name(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || 0x7f <= r && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
	if len(s) > 200 {
		s = s[:200] + "..."
	}
	return s
}
