package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"vaultexec/internal/env"
	"vaultexec/internal/fetch"
	"vaultexec/internal/from"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
	"vaultexec/internal/settings"
	"vaultexec/internal/supervise"
)

// preparation is all that happens before the command runs: login, fetch, plan,
// files. It runs beside the supervisor, which may cancel it at any moment.
type preparation struct {
	settings *settings.Settings
	argv     []string // the command; nil: there is none to be run
	planner  *env.Planner
	log      *slog.Logger
	outputs  outputs // of the command

	dry     bool            // write no files
	surveys bool            // go on where something is missing: somebody says afterwards of each reference what became of it
	watch   bool            // keep the secrets alive once they are there
	caughtc <-chan struct{} // closed when the signals are caught
	ctx     context.Context // ends with the run
	donec   chan struct{}   // closed when run has ended

	// These are run's until donec is closed.
	client  *fetch.Client  // nil: Vault is not needed
	watcher *fetch.Watcher // nil: nothing of Vault is watched
	others  *from.Watcher  // of the files that others write; nil: none are watched
	secrets map[ref.Source]secret.Fields
	about   map[ref.Source]fetch.About // of a verb's
	planned env.Plan                   // what the files are; later under rewriting
	written *env.Written               // the files; nil until they are there; later under rewriting

	rewriting sync.Mutex // held by who changes files, for as long as their file system and commands take
	mu        sync.Mutex
	files     fileStage
}

// fileStage tells whether there can be files to remove.
type fileStage int

const (
	filesPlanned  fileStage = iota // none is there yet
	filesBegun                     // run writes them, or has written them
	filesUnwanted                  // none may be written any more
)

// overtime is what a preparation has beyond its timeout to say why it took so
// long. One that is stuck in a system call, in a file on a file system that
// does not answer, never does.
const overtime = time.Second

// beside runs the preparation in a goroutine, which ends soon after cancel
// unless it is stuck. Nothing that takes time begins before caughtc is closed.
func (p *preparation) beside(caughtc <-chan struct{}) (<-chan supervise.Start, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	p.ctx = ctx
	startc := make(chan supervise.Start, 1)
	send := func(s supervise.Start) {
		select {
		case startc <- s:
		default: // the other one was first
		}
	}
	late := time.AfterFunc(p.settings.StartupTimeout+overtime, func() {
		send(supervise.Start{Err: &timeoutError{p.settings.StartupTimeout}})
	})
	p.caughtc, p.donec = caughtc, make(chan struct{})
	go func() {
		defer close(p.donec)
		command, err := p.run(ctx)
		late.Stop()
		send(supervise.Start{Command: command, Err: err})
	}()
	return startc, cancel
}

// run does it, within the startup timeout, and returns the command that is
// ready to be run.
func (p *preparation) run(ctx context.Context) (supervise.Command, error) {
	ctx, cancel := context.WithTimeout(ctx, p.settings.StartupTimeout)
	defer cancel()
	if err := p.fetch(ctx); err != nil {
		if p.surveys && !errors.Is(err, context.Canceled) {
			err = errors.Join(err, wrongAnyway(p.planner, p.secrets))
		}
		return supervise.Command{}, err
	}
	plan, command, err := p.plan(p.secrets)
	if err != nil {
		return supervise.Command{}, err
	}
	if err := p.ended(ctx); err != nil {
		return supervise.Command{}, err
	}
	p.planned = plan
	if p.dry {
		return command, nil
	}
	if !p.moveTo(filesBegun) {
		return supervise.Command{}, context.Canceled
	}
	if p.written, err = env.Write(plan.Output); err != nil {
		return command, err
	}
	if err := tellFiles(ctx, p.settings, p.written.Commands(), plan.Environ); err != nil {
		if p.settings.Files().FailCommands.Value {
			return command, err
		}
		p.log.Warn(err.Error(), "class", classOf(err))
	}
	return command, p.ended(ctx) // some may not have been run, or not to their end
}

// ended is why the preparation is over before its end; nil: it is not.
func (p *preparation) ended(ctx context.Context) error {
	if ctx.Err() == context.DeadlineExceeded {
		return &timeoutError{p.settings.StartupTimeout}
	}
	return ctx.Err()
}

// plan makes the command of the secrets, with all that can be wrong with it.
func (p *preparation) plan(secrets map[ref.Source]secret.Fields) (env.Plan, supervise.Command, error) {
	plan, err := p.planner.Plan(secrets)
	if err != nil {
		return plan, supervise.Command{}, err
	}
	switch {
	case p.surveys:
		return plan, supervise.Command{}, env.CheckLimits(nil, plan.Environ, env.SystemLimits())
	case p.argv == nil:
		return plan, supervise.Command{}, nil
	}
	path, err := supervise.LookPath(p.argv[0], plan.Environ)
	if err != nil {
		return plan, supervise.Command{}, err
	}
	err = env.CheckLimits(p.argv, plan.Environ, env.SystemLimits())
	command := supervise.Command{
		Path: path, Args: p.argv, Env: plan.Environ, As: runAs(p.settings), NoNewPrivs: p.settings.NoNewPrivs,
		Streams: p.outputs.descriptors(),
	}
	for _, d := range plan.Descriptors {
		command.Inherit = append(command.Inherit, supervise.Descriptor{Number: d.Number, Open: d.Open})
	}
	return plan, command, err
}

// rewrite puts the files of a newer plan in place, those that changed. The
// supervisor calls it, one at a time and not after it has ended; but one that
// hangs may still be at work then. The files are in place even if a command that
// was to be told of them fails.
func (p *preparation) rewrite(plan env.Plan) error {
	p.rewriting.Lock()
	defer p.rewriting.Unlock()
	written, err := env.Write(plan.Since(p.planned))
	if err != nil {
		return err
	}
	p.planned = plan
	p.written.Follow(written)
	if err := tellFiles(p.ctx, p.settings, written.Commands(), plan.Environ); err != nil {
		p.log.Warn(err.Error(), "class", classOf(err))
	}
	return nil
}

// fetch reads what the plan needs: files first, which may have to be waited for.
// Where it needs nothing of Vault, that is neither contacted nor configured.
func (p *preparation) fetch(ctx context.Context) error {
	files, refs := apart(p.planner.Refs())
	var client *fetch.Client
	if len(refs) > 0 {
		cfg := fetchConfig(p.settings, p.log)
		if p.planner.Templates() {
			cfg.Wants = p.planner.Wanted
		}
		var err error
		if client, err = fetch.New(cfg); err != nil {
			return err
		}
	}
	forgetCredentials(p.log)
	if len(files)+len(refs) == 0 {
		return nil // nothing takes time: whoever starts the command waits for caughtc
	}
	<-p.caughtc
	p.secrets = map[ref.Source]secret.Fields{}
	if client != nil && len(files) > 0 && !p.surveys && client.FindsToken() {
		// Whoever has to log in hears of it before files are waited for.
		if err := client.Login(ctx); err != nil {
			return err
		}
	}
	err := p.readFiles(ctx, files)
	if client == nil || err != nil && !p.surveys {
		return err
	}
	if asked := p.ask(ctx, client, refs); err == nil || errors.Is(asked, context.Canceled) {
		return asked
	} else if asked != nil {
		return errors.Join(err, asked)
	}
	return err
}

// readFiles reads what others have written. One that surveys does not wait for it
// for long, and leaves time for Vault.
func (p *preparation) readFiles(ctx context.Context, refs []ref.Ref) error {
	if len(refs) == 0 {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && p.surveys {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, min(filesPatience, time.Until(deadline)/2))
		defer cancel()
	}
	files := from.New(fromConfig(p.settings, refs, p.log))
	var secrets map[ref.Source]secret.Fields
	var err error
	if p.watch {
		p.others, secrets, err = files.Watch(ctx)
	} else {
		secrets, err = files.Fetch(ctx)
	}
	maps.Copy(p.secrets, secrets)
	return err
}

// ask reads what Vault has.
func (p *preparation) ask(ctx context.Context, client *fetch.Client, refs []ref.Ref) error {
	p.client = client
	err := client.Login(ctx)
	if err != nil {
		return err
	}
	var secrets map[ref.Source]secret.Fields
	switch {
	case p.watch:
		p.watcher, secrets, err = client.Watch(ctx, refs, p.settings.Refresh)
	case p.argv == nil:
		secrets, p.about, err = client.Survey(ctx, refs, p.settings.Refresh)
	default:
		secrets, err = client.Fetch(ctx, refs)
	}
	maps.Copy(p.secrets, secrets)
	return err
}

// apart are the references to files, and those to Vault.
func apart(refs []ref.Ref) (files, vault []ref.Ref) {
	for _, r := range refs {
		if r.File != "" {
			files = append(files, r)
		} else {
			vault = append(vault, r)
		}
	}
	return files, vault
}

// revokeTimeout is what giving back the token may take, once the command has
// ended.
const revokeTimeout = 5 * time.Second

// revoke gives back the token, and with it the leases, of a run that is over.
func (p *preparation) revoke() {
	select {
	case <-p.donec:
	case <-time.After(time.Second): // it was cancelled and hangs in a file system
		return
	}
	if p.client == nil || p.settings.Revoke == settings.RevokeNever {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), revokeTimeout)
	defer cancel()
	if err := p.client.Revoke(ctx, p.settings.Revoke == settings.RevokeAlways); err != nil {
		p.log.Warn("the token is not revoked and lives until its end: " + err.Error())
	}
}

// leave is the end of a verb that hands secrets over and does not stay: what it
// has handed over is not to end with the token.
func (p *preparation) leave(handedOver bool) {
	if !handedOver || p.settings.Revoke == settings.RevokeAlways || !p.tied() {
		p.revoke()
	}
}

// tied tells whether secrets end with the token, or are the token. Run has ended.
func (p *preparation) tied() bool {
	if _, own := p.secrets[ref.Source{Login: true}]; own {
		return true
	}
	for _, a := range p.about {
		if a.Leased {
			return true
		}
	}
	return false
}

// moveTo takes the next stage; it tells whether that was still possible.
func (p *preparation) moveTo(stage fileStage) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.files != filesPlanned {
		return false
	}
	p.files = stage
	return true
}

// remove takes the files away again, once the command has ended. A preparation
// that was cancelled and a rewriting may still be at work, and come first.
func (p *preparation) remove() {
	if p.moveTo(filesUnwanted) {
		return
	}
	takeAway(p.log, func() error {
		<-p.donec
		p.rewriting.Lock()
		defer p.rewriting.Unlock()
		if p.written == nil {
			return nil
		}
		return p.written.Remove()
	})
}

// removeTimeout is what taking files away may take; on a file system that does
// not answer it would go on for ever.
const removeTimeout = 5 * time.Second

// takeAway has remove take files away and says what came of it.
func takeAway(log *slog.Logger, remove func() error) {
	removedc := make(chan error, 1)
	go func() { removedc <- remove() }() // ends with the process, if not before
	select {
	case err := <-removedc:
		if err != nil {
			log.Warn("files could not be removed: " + err.Error())
		}
	case <-time.After(removeTimeout):
		log.Warn("files may be left behind: the file system that they are on does not answer")
	}
}

// credentials are the variables that let their reader into Vault.
var credentials = []string{"VAULT_TOKEN", "VAULT_MFA", "VAULT_HEADERS"}

func isCredential(name string) bool { return slices.Contains(credentials, name) }

// forgetCredentials wipes them from this process's environment, the one in
// /proc included, once the client has read them, and from then on nobody looks
// into its memory.
func forgetCredentials(log *slog.Logger) {
	if slices.ContainsFunc(credentials, func(name string) bool { return os.Getenv(name) != "" }) {
		if err := supervise.ScrubEnviron(isCredential); err != nil {
			log.Debug("the token stays readable in /proc/PID/environ: " + err.Error())
		}
	}
	if err := supervise.HideMemory(); err != nil {
		log.Debug("a crash would leave a core dump with secrets: " + err.Error())
	}
}
