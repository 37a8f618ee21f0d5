package fetch

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/kubernetes"
)

const defaultJWTPath = "/var/run/secrets/kubernetes.io/serviceaccount/token"

func lacksRole(cfg Config) string {
	if cfg.Role == "" {
		return "a role: set --role to the role's name in Vault"
	}
	return ""
}

// kubernetes trades the pod's service account token for one of Vault.
func (c *Client) kubernetes(cfg Config) method {
	file := credentialFile{
		path: cmp.Or(cfg.JWTPath, defaultJWTPath), what: "the service account token",
		missing: "outside of a pod use VAULT_TOKEN or vault login, inside check automountServiceAccountToken or set --jwt-path",
	}
	return method{
		as:  fmt.Sprintf("role %q", cfg.Role),
		jwt: func() (string, error) { return c.readCredential(file) },
		request: func() (api.AuthMethod, error) {
			jwt, err := c.readCredential(file) // the kubelet rotates it
			if err != nil {
				return nil, err
			}
			login, err := kubernetes.NewKubernetesAuth(cfg.Role, kubernetes.WithServiceAccountToken(jwt), kubernetes.WithMountPath(c.mount))
			if err != nil {
				panic("BUG: kubernetes auth with a role and a JWT: " + err.Error())
			}
			return login, nil
		},
		hint: func(said string) string {
			switch {
			case strings.Contains(said, "invalid role name"):
				return fmt.Sprintf("there is no such role at auth/%s", c.mount)
			case strings.Contains(said, "audience"):
				return "the service account token has to be issued for the role's audience: set it on the projected volume (audience: ...) or on the role"
			case strings.Contains(said, "expired"):
				return fmt.Sprintf("the token in %s is not refreshed: mount it as a projected volume", file.path)
			}
			return fmt.Sprintf("compare the role's bound service account names, namespaces and audience with this pod's, and check that kubernetes auth is mounted at auth/%s", c.mount)
		},
	}
}
