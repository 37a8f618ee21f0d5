package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/ldap"
	"github.com/hashicorp/vault/api/auth/userpass"

	"vaultexec/internal/secret"
)

func lacksUsername(cfg Config) string {
	switch {
	case cfg.Username == "":
		return "a name: set --username"
	case strings.Contains(cfg.Username, "/") || cfg.Username == "." || cfg.Username == "..": // it is a part of the login's path
		return fmt.Sprintf("a name, and --username %q is a path", cfg.Username)
	}
	return ""
}

func (c *Client) userpass(cfg Config) method {
	return c.withPassword(cfg, func(password string) (api.AuthMethod, error) {
		return userpass.NewUserpassAuth(cfg.Username, &userpass.Password{FromString: password}, userpass.WithMountPath(c.mount))
	})
}

func (c *Client) ldap(cfg Config) method {
	return c.withPassword(cfg, func(password string) (api.AuthMethod, error) {
		return ldap.NewLDAPAuth(cfg.Username, &ldap.Password{FromString: password}, ldap.WithMountPath(c.mount))
	})
}

// withPassword is the login of a person. The password comes from a file, or is
// asked for once: later logins, with the command on the terminal, use it again.
//
// One that was refused is never sent again by itself. Directories lock the
// account of whoever goes on with a wrong one, and a command may run for days
// after its user has changed the password.
func (c *Client) withPassword(cfg Config, login func(password string) (api.AuthMethod, error)) method {
	file := &again{credentialFile: credentialFile{path: cfg.PasswordPath, what: "the password", exact: true}}
	var sent, wrong secret.Value
	m := method{
		as:     fmt.Sprintf("user %q", cfg.Username),
		person: true,
		hint:   func(said string) string { return c.passwordHint(cfg, said) },
		request: func() (api.AuthMethod, error) {
			password := file.last.Text()
			if cfg.PasswordPath != "" {
				var err error
				if password, err = c.readAgain(file); err != nil {
					return nil, err
				}
			}
			if !wrong.IsNull() && wrong.Text() == password {
				return nil, &Error{class: ClassAuthDenied, text: fmt.Sprintf("login with user %q at auth/%s: the password was refused before, and trying it again could lock the account: start vaultexec anew", cfg.Username, c.mount)}
			}
			sent = secret.Of(password)
			method, err := login(password)
			if err != nil {
				panic(fmt.Sprintf("BUG: %s auth with a name and a password", c.auth)) // the error could have it
			}
			return method, nil
		},
		refused: func(status int, said string) {
			if refusesPassword(status, said) {
				wrong = sent
			}
		},
	}
	if cfg.PasswordPath == "" {
		m.prepare = func(ctx context.Context) error { return c.askPassword(ctx, cfg, &file.last) }
	}
	return m
}

// askPassword asks for the password, the first time.
func (c *Client) askPassword(ctx context.Context, cfg Config, password *secret.Value) error {
	if !password.IsNull() {
		return nil
	}
	words := fmt.Sprintf("login with user %q at auth/%s", cfg.Username, c.mount)
	if cfg.Prompt == nil {
		return configError(words + ": there is nobody to ask for the password: set --password-path")
	}
	typed, err := cfg.Prompt(ctx, fmt.Sprintf("Password of %s for auth/%s at %s: ", cfg.Username, c.mount, c.address))
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{class: ClassTimeout, text: words + ": nobody has typed the password in time", cause: context.DeadlineExceeded}
	case err != nil:
		return configError(fmt.Sprintf("%s: the password cannot be asked for: %v: set --password-path", words, err))
	case typed.Text() == "":
		return configError(words + ": no password was typed")
	}
	c.keepSecret(typed.Text())
	*password = typed
	return nil
}

// refusesPassword tells a wrong password from a directory that cannot be
// asked, for which Vault answers 400 as well. A locked account is 403.
func refusesPassword(status int, said string) bool {
	return status == http.StatusForbidden || strings.Contains(said, "invalid") || strings.Contains(said, "failed to bind as user")
}

func (c *Client) passwordHint(cfg Config, said string) string {
	switch {
	case strings.Contains(said, "permission denied"):
		return fmt.Sprintf("check that %s auth is mounted at auth/%s, and whether the account is locked after too many wrong passwords", c.auth, c.mount)
	case strings.Contains(said, "not configured"):
		return fmt.Sprintf("write auth/%s/config", c.mount)
	case refusesPassword(http.StatusBadRequest, said):
		return fmt.Sprintf("compare the name and the password with what vault login -method=%s takes", c.auth)
	}
	return "see whether Vault reaches the directory"
}
