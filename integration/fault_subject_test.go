package integration

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// leaseLife is what credentials and tokens are granted in tests of trouble: a
// renewal that is due at two thirds, and time for another try before the last
// quarter, in which new credentials are read instead.
const leaseLife = 40 * time.Second

// faultPostgres is the PostgreSQL of all tests of trouble.
var faultPostgres = sync.OnceValues(func() (*servers.Postgres, error) {
	pg, err := servers.StartPostgres(context.Background())
	if err == nil {
		shared.atEnd(pg.Stop)
	}
	return pg, err
})

// faultRole is a role whose credentials live for leaseLife.
const faultRole = "reader"

// enabling is held while an engine makes its table in PostgreSQL, where
// CREATE TABLE IF NOT EXISTS fails if two do it at a time.
var enabling sync.Mutex

// faultDatabase mounts a database engine in a Vault.
func faultDatabase(t *testing.T, v *servers.Vault) *servers.Database {
	t.Helper()
	pg, err := faultPostgres()
	if err != nil {
		t.Fatal(err)
	}
	return databaseIn(t, v, pg, leaseLife)
}

// databaseIn mounts one with a given PostgreSQL behind it.
func databaseIn(t *testing.T, v *servers.Vault, pg *servers.Postgres, life time.Duration) *servers.Database {
	t.Helper()
	enabling.Lock()
	defer enabling.Unlock()
	d, err := v.EnableDatabase(t.Context(), unique("database"), pg)
	if err == nil {
		err = d.DynamicRole(t.Context(), faultRole, life, time.Hour)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// subject is one vaultexec in front of a child that is started anew for each
// rotation. Its secret has a number, which the child says when it starts.
type subject struct {
	t    *testing.T
	name string
	kv   *kv
	path string            // of the secret in kv
	db   *servers.Database // nil: it has no credentials
	p    *servers.Proxy    // nil: there is nothing between it and Vault

	cluster *servers.Raft // whose nodes its requests may reach; nil: they reach kv's Vault

	r     *running
	n     int    // the secret's number
	pid   int    // of the child
	began int    // how often it has started
	hold  string // a file: while it is there a child that was told to stop does not
	born  time.Time
	dark  bool // PostgreSQL is away, so that nobody can use credentials
	mark  int  // requests to the proxy until then
	taken int  // and connections
	since time.Time
}

// newSubject makes a subject and its secret, and no process yet. It is named
// after the trouble that it gets into.
func newSubject(t *testing.T, name string, v *servers.Vault, db *servers.Database) *subject {
	t.Helper()
	s := &subject{t: t, name: name, db: db, hold: filepath.Join(t.TempDir(), "hold"), born: time.Now()}
	s.kv, s.path = kvMountAt(t, v, unique("kv"), 2), "app"
	s.rotate()
	return s
}

// behind puts a proxy with TLS and an authority of its own before Vault.
func (s *subject) behind(opt servers.ProxyOptions) *subject {
	s.t.Helper()
	p, err := servers.StartProxy(opt)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = p.Stop() })
	s.p = p
	return s
}

// command is vaultexec for the subject, without a way to log in.
func (s *subject) command(flags ...string) *command {
	s.t.Helper()
	flags = append([]string{"--refresh", "1s", "--debounce", "100ms", "--min-interval", "0s", "--request-timeout", "2s",
		"--env", "NUMBER=" + s.kv.path(s.path) + "#number", "--env", "PASSWORD=" + s.kv.path(s.path) + "#password"}, flags...)
	if s.db != nil {
		creds := s.db.CredsPath(faultRole)
		flags = append(flags, "--env", "DB_USER="+creds+"#username", "--env", "DB_PASSWORD="+creds+"#password")
	}
	c := vaultexec(s.t, flags...).vault(s.kv.vault.Address).child("serving", s.hold)
	if s.p != nil {
		c.vault(s.p.Address).env("VAULT_CACERT=" + s.p.CA)
	}
	return c
}

// policy lets a token do what the subject needs, and gives its name.
func (s *subject) policy() string {
	s.t.Helper()
	name := unique("subject")
	mustDo(s.t, s.allow(name, s.kv.data(s.path)))
	return name
}

// allow writes the policy anew: with the right to read these paths.
func (s *subject) allow(policy string, paths ...string) error {
	var rules strings.Builder
	if s.db != nil {
		paths = append(paths, s.db.CredsPath(faultRole))
	}
	for _, path := range paths {
		fmt.Fprintf(&rules, "path %q { capabilities = [\"read\"] }\n", path)
	}
	for _, path := range []string{"sys/leases/renew", "sys/leases/revoke", "auth/token/renew-self", "auth/token/revoke-self"} {
		fmt.Fprintf(&rules, "path %q { capabilities = [\"update\"] }\n", path)
	}
	rules.WriteString(`path "auth/token/lookup-self" { capabilities = ["read"] }`)
	return s.kv.vault.Client().Sys().PutPolicyWithContext(s.t.Context(), policy, rules.String())
}

// token makes a token for the subject that lives for a time.
func (s *subject) token(life time.Duration) string {
	s.t.Helper()
	token, err := s.kv.vault.CreateToken(s.t.Context(), life, s.policy())
	if err != nil {
		s.t.Fatal(err)
	}
	register(s.t.Name()+"'s token", token)
	return token
}

// start starts vaultexec.
func (s *subject) start(c *command) *subject {
	s.t.Helper()
	s.r = c.start()
	return s
}

// rotate gives the secret another number and password.
func (s *subject) rotate() {
	s.t.Helper()
	s.rotateThrough(s.kv)
}

// rotateThrough does so by way of another node of the same cluster.
func (s *subject) rotateThrough(k *kv) {
	s.t.Helper()
	s.n++
	k.put(s.t, s.path, fields{"number": strconv.Itoa(s.n), "password": canary(s.t, fmt.Sprintf("%s password %d", s.name, s.n))})
}

// arrives waits for the start of a child that has the secret's number.
func (s *subject) arrives() {
	s.t.Helper()
	got := strings.Fields(s.r.waitLine("start "))
	s.began++
	pid, err := strconv.Atoi(got[1])
	if err != nil {
		s.t.Fatal(err)
	}
	if pid == s.pid || got[2] != strconv.Itoa(s.n) {
		s.t.Fatalf("%s: the child %d has number %s, want another child than %d with %d\n%s", s.name, pid, got[2], s.pid, s.n, s.r.outputs())
	}
	s.pid = pid
	if s.db != nil {
		register(s.t.Name()+"'s database password", s.creds("DB_PASSWORD"))
	}
}

// creds is a variable of the child that runs.
func (s *subject) creds(name string) string {
	s.t.Helper()
	value, ok := readReport(s.t, s.r.report).lookup(name)
	if !ok {
		s.t.Fatalf("%s: the child has no %s", s.name, name)
	}
	return value
}

// undisturbed checks that the child is the one that it was.
func (s *subject) undisturbed(when string) {
	s.t.Helper()
	if n := s.started(); n != s.began {
		s.t.Fatalf("%s: %s: the child has started %d times, want %d\n%s", s.name, when, n, s.began, s.r.outputs())
	}
	if err := syscall.Kill(s.pid, 0); err != nil {
		s.t.Fatalf("%s: %s: the child %d: %v\n%s", s.name, when, s.pid, err, s.r.outputs())
	}
	if s.db != nil && !s.dark {
		if err := s.db.Query(s.t.Context(), s.creds("DB_USER"), s.creds("DB_PASSWORD")); err != nil {
			s.t.Fatalf("%s: %s: the child's credentials: %v\n%s", s.name, when, err, s.r.outputs())
		}
	}
}

// started is how often a child has started so far.
func (s *subject) started() int { return strings.Count("\n"+s.r.out(), "\nstart ") }

// pidGone tells whether the child has ended.
func (s *subject) pidGone() bool { return syscall.Kill(s.pid, 0) != nil }

// stop ends vaultexec and checks how often the child has started in all.
func (s *subject) stop() *result {
	s.t.Helper()
	s.undisturbed("at the end")
	s.r.signal(syscall.SIGTERM)
	res := s.r.wait()
	res.exited(0)
	s.audited()
	return res
}

// feltBy has each rule felt n times, and lifts it at that very moment.
func (s *subject) feltBy(n int, rules ...*servers.Rule) (wait func()) {
	errc := make(chan error, len(rules))
	ctx, cancel := s.within()
	for _, r := range rules {
		go func() {
			err := r.Wait(ctx, n)
			r.Lift()
			errc <- err
		}()
	}
	return func() {
		s.t.Helper()
		defer cancel()
		for range rules {
			if err := <-errc; err != nil {
				s.t.Fatalf("%s: not felt %d times: %v\n%s", s.name, n, err, s.r.outputs())
			}
		}
	}
}

// within bounds a wait.
func (s *subject) within() (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(s.t.Context(), waitLimit, fmt.Errorf("%s: not within %v", s.name, waitLimit))
}

// felt waits until n requests have fallen under the rule.
func (s *subject) felt(r *servers.Rule, n int) {
	s.t.Helper()
	ctx, cancel := s.within()
	defer cancel()
	if err := r.Wait(ctx, n); err != nil {
		s.t.Fatalf("%s: %d requests, want %d: %v\n%s", s.name, r.Count(), n, err, s.r.outputs())
	}
}

// setHold makes the child that runs refuse to end, until lift.
func (s *subject) setHold() (lift func()) {
	s.t.Helper()
	writeFile(s.t, s.hold, "")
	return func() {
		if err := os.Remove(s.hold); err != nil {
			s.t.Fatal(err)
		}
	}
}

// validUntil is when the lease of the child's credentials ends.
func (s *subject) validUntil() time.Time {
	s.t.Helper()
	until, err := s.db.ValidUntil(s.t.Context(), s.creds("DB_USER"))
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", s.name, err, s.r.outputs())
	}
	return until
}

// renewed waits until the child's credentials are good for longer than that.
func (s *subject) renewed(than time.Time) {
	s.t.Helper()
	s.r.poll(s.name+": the lease's renewal", func() bool { return s.validUntil().After(than) })
}

func init() { childVerbs["serving"] = childServing }

// childServing says "start PID NUMBER", and at TERM "stopping PID", after which
// it ends when the file that is its argument is not there.
func childServing(args []string) int {
	sigc := make(chan os.Signal, 8)
	signal.Notify(sigc, syscall.SIGTERM)
	fmt.Println("start", os.Getpid(), os.Getenv("NUMBER"))
	limit := time.After(10 * time.Minute) // it does not outlive a test that forgot it
	select {
	case <-sigc:
	case <-limit:
		return 98
	}
	fmt.Println("stopping", os.Getpid())
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(args[0]); err != nil {
			return 0
		}
		select {
		case <-tick.C:
		case <-limit:
			return 98
		}
	}
}
