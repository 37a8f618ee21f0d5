package servers

import (
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

func newDatabase(t *testing.T) *Database {
	t.Helper()
	pg, v := newPostgres(t), newVault(t, VaultOptions{})
	d, err := v.EnableDatabase(t.Context(), "database", pg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// creds reads credentials that work.
func creds(t *testing.T, d *Database, path string) (user, password, lease string) {
	t.Helper()
	s, err := d.vault.client.Logical().ReadWithContext(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	user, _ = s.Data["username"].(string)
	password, _ = s.Data["password"].(string)
	if err := d.Query(t.Context(), user, password); err != nil {
		t.Error(err)
	}
	return user, password, s.LeaseID
}

func TestDatabaseDynamicRole(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	if err := d.DynamicRole(t.Context(), "reader", time.Minute, time.Hour); err != nil {
		t.Fatal(err)
	}
	user, password, lease := creds(t, d, d.CredsPath("reader"))
	if other, _, _ := creds(t, d, d.CredsPath("reader")); other == user {
		t.Errorf("two reads give the same user, %s", user)
	}
	if names, err := d.postgres.Logins(t.Context()); err != nil || len(names) != 2 {
		t.Errorf("who may log in: %q, error %v", names, err)
	}
	if err := d.vault.client.Sys().RevokeWithOptionsWithContext(t.Context(), &api.RevokeOptions{LeaseID: lease, Sync: true}); err != nil {
		t.Fatal(err)
	}
	if err := d.Query(t.Context(), user, password); err == nil {
		t.Error("a user is good after its lease")
	}
	// The shortest life there is ends by itself.
	if err := d.DynamicRole(t.Context(), "brief", 5*time.Second, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	user, password, _ = creds(t, d, d.CredsPath("brief"))
	poll(t, "the end of a lease", func() bool { return d.Query(t.Context(), user, password) != nil })
}

func TestDatabaseStaticRole(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	if err := d.StaticRole(t.Context(), "app", 5*time.Second); err != nil {
		t.Fatal(err)
	}
	user, first, lease := creds(t, d, d.StaticCredsPath("app"))
	if user != "app" || lease != "" {
		t.Errorf("the user is %q with the lease %q", user, lease)
	}
	if err := d.RotateStatic(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	_, second, _ := creds(t, d, d.StaticCredsPath("app"))
	if err := d.Query(t.Context(), "app", first); err == nil || first == second {
		t.Error("the password is good after a rotation")
	}
	poll(t, "the rotation that is due", func() bool { return d.Query(t.Context(), "app", second) != nil })
	creds(t, d, d.StaticCredsPath("app"))
}
