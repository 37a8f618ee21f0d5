//go:build linux

package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// dbRole is a role of the shared database engine that one test has, whose
// credentials are leases or, of a static one, a user of its own.
type dbRole struct {
	*servers.Database
	pg   *servers.Postgres
	name string
}

// newDBRole makes a dynamic role.
func newDBRole(t *testing.T, ttl, maxTTL time.Duration) *dbRole {
	t.Helper()
	d := &dbRole{Database: sharedDatabase(t), name: unique("db")}
	var err error
	if d.pg, err = shared.postgres(); err != nil {
		t.Fatal(err)
	}
	mustDo(t, d.DynamicRole(t.Context(), d.name, ttl, maxTTL))
	return d
}

func sharedDatabase(t *testing.T) *servers.Database {
	t.Helper()
	d, err := shared.database()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// flags give a command these credentials from one secret.
func (d *dbRole) flags(path string, more ...string) []string {
	return append(more, "--env", "DB_USER="+path+"#username", "--env", "DB_PASSWORD="+path+"#password")
}

// account is a service account that may read the credentials and what all
// may do (policy default: renew itself and its leases). Its token is given by
// these settings of the role.
func (d *dbRole) account(t *testing.T, path string, settings fields, more ...string) *account {
	t.Helper()
	policy := unique("db-read")
	mustDo(t, sharedVault(t).Policy(t.Context(), policy, "read", path))
	return defaultAccount(t, settings, append(more, policy)...)
}

// revoker is a policy that allows to give back single leases.
func revoker(t *testing.T) string {
	t.Helper()
	policy := unique("revoker")
	mustDo(t, sharedVault(t).Policy(t.Context(), policy, "update", "sys/leases/revoke"))
	return policy
}

// defaultAccount is an account with policy default, and these settings of its
// role.
func defaultAccount(t *testing.T, settings fields, policies ...string) *account {
	t.Helper()
	a := newAccount(t, policies...)
	with := fields{"token_no_default_policy": false}
	for k, v := range settings {
		with[k] = v
	}
	a.set(t, with)
	return a
}

// set changes settings of the account's role.
func (a *account) set(t *testing.T, settings fields) {
	t.Helper()
	_, err := a.vault.Client().Logical().WriteWithContext(t.Context(), "auth/"+loginMount(t)+"/role/"+a.role, settings)
	mustDo(t, err)
}

// logins are the database users that the role has made and that are there.
func (d *dbRole) logins(t *testing.T) []string {
	t.Helper()
	all, err := d.pg.Logins(t.Context())
	mustDo(t, err)
	return slices.DeleteFunc(all, func(name string) bool { return !strings.Contains(name, "-"+d.name+"-") })
}

// leases are the IDs of the leases below a path such as database/creds/role.
func leases(t *testing.T, path string) []string {
	t.Helper()
	s, err := sharedVault(t).Client().Logical().ListWithContext(t.Context(), "sys/leases/lookup/"+path)
	mustDo(t, err)
	if s == nil {
		return nil
	}
	var out []string
	keys, _ := s.Data["keys"].([]any)
	for _, k := range keys {
		out = append(out, fmt.Sprint(k))
	}
	return out
}

// tokens are the accessors of the tokens that the account's role has made and
// that are there. Batch tokens have none.
func (a *account) tokens(t *testing.T) []string {
	t.Helper()
	client := a.vault.Client()
	s, err := client.Logical().ListWithContext(t.Context(), "auth/token/accessors")
	mustDo(t, err)
	var out []string
	keys, _ := s.Data["keys"].([]any)
	for _, k := range keys {
		accessor := fmt.Sprint(k)
		s, err := client.Auth().Token().LookupAccessorWithContext(t.Context(), accessor)
		if err != nil || s == nil {
			continue // it ended meanwhile
		}
		if meta, ok := s.Data["meta"].(map[string]any); ok && meta["role"] == a.role {
			out = append(out, accessor)
		}
	}
	return out
}

// revokeTokens revokes them.
func (a *account) revokeTokens(t *testing.T) {
	t.Helper()
	for _, accessor := range a.tokens(t) {
		mustDo(t, a.vault.Client().Auth().Token().RevokeAccessorWithContext(t.Context(), accessor))
	}
}

// credentials are what a child was started with. They are canaries from then on.
func credentials(m moment) (user, password string) {
	user, password = m.lookup("DB_USER"), m.lookup("DB_PASSWORD")
	register("a database password", password)
	return user, password
}

// neverFailed checks that no query of any child failed.
func (l *life) neverFailed() {
	l.t.Helper()
	for _, m := range l.events("query failed") {
		l.t.Errorf("pid %d could not query at %s: %s", m.Pid, m.When.Format(time.StampMilli), m.Text)
	}
}
