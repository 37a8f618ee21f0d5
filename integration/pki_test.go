//go:build linux

package integration

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// A certificate and its key are of one issue, replaced before they expire, and
// both files flip together, with and without a lease. At the end a leased one
// is revoked with the token; vault-env revokes it a second after the start.
func TestP10CertificateIsReplaced(t *testing.T) {
	t.Parallel()
	for name, leased := range map[string]bool{"leased": true, "bare": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, mount := sharedVault(t), unique("pki")
			if _, err := v.EnablePKI(t.Context(), mount); err != nil {
				t.Fatal(err)
			}
			mustDo(t, v.CreatePKIRole(t.Context(), mount, servers.PKIRole{Name: "app", MaxTTL: 18 * time.Second, GenerateLease: leased}))
			policy, path := unique("issue"), mount+"/issue/app"
			mustDo(t, v.Policy(t.Context(), policy, "update", path))
			a := defaultAccount(t, nil, policy)
			dir := t.TempDir()
			cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
			body := `#{"common_name":"app.example"}`
			l := a.login(t, append(quick, "--on-change", "signal:HUP",
				"--file", cert+"=>>"+path+"#certificate"+body, "--file", key+"=>>"+path+"#private_key"+body)...).live(cert, key)
			before := certificateOf(t, l.nth(1, "start"))
			for i := range 2 {
				m := l.nth(i+1, "got hangup")
				next := certificateOf(t, m)
				if next.SerialNumber.Cmp(before.SerialNumber) == 0 {
					t.Errorf("change %d is the same certificate", i+1)
				}
				if !m.When.Before(before.NotAfter) {
					t.Errorf("change %d came %v after the one before had expired", i+1, m.When.Sub(before.NotAfter))
				}
				before = next
			}
			res := l.stop()
			l.order(1)
			if n := said(res.stderr, "vaultexec: warn: "); n != 0 {
				t.Errorf("%d warnings:\n%s", n, res.stderr)
			}
			if leased {
				serial := serialOf(before)
				waitUntil(t, "the last certificate to be revoked", func() bool {
					s, err := v.Client().Logical().ReadWithContext(t.Context(), mount+"/cert/"+serial)
					mustDo(t, err)
					return s != nil && fmt.Sprint(s.Data["revocation_time"]) != "0"
				})
			}
		})
	}
}

// certificateOf checks that the files of a moment belong together.
func certificateOf(t *testing.T, m moment) *x509.Certificate {
	t.Helper()
	register("a private key", strings.TrimSpace(m.Files["tls.key"]))
	if _, err := tls.X509KeyPair([]byte(m.Files["tls.crt"]), []byte(m.Files["tls.key"])); err != nil {
		t.Fatalf("%s: %v", m.Event, err)
	}
	block, _ := pem.Decode([]byte(m.Files["tls.crt"]))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if cert.DNSNames[0] != "app.example" {
		t.Errorf("it is for %q", cert.DNSNames)
	}
	return cert
}

// serialOf is how Vault writes a serial number: aa:bb:cc.
func serialOf(cert *x509.Certificate) string {
	return strings.ReplaceAll(fmt.Sprintf("% x", cert.SerialNumber.Bytes()), " ", ":")
}
