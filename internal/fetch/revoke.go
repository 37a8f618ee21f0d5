package fetch

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/vault/api"
)

// revokeLease gives a lease back. Many policies do not allow that (the default
// policy does not), and Vault ends the lease by itself, so that nobody hears of
// a failure but who debugs.
func (c *Client) revokeLease(ctx context.Context, h held) {
	for try := 1; try <= revokeTries; try++ {
		var a *answer
		f := c.attempt(ctx, h.namespace, c.writing("sys/leases/revoke", leaseBody(h.lease), &a))
		switch {
		case f == nil && a.status < http.StatusBadRequest:
			c.log.Debug("an old lease was given back")
			return
		case f == nil:
			c.log.Debug("an old lease could not be given back", "status", a.status, "reason", flatten(a.said))
			return
		}
		c.log.Debug("an old lease could not be given back", "reason", f.reason)
		select {
		case <-ctx.Done():
			return
		case <-time.After(backoff(try, f.retryAfter, fullJitter)):
		}
	}
}

const revokeTries = 5

// Revoke gives back the tokens that the client's logins made, and with them
// every lease made under them; with all, the token too that was there before.
// It tries until ctx ends. The error says which is left and until when it lives.
func (c *Client) Revoke(ctx context.Context, all bool) error {
	c.mu.Lock()
	tokens := slices.Clone(c.made)
	slices.Reverse(tokens) // the newest is the one that lives for sure
	c.made = nil
	c.mu.Unlock()
	if current := c.api.Token(); all && len(tokens) == 0 && current != "" {
		tokens = append(tokens, current)
	}
	var last error
	for _, token := range tokens {
		if err := c.revokeToken(ctx, token); err != nil {
			last = err
		}
	}
	return last
}

func (c *Client) revokeToken(ctx context.Context, token string) error {
	var a *answer
	err := c.retry(ctx, "revoking the token", c.loginNamespace, func(ctx context.Context, client *api.Client) error {
		client.SetToken(token)
		return c.writing("auth/token/revoke-self", []byte("{}"), &a)(ctx, client)
	})
	switch {
	case err != nil:
		return err
	case a.status == http.StatusForbidden && !a.rejectsToken():
		return &Error{class: ClassDenied, text: "permission denied; it takes this in a policy: path \"auth/token/revoke-self\" { capabilities = [\"update\"] }"}
	case a.status >= http.StatusBadRequest: // it is gone already, or a batch token
		c.log.Debug("the token could not be revoked", "status", a.status, "reason", flatten(a.said))
	}
	return nil
}
