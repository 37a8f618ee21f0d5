package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"vaultexec/internal/fetch"
	"vaultexec/internal/ref"
)

const (
	// certificateSoon is when a certificate ends soon, unless that is more than a
	// fifth of its life: those that live for a day are renewed each day.
	certificateSoon = 14 * 24 * time.Hour
	// tokenSoon is too short a life for a token that nobody makes anew.
	tokenSoon = 10 * time.Minute
	// maxSkew is what clocks may differ by before JWTs and certificates that are
	// good look as if they were not.
	maxSkew = 30 * time.Second
)

// vaultChecks are those for which Vault is asked, in their order.
var vaultChecks = []string{"dns", "connection", "tls", "health", "clock", "jwt", "login", "token", "capabilities", "secrets", "sizes"}

// skip notes the checks behind one, up to another, which cannot be made; an empty
// name is the beginning or the end.
func (d *doctor) skip(after, upTo, because string) {
	from, to := slices.Index(vaultChecks, after)+1, slices.Index(vaultChecks, upTo)
	if upTo == "" {
		to = len(vaultChecks) - 1
	}
	for _, c := range vaultChecks[from : to+1] {
		if c != "jwt" || d.client == nil { // that is looked at without Vault
			d.skipped(c, because)
		}
	}
}

// examineVault looks at Vault, from the address to the secrets.
func (d *doctor) examineVault(ctx context.Context) {
	_, refs := d.references()
	if len(refs) == 0 && !d.hasAddress() {
		d.ok("address", "VAULT_ADDR is not set, and nothing is to be fetched from Vault")
		d.examinePlan(ctx, nil)
		return
	}
	cfg := fetchConfig(d.settings, d.log)
	if d.planner != nil && d.planner.Templates() {
		cfg.Wants = d.planner.Wanted
	}
	cfg.RemoveJWT, cfg.RemoveSecretID = false, false // see spare
	client, err := fetch.New(cfg)
	forgetCredentials(d.log)
	if err != nil {
		d.failed("address", classOf(err), err.Error(), fetch.MendSettings(err))
		d.skip("", "", "without settings for Vault")
		return
	}
	d.client = client
	d.ok("address", client.Address())
	ctx = fetch.Once(ctx)
	if d.line = client.Line(ctx); !d.examineLine(d.line) {
		d.skip("tls", "", "Vault cannot be asked")
		d.examineJWT()
		return
	}
	if !d.examineHealth(ctx) {
		d.skip("clock", "", "Vault cannot be asked")
		d.examineJWT()
		return
	}
	if !d.examineJWT() {
		d.skip("jwt", "", "without a JWT")
		return
	}
	if err := d.spare(); err != nil {
		d.skip("jwt", "", err.Error())
		return
	}
	if d.examineLogin(ctx) && d.examineToken(ctx) {
		d.examineSecrets(ctx, refs)
	}
}

// references are those to files and to Vault; none where the settings are wrong.
func (d *doctor) references() (files, vault []ref.Ref) {
	if d.planner == nil {
		return nil, nil
	}
	return apart(d.planner.Refs())
}

func (d *doctor) hasAddress() bool {
	for _, entry := range d.environ {
		if name, value, _ := strings.Cut(entry, "="); value != "" && (name == "VAULT_ADDR" || name == "VAULT_AGENT_ADDR") {
			return true
		}
	}
	return d.settings.Files().Vault["VAULT_ADDR"].Value != ""
}

// lineError is a way to Vault that ends somewhere.
type lineError struct {
	class fetch.Class
	error
}

func (e lineError) Class() string { return string(e.class) }

// examineLine tells whether the way to Vault is open.
func (d *doctor) examineLine(l fetch.Line) bool {
	switch {
	case l.Host == "":
		d.ok("dns", "a socket has no name")
	case l.Proxy != "":
		d.ok("dns", "requests go through the proxy "+l.Proxy+", which looks for "+l.Host)
		d.skip("dns", "tls", "the proxy is in between")
		return true
	case l.DNS != nil:
		d.trouble("dns", lineError{fetch.ClassUnreachable, l.DNS}, d.client.MendLine(l))
		d.skip("dns", "tls", "there is no address")
		return false
	case net.ParseIP(l.Host) != nil:
		d.ok("dns", l.Host+" is no name")
	default:
		d.ok("dns", l.Host+" is "+strings.Join(l.Addresses, ", "))
	}
	there := "the socket"
	if l.Host != "" {
		there = net.JoinHostPort(l.Host, l.Port)
	}
	if l.Connect != nil {
		d.trouble("connection", lineError{fetch.ClassUnreachable, fmt.Errorf("%s: %w", there, l.Connect)}, d.client.MendLine(l))
		d.skip("connection", "tls", "there is no connection")
		return false
	}
	d.ok("connection", there+" answers")
	return d.examineTLS(l)
}

func (d *doctor) examineTLS(l fetch.Line) bool {
	if !l.TLS {
		d.ok("tls", "none: whoever is on the way can read along")
		return true
	}
	soon := false
	var chain []string
	for _, c := range l.Chain {
		left := time.Until(c.Ends)
		life := "good for " + lately(left)
		switch {
		case left <= 0:
			life = "ended " + lately(-left) + " ago"
		case time.Now().Before(c.Begins):
			life = "not valid for another " + lately(time.Until(c.Begins))
		case left < min(certificateSoon, c.Ends.Sub(c.Begins)/5):
			life, soon = "ends in "+lately(left), true
		}
		chain = append(chain, fmt.Sprintf("%s by %s, until %s: %s", c.Subject, c.Issuer, c.Ends.UTC().Format(time.RFC3339), life))
	}
	detail := strings.Join(chain, "\n")
	switch {
	case l.Refused != nil:
		detail = strings.Join(append([]string{l.Refused.Error()}, chain...), "\n")
		d.trouble("tls", lineError{fetch.ClassTLS, errors.New(detail)}, d.client.MendLine(l))
		return false
	case soon:
		d.warn("tls", detail, fetch.RenewCertificate())
	default:
		d.ok("tls", detail)
	}
	return true
}

func (d *doctor) examineHealth(ctx context.Context) bool {
	h, err := d.client.Health(ctx)
	if err != nil {
		fix := d.client.MendHealth(err, d.line)
		if d.line.Proxy != "" {
			err = lineError{fetch.Class(classOf(err)), errors.New(err.Error() + ", through the proxy " + d.line.Proxy)}
		}
		d.trouble("health", err, fix)
		d.skipped("clock", "Vault did not say what time it is")
		return false
	}
	defer d.examineClock(h)
	switch {
	case !h.Initialized:
		d.trouble("health", lineError{fetch.ClassSealed, errors.New("Vault " + printable(h.Version) + " is not initialized")}, d.client.Administer("operator init"))
		return false
	case h.Sealed:
		d.trouble("health", lineError{fetch.ClassSealed, errors.New("Vault " + printable(h.Version) + " is sealed")}, d.client.Administer("operator unseal"))
		return false
	case h.Standby || h.Performance:
		d.ok("health", "Vault "+printable(h.Version)+" is unsealed, and a standby: it asks the active node for us")
	default:
		d.ok("health", "Vault "+printable(h.Version)+" is unsealed and active")
	}
	return true
}

func (d *doctor) examineClock(h fetch.Health) {
	way := "behind"
	if h.Skew < 0 {
		way = "ahead of"
	}
	switch {
	case !h.Clocked:
		d.skipped("clock", "there is no Date in Vault's answer")
	case h.Skew.Abs() > maxSkew:
		d.failed("clock", "clock", fmt.Sprintf("this machine's clock is %s %s Vault's: tokens and certificates that are good may be refused", lately(h.Skew.Abs()), way),
			fetch.SetClock("on the one of the two that is wrong"))
	case h.Skew != 0:
		d.ok("clock", lately(h.Skew.Abs())+" "+way+" Vault's, which does no harm")
	default:
		d.ok("clock", "agrees with Vault's")
	}
}
