package fetch

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The refusal of a client without a certificate comes after the handshake;
// whatever net/http made of it, the probe hears it.
func TestProbeHearsTheRefusal(t *testing.T) {
	for _, tt := range []struct {
		name string
		auth tls.ClientAuthType
		want string // nothing: no explanation
	}{
		{"certificate wanted", tls.RequireAnyClientCert, "VAULT_CLIENT_CERT"},
		{"none wanted", tls.NoClientCert, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.TLS = &tls.Config{ClientAuth: tt.auth}
			server.StartTLS()
			defer server.Close()
			t.Setenv("VAULT_ADDR", server.URL)
			t.Setenv("VAULT_SKIP_VERIFY", "true")
			c, err := New(Config{})
			if err != nil {
				t.Fatal(err)
			}
			f := c.probe(t.Context())
			if (f != nil) != (tt.want != "") || f != nil && (f.class != ClassTLS || !f.final || !strings.Contains(f.reason, tt.want)) {
				t.Errorf("%+v, want %q", f, tt.want)
			}
		})
	}
}
