package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vaultexec/internal/env"
	"vaultexec/internal/fetch"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
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
		d.failed("address", classOf(err), err.Error())
		d.skip("", "", "without settings for Vault")
		return
	}
	d.client = client
	d.ok("address", client.Address())
	ctx = fetch.Once(ctx)
	if !d.examineLine(client.Line(ctx)) {
		d.skip("tls", "", "Vault cannot be asked")
		d.examineJWT()
		return
	}
	if !d.examineHealth(ctx) {
		d.skip("clock", "", "Vault cannot be asked")
		d.examineJWT()
		return
	}
	d.examineJWT()
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
		return true
	case l.DNS != nil:
		d.trouble("dns", lineError{fetch.ClassUnreachable, l.DNS}, "export VAULT_ADDR=https://HOST:8200   # a name that this machine can resolve", "nslookup "+fetch.ShellWord(l.Host))
		d.skip("dns", "tls", "there is no address")
		return false
	default:
		d.ok("dns", l.Host+" is "+strings.Join(l.Addresses, ", "))
	}
	if l.Connect != nil {
		d.trouble("connection", lineError{fetch.ClassUnreachable, l.Connect}, "export VAULT_ADDR=https://HOST:PORT   # where Vault listens, if it is not there",
			"vault status   # on the machine that it runs on")
		d.skip("connection", "tls", "there is no connection")
		return false
	}
	d.ok("connection", "somebody listens there")
	return d.examineTLS(l)
}

func (d *doctor) examineTLS(l fetch.Line) bool {
	if !l.TLS {
		d.ok("tls", "none: whoever is on the way can read along")
		return true
	}
	var chain []string
	soon := ""
	for _, c := range l.Chain {
		chain = append(chain, fmt.Sprintf("%s by %s, until %s", c.Subject, c.Issuer, c.Ends.UTC().Format(time.RFC3339)))
		if left := time.Until(c.Ends); left < min(certificateSoon, c.Ends.Sub(c.Begins)/5) {
			soon = "\nit ends in " + lately(left) + ": renew it"
		}
	}
	detail := strings.Join(chain, "\n")
	switch {
	case l.Refused != nil:
		detail = strings.Join(append([]string{l.Refused.Error()}, chain...), "\n")
		d.trouble("tls", lineError{fetch.ClassTLS, errors.New(detail)}, tlsFix(l)...)
		return false
	case soon != "":
		d.warn("tls", detail+soon)
	default:
		d.ok("tls", detail)
	}
	return true
}

func (d *doctor) examineHealth(ctx context.Context) bool {
	h, err := d.client.Health(ctx)
	if err != nil {
		d.trouble("health", err, "vault status")
		d.skipped("clock", "Vault did not say what time it is")
		return false
	}
	defer d.examineClock(h)
	switch {
	case !h.Initialized:
		d.trouble("health", lineError{fetch.ClassSealed, errors.New("Vault " + printable(h.Version) + " is not initialized")}, "vault operator init")
		return false
	case h.Sealed:
		d.trouble("health", lineError{fetch.ClassSealed, errors.New("Vault " + printable(h.Version) + " is sealed")}, "vault operator unseal")
		return false
	case h.Standby || h.Performance:
		d.ok("health", "Vault "+printable(h.Version)+" is unsealed, and a standby: it asks the active node for us")
	default:
		d.ok("health", "Vault "+printable(h.Version)+" is unsealed and active")
	}
	return true
}

func (d *doctor) examineClock(h fetch.Health) {
	switch {
	case !h.Clocked:
		d.skipped("clock", "there is no Date in Vault's answer")
	case h.Skew.Abs() > maxSkew:
		way := "behind"
		if h.Skew < 0 {
			way = "ahead of"
		}
		d.failed("clock", "clock", fmt.Sprintf("this machine's clock is %s %s Vault's: tokens and certificates that are good may be refused", lately(h.Skew.Abs()), way),
			"timedatectl set-ntp true   # on the one of the two that is wrong")
	default:
		d.ok("clock", "it is Vault's")
	}
}

func (d *doctor) examineToken(ctx context.Context) bool {
	t, err := d.client.Token(ctx)
	if err != nil {
		d.vaultFailed("token", err, d.client.LoginCommand())
		d.skip("token", "", "without a token")
		return false
	}
	if t.Unknown {
		d.warn("token", "it may not look itself up", `path "auth/token/lookup-self" { capabilities = ["read"] }`)
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

// vaultFailed is a failure of something asked of Vault: its trouble, or that it
// refuses.
func (d *doctor) vaultFailed(check string, err error, fix ...string) {
	switch fetch.Class(classOf(err)) {
	case fetch.ClassUnreachable, fetch.ClassTimeout, fetch.ClassTLS, fetch.ClassSealed, fetch.ClassRateLimited:
		d.trouble(check, err, fix...)
	default:
		d.failed(check, classOf(err), err.Error(), fix...)
	}
}

// examineSecrets asks what the token may do with each reference, and reads them.
func (d *doctor) examineSecrets(ctx context.Context, refs []ref.Ref) {
	permissions, err := d.client.Permissions(ctx, refs)
	if err != nil {
		d.vaultFailed("capabilities", err)
	}
	denied := map[string]bool{}
	for _, p := range permissions {
		check := "capabilities"
		switch {
		case p.Reason != "":
			denied[p.Reference] = true
			d.failed(check, string(fetch.ClassDenied), p.Reference+": "+p.Reason, append([]string{"vault secrets list   # is its mount there?"}, p.Policies...)...)
		case p.Unknown:
			d.warn(check, p.Reference+": the token may not ask what it may do", `path "sys/capabilities-self" { capabilities = ["update"] }`)
		case !p.OK:
			denied[p.Reference] = true
			d.failed(check, string(fetch.ClassDenied), fmt.Sprintf("%s: the policies do not allow %s of %s (%s)", p.Reference, p.Needs, p.Path, p.Mount), p.Policies...)
		default:
			d.ok(check, fmt.Sprintf("%s: %s of %s (%s)", p.Reference, p.Needs, p.Path, p.Mount))
		}
	}
	if d.planner == nil {
		return
	}
	readable := refs[:0:0]
	for _, r := range refs {
		if r.Body == "" { // what a write makes is not made for a look
			readable = append(readable, r)
		}
	}
	secrets, _, err := d.client.Survey(ctx, readable, 0)
	var missing *fetch.MissingError
	switch {
	case errors.As(err, &missing):
		for _, f := range missing.Findings {
			if !denied[f.Reference] {
				d.failed("secrets", missing.Class(), f.String(), f.Mend()...)
			}
		}
	case err != nil:
		d.vaultFailed("secrets", err)
	case len(readable) > 0:
		d.ok("secrets", fmt.Sprintf("all are there (%d)", len(readable)))
	}
	if err != nil || len(readable) < len(refs) {
		d.skipped("sizes", "not everything was read")
		return
	}
	d.examinePlan(ctx, secrets)
}

// examinePlan looks at what the command would get.
func (d *doctor) examinePlan(ctx context.Context, secrets map[ref.Source]secret.Fields) {
	if d.planner == nil {
		return
	}
	if !d.addFiles(ctx, &secrets) {
		d.skipped("sizes", "not everything was read")
		return
	}
	plan, err := d.planner.Plan(secrets)
	if err != nil {
		d.failed("sizes", classOf(err), err.Error())
		return
	}
	if err := env.CheckLimits(nil, plan.Environ, env.SystemLimits()); err != nil {
		d.failed("sizes", classOf(err), err.Error())
		return
	}
	total, biggest := 0, ""
	size := 0
	for _, entry := range plan.Environ {
		total += len(entry) + 1
		if len(entry) > size {
			size = len(entry)
			biggest, _, _ = strings.Cut(entry, "=")
		}
	}
	detail := fmt.Sprintf("%d variables take %d bytes", len(plan.Environ), total)
	if biggest != "" {
		detail += fmt.Sprintf(", %s the most with %d (at most 131072 each)", printable(biggest), size)
	}
	if total > largeEnviron {
		d.warn("sizes", detail+"\nother systems take less: hand the biggest over with --file")
		return
	}
	d.ok("sizes", detail)
}

// largeEnviron is more than some kernels and runtimes take of an environment.
const largeEnviron = 1 << 20
