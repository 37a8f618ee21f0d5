package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// Login gets the token that Fetch will use. With a token that is already there
// (VAULT_TOKEN, the token helper) it asks nothing of Vault: the first read
// shows what the token is good for. It waits for Vault as long as ctx allows.
func (c *Client) Login(ctx context.Context) error {
	if c.method.makes() {
		return c.makeToken(ctx)
	}
	token, identity, err := c.method.find(ctx)
	if err == nil && c.wrapped != nil && token != "" {
		c.wrapped.what = identity
		token, err = c.open(ctx, c.wrapped, token)
		identity = "the wrapped token" + strings.TrimPrefix(identity, "the token")
	}
	if err != nil {
		return err
	}
	if err := c.takeToken(token, identity); err != nil {
		return err
	}
	if c.method.accepted != nil {
		c.method.accepted()
	}
	return nil
}

// FindsToken tells whether a login takes a token that somebody has left, at once
// and without asking Vault: there is one, or there is none.
func (c *Client) FindsToken() bool { return c.auth == AuthToken && c.wrapped == nil }

// makeToken logs in at the mount.
func (c *Client) makeToken(ctx context.Context) error {
	words := fmt.Sprintf("login with %s at auth/%s", c.method.as, c.mount)
	if c.method.prepare != nil {
		if err := c.method.prepare(ctx); err != nil {
			return err
		}
	}
	var auth *api.SecretAuth
	var unready error
	err := c.retry(ctx, words, c.loginNamespace, func(ctx context.Context, client *api.Client) error {
		var login api.AuthMethod
		if login, unready = c.method.request(); unready != nil { // anew each time: files change while we wait
			return nil
		}
		client.ClearToken() // a login is not made with the token of an earlier one
		var err error
		auth, err = perform(ctx, client, login)
		return err
	})
	var refused *failure
	switch {
	case unready != nil:
		return unready
	case errors.As(err, &refused):
		return c.loginRefused(words, refused)
	case err != nil:
		return err
	case auth.ClientToken == "":
		return c.wantsSecondFactor(words)
	}
	if c.method.accepted != nil {
		c.method.accepted()
	}
	c.keepGrant(auth)
	c.useToken(auth.ClientToken, fmt.Sprintf("%s at auth/%s with policies %s", c.method.as, c.mount, strings.Join(auth.Policies, ", ")))
	return nil
}

// perform makes the one request of a login.
func perform(ctx context.Context, client *api.Client, login api.AuthMethod) (*api.SecretAuth, error) {
	answer, err := login.Login(ctx, client)
	switch {
	case err != nil:
		return nil, err
	case answer == nil || answer.Auth == nil || answer.Auth.ClientToken == "" && answer.Auth.MFARequirement == nil:
		return nil, errNotVault
	}
	return answer.Auth, nil
}

// loginRefused puts a final answer to a login into words. Vault tells the
// unauthenticated little: 403 permission denied is also what it says where no
// auth method is mounted.
func (c *Client) loginRefused(words string, f *failure) *Error {
	if f.said == nil { // TLS, or not Vault
		return c.fatal(words, f)
	}
	hint := ""
	if c.method.refused != nil {
		c.method.refused(f.status, flatten(f.said))
	}
	switch f.status {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		hint = fmt.Sprintf("no %s auth method is mounted at auth/%s: set --auth-mount", c.auth, c.mount)
	default:
		hint = c.method.hint(flatten(f.said))
	}
	return &Error{class: ClassAuthDenied, refusal: flatten(f.said), text: fmt.Sprintf("%s: Vault denied it: %s (HTTP %d); %s", words, f.reason, f.status, hint)}
}

// wantsSecondFactor is the end of a login that Vault would finish with a second
// factor.
func (c *Client) wantsSecondFactor(words string) *Error {
	hint := "a workload does not have: exempt the role from it"
	if c.method.person {
		hint = "vaultexec does not ask for: run vault login, and vaultexec with the token that it leaves (--auth token)"
	}
	bad := &Error{class: ClassAuthDenied, text: words + ": Vault wants a second factor (MFA), which " + hint}
	if c.method.person {
		return bad.mendedBy(c.loginCommand() + " -method=" + string(c.auth) + " -path=" + ShellWord(c.mount) + "   # and --auth token")
	}
	return bad.mendedBy(c.onLogin("list", "identity/mfa/login-enforcement") + "   # which of these asks for it")
}

// keepGrant notes the token that a login made.
func (c *Client) keepGrant(auth *api.SecretAuth) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.granted = time.Now()
	c.grant = life{ttl: time.Duration(auth.LeaseDuration) * time.Second, renewable: auth.Renewable}
	c.made = append(c.made, auth.ClientToken)
	if len(c.made) > keptTokens {
		c.made = slices.Clone(c.made[len(c.made)-keptTokens:])
	}
}

// keptTokens is how many tokens may live: the newest, the one before, whose last
// leases are being replaced, and one more for luck. Those before are over.
const keptTokens = 3

// tokenGrant is what the newest login granted, and when; nothing of a token that was
// there already.
func (c *Client) tokenGrant() (life, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.grant, c.granted
}

// useToken is the end of every login that has a token.
func (c *Client) useToken(token, identity string) {
	c.keepSecret(token)
	c.tokenMu.Lock()
	c.api.SetToken(token)
	c.tokenMu.Unlock()
	c.setIdentity(identity)
	c.log.Debug("logged in", "as", identity)
}

func (c *Client) setIdentity(identity string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.identity = identity
	if c.loginNamespace != "" {
		c.identity += " in namespace " + c.loginNamespace
	}
}

// who says in messages whose permissions count.
func (c *Client) who() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cmp.Or(c.identity, "no login")
}

// tokenRejected ends everything: with a token that Vault does not know no
// reference has a chance.
func (c *Client) tokenRejected(a *answer) *Error {
	hint := "it is expired, revoked or of another Vault"
	if c.method.another != "" {
		hint += ": " + c.method.another
	}
	if c.auth == AuthToken {
		hint += ", or set --role to log in with the pod's service account"
	}
	return &Error{class: ClassAuthDenied, text: fmt.Sprintf("Vault at %s does not accept %s: %s (HTTP %d); %s",
		c.address, c.who(), c.scrub(flatten(a.said)), a.status, hint)}
}
