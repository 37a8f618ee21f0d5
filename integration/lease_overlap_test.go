//go:build linux

package integration

import (
	"testing"
	"time"
)

// The old lease stays valid until the command has moved, also one that takes
// its time to stop and works meanwhile: of a lease that cannot be prolonged
// a third is left when it is replaced.
func TestP10OverlapForASlowStop(t *testing.T) {
	t.Parallel()
	d := newDBRole(t, 36*time.Second, 36*time.Second) // a third is three times what it takes to stop
	path := d.CredsPath(d.name)
	l := d.account(t, path, nil).login(t, d.flags(path, quick...)...).env("LIVE_DB="+d.pg.Address, "LIVE_SLOW=4s").live()
	for i := range 2 {
		credentials(l.nth(i+1, "start"))
	}
	l.stop()
	l.order(2)
	l.neverFailed()
}
