package servers

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// ProxyOptions say what kind of proxy is wanted.
type ProxyOptions struct {
	// Targets are the addresses of the servers behind it, which are asked in
	// turn: http://127.0.0.1:PORT.
	Targets []string
	// TLS has it serve with TLS, with a certificate of an authority of its own.
	TLS bool
	// Listen makes its listener, the first at a free loopback address and later
	// ones at the address of the first; nil is what net.Listen does.
	Listen func(address string) (net.Listener, error)
}

// Proxy is a reverse proxy in front of real servers, as many run it. It sees
// what is asked of them, and answers in their place as far as rules say so.
type Proxy struct {
	Address string // http://127.0.0.1:PORT, or https
	CA      string // file: the authority of its certificate; empty without TLS

	dir     string
	tls     *proxyTLS
	listen  func(address string) (net.Listener, error)
	addr    string
	server  *http.Server
	servedc chan struct{} // closed when server has ended
	forward *httputil.ReverseProxy

	mu      sync.Mutex
	targets []*url.URL
	turn    int     // index of the target that is next
	rules   []*Rule // newest first
	seen    []Seen
	arrived chan struct{} // closed and made anew at each request
	conns   map[net.Conn]bool
	taken   int // connections so far
}

// Seen is a request that came.
type Seen struct {
	Time   time.Time
	Method string
	Path   string        // with /v1
	Rule   *Rule         // that it fell under; nil for none
	Whole  *http.Request // all of it but its body
}

// Rule is what happens to some of the requests. The one that was added last
// wins. Its fields are not changed once it was added.
type Rule struct {
	Method string // empty is any; Vault's client writes with PUT
	Prefix string // of the path, with /v1; empty is any
	Times  int    // how many requests it is good for; zero is no limit
	Do     Fault  // nil passes the request through

	proxy *Proxy
	count int           // under proxy.mu
	liftc chan struct{} // closed when it is lifted
}

// StartProxy starts a proxy.
func StartProxy(opt ProxyOptions) (*Proxy, error) {
	dir, err := os.MkdirTemp("", "vaultexec-proxy-")
	if err != nil {
		return nil, err
	}
	p := &Proxy{dir: dir, arrived: make(chan struct{}), conns: make(map[net.Conn]bool)}
	if err := p.start(opt); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

func (p *Proxy) start(opt ProxyOptions) error {
	if err := p.SetTargets(opt.Targets...); err != nil {
		return err
	}
	p.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(p.next())
			r.SetXForwarded()
			r.Out.Header.Del("X-Vault-Namespace") // the servers behind it have none
		},
		Transport:      &http.Transport{DisableKeepAlives: true}, // servers behind it are killed
		ModifyResponse: spoil,
		ErrorLog:       quiet,
		FlushInterval:  -1,
	}
	if p.listen = opt.Listen; p.listen == nil {
		p.listen = func(address string) (net.Listener, error) { return net.Listen("tcp", address) }
	}
	l, err := withFreePorts(func() (net.Listener, error) {
		free, err := freePorts(1)
		if err != nil {
			return nil, err
		}
		return p.listen(free[0])
	})
	if err != nil {
		return err
	}
	p.addr = l.Addr().String()
	p.Address = "http://" + p.addr
	if opt.TLS {
		p.Address, p.CA = "https://"+p.addr, filepath.Join(p.dir, "ca.pem")
		if p.tls, err = newProxyTLS(p.CA, p.addr); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	p.serve(l)
	return nil
}

// quiet is for what is meant to go wrong.
var quiet = log.New(io.Discard, "", 0)

func (p *Proxy) serve(l net.Listener) {
	server := &http.Server{Handler: p, ErrorLog: quiet, ConnState: p.track}
	if p.tls != nil {
		// Without HTTP/2: a connection that breaks is then one request's.
		l = tls.NewListener(l, &tls.Config{GetCertificate: p.tls.certificate, NextProtos: []string{"http/1.1"}})
	}
	servedc := make(chan struct{})
	p.server, p.servedc = server, servedc
	go func() {
		defer close(servedc)
		_ = server.Serve(l)
	}()
}

func (p *Proxy) track(c net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateNew:
		p.conns[c] = true
		p.taken++
	case http.StateClosed, http.StateHijacked:
		delete(p.conns, c)
	}
}

// Disconnect breaks all connections there are; new ones are taken.
func (p *Proxy) Disconnect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = beneath(c).Close()
	}
}

// beneath is the connection under TLS, whose Close would say goodbye first.
func beneath(c net.Conn) net.Conn {
	if over, ok := c.(interface{ NetConn() net.Conn }); ok {
		return over.NetConn()
	}
	return c
}

// SetTargets changes which servers are behind it.
func (p *Proxy) SetTargets(addresses ...string) error {
	if len(addresses) == 0 {
		return errors.New("a proxy needs a server behind it")
	}
	var targets []*url.URL
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil {
			return err
		}
		targets = append(targets, u)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.targets, p.turn = targets, 0
	return nil
}

func (p *Proxy) next() *url.URL {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.targets[p.turn%len(p.targets)]
	p.turn++
	return u
}

// Down has the proxy refuse connections, and breaks those it has, until Up.
func (p *Proxy) Down() error {
	err := p.server.Close()
	<-p.servedc
	return err
}

// Up ends Down, at the same address.
func (p *Proxy) Up() error {
	l, err := p.listen(p.addr)
	if err == nil {
		p.serve(l)
	}
	return err
}

// Stop ends the proxy. Requests that hang are broken.
func (p *Proxy) Stop() error {
	p.Clear()
	return errors.Join(p.Down(), os.RemoveAll(p.dir))
}

// Add adds a rule in front of those there are.
func (p *Proxy) Add(r Rule) *Rule {
	r.proxy, r.count, r.liftc = p, 0, make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = slices.Insert(p.rules, 0, &r)
	return &r
}

// Clear lifts all rules.
func (p *Proxy) Clear() {
	p.mu.Lock()
	rules := slices.Clone(p.rules)
	p.mu.Unlock()
	for _, r := range rules {
		r.Lift()
	}
}

// Lift ends the rule. What hangs because of it goes on to the server behind.
func (r *Rule) Lift() {
	r.proxy.mu.Lock()
	defer r.proxy.mu.Unlock()
	if i := slices.Index(r.proxy.rules, r); i >= 0 {
		r.proxy.rules = slices.Delete(r.proxy.rules, i, i+1)
		close(r.liftc)
	}
}

// Count is how many requests fell under the rule.
func (r *Rule) Count() int {
	r.proxy.mu.Lock()
	defer r.proxy.mu.Unlock()
	return r.count
}

// Wait waits until n requests fell under the rule.
func (r *Rule) Wait(ctx context.Context, n int) error {
	return r.proxy.wait(ctx, func() bool { return r.count >= n })
}

// Wait waits until n requests came.
func (p *Proxy) Wait(ctx context.Context, n int) error {
	return p.wait(ctx, func() bool { return len(p.seen) >= n })
}

func (p *Proxy) wait(ctx context.Context, there func() bool) error {
	for {
		p.mu.Lock()
		ok, arrived := there(), p.arrived
		p.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Requests are the requests so far, oldest first.
func (p *Proxy) Requests() []Seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

// Connections is how many connections were made so far, also those on which TLS
// failed and no request came.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

// note writes a request down and gives the rule it falls under, if any, and
// how many have fallen under that with it.
func (p *Proxy) note(r *http.Request) (*Rule, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.rules, func(rule *Rule) bool {
		return (rule.Method == "" || rule.Method == r.Method) && strings.HasPrefix(r.URL.Path, rule.Prefix) &&
			(rule.Times == 0 || rule.count < rule.Times)
	})
	s, n := Seen{Time: time.Now(), Method: r.Method, Path: r.URL.Path, Whole: r.Clone(r.Context())}, 0
	if i >= 0 {
		s.Rule = p.rules[i]
		s.Rule.count++
		n = s.Rule.count
	}
	p.seen = append(p.seen, s)
	close(p.arrived)
	p.arrived = make(chan struct{})
	return s.Rule, n
}
