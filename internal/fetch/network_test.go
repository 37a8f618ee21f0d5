package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
)

func TestDiagnoseSilence(t *testing.T) {
	wrap := func(err error) error {
		return &url.Error{Op: "Get", URL: "http://user:" + canary + "@h/v1/x", Err: err}
	}
	tests := []struct {
		err    error
		class  Class
		reason string
		final  bool
	}{
		{wrap(&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}), ClassUnreachable, "connection refused", false},
		{wrap(&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}), ClassUnreachable, "connection reset", false},
		{wrap(io.EOF), ClassUnreachable, "the connection was closed before the answer", false},
		{wrap(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "vault.test", IsNotFound: true}}), ClassUnreachable,
			"the name vault.test cannot be resolved: no such host", false},
		{wrap(context.DeadlineExceeded), ClassTimeout, "no answer within 10s", false},
		{wrap(&net.OpError{Op: "dial", Net: "tcp", Err: syscall.EHOSTUNREACH}), ClassUnreachable, "dial tcp: no route to host", false},
		{wrap(fmt.Errorf("malformed HTTP response %q", canary)), ClassUnreachable, "malformed HTTP response", false},
		{wrap(&net.OpError{Op: "remote error", Err: tls.AlertError(116)}), ClassTLS, "it ended the TLS handshake: certificate required; does it want a client certificate (VAULT_CLIENT_CERT)?", true},
		{wrap(&net.OpError{Op: "remote error", Err: tls.AlertError(80)}), ClassUnreachable, "remote error: tls: internal error", false},
		{wrap(&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Cert: new(x509.Certificate), Reason: x509.IncompatibleUsage}}), ClassTLS,
			"its certificate does not verify: x509: certificate specifies an incompatible key usage", true},
	}
	for _, test := range tests {
		f := diagnoseSilence(test.err, 10*time.Second)
		if f.class != test.class || f.reason != test.reason || f.final != test.final {
			t.Errorf("%v: got %s %q %t", test.err, f.class, f.reason, f.final)
		}
	}
}

// Over HTTP/2 and over HTTP/1 a burst of reads reuses its connections.
func TestConnectionsAreReused(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		vault := fetchtest.New(t)
		if encrypted {
			vault = fetchtest.NewTLS(t)
			ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: vault.Certificate().Raw})
			t.Setenv("VAULT_CACERT_BYTES", string(ca))
		}
		seed(vault)
		t.Setenv("VAULT_ADDR", vault.URL)
		t.Setenv("VAULT_TOKEN", fetchtest.RootToken)
		h := startHarness(t, vault, func(c *Config) { c.Concurrency = 8 })
		dials := make(chan struct{}, 1000)
		dial := h.transport.latest().DialContext
		h.transport.latest().DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			dials <- struct{}{}
			return dial(ctx, network, address)
		}
		var texts []string
		for i := range 100 {
			texts = append(texts, fmt.Sprintf("kv/nope%d?optional", i))
		}
		for range 3 {
			if _, err := h.Fetch(h.ctx, parse(t, texts...)); err != nil {
				t.Fatal(err)
			}
		}
		// One more connection than slots may be dialled and not needed in the
		// end, when another becomes free first.
		if n := len(dials); n > 16 {
			t.Errorf("TLS %t: %d connections for 301 requests, 8 at a time", encrypted, n)
		}
	}
}

// relay forwards connections to a server. Those that are there when frozen is
// closed go silent, as if the machine behind them were gone.
func relay(t *testing.T, to string, frozen <-chan struct{}) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() { // ends with the listener
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			t.Cleanup(func() { _, _ = client.Close(), server.Close() })
			freezes := frozen
			select {
			case <-frozen:
				freezes = nil // comes after
			default:
			}
			go forward(server, client, freezes)
			go forward(client, server, freezes)
		}
	}()
	return l.Addr().String()
}

func forward(to, from net.Conn, frozen <-chan struct{}) {
	b := make([]byte, 4096)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		select {
		case <-frozen:
			continue
		default:
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// A connection that leads nowhere any more is replaced, with HTTP/2 too.
func TestDeadConnectionIsReplaced(t *testing.T) {
	vault := fetchtest.NewTLS(t)
	seed(vault)
	frozen := make(chan struct{})
	t.Setenv("VAULT_ADDR", "https://"+relay(t, vault.Listener.Addr().String(), frozen))
	t.Setenv("VAULT_CACERT_BYTES", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: vault.Certificate().Raw})))
	t.Setenv("VAULT_TOKEN", fetchtest.RootToken)
	h := startHarness(t, vault, func(c *Config) { c.RequestTimeout = time.Second })
	if _, err := h.Fetch(h.ctx, parse(t, "kv/app")); err != nil {
		t.Fatal(err)
	}
	close(frozen)
	if _, err := h.Fetch(h.ctx, parse(t, "kv/app")); err != nil {
		t.Error(err)
	}
	// Left to itself net/http sends any number, often ten, into the void.
	if n := strings.Count(h.log.String(), "vault did not answer"); n > 4 {
		t.Errorf("%d tries before a new connection:\n%s", n, h.log)
	}
}

// A standby redirects to the active node; the client follows once, with the
// token and the namespace.
func TestRedirect(t *testing.T) {
	active, standby := fetchtest.New(t), fetchtest.New(t)
	active.MountKVIn("team", "kv", 2)
	active.PutIn("team", "kv/app", `{"a":"b"}`)
	active.Role("kubernetes", "app", testJWT, fetchtest.RootToken)
	standby.Fault(1000, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, active.URL+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	})
	t.Setenv("VAULT_ADDR", standby.URL)
	h := startHarness(t, standby, func(c *Config) { c.Role, c.JWTPath = "app", writeFile(t, "token", testJWT, 0o600) })
	if _, err := h.Fetch(h.ctx, parse(t, "kv/app?namespace=team")); err != nil {
		t.Fatal(err)
	}
	if n := len(active.Requests()); n != 3 {
		t.Errorf("%d requests at the active node, want login, mount and read", n)
	}
}

func TestUnixSocket(t *testing.T) {
	vault := fetchtest.New(t)
	seed(vault)
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: vault}
	go func() { _ = server.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = server.Close() })
	t.Setenv("VAULT_ADDR", "unix://"+socket)
	t.Setenv("VAULT_TOKEN", fetchtest.RootToken)
	h := startHarness(t, vault)
	if _, err := h.Fetch(h.ctx, parse(t, "kv/app")); err != nil {
		t.Fatal(err)
	}
	if h.address != "unix://"+socket {
		t.Errorf("address in messages: %s", h.address)
	}
}

// An answer without an end does not fill the memory.
func TestBodyLimit(t *testing.T) {
	for _, status := range []int{200, 404} {
		// The race detector takes long over so much, on a machine with much to do.
		h := newHarness(t, fetchtest.RootToken, func(c *Config) { c.RequestTimeout = 5 * time.Minute })
		h.vault.FaultOn("", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			chunk := []byte(strings.Repeat(" ", 1<<20))
			for range 40 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		})
		_, err := h.Fetch(t.Context(), parse(t, "kv/app"))
		want := fmt.Sprintf("asking for the mount of kv/app at %s: the answer is larger than 32 MiB (HTTP %d)", h.vault.URL, status)
		if err == nil || err.Error() != want || classOf(err) != string(ClassUnreachable) {
			t.Errorf("got  %v\nwant %v", err, want)
		}
	}
}

// The refusals of something that is not Vault are not taken for Vault's: not
// even an optional secret is missing because of them.
func TestForeignRefusals(t *testing.T) {
	for body, status := range map[string]int{"<html>404 page not found": 404, `{"message":"no Route matched"}`: 404, "Forbidden": 403, "": 405} {
		h := newHarness(t, fetchtest.RootToken)
		h.vault.Fault(1, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
		_, err := h.Fetch(h.ctx, parse(t, "kv/app?optional"))
		want := fmt.Sprintf("asking for the mount of kv/app at %s: %s (HTTP %d)", h.vault.URL, errNotVault, status)
		if err == nil || err.Error() != want || classOf(err) != string(ClassUnreachable) {
			t.Errorf("got  %v\nwant %v", err, want)
		}
		if n := len(h.vault.Requests()); n != 1 {
			t.Errorf("%d requests", n)
		}
	}
}

// Vault's warnings are for the debug log.
func TestWarningsAreLogged(t *testing.T) {
	h := newHarness(t, fetchtest.RootToken)
	seed(h.vault)
	if _, _, err := h.askMount(h.ctx, "", "old/app"); err != nil {
		t.Fatal(err)
	}
	h.vault.Fault(1, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"request_id":"r","data":{"a":"b"},"warnings":["TTL is capped"]}`)
	})
	if _, err := h.Fetch(h.ctx, parse(t, "old/app")); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(h.log.String(), `level=DEBUG msg="vault remarks" path=old/app status=200 remark="TTL is capped"`) {
		t.Errorf("log:\n%s", h.log)
	}
}

// With VAULT_WRAP_TTL set, answers come unwrapped all the same.
func TestWrapTTLIsIgnored(t *testing.T) {
	t.Setenv("VAULT_WRAP_TTL", "60s")
	h := newHarness(t, fetchtest.RootToken)
	seed(h.vault)
	var asked string
	h.vault.Gate(func(r *http.Request) { asked += r.Header.Get("X-Vault-Wrap-TTL") })
	if _, err := h.Fetch(h.ctx, parse(t, "kv/app")); err != nil || asked != "" {
		t.Errorf("asked for wrapping %q, %v", asked, err)
	}
}
