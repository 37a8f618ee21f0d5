package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
)

// holder is a vaultexec with a token that it was given.
func (c *clinic) holder(t *testing.T, token string, flags ...string) *command {
	t.Helper()
	flags = append([]string{"--env", "PASSWORD=kv/app#password"}, flags...)
	return vaultexec(t, flags...).vault(c.vault.Address).token(token)
}

// tokenOf is a file with a token that may do what is needed.
func (c *clinic) tokenOf(t *testing.T) string {
	t.Helper()
	return writeFile(t, filepath.Join(t.TempDir(), "token"), newToken(t, c.vault, c.policies...))
}

// revoked is a token that was good.
func (c *clinic) revoked(t *testing.T) string {
	t.Helper()
	token := newToken(t, c.vault, c.policies...)
	mustDo(t, c.vault.Client().Auth().Token().RevokeTreeWithContext(t.Context(), token))
	return token
}

// logsIn has the command of a fix log in with what is in a file, where a person
// would type it.
func logsIn(fix, file string) string {
	return strings.Replace(fix, "vault login", "vault login -no-print", 1) + " - < " + file
}

// A token that Vault does not know any more, or not for long, is replaced with what
// the doctor says.
func TestDoctorMendsGivenTokens(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	no := false
	soon, err := c.vault.Client().Auth().Token().CreateWithContext(t.Context(), &api.TokenCreateRequest{Policies: c.policies, TTL: "5m", Renewable: &no})
	mustDo(t, err)
	register("a token that ends soon", soon.Auth.ClientToken)
	for _, tt := range []struct {
		name, token, state, says string
		status                   int
	}{
		{"revoked", c.revoked(t), "failed", "does not accept the token of VAULT_TOKEN", 3},
		{"ends soon", soon.Auth.ClientToken, "warning", "nobody makes another when it ends", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			patient := c.holder(t, tt.token).env("PATH=" + vaultCommand(t) + ":" + os.Getenv("PATH"))
			res, d := patient.examine()
			res.exited(tt.status)
			s := d.find(t, "token", tt.state)
			if !strings.Contains(s.Detail, tt.says) || len(s.Fix) != 1 || s.Fix[0] != "unset VAULT_TOKEN && vault login -address="+c.vault.Address {
				t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
			}
			res, d = patient.paste(logsIn(s.Fix[0], c.tokenOf(t))).examine()
			res.exited(0)
			d.find(t, "token", "ok")
		})
	}
}

// The same of a token that is kept in a file, or is not.
func TestDoctorMendsTokenFiles(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	for _, tt := range []struct{ name, content, check string }{
		{"revoked", c.revoked(t), "token"},
		{"none", "", "login"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "token")
			if tt.content != "" {
				writeFile(t, file, tt.content)
			}
			look := func() (*result, diagnosis) {
				return vaultexec(t, "--auth", "token-file", "--token-file", file, "--env", "PASSWORD=kv/app#password").vault(c.vault.Address).examine()
			}
			res, d := look()
			res.exited(3)
			s := d.find(t, tt.check, "failed")
			if len(s.Fix) != 2 || s.Fix[1] != "(umask 077; vault login -address="+c.vault.Address+" -token-only > "+file+")" {
				t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
			}
			c.administer(t, strings.Replace(s.Fix[1], " -token-only ", " -token-only - < "+c.tokenOf(t)+" ", 1))
			res, d = look()
			res.exited(0)
			d.find(t, tt.check, "ok")
		})
	}
}
