package fetch

import (
	"net/http"
	"strings"
	"time"
)

// renewal is what the answer to the renewal of a lease or of the token means.
type renewal int

const (
	prolonged renewal = iota // it lives on
	postponed                // trouble: nothing is said against it, and another try may do
	refused                  // it cannot be prolonged any more, and lives to its end
	ended                    // Vault does not know it (any more)
)

// What Vault says where no other try will do, in 1.21 and in OpenBao alike
// (vault/expiration.go: Renew, RenewToken, leaseEntry.renewable; handleRenew of
// vault/token_store.go; CalculateTTL of sdk/framework/lease.go).
var (
	refusals = []string{
		"lease is not renewable",
		"cannot be renewed through this endpoint", // tokens, by sys/leases/renew
		"lease does not correspond to a secret",
		"cannot renew a lease across namespaces",
		"cannot renew a token across namespaces",
		"no valid associated token", // of a batch token that has ended
		"batch tokens cannot be renewed",
	}
	endings = []string{
		"lease not found",
		"lease expired",
		"lease is expired",
		"invalid lease",
		"token not found",
	}
)

const (
	// engineFails is before what the secrets engine or the auth method says,
	// that of a database that is down, say.
	engineFails = "failed to renew entry"
	// pastMaximum is final whoever says it: the maximum was made shorter.
	pastMaximum = "past the max TTL, cannot renew"
)

// renewalOf goes by Vault's words. The status does not tell: Vault makes a 400 of
// any error of a renewal, of its own storage and of the engine behind the lease
// too (handleErrorNoReadOnlyForward of vault/logical_system.go). An answer with
// nothing in it is a refusal: the user that it was for is gone.
func renewalOf(a *answer) renewal {
	if a.status == http.StatusNoContent {
		return refused
	}
	if a.status < http.StatusBadRequest {
		return prolonged
	}
	said := strings.Join(a.said, "\n") // flatten would take engineFails away from before a list
	has := func(texts []string) bool {
		for _, text := range texts {
			if strings.Contains(said, text) {
				return true
			}
		}
		return false
	}
	switch {
	case strings.Contains(said, pastMaximum):
		return refused
	case strings.Contains(said, engineFails): // whatever words it has
		return postponed
	case has(endings):
		return ended
	case has(refusals):
		return refused
	}
	return postponed
}

// settleRenewal notes what the renewal of a lease came to.
func (w *Watcher) settleRenewal(r result, now time.Time) {
	e := r.entry
	w.well(now)
	switch renewalOf(r.answer) {
	case prolonged:
		w.notices.Over(renewing(e), now, "the lease is renewed again", "secret", e.reference)
		e.renewed(r.answer, r.began, w.random())
		w.urgeOld(e, now)
	case postponed:
		w.counts.errors[ClassUnreachable]++
		e.failed(now, 0, w.random())
		w.postpone(e, r.answer.unrenewed(), now)
	case refused:
		e.unrenewable(now, e.ends, w.random())
	case ended:
		w.notices.Say("lease "+e.reference, now, "the lease is gone before its time, new credentials are fetched", "secret", e.reference)
		e.early++
		e.ends = now // whoever has the credentials cannot wait for a window
		e.urge(now.Add(e.pause() - time.Second))
	}
}

// postpone says why a lease could not be renewed, once that has lasted.
func (w *Watcher) postpone(e *entry, reason string, now time.Time) {
	w.notices.SayAfter(vaultPatience, renewing(e), now, "a lease cannot be renewed, the command keeps its credentials and this is tried again until near their end",
		"secret", e.reference, "ends", e.ends.UTC().Format(time.RFC3339), "reason", reason)
}

// renewing is what the notices about renewals of a lease are about.
func renewing(e *entry) string { return "renewal " + e.reference }

// unrenewed says why something could not be renewed.
func (a *answer) unrenewed() string {
	said := flatten(a.said)
	// Vault writes its own structure between the two, with addresses in memory
	// (renewEntry of vault/expiration.go).
	before, rest, dumped := strings.Cut(said, "resp: ")
	if _, cause, there := strings.Cut(rest, " err: "); dumped && there {
		if strings.HasPrefix(cause, "%!") { // there was none
			cause = "the engine refuses, and Vault's own log says why"
		}
		return before + cause
	}
	if said == "" {
		return "no reason given"
	}
	return said
}

// settleTokenRenewal notes what the renewal of the token came to. Were it dead,
// the answer would say so, or the next request would.
func (w *Watcher) settleTokenRenewal(r tokenAnswer, now time.Time) {
	t, a := &w.token, r.answer
	outcome := renewalOf(a)
	if a.status == http.StatusForbidden && !t.renewed { // no policy ever allowed it
		outcome = refused
	}
	switch outcome {
	case prolonged:
		w.well(now)
		w.notices.Over(noticeRenewal, now, "the token is renewed again", "as", w.c.who())
		t.live(life{ttl: a.ttl, renewable: a.renewing}, true, r.began, w.random())
		t.renewed = true
	case postponed:
		w.counts.errors[ClassUnreachable]++
		t.failed(now, 0, w.random())
		w.notices.SayAfter(vaultPatience, noticeRenewal, now, "the token cannot be renewed, this is tried again until near its end",
			"as", w.c.who(), "ends", t.ends.UTC().Format(time.RFC3339), "reason", a.unrenewed())
	default:
		t.unrenewable(now, w.random())
	}
}
