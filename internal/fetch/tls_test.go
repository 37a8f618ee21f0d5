package fetch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
)

// certificate makes a self-signed certificate for a name, and its PEM.
func certificate(t *testing.T, name string, notAfter time.Time) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: notAfter.Add(-48 * time.Hour), NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if name == "127.0.0.1" {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// Real handshakes that no waiting would cure end at once.
func TestTLS(t *testing.T) {
	later, earlier := time.Now().Add(24*time.Hour), time.Now().Add(-time.Hour)
	good, goodCA := certificate(t, "127.0.0.1", later)
	other, otherCA := certificate(t, "vault.test", later)
	old, oldCA := certificate(t, "127.0.0.1", earlier)
	tests := []struct {
		name   string
		server tls.Certificate
		ca     string
		sni    string
		skip   string
		client bool // the server wants a client certificate
		want   string
	}{
		{"good", good, goodCA, "", "", false, ""},
		{"server name", other, otherCA, "vault.test", "", false, ""},
		{"skip verify", other, "", "", "true", false, ""},
		{"unknown authority", good, otherCA, "", "", false, "its certificate is signed by an unknown authority: give the CA with VAULT_CACERT"},
		{"another name", other, otherCA, "", "", false,
			"its certificate is not for 127.0.0.1: use a name that it is for, or give it with VAULT_TLS_SERVER_NAME"},
		{"expired", old, oldCA, "", "", false, "its certificate is expired or not yet valid: renew it, or set this machine's clock"},
		{"client certificate", good, goodCA, "", "", true,
			"it ended the TLS handshake: certificate required; does it want a client certificate (VAULT_CLIENT_CERT)?"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			vault := fetchtest.New(t)
			seed(vault)
			server := httptest.NewUnstartedServer(vault)
			server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes are meant to fail
			server.TLS = &tls.Config{Certificates: []tls.Certificate{test.server}}
			if test.client {
				server.TLS.ClientAuth = tls.RequireAnyClientCert
			}
			server.EnableHTTP2 = true
			server.StartTLS()
			t.Cleanup(server.Close)
			t.Setenv("VAULT_ADDR", server.URL)
			t.Setenv("VAULT_TOKEN", fetchtest.RootToken)
			if test.ca != "" {
				t.Setenv("VAULT_CACERT", writeFile(t, "ca.pem", test.ca, 0o600))
			}
			t.Setenv("VAULT_TLS_SERVER_NAME", test.sni)
			t.Setenv("VAULT_SKIP_VERIFY", test.skip)
			h := startHarness(t, vault)
			_, err := h.Fetch(h.ctx, parse(t, "kv/app"))
			want := "asking for the mount of kv/app at " + server.URL + ": " + test.want
			switch {
			case test.want == "" && err != nil:
				t.Errorf("error %v", err)
			case test.want != "" && (err == nil || err.Error() != want || classOf(err) != string(ClassTLS)):
				t.Errorf("class %s\ngot  %v\nwant %v", classOf(err), err, want)
			}
		})
	}
}

// http and https confused, both ways.
func TestSchemeMismatch(t *testing.T) {
	plain, encrypted := fetchtest.New(t), fetchtest.NewTLS(t)
	t.Setenv("VAULT_TOKEN", fetchtest.RootToken)
	for address, want := range map[string]string{
		strings.Replace(plain.URL, "http:", "https:", 1):     ": it does not speak TLS: write http:// in VAULT_ADDR if that is meant",
		strings.Replace(encrypted.URL, "https:", "http:", 1): ": this address serves https: write https:// in VAULT_ADDR (HTTP 400)",
	} {
		t.Setenv("VAULT_ADDR", address)
		h := startHarness(t, plain)
		_, err := h.Fetch(h.ctx, parse(t, "kv/app"))
		want = "asking for the mount of kv/app at " + address + want
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %v", err, want)
		}
	}
}

// Where the authority is replaced while the command runs, what its file holds
// then is what counts, and a file that is no good counts for nothing.
func TestP2AuthorityReplaced(t *testing.T) {
	later := time.Now().Add(24 * time.Hour)
	first, firstCA := certificate(t, "127.0.0.1", later)
	second, secondCA := certificate(t, "127.0.0.1", later)
	vault := fetchtest.New(t)
	seed(vault)
	server := httptest.NewUnstartedServer(vault)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes are meant to fail
	served := first
	server.TLS = &tls.Config{Certificates: []tls.Certificate{first}, NextProtos: []string{"h2"}, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{served}, NextProtos: []string{"h2"}}, nil
	}}
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	file := writeFile(t, "ca.pem", firstCA, 0o600)
	t.Setenv("VAULT_ADDR", server.URL)
	t.Setenv("VAULT_TOKEN", fetchtest.RootToken)
	t.Setenv("VAULT_CACERT", file)
	h := startHarness(t, vault)
	fetch := func() error {
		_, err := h.Fetch(h.ctx, parse(t, "kv/app"))
		return err
	}
	if err := fetch(); err != nil {
		t.Fatal(err)
	}
	served = second
	server.CloseClientConnections()
	for _, text := range []string{firstCA, "", secondCA[:len(secondCA)/2]} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := fetch(); err == nil || !strings.Contains(err.Error(), "signed by an unknown authority") {
			t.Errorf("%v, with the file %.40q", err, text)
		}
	}
	if err := os.WriteFile(file, []byte(secondCA), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fetch(); err != nil {
		t.Errorf("the authority's file is good again: %v", err)
	}
}
