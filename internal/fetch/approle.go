package fetch

import (
	"cmp"
	"context"
	"fmt"
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
	secretID := c.secretID(cfg)
	m := method{
		as:      "the role ID of " + cfg.RoleIDPath,
		hint:    func(said string) string { return c.appRoleHint(cfg, said) },
		prepare: secretID.prepare,
		request: func() (api.AuthMethod, error) {
			id, err := c.readAgain(roleID)
			if err != nil {
				return nil, err
			}
			if cfg.SecretIDPath == "" { // the api module's helper insists on one
				return write{"auth/" + c.mount + "/login", map[string]any{"role_id": id}}, nil
			}
			secret, err := secretID.read()
			if err != nil {
				return nil, err
			}
			login, err := approle.NewAppRoleAuth(id, &approle.SecretID{FromString: secret}, approle.WithMountPath(c.mount))
			if err != nil {
				panic("BUG: approle auth with a role ID and a secret ID")
			}
			return login, nil
		},
	}
	if cfg.RemoveSecretID {
		m.accepted = func() { c.removeUsed(secretID.file, false) }
	}
	return m
}

// secretID is how a secret ID is had: prepare is a method's, or nil, and read
// is for its request.
type secretID struct {
	file    *again
	prepare func(context.Context) error
	read    func() (string, error)
}

func (c *Client) secretID(cfg Config) secretID {
	file := &again{credentialFile: credentialFile{path: cfg.SecretIDPath, what: "the secret ID"}}
	if !cfg.Wrapped {
		return secretID{file: file, read: func() (string, error) { return c.readAgain(file) }}
	}
	file.what = "the wrapped secret ID"
	c.wrapped = nil // it is not the token that is wrapped
	w := &wrapping{
		what: "the secret ID of " + cfg.SecretIDPath,
		path: fmt.Sprintf("auth/%s/role/%s/secret-id", c.mount, cmp.Or(cfg.Role, "*")),
		content: func(answer *api.Secret) string {
			id, _ := answer.Data["secret_id"].(string)
			return id
		},
	}
	return secretID{
		file: file,
		prepare: func(ctx context.Context) error {
			text, err := c.readAgain(file)
			if err == nil {
				_, err = c.open(ctx, w, text)
			}
			if err != nil && !w.unwrapped.IsNull() && ctx.Err() == nil { // of before
				c.log.Warn("another secret ID was delivered and cannot be unwrapped, the one before is used again", "reason", err.Error())
				return nil
			}
			return err
		},
		read: func() (string, error) { return w.unwrapped.Text(), nil },
	}
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
