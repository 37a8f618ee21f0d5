package fetch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"
)

func lacksRoleID(cfg Config) string {
	if cfg.RoleIDPath == "" {
		return "a role ID: set --role-id-path to the file that has it"
	}
	return ""
}

// appRole trades a role ID and a secret ID for a token. Both are remembered for
// later logins: whoever delivers a secret ID may do so once only.
func (c *Client) appRole(cfg Config) method {
	roleID := &again{credentialFile: credentialFile{path: cfg.RoleIDPath, what: "the role ID"}}
	secretID := &again{credentialFile: credentialFile{path: cfg.SecretIDPath, what: "the secret ID"}}
	m := method{
		as:   "the role ID of " + cfg.RoleIDPath,
		hint: func(said string) string { return c.appRoleHint(cfg, said) },
		request: func() (api.AuthMethod, error) {
			id, err := c.readAgain(roleID)
			if err != nil {
				return nil, err
			}
			if cfg.SecretIDPath == "" { // the api module's helper insists on one
				return write{"auth/" + c.mount + "/login", map[string]any{"role_id": id}}, nil
			}
			secret, err := c.readAgain(secretID)
			if err != nil {
				return nil, err
			}
			login, err := approle.NewAppRoleAuth(id, &approle.SecretID{FromString: secret}, approle.WithMountPath(c.mount))
			if err != nil {
				panic("BUG: approle auth with a role ID and a secret ID: " + err.Error())
			}
			return login, nil
		},
	}
	if cfg.RemoveSecretID {
		m.accepted = func() { c.removeCredential(secretID.credentialFile) }
	}
	return m
}

func (c *Client) appRoleHint(cfg Config, said string) string {
	switch {
	case strings.Contains(said, "permission denied"):
		return fmt.Sprintf("check that approle auth is mounted at auth/%s, and from which networks the role and the secret ID may be used", c.mount)
	case strings.Contains(said, "missing secret_id"):
		return "the role wants a secret ID: set --secret-id-path"
	case cfg.SecretIDPath == "":
		return fmt.Sprintf("compare %s with the role's role-id at auth/%s", cfg.RoleIDPath, c.mount)
	}
	return fmt.Sprintf("compare %s with the role's role-id at auth/%s, and see whether the secret ID has ended (secret_id_ttl), is used up (secret_id_num_uses) or bound to another network",
		cfg.RoleIDPath, c.mount)
}

// removeCredential removes a file whose content is not needed any more. That
// it cannot be is no reason to go without secrets.
func (c *Client) removeCredential(f credentialFile) {
	err := os.Remove(f.path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	c.log.Warn(f.what+" is used and cannot be removed", "file", f.path, "reason", err.Error())
}
