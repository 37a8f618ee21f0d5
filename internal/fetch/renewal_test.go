package fetch

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
)

// What Vault 1.21 answers to a renewal while the PostgreSQL behind the lease is
// away, with the status 400.
const databaseIsDown = "failed to renew entry: resp: (*logical.Response)(nil) err: 1 error occurred:\n" +
	"\t* failed to connect to `host=127.0.0.1 user=vault database=app`: dial error (dial tcp 127.0.0.1:5432: connect: connection refused)\n\n"

func TestRenewalOf(t *testing.T) {
	for said, want := range map[string]renewal{
		"lease is not renewable":                                                                    refused,
		"tokens cannot be renewed through this endpoint":                                            refused,
		"lease does not correspond to a secret":                                                     refused,
		"cannot renew a lease across namespaces":                                                    refused,
		"cannot renew lease, no valid associated token":                                             refused,
		"batch tokens cannot be renewed":                                                            refused,
		"past the max TTL, cannot renew":                                                            refused,
		"failed to renew entry: resp: (*logical.Response)(nil) err: past the max TTL, cannot renew": refused,
		"lease not found":                                                                           ended,
		"lease expired":                                                                             ended,
		"lease is expired and has failed previous revocation attempts":                              ended,
		"invalid lease ID":                                                                          ended,
		"token not found":                                                                           ended,
		databaseIsDown:                                                                              postponed,
		"failed to renew entry: resp: (*logical.Response)(nil) err: 1 error occurred:\n\t* lease not found in the cloud\n\n": postponed,
		`failed to renew entry: resp: (*logical.Response)(nil) err: error during renew: could not find role "app"`:           postponed,
		"ldap operation failed: unable to retrieve user bind DN":                                                             postponed,
		"": postponed,
	} {
		if got := renewalOf(&answer{status: http.StatusBadRequest, said: []string{said}}); got != want {
			t.Errorf("%q: %d, want %d", said, got, want)
		}
	}
	for status, want := range map[int]renewal{200: prolonged, 204: refused, 403: postponed, 404: postponed, 405: postponed} {
		if got := renewalOf(&answer{status: status, said: []string{"permission denied"}}); got != want {
			t.Errorf("status %d: %d, want %d", status, got, want)
		}
	}
}

func TestUnrenewed(t *testing.T) {
	for said, want := range map[string]string{
		databaseIsDown: "failed to connect to `host=127.0.0.1 user=vault database=app`: dial error (dial tcp 127.0.0.1:5432: connect: connection refused)",
		`failed to renew entry: resp: (*logical.Response)(nil) err: error during renew: could not find role with name "app"`: `failed to renew entry: error during renew: could not find role with name "app"`,
		`failed to renew entry: resp: &logical.Response{Data:map[string]interface {}{"error":"x"}} err: %!w(<nil>)`:          "failed to renew entry: the engine refuses, and Vault's own log says why",
		"ldap operation failed": "ldap operation failed",
		"":                      "no reason given",
	} {
		if got := (&answer{said: []string{said}}).unrenewed(); got != want {
			t.Errorf("%q: %q", said, got)
		}
	}
}

// P2: while the engine behind a lease is in trouble, or the policy away, the
// command keeps its credentials; renewals go on when that is over, and only
// when it lasts until near the end there are others, with overlap.
func TestP2WatchRenewalsArePostponed(t *testing.T) {
	life := fetchtest.Life{TTL: time.Hour, Renewable: true}
	for name, trouble := range map[string]http.HandlerFunc{
		"engine": fetchtest.Status(400, databaseIsDown),
		"policy": fetchtest.Status(403, "1 error occurred:\n\t* permission denied\n\n"),
		"proxy":  fetchtest.Status(404, "no handler"),
	} {
		t.Run(name, func(t *testing.T) {
			watch(t, true, func(v *fetchtest.Server) { v.Dynamic("database/creds/app", life) }, []string{"database/creds/app"}, func(w *watching) {
				w.vault.FaultOn("PUT sys/leases/renew", trouble)
				w.nothing(36*time.Minute + 55*time.Second) // the first renewal is due after 36 minutes, or up to 40
				w.said("level=WARN", 0)
				w.nothing(18 * time.Minute) // until five minutes before the end
				if n := strings.Count(w.log.String(), "a lease cannot be renewed"); n < 3 || n > 5 {
					t.Errorf("said %d times: %s", n, w.log)
				}
				w.between("PUT sys/leases/renew", 18, 40)
				w.vault.FaultOn("PUT sys/leases/renew", nil)
				w.nothing(5 * time.Hour)
				w.said("the lease is renewed again", 1)
				w.between("GET database/creds/app", 1, 1)
				w.vault.FaultOn("PUT sys/leases/renew", trouble)
				u := w.within(time.Hour)
				if left := time.Until(u.Expires); left < 4*time.Minute || left > 6*time.Minute {
					t.Errorf("replaced %s before the end", left)
				}
				w.between("PUT auth/kubernetes/login", 1, 1)
			})
		})
	}
}

// Vault's answer to a renewal may be empty: then the lease lives to its end.
func TestP10WatchRenewalIsAnsweredWithNothing(t *testing.T) {
	life := fetchtest.Life{TTL: time.Hour, Renewable: true}
	nothing := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	watch(t, true, func(v *fetchtest.Server) {
		v.Dynamic("database/creds/app", life)
		v.TokenLife(roleToken, fetchtest.Life{TTL: 3 * time.Hour, Renewable: true})
		v.FaultOn("PUT sys/leases/renew", nothing)
		v.FaultOn("PUT auth/token/renew-self", nothing)
	}, []string{"database/creds/app"}, func(w *watching) {
		u := w.within(41 * time.Minute)
		if left := time.Until(u.Expires); left < 18*time.Minute {
			t.Errorf("the lease is said to end in %s", left)
		}
		w.Applied(u.Generation)
		for time.Since(w.begun) < 3*time.Hour {
			w.Applied(w.within(41 * time.Minute).Generation)
		}
		w.between("PUT auth/kubernetes/login", 2, 2)
	})
}

// P2: so is the token's renewal postponed: an auth method in trouble costs no
// login, and with that no lease. A right that it never had is another matter.
func TestP2WatchTokenRenewalIsPostponed(t *testing.T) {
	denied := fetchtest.Status(403, "1 error occurred:\n\t* permission denied\n\n")
	for name, test := range map[string]struct {
		trouble http.HandlerFunc
		since   time.Duration
		logins  int
	}{
		"auth method":       {fetchtest.Status(400, "ldap operation failed: unable to retrieve user bind DN"), 0, 1},
		"policy taken away": {denied, 40*time.Minute + time.Second, 1},
		"never allowed":     {denied, 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			watch(t, true, func(v *fetchtest.Server) {
				v.TokenLife(roleToken, fetchtest.Life{TTL: time.Hour, Renewable: true})
			}, []string{"kv/app"}, func(w *watching) {
				w.nothing(test.since)
				w.vault.FaultOn("PUT auth/token/renew-self", test.trouble)
				w.nothing(50 * time.Minute)
				w.vault.FaultOn("PUT auth/token/renew-self", nil)
				w.nothing(5 * time.Hour)
				w.between("PUT auth/kubernetes/login", test.logins, test.logins)
				w.said("the token is renewed again", 2-test.logins)
				w.vault.FaultOn("PUT auth/token/renew-self", test.trouble)
				w.nothing(time.Hour)
				w.between("PUT auth/kubernetes/login", test.logins+1, test.logins+2)
				w.said("is not accepted any more", 0)
			})
		})
	}
}
