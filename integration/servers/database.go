package servers

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/vault/api"
)

// postgresPluginName is what the plugin is called where Vault has it built in.
const postgresPluginName = "postgresql-database-plugin"

// Database is a database secrets engine of Vault's with a PostgreSQL behind it,
// in which there is a table that the engine's roles can read.
type Database struct {
	Mount string

	vault    *Vault
	postgres *Postgres
}

const (
	databaseConnection = "postgres"
	// factTable is what roles read: one row.
	factTable  = "facts"
	createFact = `CREATE TABLE IF NOT EXISTS ` + factTable + ` (fact text PRIMARY KEY);
INSERT INTO ` + factTable + ` VALUES ('` + theFact + `') ON CONFLICT DO NOTHING`
	theFact  = "the earth moves"
	readFact = `SELECT fact FROM ` + factTable
	mayRead  = `GRANT SELECT ON ` + factTable + ` TO "{{name}}"`
)

// EnableDatabase mounts a database secrets engine and connects it with pg as
// the superuser.
func (v *Vault) EnableDatabase(ctx context.Context, mount string, pg *Postgres) (*Database, error) {
	err := v.registerPlugin(ctx, postgresPluginName, api.PluginTypeDatabase, v.bin.PostgresPlugin)
	if err != nil {
		return nil, err
	}
	if err := v.client.Sys().MountWithContext(ctx, mount, &api.MountInput{Type: "database"}); err != nil {
		return nil, err
	}
	if _, err := pg.super.ExecContext(ctx, createFact); err != nil {
		return nil, err
	}
	d := &Database{mount, v, pg}
	return d, v.write(ctx, mount+"/config/"+databaseConnection, map[string]any{
		"plugin_name":    postgresPluginName,
		"connection_url": "postgresql://{{username}}:{{password}}@" + pg.Address + "/" + postgresDatabase + "?sslmode=disable",
		"username":       pg.User, "password": pg.Password,
		"allowed_roles": "*",
	})
}

// Through is the same engine, used through another node of a cluster.
func (d *Database) Through(v *Vault) *Database { return &Database{d.Mount, v, d.postgres} }

// DynamicRole creates or changes a role whose credentials are a new user each
// time CredsPath is read. The user is dropped when the lease ends.
func (d *Database) DynamicRole(ctx context.Context, name string, defaultTTL, maxTTL time.Duration) error {
	return d.vault.write(ctx, d.Mount+"/roles/"+name, map[string]any{
		"db_name": databaseConnection,
		"creation_statements": []string{
			`CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`, mayRead},
		"renew_statements": []string{`ALTER ROLE "{{name}}" VALID UNTIL '{{expiration}}'`},
		"default_ttl":      defaultTTL.String(), "max_ttl": maxTTL.String(),
	})
}

// StaticRole creates a user of that name, and a role whose credentials are
// that user with a password that Vault changes once in each period, which is
// at least five seconds.
func (d *Database) StaticRole(ctx context.Context, name string, period time.Duration) error {
	for _, statement := range []string{`CREATE ROLE "` + name + `" LOGIN`, `GRANT SELECT ON ` + factTable + ` TO "` + name + `"`} {
		if _, err := d.postgres.super.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return d.TakeStatic(ctx, name, period)
}

// TakeStatic makes a static role of a user that is there, for which the user gets
// another password.
func (d *Database) TakeStatic(ctx context.Context, name string, period time.Duration) error {
	return d.vault.write(ctx, d.Mount+"/static-roles/"+name, map[string]any{
		"db_name": databaseConnection, "username": name, "rotation_period": period.String(),
		"rotation_statements": []string{`ALTER ROLE "{{name}}" PASSWORD '{{password}}'`},
	})
}

// RotateStatic changes the password of a static role now.
func (d *Database) RotateStatic(ctx context.Context, name string) error {
	return d.vault.write(ctx, d.Mount+"/rotate-role/"+name, nil)
}

// DeleteRole deletes a dynamic role. Its leases go on, but cannot be renewed.
func (d *Database) DeleteRole(ctx context.Context, name string) error {
	_, err := d.vault.client.Logical().DeleteWithContext(ctx, d.Mount+"/roles/"+name)
	return err
}

// CredsPath is where a dynamic role's credentials are read.
func (d *Database) CredsPath(name string) string { return d.Mount + "/creds/" + name }

// StaticCredsPath is where a static role's credentials are read.
func (d *Database) StaticCredsPath(name string) string { return d.Mount + "/static-creds/" + name }

// vaultsBuffer is how much longer PostgreSQL takes credentials than their lease
// lives, see secret_creds.go of Vault's database engine.
const vaultsBuffer = 5 * time.Second

// ValidUntil is when the lease of a user ends.
func (d *Database) ValidUntil(ctx context.Context, user string) (time.Time, error) {
	var until time.Time
	err := d.postgres.super.QueryRowContext(ctx, "SELECT rolvaliduntil FROM pg_roles WHERE rolname = $1", user).Scan(&until)
	if err != nil {
		return time.Time{}, fmt.Errorf("when %s ends: %w", user, err)
	}
	return until.Add(-vaultsBuffer), nil
}

// Unmount takes the engine away, and with it all that it has made.
func (d *Database) Unmount(ctx context.Context) error {
	return d.vault.client.Sys().UnmountWithContext(ctx, d.Mount)
}

// Query is what an application does: it reads the table, on a new connection.
// Nil means that the credentials are good.
func (d *Database) Query(ctx context.Context, user, password string) error {
	fact, err := d.postgres.Ask(ctx, user, password, readFact)
	if err == nil && fact != theFact {
		err = fmt.Errorf("as %s: the table says %q", user, fact)
	}
	return err
}
