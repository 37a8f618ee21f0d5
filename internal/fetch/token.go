package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/vault/api/cliconfig"
	"github.com/hashicorp/vault/api/tokenhelper"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
	"vaultexec/internal/smallfile"
)

// givenToken takes the token of VAULT_TOKEN, else of the token helper, as the
// vault command does.
func (c *Client) givenToken(Config) method {
	return method{
		find: func(ctx context.Context) (token, identity string, err error) {
			if c.envToken != "" {
				return c.envToken, "the token of VAULT_TOKEN", nil
			}
			token, err = helperToken(ctx)
			return token, "the token of vault login", err
		},
		another: "log in again: " + c.loginCommand(),
	}
}

// takeToken uses a token that was found. An agent may have one of its own
// (auto-auth), so there none is needed.
func (c *Client) takeToken(token, identity string) error {
	switch {
	case strings.ContainsFunc(token, func(r rune) bool { return !unicode.IsPrint(r) }):
		return configError(identity + " has a character in it that cannot be printed: it is not a token").mendedBy(c.anotherToken())
	case strings.HasPrefix(token, "{"):
		return configError(identity+" is JSON and no token: if it has a wrapping token in it, set --wrapped").mendedBy("export VAULTEXEC_WRAPPED=true", c.anotherToken())
	case token != "":
		c.useToken(token, identity)
	case c.agent:
		c.setIdentity("the agent of VAULT_AGENT_ADDR")
	default:
		return configError("there is no token: log in with " + c.loginCommand() + ", or set VAULT_TOKEN, or --role to log in with the pod's service account")
	}
	return nil
}

// anotherToken is how a person gets one in the place of what is none.
func (c *Client) anotherToken() string {
	if c.envToken != "" {
		return "unset VAULT_TOKEN && " + c.loginCommand() // else it would win
	}
	return c.loginCommand()
}

// loginCommand is how a person gets a token that is good here, ready to paste.
func (c *Client) loginCommand() string {
	words := "vault login -address=" + ShellWord(strings.TrimSuffix(c.address, addressUnset))
	if c.namespace != "" {
		words += " -namespace=" + ShellWord(c.namespace)
	}
	return words
}

// ShellWord makes one word of s for a shell, in quotes if need be.
func ShellWord(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("-._~/:@%+=", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// ownToken is what the reference vault:login stands for.
func (c *Client) ownToken() (secret.Fields, error) {
	token := c.api.Token()
	if token == "" {
		return nil, configError("vault:login: there is no token to hand on, the agent of VAULT_AGENT_ADDR adds its own to each request: log in with --role, or set VAULT_TOKEN")
	}
	return secret.Fields{ref.TokenKey: secret.Of(token)}, nil
}

// helperToken asks the token helper: ~/.vault-token, or the program that
// ~/.vault or the file of VAULT_CONFIG_PATH names. Empty means that nobody has
// logged in here.
func helperToken(ctx context.Context) (string, error) {
	if _, err := os.UserHomeDir(); err != nil {
		// Without HOME the helpers would run getent and sh to find a home,
		// and panic where there is none.
		return "", nil
	}
	helper, err := cliconfig.DefaultTokenHelper()
	if err != nil {
		return "", configError("the configuration of the vault command (~/.vault or VAULT_CONFIG_PATH) cannot be used: " + firstLine(err.Error()))
	}
	if external, ok := helper.(*tokenhelper.ExternalTokenHelper); ok {
		return runHelper(ctx, external.BinaryPath)
	}
	token, err := helper.Get()
	if err != nil {
		return "", configError(fmt.Sprintf("the token of vault login cannot be read: %v", err))
	}
	return token, nil // Get has trimmed it
}

// runHelper runs an external token helper: PATH get, with the token on its
// standard output. Unlike ExternalTokenHelper.Get it ends with ctx.
func runHelper(ctx context.Context, path string) (string, error) {
	var stdout smallfile.Buffer
	defer stdout.Wipe()
	cmd := exec.CommandContext(ctx, path, "get")
	cmd.Stdout = &stdout
	cmd.WaitDelay = 100 * time.Millisecond // for what the helper left behind with our pipe
	err := cmd.Run()
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return "", context.Canceled
	case ctx.Err() != nil:
		return "", &Error{class: ClassTimeout, text: fmt.Sprintf("the token helper %s did not end in time", path), cause: ctx.Err()}
	case err != nil:
		// Its standard error is not repeated: nobody knows what is in it.
		return "", configError(fmt.Sprintf("the token helper %s failed: %v; run it by hand: %s get", path, err, path)).mendedBy(ShellWord(path) + " get > /dev/null && echo it works")
	}
	return strings.TrimSpace(stdout.Take()), nil
}
