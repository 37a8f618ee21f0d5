package main

import (
	"context"
	"log/slog"
	"os"

	"vaultexec/internal/env"
	"vaultexec/internal/fetch"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
	"vaultexec/internal/settings"
	"vaultexec/internal/supervise"
)

// preparation is all that happens before the command runs: login, fetch, plan,
// files. It runs beside the supervisor, which may cancel it at any moment.
type preparation struct {
	settings *settings.Settings
	argv     []string
	planner  *env.Planner
	log      *slog.Logger

	written *env.Written  // the files; nil until they are there
	donec   chan struct{} // closed when run has ended
}

// run does it, within the startup timeout, and returns the command that is
// ready to be run.
func (p *preparation) run(ctx context.Context) (supervise.Command, error) {
	ctx, cancel := context.WithTimeout(ctx, p.settings.StartupTimeout)
	defer cancel()
	secrets, err := p.fetch(ctx)
	if err != nil {
		return supervise.Command{}, err
	}
	plan, err := p.planner.Plan(secrets)
	if err != nil {
		return supervise.Command{}, err
	}
	path, err := supervise.LookPath(p.argv[0], plan.Environ)
	if err != nil {
		return supervise.Command{}, err
	}
	if err := env.CheckLimits(p.argv, plan.Environ, env.SystemLimits()); err != nil {
		return supervise.Command{}, err
	}
	if err := ctx.Err(); err != nil {
		return supervise.Command{}, err
	}
	p.written, err = env.Write(plan.Files)
	return supervise.Command{Path: path, Args: p.argv, Env: plan.Environ}, err
}

// fetch reads what the plan needs. Where it needs nothing, Vault is neither
// contacted nor configured.
func (p *preparation) fetch(ctx context.Context) (map[ref.Source]secret.Fields, error) {
	refs := p.planner.Refs()
	if len(refs) == 0 {
		return nil, nil
	}
	client, err := fetch.New(fetchConfig(p.settings, p.log))
	if err != nil {
		return nil, err
	}
	forgetCredentials(p.log)
	if err := client.Login(ctx); err != nil {
		return nil, err
	}
	return client.Fetch(ctx, refs)
}

// remove takes the files away again, once the command has ended.
func (p *preparation) remove() {
	if p.written == nil {
		return
	}
	if err := p.written.Remove(); err != nil {
		p.log.Warn("files could not be removed: " + err.Error())
	}
}

// isCredential names the variables that let their reader into Vault.
func isCredential(name string) bool { return name == "VAULT_TOKEN" || name == "VAULT_MFA" }

// forgetCredentials wipes them from this process's environment, the one in
// /proc included, once the client has read them.
func forgetCredentials(log *slog.Logger) {
	if os.Getenv("VAULT_TOKEN") == "" && os.Getenv("VAULT_MFA") == "" {
		return
	}
	if err := supervise.ScrubEnviron(isCredential); err != nil {
		log.Debug("the token stays readable in /proc/PID/environ: " + err.Error())
	}
}
