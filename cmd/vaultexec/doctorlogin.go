package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"vaultexec/internal/fetch"
)

// examineJWT shows of the JWT of the login what may be shown, and tells whether
// there is one, if one is needed.
func (d *doctor) examineJWT() bool {
	claims, there, err := d.client.Claims()
	switch {
	case !there:
		return true
	case err != nil:
		d.failed("jwt", classOf(err), err.Error(), d.client.AnotherJWT())
		return false
	}
	detail := fmt.Sprintf("for %s, issued by %s to %s", orNone(strings.Join(claims.Audience, ", ")), orNone(claims.Issuer), orNone(claims.Subject))
	switch left := time.Until(claims.Expires); {
	case claims.Expires.IsZero():
		d.warn("jwt", shown(detail)+", without an end: who finds it can log in for ever", d.client.AnotherJWT())
	case left <= 0:
		d.failed("jwt", string(fetch.ClassAuthDenied), shown(detail)+fmt.Sprintf(", expired %s ago: a projected volume is refreshed, a copy is not", lately(-left)), d.client.AnotherJWT())
	default:
		d.ok("jwt", shown(detail)+", good for "+lately(left))
	}
	return true // Vault may see it otherwise
}

// orNone names what is not there.
func orNone(s string) string {
	if s == "" {
		return "nobody"
	}
	return s
}

// shown is what a JWT says, which its issuer has chosen, on one line and short.
func shown(s string) string {
	if s = printable(s); len(s) > 500 {
		s = s[:500] + "..."
	}
	return s
}

// examineLogin logs in.
func (d *doctor) examineLogin(ctx context.Context) bool {
	if err := d.client.Login(ctx); err != nil {
		d.vaultFailed("login", err)
		d.skip("login", "", "without a login")
		return false
	}
	d.ok("login", "as "+printable(d.client.Identity()))
	return true
}

// examineToken looks at the token. What keeps Vault from accepting it keeps it from
// everything.
func (d *doctor) examineToken(ctx context.Context) bool {
	t, err := d.client.Token(ctx)
	if err != nil {
		d.vaultFailed("token", err)
		d.skip("token", "", "without a token")
		return false
	}
	if t.Unknown {
		d.warn("token", "it may not look itself up", fetch.Paste(`path "auth/token/lookup-self" { capabilities = ["read"] }`))
		return true
	}
	life := "for ever"
	if t.TTL > 0 {
		life = "for " + lately(t.TTL)
		if t.Renews {
			life += ", renewable"
		}
	}
	detail := printable(fmt.Sprintf("a %s token, good %s, with policies %s", t.Type, life, strings.Join(t.Policies, ", ")))
	if _, mount := d.client.AuthMount(); mount == "" && t.TTL > 0 && t.TTL < tokenSoon && !t.Renews {
		d.warn("token", detail+"\nnobody makes another when it ends", d.client.LoginCommand())
	} else {
		d.ok("token", detail)
	}
	return true
}
