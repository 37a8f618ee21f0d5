package servers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func newProxy(t *testing.T, opt ProxyOptions) *Proxy {
	t.Helper()
	p, err := StartProxy(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// asker is a client of a proxy with a token for the Vault behind it. Its
// connections last, unlike its caller's patience.
type asker struct {
	t      *testing.T
	proxy  *Proxy
	token  string
	client *http.Client
}

func newAsker(t *testing.T, p *Proxy, v *Vault) *asker {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	if p.CA != "" {
		ca, err := os.ReadFile(p.CA)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return &asker{t, p, v.Token, &http.Client{Transport: transport}}
}

// ask gives the answer to GET /v1/PATH; in place of a status, 0 is none.
func (a *asker) ask(ctx context.Context, path string) (status int, header http.Header, body string, err error) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.proxy.Address+"/v1/"+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("X-Vault-Token", a.token)
	resp, err := a.client.Do(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(text), err
}

// good asks, and fails the test if the answer is not Vault's.
func (a *asker) good(path string) {
	a.t.Helper()
	if status, _, body, err := a.ask(a.t.Context(), path); status != http.StatusOK || err != nil || !json.Valid([]byte(body)) {
		a.t.Errorf("%s: status %d, %q, error %v", path, status, body, err)
	}
}

const lookup = "auth/token/lookup-self"

func TestProxyFaults(t *testing.T) {
	t.Parallel()
	v := newVault(t, VaultOptions{})
	for _, withTLS := range []bool{false, true} {
		p := newProxy(t, ProxyOptions{Targets: []string{v.Address}, TLS: withTLS})
		a := newAsker(t, p, v)
		a.good(lookup)
		fault := func(f Fault) (status int, header http.Header, body string, err error) {
			t.Helper()
			r := p.Add(Rule{Method: http.MethodGet, Prefix: "/v1/auth/", Times: 1, Do: f})
			defer r.Lift()
			a.good("sys/health") // is not meant
			// On a connection that has served, Go's client would try again.
			a.client.CloseIdleConnections()
			status, header, body, err = a.ask(t.Context(), lookup)
			if r.Count() != 1 {
				t.Errorf("%d requests fell under the rule", r.Count())
			}
			a.good(lookup) // once is enough
			return status, header, body, err
		}
		if status, header, _, err := fault(Answer(429, "Retry-After: 7")); status != 429 || header.Get("Retry-After") != "7" || err != nil {
			t.Errorf("answer: %d, %v, error %v", status, header, err)
		}
		if status, _, body, err := fault(Garbage()); status != 200 || json.Valid([]byte(body)) || err != nil {
			t.Errorf("garbage: %d, %q, error %v", status, body, err)
		}
		if status, header, body, err := fault(Truncate()); status != 200 || header.Get("Content-Type") != "application/json" || len(body) == 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("truncate: %d, %v, %q, error %v", status, header, body, err)
		}
		if status, _, body, err := fault(Corrupt()); status != 200 || len(body) == 0 || json.Valid([]byte(body)) || err != nil {
			t.Errorf("corrupt: %d, %q, error %v", status, body, err)
		}
		if status, _, _, err := fault(Reset()); status != 0 || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("reset: %d, error %v", status, err)
		}
		if status, _, _, err := fault(ResetAfter()); status != 0 || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("reset after: %d, error %v", status, err)
		}
		begin := time.Now()
		if status, _, _, err := fault(Delay(200 * time.Millisecond)); status != 200 || err != nil || time.Since(begin) < 200*time.Millisecond {
			t.Errorf("delay: %d after %v, error %v", status, time.Since(begin), err)
		}
	}
}

// What hangs is given up by the client, or goes on when the rule is lifted.
func TestProxyHang(t *testing.T) {
	t.Parallel()
	v := newVault(t, VaultOptions{})
	p := newProxy(t, ProxyOptions{Targets: []string{v.Address}})
	a := newAsker(t, p, v)
	r := p.Add(Rule{Do: Hang()})
	impatient, cancel := context.WithCancel(t.Context())
	errc := make(chan error, 2)
	go func() {
		_, _, _, err := a.ask(impatient, lookup)
		errc <- err
	}()
	if err := r.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-errc; !errors.Is(err, context.Canceled) {
		t.Errorf("the impatient one: error %v", err)
	}
	go func() {
		_, _, _, err := a.ask(t.Context(), lookup)
		errc <- err
	}()
	if err := r.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	r.Lift()
	if err := <-errc; err != nil {
		t.Errorf("the patient one: error %v", err)
	}
}

// What is done although the client is not told: a token is made, and lost.
func TestProxyResetAfter(t *testing.T) {
	t.Parallel()
	v := newVault(t, VaultOptions{})
	p := newProxy(t, ProxyOptions{Targets: []string{v.Address}})
	accessors := func() int {
		s, err := v.client.Logical().ListWithContext(t.Context(), "auth/token/accessors")
		if err != nil {
			t.Fatal(err)
		}
		keys, _ := s.Data["keys"].([]any)
		return len(keys)
	}
	before := accessors()
	p.Add(Rule{Prefix: "/v1/auth/token/create", Do: ResetAfter()})
	c, err := v.client.Clone()
	if err != nil {
		t.Fatal(err)
	}
	c.SetToken(v.Token)
	if err := c.SetAddress(p.Address); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Logical().WriteWithContext(t.Context(), "auth/token/create", nil); err == nil {
		t.Error("no error")
	}
	if after := accessors(); after != before+1 {
		t.Errorf("%d tokens, there were %d", after, before)
	}
}

func TestProxyRulesAndRequests(t *testing.T) {
	t.Parallel()
	v := newVault(t, VaultOptions{})
	p := newProxy(t, ProxyOptions{Targets: []string{v.Address}})
	a := newAsker(t, p, v)
	all := p.Add(Rule{Do: Answer(503)})
	p.Add(Rule{Method: http.MethodPost, Do: Answer(500)})
	exempt := p.Add(Rule{Prefix: "/v1/sys/"}) // newer, and passes
	a.good("sys/health")
	if status, _, _, _ := a.ask(t.Context(), lookup); status != 503 {
		t.Errorf("status %d, want 503", status)
	}
	p.Clear()
	a.good(lookup)
	var got []string
	for i, s := range p.Requests() {
		got = append(got, s.Method+" "+s.Path)
		if i > 0 && s.Time.Before(p.Requests()[i-1].Time) {
			t.Error("the requests are not in order")
		}
	}
	want := []string{"GET /v1/sys/health", "GET /v1/" + lookup, "GET /v1/" + lookup}
	if !slices.Equal(got, want) {
		t.Errorf("the requests are %q, want %q", got, want)
	}
	if all.Count() != 1 || exempt.Count() != 1 || p.Requests()[1].Rule != all || p.Requests()[2].Rule != nil {
		t.Errorf("the rules counted %d and %d: %+v", all.Count(), exempt.Count(), p.Requests())
	}
}

func TestProxyCertificate(t *testing.T) {
	t.Parallel()
	v := newVault(t, VaultOptions{})
	p := newProxy(t, ProxyOptions{Targets: []string{v.Address}, TLS: true})
	a := newAsker(t, p, v)
	a.good(lookup)
	if err := p.ExpireCertificate(); err != nil {
		t.Fatal(err)
	}
	var invalid x509.CertificateInvalidError
	if _, _, _, err := a.ask(t.Context(), lookup); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		t.Errorf("with an expired certificate: error %v", err)
	}
	if err := p.RenewCertificate(); err != nil {
		t.Fatal(err)
	}
	a.good(lookup)
}

// Down and up again it has the same address; behind it may be another server,
// or several.
func TestProxyDownAndTargets(t *testing.T) {
	t.Parallel()
	v := newVault(t, VaultOptions{})
	p := newProxy(t, ProxyOptions{Targets: []string{v.Address}})
	a := newAsker(t, p, v)
	a.good(lookup)
	if err := p.Down(); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := a.ask(t.Context(), lookup); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("down: error %v", err)
	}
	if err := p.Up(); err != nil {
		t.Fatal(err)
	}
	a.good(lookup)
	nobody, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SetTargets(v.Address, "http://"+nobody[0]); err != nil {
		t.Fatal(err)
	}
	var got []int
	for range 4 {
		status, _, _, _ := a.ask(t.Context(), lookup)
		got = append(got, status)
	}
	if !slices.Equal(got, []int{200, 502, 200, 502}) {
		t.Errorf("in turn they answer %v", got)
	}
	if !strings.HasPrefix(p.Address, "http://127.0.0.1:") {
		t.Errorf("its address is %s", p.Address)
	}
}
