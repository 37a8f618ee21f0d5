package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"vaultexec/internal/env"
	"vaultexec/internal/fetch"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
	"vaultexec/internal/settings"
	"vaultexec/internal/supervise"
)

// rotation makes changes for the supervisor of the updates of the watcher: it
// plans the command anew, compares, and says what is to be done about it. It
// runs beside the supervisor from the first start on.
type rotation struct {
	prep    *preparation
	watcher *fetch.Watcher
	changec chan supervise.Change
	log     *slog.Logger

	given map[ref.Source]secret.Fields // what the newest command was made of
	plan  env.Plan                     // and came to

	mu    sync.Mutex
	onWay *int // up to which generation the newest change counts; nil: it is applied
}

// hookTimeout is what the command of --on-change exec: gets. Its change waits
// for nothing else, but the next one waits for it.
const hookTimeout = time.Minute

// run goes on until ctx ends.
func (r *rotation) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case u := <-r.watcher.Updates():
			change, ok := r.change(u)
			if !ok {
				continue
			}
			select {
			case r.changec <- change:
			case <-ctx.Done():
				return
			}
		}
	}
}

// watchBeside keeps the secrets alive as soon as the preparation has them, and
// returns where the supervisor hears of changes and what ends it all.
func watchBeside(p *preparation, b *board) (<-chan supervise.Change, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	changec := make(chan supervise.Change, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-p.donec:
		case <-ctx.Done():
			return
		}
		if p.watcher == nil {
			return
		}
		b.watch(p.watcher)
		r := &rotation{prep: p, watcher: p.watcher, changec: changec, log: p.log, given: p.secrets, plan: p.planned}
		wg.Go(func() { p.watcher.Run(ctx) })
		r.run(ctx)
	})
	return changec, func() {
		cancel()
		wg.Wait()
	}
}

// change is what an update comes to, if anything: secrets that change where
// nobody looks are no change.
func (r *rotation) change(u fetch.Update) (supervise.Change, bool) {
	s := r.prep.settings
	plan, command, err := r.prep.plan(u.Secrets)
	if err != nil {
		r.log.Warn("changed secrets cannot be used, the command keeps what it has: "+err.Error(), "class", classOf(err))
		return supervise.Change{}, false
	}
	if plan.Same(r.plan) {
		r.given = u.Secrets
		r.supersede(u.Generation)
		return supervise.Change{}, false
	}
	changed := r.prep.planner.Changed(r.given, u.Secrets)
	change := supervise.Change{
		Command: command,
		Reason:  reason(changed),
		Expires: u.Expires,
		Applied: r.begin(u.Generation),
	}
	change.Reaction, change.Signal, change.Hook = r.reaction(s, changed, command)
	change.HookTimeout = hookTimeout
	if len(plan.Files) > 0 {
		change.Deliver = func() error { return r.prep.rewrite(plan) }
	}
	r.given, r.plan = u.Secrets, plan
	return change, true
}

// reaction is the strongest that the changed references ask for.
func (r *rotation) reaction(s *settings.Settings, changed []ref.Ref, command supervise.Command) (supervise.Reaction, syscall.Signal, supervise.Command) {
	strongest := s.OnChange
	for i, c := range changed {
		asked, err := s.ReactionTo(c)
		if err != nil {
			panic("BUG: on_change was checked: " + err.Error())
		}
		if i == 0 || asked.Kind > strongest.Kind {
			strongest = asked
		}
	}
	if strongest.Kind != supervise.ReactExec {
		return strongest.Kind, strongest.Signal, supervise.Command{}
	}
	hook := supervise.Command{Args: strongest.Hook, Env: command.Env}
	var err error
	if hook.Path, err = supervise.LookPath(strongest.Hook[0], command.Env); err != nil {
		r.log.Warn("the command for a change cannot be run: "+err.Error(), "class", classOf(err))
		return supervise.ReactNone, 0, supervise.Command{}
	}
	return strongest.Kind, 0, hook
}

// begin notes that a change is on its way and returns what its end calls.
func (r *rotation) begin(generation int) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	upTo := &generation
	r.onWay = upTo
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.onWay == upTo {
			r.onWay = nil
		}
		r.watcher.Applied(*upTo)
	}
}

// supersede notes an update that comes to the command that there is already, or
// that is on its way.
func (r *rotation) supersede(generation int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.onWay != nil {
		*r.onWay = generation
		return
	}
	r.watcher.Applied(generation)
}

// maxNamed is how many names are worth a line.
const maxNamed = 5

// reason names what has changed.
func reason(changed []ref.Ref) string {
	var names []string
	for _, c := range changed {
		if name := c.String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > maxNamed {
		names = append(names[:maxNamed], "...")
	}
	return strings.Join(names, ", ")
}
