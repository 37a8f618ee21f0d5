//go:build linux

package integration

import (
	"net/http"
	"testing"
	"time"
)

// All leases of a token that ends are replaced before it ends, be that soon.
func TestP10LoginReplacesAllLeasesInTime(t *testing.T) {
	t.Parallel()
	const ttl = 24 * time.Second
	var paths, flags []string
	for range 6 {
		d := newDBRole(t, time.Hour, 2*time.Hour)
		path := d.CredsPath(d.name)
		paths, flags = append(paths, path), append(flags, "--secret", path+"?prefix="+string(rune('A'+len(paths)))+"_")
	}
	policy := unique("db-read")
	mustDo(t, sharedVault(t).Policy(t.Context(), policy, "read", paths...))
	a := defaultAccount(t, fields{"token_ttl": ttl.String(), "token_max_ttl": ttl.String()}, policy)
	p := newProxy(t, a.vault.Address)
	l := a.login(t, append(flags, quick...)...).vault(p.address).live()
	l.nth(1, "start")
	var ends time.Time
	for _, path := range paths {
		l.poll("the second read of "+path, func() bool { return p.count(http.MethodGet, path) >= 2 })
	}
	seen := make(map[string]int)
	when := p.times()
	for i, r := range p.requests() {
		path := r.URL.Path[len("/v1/"):]
		if path == loginPath && ends.IsZero() {
			ends = when[i].Add(ttl)
		}
		if seen[path]++; seen[path] == 2 && len(path) > 8 && path[:8] == "database" && when[i].After(ends) {
			t.Errorf("%s was read again %v after its lease and token had ended", path, when[i].Sub(ends))
		}
	}
	l.stop()
}
