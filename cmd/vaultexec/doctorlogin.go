package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"vaultexec/internal/fetch"
)

// examineJWT shows of the JWT of the login what may be shown.
func (d *doctor) examineJWT() {
	claims, there, err := d.client.Claims()
	switch {
	case !there:
		return
	case err != nil:
		d.failed("jwt", classOf(err), err.Error())
		return
	}
	detail := fmt.Sprintf("for %s, issued by %s to %s", orNone(strings.Join(claims.Audience, ", ")), orNone(claims.Issuer), orNone(claims.Subject))
	switch left := time.Until(claims.Expires); {
	case claims.Expires.IsZero():
		d.warn("jwt", shown(detail)+", without an end")
	case left <= 0:
		d.failed("jwt", string(fetch.ClassAuthDenied), shown(detail)+fmt.Sprintf(", expired %s ago: a projected volume is refreshed, a copy is not", lately(-left)), d.client.AnotherJWT())
	default:
		d.ok("jwt", shown(detail)+", good for "+lately(left))
	}
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
		d.vaultFailed("login", err, d.client.MendLogin(err)...)
		d.skip("login", "", "without a login")
		return false
	}
	d.ok("login", "as "+printable(d.client.Identity()))
	return true
}

// tlsFix is what may mend a certificate that is refused.
func tlsFix(l fetch.Line) []string {
	text, ended := l.Refused.Error(), time.Time{}
	for _, c := range l.Chain {
		if time.Now().After(c.Ends) {
			ended = c.Ends
		}
	}
	switch {
	case strings.Contains(text, "unknown authority") && len(l.Chain) > 0:
		return []string{"export VAULT_CACERT=/path/to/ca.pem   # of " + l.Chain[len(l.Chain)-1].Issuer}
	case strings.Contains(text, "expired") && !ended.IsZero():
		return []string{"# renew Vault's certificate: it ended " + lately(time.Since(ended)) + " ago by this machine's clock"}
	case strings.Contains(text, "expired"):
		return []string{"timedatectl set-ntp true   # it is not valid yet by this machine's clock"}
	case strings.Contains(text, "is not for"):
		return []string{"export VAULT_TLS_SERVER_NAME=NAME   # one of the names in the certificate"}
	case strings.Contains(text, "does not speak TLS"):
		return []string{"export VAULT_ADDR=http://HOST:PORT"}
	}
	return nil
}
