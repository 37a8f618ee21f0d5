//go:build linux

package integration

import (
	"testing"
	"time"
)

// A lease ends with the token that it was made with, whatever its own ttl
// says: that goes before the window too.
func TestP10EndOfTheTokenGoesBeforeTheWindow(t *testing.T) {
	t.Parallel()
	d := newDBRole(t, time.Hour, 2*time.Hour)
	path := d.CredsPath(d.name)
	a := d.account(t, path, fields{"token_ttl": "45s", "token_max_ttl": "45s"})
	closed := time.Now().Add(12 * time.Hour).Format("0 15 * * */1h")
	l := a.login(t, d.flags(path, "--debounce", "100ms", "--window", closed)...).env("LIVE_DB=" + d.pg.Address).live()
	credentials(l.nth(1, "start"))
	l.poll("queries that fail, or the second start", func() bool {
		return len(l.events("start")) == 2 || len(l.events("query failed")) > 3
	})
	l.neverFailed()
	credentials(l.nth(2, "start"))
	l.stop()
}
