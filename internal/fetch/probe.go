package fetch

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

// probeTimeout is for a handshake and one answer of a server that has just
// been reached.
const probeTimeout = 2 * time.Second

// probe makes a TLS connection of its own and waits for what the server says
// first. With TLS 1.3 a server refuses the lack of a client certificate only
// when the client has finished its handshake and has begun to write (RFC 8446,
// section 2), so that net/http often sees no more than a connection that is
// gone. It returns nil where the server says nothing that explains it.
func (c *Client) probe(ctx context.Context) *failure {
	u, err := url.Parse(c.api.Address())
	if err != nil || u.Scheme != "https" {
		return nil
	}
	if c.transport.latest().Proxy != nil {
		if proxy, err := c.transport.latest().Proxy(&http.Request{URL: u}); err != nil || proxy != nil {
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := c.transport.latest().DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443")))
	if err != nil {
		return nil
	}
	defer conn.Close() // nothing was asked
	config := c.transport.latest().TLSClientConfig.Clone()
	if config.ServerName == "" {
		config.ServerName = u.Hostname()
	}
	config.NextProtos = nil // a server that speaks HTTP/1.1 waits for us to begin
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // it was just opened
	}
	_, err = tls.Client(conn, config).Read(make([]byte, 1))
	return diagnoseTLS(err)
}
