package integration

import (
	"context"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// grantLife is what tokens and leases are granted whose renewal a trouble has to
// meet: it is due at 45 to 50 seconds, and tried again up to 56.
const grantLife = 75 * time.Second

// grantee is a subject that logs in by itself, at an auth mount of its own.
type grantee struct {
	*subject
	trouble *grantTrouble
	c       *command
	mount   string
	role    string // path of the role of its login
	was     map[string]any
	policy  string
	pg      *servers.Postgres // its own; nil: the one of all

	metc chan error // has what became of the trouble at the renewal
}

// grantTrouble is what can become of what vaultexec lives on: each is taken away
// and given back.
type grantTrouble struct {
	name    string
	leased  bool   // it has credentials, whose renewal meets the trouble; else its token's does
	refused string // what a start in this trouble is refused with; empty: it waits
	logins  int    // in each trouble; -1: tries, until it is over
	retried bool   // the renewal is tried again, and does well in the end
	begin   func(ctx context.Context, g *grantee) error
	end     func(ctx context.Context, g *grantee) error
	renewal func(ctx context.Context, g *grantee) error // in place of begin
}

var grantTroubles = []*grantTrouble{
	{
		name: "token revoked", refused: "invalid token", logins: 1,
		begin: func(ctx context.Context, g *grantee) error { return g.revokeLogins(ctx) },
		end:   func(context.Context, *grantee) error { return nil },
	},
	{
		name: "role deleted", refused: "invalid role name", logins: -1, retried: true,
		begin: func(ctx context.Context, g *grantee) error {
			if err := g.remove(ctx, g.role); err != nil {
				return err
			}
			return g.revokeLogins(ctx)
		},
		end: func(ctx context.Context, g *grantee) error {
			_, err := g.kv.vault.Client().Logical().WriteWithContext(ctx, g.role, g.was)
			return err
		},
		renewal: func(ctx context.Context, g *grantee) error { return g.remove(ctx, g.role) },
	},
	{
		name: "policy removed", leased: true, refused: "permission denied", retried: true,
		begin: func(ctx context.Context, g *grantee) error {
			return g.kv.vault.Client().Sys().PutPolicyWithContext(ctx, g.policy, "# nothing")
		},
		end: func(_ context.Context, g *grantee) error { return g.allow(g.policy, g.kv.data(g.path)) },
	},
	{
		name: "database role deleted", leased: true, refused: "unknown role", retried: true,
		begin: func(ctx context.Context, g *grantee) error { return g.db.DeleteRole(ctx, faultRole) },
		end: func(ctx context.Context, g *grantee) error {
			return g.db.DynamicRole(ctx, faultRole, grantLife, time.Hour)
		},
	},
	{
		name: "database down", leased: true, retried: true,
		begin: func(_ context.Context, g *grantee) error { g.dark = true; return g.pg.Down() },
		end:   func(ctx context.Context, g *grantee) error { g.dark = false; return g.pg.Up(ctx) },
	},
}

// What vaultexec lives on is taken away and given back, at each moment there is:
// at the start, while all is calm, while the child is between two lives, and
// when a renewal is due. The child keeps its pid, no login is made in vain, and
// the next rotation arrives. That Vault answers 400, as to what cannot be
// renewed, is no reason to replace credentials when it is the engine that fails.
func TestP2GrantsAreTaken(t *testing.T) {
	t.Parallel()
	var all []*grantee
	for _, trouble := range grantTroubles {
		all = append(all, newGrantee(t, trouble))
	}
	each := func(phase func(g *grantee)) {
		t.Helper()
		for _, g := range all {
			phase(g)
		}
	}
	each((*grantee).startInTrouble)
	each(func(g *grantee) { g.arrives() })

	each(func(g *grantee) { g.count(); mustDo(t, g.trouble.begin(t.Context(), g)) })
	each(func(g *grantee) { g.undisturbedFor("steady") })
	each(func(g *grantee) { g.over(); g.rotate() })
	each(func(g *grantee) { g.arrives() })

	lift := make(map[*grantee]func())
	each(func(g *grantee) { lift[g] = g.setHold(); g.rotate() })
	each(func(g *grantee) {
		g.r.waitLine("stopping")
		g.count()
		mustDo(t, g.trouble.begin(t.Context(), g))
		lift[g]()
	})
	each(func(g *grantee) { g.arrives(); g.undisturbedFor("restart") })
	each(func(g *grantee) { g.over(); g.rotate() })
	each(func(g *grantee) { g.arrives() })

	until := make(map[*grantee]time.Time)
	each(func(g *grantee) {
		if g.trouble.leased {
			until[g] = g.validUntil()
		}
		g.meetRenewal()
	})
	each(func(g *grantee) {
		mustDo(t, <-g.metc)
		if g.trouble.leased {
			g.renewed(until[g])
		}
		g.overAWhile()
		g.undisturbed("renewal")
		g.atMost("renewal", 6, 3)
		g.rotate()
	})
	each(func(g *grantee) { g.arrives(); g.checkLogins(); g.stop() })
}

func newGrantee(t *testing.T, trouble *grantTrouble) *grantee {
	t.Helper()
	v := sharedVault(t)
	g := &grantee{trouble: trouble, mount: unique("kubernetes"), metc: make(chan error, 1)}
	mustDo(t, v.EnableKubernetesAuth(t.Context(), sharedCluster(t), g.mount))
	var db *servers.Database
	if trouble.leased {
		var err error
		g.pg, err = servers.StartPostgres(t.Context())
		mustDo(t, err)
		t.Cleanup(func() {
			if err := g.pg.Stop(); err != nil {
				t.Error(err)
			}
		})
		db = databaseIn(t, v, g.pg, grantLife)
		t.Cleanup(func() { // before PostgreSQL, or Vault would try for ever to drop the users
			if err := db.Unmount(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	g.subject = newSubject(t, trouble.name, v, db).behind(servers.ProxyOptions{Targets: []string{v.Address}, TLS: true})
	g.policy = g.subject.policy()
	a := newAccountAt(t, v, g.mount, g.policy)
	g.role = "auth/" + g.mount + "/role/" + a.role
	s, err := v.Client().Logical().ReadWithContext(t.Context(), g.role)
	mustDo(t, err)
	g.was = s.Data
	if !trouble.leased {
		g.was["token_ttl"] = grantLife.String()
	}
	_, err = v.Client().Logical().WriteWithContext(t.Context(), g.role, g.was)
	mustDo(t, err)
	g.c = g.command("--role", a.role, "--auth-mount", g.mount, "--jwt-path", a.jwtFile(t, "vault"))
	return g
}

// startInTrouble starts vaultexec while the trouble is there: it is refused, and
// started anew afterwards, or waits. A token is revoked between the login and
// the first read.
func (g *grantee) startInTrouble() {
	g.t.Helper()
	switch trouble := g.trouble; {
	case trouble.logins == 1:
		hold := g.p.Add(servers.Rule{Prefix: "/v1/" + g.kv.data(g.path), Do: servers.Hang()})
		r := g.c.start()
		g.felt(hold, 1)
		mustDo(g.t, trouble.begin(g.t.Context(), g))
		hold.Lift()
		r.wait().refused(trouble.refused)
		g.start(g.c)
	case trouble.refused != "":
		mustDo(g.t, trouble.begin(g.t.Context(), g))
		g.c.run().refused(trouble.refused)
		mustDo(g.t, trouble.end(g.t.Context(), g))
		g.start(g.c)
	default:
		mustDo(g.t, trouble.begin(g.t.Context(), g))
		g.start(g.c)
		g.r.waitLog("waiting for vault")
		mustDo(g.t, trouble.end(g.t.Context(), g))
	}
}

// undisturbedFor checks that the trouble is felt and lasts, and does nothing.
func (g *grantee) undisturbedFor(moment string) {
	g.t.Helper()
	g.overAWhile()
	g.undisturbed(moment)
	g.atMost(moment, 6, 2.5)
}

// over ends the trouble.
func (g *grantee) over() {
	g.t.Helper()
	mustDo(g.t, g.trouble.end(g.t.Context(), g))
}

// meetRenewal has the trouble begin when the next renewal is at the proxy, and
// end when it was tried once more.
func (g *grantee) meetRenewal() {
	prefix, begin := "/v1/auth/token/renew-self", g.trouble.begin
	if g.trouble.leased {
		prefix = "/v1/sys/leases/renew"
	}
	if g.trouble.renewal != nil {
		begin = g.trouble.renewal
	}
	ctx, cancel := g.within()
	go func() {
		defer cancel()
		g.metc <- func() error {
			hold := g.p.Add(servers.Rule{Prefix: prefix, Do: servers.Hang()})
			defer hold.Lift()
			if err := hold.Wait(ctx, 1); err != nil {
				return err
			}
			g.count()
			if err := begin(ctx, g); err != nil {
				return err
			}
			again := g.p.Add(servers.Rule{Prefix: prefix})
			defer again.Lift()
			hold.Lift()
			if g.trouble.retried {
				if err := again.Wait(ctx, 1); err != nil {
					return err
				}
			}
			return g.trouble.end(ctx, g)
		}()
	}()
}

// revokeLogins revokes all tokens that were made by logins at its mount.
func (g *grantee) revokeLogins(ctx context.Context) error {
	return g.kv.vault.Client().Sys().RevokePrefixWithContext(ctx, "auth/"+g.mount)
}

func (g *grantee) remove(ctx context.Context, path string) error {
	_, err := g.kv.vault.Client().Logical().DeleteWithContext(ctx, path)
	return err
}

// checkLogins checks how often it has logged in, in all: once for each start,
// and for each trouble that costs the token.
func (g *grantee) checkLogins() {
	g.t.Helper()
	n := 0
	for _, r := range g.p.Requests() {
		if r.Path == "/v1/auth/"+g.mount+"/login" {
			n++
		}
	}
	starts := 1
	if g.trouble.refused != "" {
		starts = 2
	}
	if want := starts + 3*g.trouble.logins; g.trouble.logins >= 0 && n != want {
		g.t.Errorf("%s: %d logins, want %d", g.name, n, want)
	}
	g.t.Logf("%s: %d logins", g.name, n)
}
