package integration

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// standbyThatSays stands in for a node of Vault Enterprise, or of a cluster
// behind a load balancer: it answers nothing but its health's status.
func standbyThatSays(t *testing.T, status int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"errors":[]}`))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// redirecting is in front of a real node and has it redirect to the active one
// what it would else forward.
func redirecting(t *testing.T, v *servers.Vault) string {
	t.Helper()
	target, err := url.Parse(v.Address)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Set("X-Vault-No-Request-Forwarding", "1")
	}})
	t.Cleanup(server.Close)
	return server.URL
}

// A cluster loses its active node while token, leases and secrets are kept
// alive, seen from everywhere: through a proxy with all nodes behind it, or
// with some that answer 429 or 473 for being standbys, directly at a standby
// that forwards, and at one that redirects. No child starts anew for that,
// renewals go on, and so do rotations.
func TestP2RaftLosesItsActiveNode(t *testing.T) {
	t.Parallel()
	raft, err := servers.StartRaft(t.Context(), shared.bin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := raft.Stop(); err != nil {
			t.Error(err)
		}
	})
	register("root's token", raft.Token)
	active, err := raft.Active(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := raft.Nodes[active]
	standby := raft.Nodes[(active+1)%len(raft.Nodes)]
	pg, err := faultPostgres()
	mustDo(t, err)
	const life = 75 * time.Second // a renewal at 45 to 50 s, and other tries up to 56 s
	db := databaseIn(t, v, pg, life)
	member := func(name string, db *servers.Database) *subject {
		s := newSubject(t, name, v, db)
		s.cluster = raft
		return s
	}
	at := func(name, address string, db *servers.Database) *subject {
		s := member(name, db)
		return s.start(s.command().vault(address).token(s.token(time.Hour)))
	}
	through := func(name string, targets ...string) *subject {
		s := member(name, db).behind(servers.ProxyOptions{Targets: targets, TLS: true})
		return s.start(s.command().token(s.token(time.Hour)))
	}
	subjects := []*subject{
		at("standby", standby.Address, db), at("redirecting", redirecting(t, standby), nil),
		through("all nodes", raft.Addresses()...),
		through("429", append(raft.Addresses(), standbyThatSays(t, 429))...),
		through("473", append(raft.Addresses(), standbyThatSays(t, 473))...),
	}
	for _, s := range subjects {
		s.arrives()
	}

	until := make(map[*subject]time.Time)
	lost := active
	for _, s := range subjects {
		if s.db != nil {
			until[s] = s.validUntil()
		}
		if s.p != nil {
			s.count()
		}
	}
	// It goes when the renewal of a lease is under way, and those of the others
	// are due, and one more is being started.
	late := member("late", db).behind(servers.ProxyOptions{Targets: raft.Addresses(), TLS: true})
	c := late.command().token(late.token(time.Hour))
	hold := subjects[2].p.Add(servers.Rule{Prefix: "/v1/sys/leases/renew", Do: servers.Hang()})
	subjects[2].felt(hold, 1)
	begin := time.Now()
	v.Kill()
	hold.Lift()
	late.start(c)
	if active, err = raft.ActiveNot(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	t.Logf("another node is active after %v", time.Since(begin))
	waitUntil(t, "the new leader to take writes", func() bool { // it says for a moment that it is not the leader
		_, err := raft.Nodes[active].PutKV2(t.Context(), subjects[0].kv.mount, "probe", fields{"a": "b"})
		return err == nil
	})
	late.arrives()
	t.Logf("who was started meanwhile has its secrets after %v", time.Since(begin))
	late.count()
	subjects = append(subjects, late)
	for _, s := range subjects {
		s.undisturbed("without the active node")
		s.kv.vault = raft.Nodes[active]
		s.rotate()
	}
	for _, s := range subjects {
		s.arrives()
	}
	t.Logf("rotations have arrived after %v", time.Since(begin))
	// One of three nodes is still away: so is a third of the answers.
	for _, s := range subjects {
		if s.db != nil && s != late { // whose lease is a new one
			s.renewed(until[s])
		}
		s.undisturbed("renewed")
		if s.p != nil {
			s.overAWhile()
			s.atMost("one node away", 10, 1.6) // a try in three fails, and would be repeated at once
		}
	}
	if err := raft.Restart(t.Context(), lost); err != nil {
		t.Fatal(err)
	}

	// During a restart of the child, the next one goes.
	lift := make(map[*subject]func())
	for _, s := range subjects {
		lift[s] = s.setHold()
		s.rotate()
	}
	for _, s := range subjects {
		s.r.waitLine("stopping")
	}
	lost = active
	raft.Nodes[lost].Kill()
	for _, s := range subjects {
		lift[s]()
		s.arrives()
	}
	if active, err = raft.ActiveNot(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	// It may be the one whose address two subjects have alone.
	if err := raft.Restart(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	for _, s := range subjects {
		s.kv.vault = raft.Nodes[active]
		s.rotate()
	}
	for _, s := range subjects {
		s.arrives()
		s.stop()
	}
	othersBounded(t, raft, len(subjects), db.CredsPath(faultRole))
}

// othersBounded checks what each node was asked beside the secrets that are read
// each second: few things at each start, once for each renewal, and again for
// what a node that goes away leaves open.
func othersBounded(t *testing.T, raft *servers.Raft, subjects int, credentials string) {
	t.Helper()
	for i, v := range raft.Nodes {
		n := make(map[string]int)
		sum := 0
		for _, part := range []string{"/auth/token/lookup-self", "/auth/token/renew-self", "/v1/" + credentials, "/sys/internal/ui/mounts/", "/sys/leases/"} {
			requests, err := v.Requests(part)
			mustDo(t, err)
			n[part] = len(requests)
			sum += len(requests)
		}
		t.Logf("server %d: %d other requests of %d subjects", i, sum, subjects)
		if limit := 6 * subjects; sum > limit {
			t.Errorf("server %d: %d requests beside the secrets, want at most %d: %v", i, sum, limit, n)
		}
	}
}

// A node that redirects is asked to renew and to revoke leases: what is written
// goes to the active node whole.
func TestP2StandbyRedirectsWrites(t *testing.T) {
	t.Parallel()
	v := sharedVault(t)
	db := faultDatabase(t, v)
	if err := db.DynamicRole(t.Context(), faultRole, 20*time.Second, time.Hour); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, v.Address+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	s := newSubject(t, "redirected", v, db)
	s.start(s.command().vault(server.URL).token(s.token(leaseLife)))
	s.arrives()
	s.renewed(s.validUntil())
	s.undisturbed("renewed")
	s.rotate()
	s.arrives()
	s.stop()
}
