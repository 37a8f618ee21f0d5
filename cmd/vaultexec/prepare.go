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

	caughtc <-chan struct{} // closed when the signals are caught

	written *env.Written  // the files; nil until they are there
	donec   chan struct{} // closed when run has ended
}

// beside runs the preparation in a goroutine, which ends soon after cancel and
// then closes p.donec. Nothing that takes time begins before caughtc is closed.
func (p *preparation) beside(caughtc <-chan struct{}) (<-chan supervise.Start, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	startc := make(chan supervise.Start, 1)
	p.caughtc, p.donec = caughtc, make(chan struct{})
	go func() {
		defer close(p.donec)
		command, err := p.run(ctx)
		startc <- supervise.Start{Command: command, Err: err}
	}()
	return startc, cancel
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
		return nil, nil // nothing takes time: whoever starts the command waits for caughtc
	}
	client, err := fetch.New(fetchConfig(p.settings, p.log))
	if err != nil {
		return nil, err
	}
	forgetCredentials(p.log)
	<-p.caughtc
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
