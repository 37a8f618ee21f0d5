package servers

import (
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"
)

func TestPKI(t *testing.T) {
	t.Parallel()
	v := newVault(t, VaultOptions{})
	ca, err := v.EnablePKI(t.Context(), "pki")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(ca)) {
		t.Fatalf("the authority is %q", ca)
	}
	for name, leased := range map[string]bool{"leased": true, "bare": false} {
		if err := v.CreatePKIRole(t.Context(), "pki", PKIRole{Name: name, MaxTTL: time.Minute, GenerateLease: leased}); err != nil {
			t.Fatal(err)
		}
		s, err := v.client.Logical().WriteWithContext(t.Context(), "pki/issue/"+name, map[string]any{"common_name": "app"})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.LeaseID != ""; got != leased {
			t.Errorf("%s: the lease is %q", name, s.LeaseID)
		}
		text, _ := s.Data["certificate"].(string)
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			t.Fatalf("%s: the certificate is %q", name, text)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cert.Verify(x509.VerifyOptions{DNSName: "app", Roots: roots}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left := time.Until(cert.NotAfter); left > time.Minute {
			t.Errorf("%s: good for another %v", name, left)
		}
	}
}

func TestAuthMethods(t *testing.T) {
	t.Parallel()
	v := newVault(t, VaultOptions{})
	if err := v.EnableAppRole(t.Context(), "approle"); err != nil {
		t.Fatal(err)
	}
	if err := v.EnableUserpass(t.Context(), "userpass"); err != nil {
		t.Fatal(err)
	}
	settings := map[string]any{"token_ttl": "20s", "token_explicit_max_ttl": "40s"}
	roleID, secretID, err := v.CreateAppRole(t.Context(), "approle", "app", settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.CreateUser(t.Context(), "userpass", "jane", "secret", settings); err != nil {
		t.Fatal(err)
	}
	for path, with := range map[string]map[string]any{
		"auth/approle/login":       {"role_id": roleID, "secret_id": secretID},
		"auth/userpass/login/jane": {"password": "secret"},
	} {
		s, err := v.client.Logical().WriteWithContext(t.Context(), path, with)
		if err != nil || s.Auth == nil || s.Auth.LeaseDuration != 20 {
			t.Errorf("%s: %+v, error %v", path, s, err)
		}
	}
}
