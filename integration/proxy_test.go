package integration

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// proxy is a plain one before a Vault, and has one rule at a time.
type proxy struct {
	*servers.Proxy
	t       *testing.T
	address string
	rule    *servers.Rule
}

// fault sees each request, the n-th from 1, and may answer in Vault's place;
// it says whether it did.
type fault = func(n int, w http.ResponseWriter, r *http.Request) bool

func newProxy(t *testing.T, vault string) *proxy {
	t.Helper()
	p, err := servers.StartProxy(servers.ProxyOptions{Targets: []string{vault}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop() })
	return &proxy{Proxy: p, t: t, address: p.Address}
}

// onRequest sets what happens to requests from now on.
func (p *proxy) onRequest(f fault) *proxy {
	before := p.rule
	if p.rule = nil; f != nil {
		p.rule = p.Add(servers.Rule{Do: servers.Func(f)})
	}
	if before != nil {
		before.Lift()
	}
	return p
}

// failFirst answers the first n requests with a status, and a Retry-After if
// it is not empty.
func (p *proxy) failFirst(n, status int, retryAfter string) *proxy {
	headers := []string{"Retry-After: " + retryAfter}
	if retryAfter == "" {
		headers = nil
	}
	p.Add(servers.Rule{Times: n, Do: servers.Answer(status, headers...)})
	return p
}

// requests are those so far.
func (p *proxy) requests() (all []*http.Request) {
	for _, seen := range p.Requests() {
		all = append(all, seen.Whole)
	}
	return all
}

// times are when they came.
func (p *proxy) times() (all []time.Time) {
	for _, seen := range p.Requests() {
		all = append(all, seen.Time)
	}
	return all
}

// count counts those of one kind.
func (p *proxy) count(method, path string) (n int) {
	for _, seen := range p.Requests() {
		if seen.Method == method && strings.TrimPrefix(seen.Path, "/v1/") == path {
			n++
		}
	}
	return n
}

// wait waits for the n-th request.
func (p *proxy) wait(n int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), waitLimit)
	defer cancel()
	if err := p.Wait(ctx, n); err != nil {
		p.t.Fatalf("request %d has not come: %v", n, err)
	}
}
