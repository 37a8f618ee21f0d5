package fetch

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/hashicorp/vault/api"
)

// jwt trades a JWT that somebody else issued, as a CI system or an identity
// provider does, for a token of Vault. Without a role Vault takes the mount's
// default_role. The JWT is remembered for later logins, as a secret ID is.
func (c *Client) jwt(cfg Config) method {
	file := &again{credentialFile: credentialFile{
		path: cmp.Or(cfg.JWTPath, defaultJWTPath), what: "the JWT",
		missing: "set --jwt-path to where it is",
	}}
	as, body := "the JWT of "+file.path, map[string]any{}
	if cfg.Role != "" {
		as, body["role"] = fmt.Sprintf("role %q", cfg.Role), cfg.Role
	}
	m := method{
		as:  as,
		jwt: func() (string, error) { return c.readAgain(file) },
		request: func() (api.AuthMethod, error) {
			jwt, err := c.readAgain(file) // whoever issues it replaces it
			body["jwt"] = jwt
			return write{"auth/" + c.mount + "/login", body}, err
		},
		hint: func(said string) string {
			switch {
			case strings.Contains(said, "missing role"):
				return fmt.Sprintf("set --role, or give auth/%s a default_role", c.mount)
			case strings.Contains(said, "role") && strings.Contains(said, "could not be found"):
				return fmt.Sprintf("there is no such role at auth/%s", c.mount)
			case strings.Contains(said, "audience"):
				return "the JWT has to be issued for one of the role's bound_audiences"
			case strings.Contains(said, "expired"):
				return fmt.Sprintf("nobody refreshes the JWT in %s", file.path)
			case strings.Contains(said, "could not load configuration"):
				return fmt.Sprintf("auth/%s knows no keys yet: write auth/%[1]s/config", c.mount)
			}
			return fmt.Sprintf("compare the JWT's issuer, audience and claims with the role and with auth/%s/config, and check that jwt auth is mounted there", c.mount)
		},
	}
	if cfg.RemoveJWT {
		m.accepted = func() { c.removeUsed(file, cfg.RemoveJWTTarget) }
	}
	return m
}
