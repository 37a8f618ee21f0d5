package integration

import (
	"fmt"
	"net/http"
	"time"

	"vaultexec/integration/servers"
)

// audited checks in Vault's own logs how often the secret was read in all: in the
// audit log, or in those of the servers that the subject has for itself, each of
// a cluster's. A node that forwards a request has it in its log too.
func (s *subject) audited() {
	s.t.Helper()
	if s.kv.vault == sharedVault(s.t) {
		reads, err := shared.audit.Requests(s.kv.data(s.path))
		mustDo(s.t, err)
		s.bounded("audit log", len(reads))
		return
	}
	sum := 0
	for i, v := range s.servers() {
		requests, err := v.Requests("/v1/" + s.kv.data(s.path))
		mustDo(s.t, err)
		reads := 0
		for _, r := range requests {
			if r.Method == http.MethodGet { // the rest is the test's
				reads++
			}
		}
		s.bounded(fmt.Sprint("server ", i), reads)
		sum += reads
	}
	if sum == 0 { // a child that is started for other credentials reads no secret anew
		s.t.Errorf("%s: no read is in the servers' logs, of %d children", s.name, s.began)
	}
}

// servers are those that its requests may reach.
func (s *subject) servers() []*servers.Vault {
	if s.cluster != nil {
		return s.cluster.Nodes
	}
	return []*servers.Vault{s.kv.vault}
}

// bounded checks how often the secret was read: once a second, at most a fifth
// early, and what trouble and starts cost.
func (s *subject) bounded(log string, reads int) {
	s.t.Helper()
	lived := time.Since(s.born)
	s.t.Logf("%-20s %-10s %3d reads in %5.1f s", s.name, log, reads, lived.Seconds())
	if limit := 15 + 1.25*lived.Seconds(); float64(reads) > limit {
		s.t.Errorf("%s: %s: %d reads in %v, want at most %.0f", s.name, log, reads, lived, limit)
	}
}

// count begins to count requests.
func (s *subject) count() {
	s.mark, s.taken, s.since = len(s.p.Requests()), s.p.Connections(), time.Now()
}

// overAWhile waits until the count has lasted so long that a storm would show:
// vaultexec makes up to twenty requests a second.
func (s *subject) overAWhile() { <-time.After(time.Until(s.since.Add(3 * time.Second))) }

// atMost checks that since then there were no more requests, and connections,
// than at first and then per second.
func (s *subject) atMost(when string, first, perSecond float64) {
	s.t.Helper()
	n, lasted := max(len(s.p.Requests())-s.mark, s.p.Connections()-s.taken), time.Since(s.since)
	s.t.Logf("%-20s %-10s %3d requests in %5.1f s", s.name, when, n, lasted.Seconds())
	if limit := first + perSecond*lasted.Seconds(); float64(n) > limit {
		s.t.Errorf("%s: %s: %d requests in %v, want at most %.0f: %s", s.name, when, n, lasted, limit, s.paths(s.mark))
	}
}

// paths are what was asked of the proxy from a request on: path -> how often.
func (s *subject) paths(from int) string {
	n := make(map[string]int)
	for _, r := range s.p.Requests()[from:] {
		n[r.Path]++
	}
	return fmt.Sprint(n)
}
