package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"vaultexec/integration/servers"
)

// longestFault is shorter than what is left of a lease or a token when its
// first renewal is due, by so much that the tries behind it are in time too.
const longestFault = 4 * time.Second

// event is something that happens: for a time, or at a moment.
type event struct {
	name  string
	begin func(ctx context.Context, s *stage) error
	end   func(ctx context.Context, s *stage) error // nil: at a moment
	near  bool                                      // of the way to Vault: it can be told to rotate meanwhile
}

// events are all there are; what comes is drawn from them.
var events = []event{
	spoil("hang", servers.Hang()), spoil("slow", servers.Delay(300*time.Millisecond)),
	spoil("reset", servers.Reset()), spoil("reset after", servers.ResetAfter()),
	spoil("truncate", servers.Truncate()), spoil("corrupt", servers.Corrupt()), spoil("garbage", servers.Garbage()),
	spoil("429", servers.Answer(429)), spoil("429 Retry-After", servers.Answer(429, "Retry-After: 1")),
	spoil("473", servers.Answer(473)), spoil("500", servers.Answer(500)), spoil("503", servers.Answer(503)),
	{name: "refuse",
		begin: func(_ context.Context, s *stage) error { return s.proxy.Down() },
		end:   func(_ context.Context, s *stage) error { return s.proxy.Up() }},
	{name: "certificate",
		begin: func(_ context.Context, s *stage) error { return s.proxy.ExpireCertificate() },
		end:   func(_ context.Context, s *stage) error { return s.proxy.RenewCertificate() }},
	{name: "disconnect", begin: func(_ context.Context, s *stage) error { s.proxy.Disconnect(); return nil }},
	{name: "pause",
		begin: func(_ context.Context, s *stage) error { return s.vault.Pause() },
		end:   func(_ context.Context, s *stage) error { return s.vault.Resume() }},
	{name: "seal",
		begin: func(ctx context.Context, s *stage) error { return s.vault.Seal(ctx) },
		end:   func(ctx context.Context, s *stage) error { return s.vault.Unseal(ctx) }},
	{name: "crash",
		begin: func(_ context.Context, s *stage) error { s.vault.Kill(); return nil },
		end:   func(ctx context.Context, s *stage) error { return s.startVault(ctx) }},
	{name: "stop",
		begin: func(_ context.Context, s *stage) error { return s.vault.Shutdown() },
		end:   func(ctx context.Context, s *stage) error { return s.startVault(ctx) }},
	{name: "policy",
		begin: func(ctx context.Context, s *stage) error {
			return s.vault.Client().Sys().PutPolicyWithContext(ctx, "app", `path "auth/token/*" { capabilities = ["read", "update"] }`)
		},
		end: func(ctx context.Context, s *stage) error {
			return s.vault.Client().Sys().PutPolicyWithContext(ctx, "app", policy)
		}},
	{name: "revoke token", begin: func(ctx context.Context, s *stage) error { return s.revokeTokens(ctx) }},
	{name: "login role",
		begin: func(ctx context.Context, s *stage) error { return s.deleteLoginRole(ctx) },
		end:   func(ctx context.Context, s *stage) error { return s.putLoginRole(ctx) }},
	{name: "database role",
		begin: func(ctx context.Context, s *stage) error { return s.database.DeleteRole(ctx, dbRole) },
		end:   func(ctx context.Context, s *stage) error { return s.putDatabaseRole(ctx) }},
	{name: "static role",
		begin: func(ctx context.Context, s *stage) error { return s.deleteStaticRole(ctx) },
		end:   func(ctx context.Context, s *stage) error { return s.putStaticRole(ctx) }},
	{name: "jwt", begin: func(ctx context.Context, s *stage) error { return s.newJWT(ctx) }},
	{name: "rotate", begin: func(ctx context.Context, s *stage) error { return s.rotate(ctx) }},
	{name: "rotate", begin: func(ctx context.Context, s *stage) error { return s.rotate(ctx) }},
	{name: "rotate static", begin: func(ctx context.Context, s *stage) error { return s.database.RotateStatic(ctx, staticRole) }},
}

// startVault starts a Vault that has ended.
func (s *stage) startVault(ctx context.Context) error {
	if err := s.vault.Start(ctx); err != nil {
		return err
	}
	return s.vault.Unseal(ctx)
}

func spoil(name string, fault servers.Fault) event {
	return event{name: name, near: true,
		begin: func(_ context.Context, s *stage) error { s.proxy.Add(servers.Rule{Do: fault}); return nil },
		end:   func(_ context.Context, s *stage) error { s.proxy.Clear(); return nil }}
}

// play lets events happen for a time, each drawn from the random numbers.
func play(ctx context.Context, s *stage, random *rand.Rand, until time.Time, tell func(name string, lasts time.Duration)) error {
	// Each once, then again in another order: a short run too has seen many.
	order := random.Perm(len(events))
	for i := 0; ; i++ {
		if i == len(order) {
			i, order = 0, random.Perm(len(events))
		}
		e := events[order[i]]
		lasts := time.Duration(random.Float64() * float64(longestFault))
		calm := time.Second + time.Duration(random.Float64()*float64(2*time.Second))
		if e.end == nil {
			lasts = 0
		}
		if time.Now().Add(lasts + calm).After(until) {
			return nil
		}
		tell(e.name, lasts)
		if err := e.begin(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		if e.end != nil {
			if err := s.pass(ctx, lasts/2); err != nil {
				return err
			}
			if e.near && random.IntN(2) == 0 {
				if err := s.rotate(ctx); err != nil {
					return err
				}
			}
			if err := s.pass(ctx, lasts/2); err != nil {
				return err
			}
			if err := e.end(ctx, s); err != nil {
				return fmt.Errorf("after %s: %w", e.name, err)
			}
		}
		if err := s.pass(ctx, calm); err != nil {
			return err
		}
	}
}

// pass lets time go by, unless vaultexec ends.
func (s *stage) pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.endc:
		return fmt.Errorf("vaultexec has ended: %v", s.err)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
