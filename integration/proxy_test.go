package integration

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// proxy stands before a real Vault, sees what is asked of it, and can spoil
// the answers: this is the only place where anything but Vault answers.
type proxy struct {
	t       *testing.T
	address string

	mu      sync.Mutex
	seen    []*http.Request // without bodies
	when    []time.Time
	fault   fault
	arrived chan struct{} // closed and made anew at each request
}

// fault sees each request, the n-th from 1, and may answer in Vault's place;
// it says whether it did.
type fault func(n int, w http.ResponseWriter, r *http.Request) bool

func newProxy(t *testing.T, vault string) *proxy {
	t.Helper()
	target, err := url.Parse(vault)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, arrived: make(chan struct{})}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Del("X-Vault-Namespace") // the Vault behind it has none
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// To the end, or net/http does not notice that the client goes away.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if n, fault := p.note(r); fault == nil || !fault(n, w, r) {
			forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	p.address = server.URL
	return p
}

// onRequest sets what happens to requests from now on.
func (p *proxy) onRequest(f fault) *proxy {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
	return p
}

// failFirst answers the first n requests with a status, and a Retry-After if
// it is not empty.
func (p *proxy) failFirst(n, status int, retryAfter string) *proxy {
	return p.onRequest(func(i int, w http.ResponseWriter, _ *http.Request) bool {
		if i > n {
			return false
		}
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"errors":["spoiled by the test"]}`))
		return true
	})
}

func (p *proxy) note(r *http.Request) (n int, f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, r.Clone(r.Context()))
	p.when = append(p.when, time.Now())
	close(p.arrived)
	p.arrived = make(chan struct{})
	return len(p.seen), p.fault
}

// requests are those so far.
func (p *proxy) requests() []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

// times are when they came.
func (p *proxy) times() []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.when)
}

// wait waits for the n-th request.
func (p *proxy) wait(n int) {
	p.t.Helper()
	limit := time.NewTimer(waitLimit)
	defer limit.Stop()
	for {
		p.mu.Lock()
		count, arrived := len(p.seen), p.arrived
		p.mu.Unlock()
		if count >= n {
			return
		}
		select {
		case <-arrived:
		case <-limit.C:
			p.t.Fatalf("waited %v in vain for request %d", waitLimit, n)
		}
	}
}
