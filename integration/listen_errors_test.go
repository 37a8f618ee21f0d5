//go:build linux

package integration

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"vaultexec/integration/servers"
)

// countedErrors are troubles in the order in which they come, each with the class
// that it is counted in.
var countedErrors = []struct {
	class      string
	begin, end func(ctx context.Context, c *counted) error // nil: nothing
	also       string                                      // another class that may count on the way
}{
	{class: "vault_unreachable", begin: spoiledBy(servers.Answer(502)), end: unspoiled},
	{class: "rate_limited", begin: spoiledBy(servers.Answer(429)), end: unspoiled},
	{class: "sealed", begin: spoiledBy(servers.Func(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, `{"errors":["Vault is sealed"]}`) // in the words of vault/logical's ErrSealed
		return true
	})), end: unspoiled},
	{class: "timeout", begin: spoiledBy(servers.Hang()), end: unspoiled},
	{class: "tls", also: "vault_unreachable", // of a request whose connection ends
		begin: func(_ context.Context, c *counted) error { return c.p.ExpireCertificate() },
		end:   func(_ context.Context, c *counted) error { return c.p.RenewCertificate() }},
	{class: "denied",
		begin: func(ctx context.Context, c *counted) error { return c.allow(ctx, "# nothing") },
		end:   func(ctx context.Context, c *counted) error { return c.allow(ctx, c.rules) }},
	{class: "not_found",
		begin: func(ctx context.Context, c *counted) error {
			return c.vault.Client().KVv2(c.kv.mount).DeleteMetadata(ctx, "app")
		},
		end: func(ctx context.Context, c *counted) error {
			_, err := c.vault.PutKV2(ctx, c.kv.mount, "app", fields{"password": c.password})
			return err
		}},
	{class: "auth_denied", also: "denied", // the secret, before it is known why
		begin: func(ctx context.Context, c *counted) error {
			if _, err := c.vault.Client().Logical().DeleteWithContext(ctx, "auth/"+c.mount+"/role/app"); err != nil {
				return err
			}
			return c.vault.Client().Sys().RevokePrefixWithContext(ctx, "auth/"+c.mount)
		}},
}

// counted is a vaultexec that gets into one trouble after the other.
type counted struct {
	*authCase
	p             *servers.Proxy
	rule          *servers.Rule // that spoils everything
	policy, rules string        // of its tokens
}

func spoiledBy(f servers.Fault) func(context.Context, *counted) error {
	return func(_ context.Context, c *counted) error { c.rule = c.p.Add(servers.Rule{Do: f}); return nil }
}

func unspoiled(_ context.Context, c *counted) error { c.rule.Lift(); return nil }

func (c *counted) allow(ctx context.Context, rules string) error {
	return c.vault.Client().Sys().PutPolicyWithContext(ctx, c.policy, rules)
}

// errorsByClass are the errors that the metrics count: class -> how many.
func (e *endpoint) errorsByClass() map[string]float64 {
	e.t.Helper()
	classes := make(map[string]float64)
	for name, n := range e.metrics() {
		if rest, ok := strings.CutPrefix(name, `vaultexec_fetch_errors_total{class="`); ok {
			classes[strings.TrimSuffix(rest, `"}`)] = n
		}
	}
	return classes
}

// Each error is counted in its own class, and in no other.
func TestP2MetricsByClass(t *testing.T) {
	t.Parallel()
	c := &counted{authCase: newAuthCase(t, sharedVault(t), "approle")}
	c.policy = c.settings["token_policies"].([]string)[0]
	var err error
	c.rules, err = c.vault.Client().Sys().GetPolicyWithContext(t.Context(), c.policy)
	mustDo(t, err)
	role, secretID := c.newAppRole(t, nil)
	c.p, err = servers.StartProxy(servers.ProxyOptions{Targets: []string{c.vault.Address}, TLS: true})
	mustDo(t, err)
	t.Cleanup(func() { _ = c.p.Stop() })
	e := newEndpoint(t)
	l := c.run(t, append(quick, "--request-timeout", "1s", "--listen", e.address, "--auth", "approle", "--role-id-path", role, "--secret-id-path", secretID)...).
		vault(c.p.Address).env("VAULT_CACERT=" + c.p.CA).live()
	l.starts(1, "PASSWORD", c.password)
	if before := e.errorsByClass(); len(before) > 0 {
		t.Errorf("before any trouble %v are counted", before)
	}
	for _, trouble := range countedErrors {
		before := e.errorsByClass()
		mustDo(t, trouble.begin(t.Context(), c))
		l.poll("an error of class "+trouble.class, func() bool { return e.errorsByClass()[trouble.class] > before[trouble.class] })
		if trouble.end != nil {
			mustDo(t, trouble.end(t.Context(), c))
			l.poll("the end of "+trouble.class, func() bool { return e.metrics()[`vaultexec_secrets{state="fresh"}`] == 1 })
		}
		for class, n := range e.errorsByClass() {
			if n != before[class] && class != trouble.class && class != trouble.also {
				t.Errorf("%s: of class %s there are %v, before there were %v", trouble.class, class, n, before[class])
			}
		}
	}
	l.stop()
	l.order(1)
}
