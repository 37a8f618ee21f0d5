package fetch

import (
	"encoding/json"
	"time"
)

// life is how long something of Vault's is good for. It is counted from when
// Vault was asked for it: that is early rather than late, and an answer may lie
// in a socket while the machine sleeps.
type life struct {
	lease     string        // ID of the lease; empty: none, or a token
	renewable bool          // the lease or token can be prolonged
	ttl       time.Duration // 0: for ever, as far as anybody knows
	rotating  bool          // at its end Vault itself puts another in its place: there is nothing to prolong
}

// lifeOf finds it in the answer to a read or a write. The lease that KV version
// 1 names has no ID and is a hint when to look again, not an end
// (vault-plugin-secrets-kv, passthrough.go).
func lifeOf(m *mount, a *answer, now time.Time) life {
	switch {
	case a.lease != "":
		return life{lease: a.lease, renewable: a.renewing, ttl: a.ttl}
	case m.kv != 0:
		return life{}
	}
	// Certificates of pki say when they expire, in seconds since 1970.
	if at, ok := seconds(a.data["expiration"]); ok {
		if left := time.Unix(0, 0).Add(at).Sub(now); left > 0 {
			return life{ttl: left}
		}
	}
	ttl, ok := seconds(a.data["ttl"])
	if !ok {
		return life{}
	}
	// Static roles (database, ldap, aws) say how long until the next rotation.
	for _, field := range []string{"last_vault_rotation", "rotation_period", "rotation_schedule"} {
		if _, static := a.data[field]; static {
			return life{ttl: ttl, rotating: true}
		}
	}
	return life{ttl: ttl}
}

// seconds reads a number of seconds.
func seconds(v any) (time.Duration, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	s, err := n.Int64()
	if err != nil || s < 0 || s > int64(maxLife/time.Second) {
		return 0, false
	}
	return time.Duration(s) * time.Second, true
}

// maxLife is longer than anything lives; it keeps durations from overflowing.
const maxLife = 200 * 365 * 24 * time.Hour

// prolong is when to renew or replace what lives for ttl: at two thirds, less up
// to a tenth of that, so that what began together does not go on together.
// random is from 0 up to 1.
func prolong(ttl time.Duration, random float64) time.Duration {
	return time.Duration(float64(ttl) * 2 / 3 * (1 - random/10))
}

// exhausted tells that a renewal gave less than two thirds of what was first
// granted: the maximum is near, and the next renewal gives less still.
func exhausted(granted, renewed time.Duration) bool {
	return renewed < granted*2/3
}

// shortly spreads what is due at once over a twentieth of what is left.
func shortly(left time.Duration, random float64) time.Duration {
	return time.Duration(random * float64(max(0, left)) / 20)
}

// first is the earlier of two times that are not zero.
func first(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// lastChance is how long before its end something is replaced whose renewal
// does not succeed: time enough to read another and to move to it.
func lastChance(ttl time.Duration) time.Duration {
	return min(ttl/4, 5*time.Minute)
}
