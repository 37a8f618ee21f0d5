//go:build linux

package integration

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// byBoth renders a configuration with the real agent and with vaultexec, and gives
// the directories.
func (c agentConfig) byBoth(t *testing.T) (agent, ours string) {
	t.Helper()
	agent, ours = t.TempDir(), t.TempDir()
	c.byAgent(t, agent)
	vaultexec(t, "render", "--config", c.in(t, ours)).alone().run().exited(0)
	return agent, ours
}

// Lists of names, and answers to writes, are in the files as the real agent has
// them: what transit makes of a key that gives the same each time.
func TestAgentListsAndWrites(t *testing.T) {
	t.Parallel()
	kv1, kv2 := kvMount(t, 1), kvMount(t, 2)
	for _, kv := range []*kv{kv1, kv2} {
		for _, path := range []string{"app", "db/one", "db/two", "db/deep/three"} {
			kv.put(t, path, fields{"user": path})
		}
	}
	plain := base64.StdEncoding.EncodeToString([]byte(canary(t, "text")))
	transit, _ := transitKey(t, plain)
	client := sharedVault(t).Client().Logical()
	_, err := client.WriteWithContext(t.Context(), transit+"/keys/same", fields{"derived": true, "convergent_encryption": true})
	mustDo(t, err)
	encrypted, err := client.WriteWithContext(t.Context(), transit+"/encrypt/same", fields{"plaintext": plain, "context": "YXBw"})
	mustDo(t, err)
	ciphertext := encrypted.Data["ciphertext"].(string)
	c := newAgentConfig(t, fmt.Sprintf(`
exit_after_auth = true
template {
  destination = "DIR/names"
  contents    = <<EOT
{{ range secrets "%[1]s" }}{{ . }} {{ end }}
{{ range secrets "%[1]s/db/" }}{{ . }} {{ end }}
{{ range secrets "%[2]s/" }}{{ . }} {{ end }}
{{ range secrets "%[2]s/db" }}{{ . }} {{ end }}
{{ range secrets "%[2]s/metadata/db/" }}{{ . }} {{ end }}
{{ range secrets "%[2]s/db/" }}{{ if not (. | regexMatch "/$") }}{{ with secret (printf "%[2]s/db/%%s" .) }}{{ .Data.data.user }} {{ end }}{{ end }}{{ end }}
EOT
}
template {
  destination = "DIR/written"
  contents    = <<EOT
{{ with secret "%[3]s/encrypt/same" "plaintext=%[4]s" "context=YXBw" }}{{ .Data.ciphertext }} {{ .Data.key_version }} {{ .LeaseID }}{{ .LeaseDuration }} {{ .Renewable }}{{ end }}
{{ with secret "%[3]s/decrypt/same" "ciphertext=%[5]s" "context=YXBw" }}{{ .Data.plaintext | base64Decode }}{{ end }}
{{ with secret "%[3]s/hmac/app" "input=%[4]s" }}{{ .Data | toJSON }}{{ end }}
{{ with secret "%[3]s/hash/sha2-512" "input=%[4]s" "format=base64" }}{{ .Data.sum }}{{ end }}
{{ with secret "%[3]s/verify/app" " input = %[4]s " "hmac=vault:v1:bm9uZQ==" }}{{ .Data.valid }}{{ end }}
EOT
}
`, kv1.mount, kv2.mount, transit, plain, ciphertext))
	agent, ours := c.byBoth(t)
	sameTrees(t, tree(t, agent), tree(t, ours))
	if text := readText(t, filepath.Join(ours, "names")); !strings.HasPrefix(text, "app db/ \ndeep/ one two \n") {
		t.Errorf("the names are\n%s", text)
	}
	if text := readText(t, filepath.Join(ours, "written")); !strings.HasPrefix(text, ciphertext+" 1 0 false\n") {
		t.Errorf("the ciphertext is not what Vault gives:\n%s", hidden(text))
	}
}

// pemBlock is one of a file.
var pemBlock = regexp.MustCompile(`(?s)-----BEGIN ([A-Z ]+)-----.*?-----END [A-Z ]+-----`)

// Certificates are other ones each time. Those in the files of vaultexec have the
// properties, the authority and the place in the file of those that the agent has.
func TestAgentCertificates(t *testing.T) {
	t.Parallel()
	v, mount := sharedVault(t), unique("pki")
	authority, err := v.EnablePKI(t.Context(), mount)
	mustDo(t, err)
	mustDo(t, v.CreatePKIRole(t.Context(), mount, servers.PKIRole{Name: "app", TTL: time.Hour, MaxTTL: 2 * time.Hour}))
	c := newAgentConfig(t, fmt.Sprintf(`
exit_after_auth = true
template {
  destination = "DIR/pkiCert"
  perms       = "0600"
  contents    = <<EOT
{{- with pkiCert "%[1]s/issue/app" "common_name=app.example" "alt_names=www.app.example,app.internal" "ip_sans=127.0.0.1" "ttl=30m" -}}
{{ .Cert }}{{ .Key }}{{ .CA }}{{ range .CAChain }}{{ . }}{{ end }}
{{- end -}}
EOT
}
template {
  destination = "DIR/issue"
  perms       = "0600"
  contents    = <<EOT
{{- with secret "%[1]s/issue/app" "common_name=app.example" "ttl=30m" -}}
{{ .Data.certificate }}
{{ .Data.private_key }}
{{ .Data.issuing_ca }}
{{ .Data.private_key_type }} {{ len .Data.ca_chain }}
{{- end -}}
EOT
}
`, mount))
	agent, ours := c.byBoth(t)
	for _, name := range []string{"pkiCert", "issue"} {
		theirs, mine := readText(t, filepath.Join(agent, name)), readText(t, filepath.Join(ours, name))
		if a, b := pemBlock.ReplaceAllString(mine, "<$1>"), pemBlock.ReplaceAllString(theirs, "<$1>"); a != b {
			t.Errorf("%s is laid out\n%s\nand the agent's\n%s", name, a, b)
		}
		a, b := issued(t, mine, authority), issued(t, theirs, authority)
		if a.about() != b.about() {
			t.Errorf("%s has %s\nand the agent's %s", name, a.about(), b.about())
		}
		if a.SerialNumber.Cmp(b.SerialNumber) == 0 {
			t.Errorf("%s has the agent's certificate", name)
		}
		if st, err := os.Stat(filepath.Join(ours, name)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
}

// certificate is one in a file.
type certificate struct{ *x509.Certificate }

// about is what was asked for.
func (c certificate) about() string {
	return fmt.Sprint(c.Subject, c.DNSNames, c.IPAddresses, c.NotAfter.Sub(c.NotBefore), c.KeyUsage, c.ExtKeyUsage, c.Issuer, c.SignatureAlgorithm)
}

// issued is the first certificate of a file. The key behind it is its own, and what
// comes then is the authority, which has signed it.
func issued(t *testing.T, text, authority string) certificate {
	t.Helper()
	var blocks []string
	for _, b := range pemBlock.FindAllString(text, -1) {
		if blocks = append(blocks, b); strings.Contains(b, "PRIVATE KEY") {
			register("a private key", b)
		}
	}
	if len(blocks) < 3 {
		t.Fatalf("there are %d blocks", len(blocks))
	}
	pair, err := tls.X509KeyPair([]byte(blocks[0]), []byte(blocks[1]))
	mustDo(t, err)
	if slices.ContainsFunc(blocks[2:], func(b string) bool { return b != strings.TrimSpace(authority) }) {
		t.Error("what follows is not the authority")
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(authority))
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	mustDo(t, err)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: "app.example"}); err != nil {
		t.Error(err)
	}
	if block, rest := pem.Decode([]byte(blocks[0])); block == nil || len(bytes.TrimSpace(rest)) > 0 {
		t.Error("the certificate is no single block")
	}
	return certificate{cert}
}
