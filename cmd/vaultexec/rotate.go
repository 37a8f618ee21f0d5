package main

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"vaultexec/internal/env"
	"vaultexec/internal/fetch"
	"vaultexec/internal/from"
	"vaultexec/internal/notice"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
	"vaultexec/internal/settings"
	"vaultexec/internal/supervise"
)

// rotation makes changes for the supervisor of the updates of the watchers: it
// plans the command anew, compares, and says what is to be done about it. It
// runs beside the supervisor from the first start on.
type rotation struct {
	prep    *preparation
	watcher *fetch.Watcher               // nil: nothing of Vault is watched
	files   *from.Watcher                // nil: no files are
	newest  fetch.Update                 // of Vault
	written map[ref.Source]secret.Fields // the newest of the files
	changec chan supervise.Change
	log     *slog.Logger

	given   map[ref.Source]secret.Fields // what the newest command was made of
	plan    env.Plan                     // and came to
	refused []refusal                    // what it could not be made of
	notices *notice.Notices              // about that

	mu    sync.Mutex
	onWay *int // up to which generation the newest restart counts; nil: it is applied
	owed  int  // newest generation that the running command may not have taken; 0: none
}

// hookTimeout is what the command of --on-change exec: gets. Its change waits
// for nothing else, but the next one waits for it.
const hookTimeout = time.Minute

// run goes on until ctx ends.
func (r *rotation) run(ctx context.Context) {
	var updatec <-chan fetch.Update
	if r.watcher != nil {
		updatec = r.watcher.Updates()
	}
	var writtenc <-chan map[ref.Source]secret.Fields
	if r.files != nil {
		writtenc = r.files.Updates()
	}
	for {
		var againc <-chan time.Time
		if len(r.refused) > 0 {
			againc = time.After(tryAgain)
		}
		u := r.newest
		select {
		case <-ctx.Done():
			return
		case r.newest = <-updatec:
			u = r.newest
		case r.written = <-writtenc:
			u.Expires = time.Time{} // what ends is no reason to hurry with this
		case <-againc:
		}
		u.Secrets = maps.Clone(u.Secrets)
		maps.Copy(u.Secrets, r.written)
		before := r.refused
		changes := r.changes(u)
		if r.watcher != nil && len(before)+len(r.refused) > 0 {
			r.watcher.Unusable(refusedSources(r.refused))
		}
		for _, change := range changes {
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
		if p.watcher == nil && p.others == nil {
			return
		}
		b.watch(p.watcher, p.others)
		r := &rotation{prep: p, watcher: p.watcher, files: p.others, changec: changec, log: p.log, given: p.secrets, plan: p.planned, notices: notice.To(p.log)}
		r.newest.Secrets, r.written = p.secrets, map[ref.Source]secret.Fields{}
		for source, fields := range p.secrets {
			if source.File != "" {
				r.written[source] = fields
			}
		}
		if p.watcher != nil {
			wg.Go(func() { p.watcher.Run(ctx) })
		}
		if p.others != nil {
			wg.Go(func() { p.others.Run(ctx) })
		}
		r.run(ctx)
	})
	return changec, func() {
		cancel()
		donec := make(chan struct{})
		go func() { wg.Wait(); close(donec) }()
		select {
		case <-donec:
		case <-time.After(time.Second): // a file of the login is on a file system that hangs
		}
	}
}

// changes is what an update comes to: nothing where secrets change that nobody
// looks at, and more than one change where several signals are to be sent.
func (r *rotation) changes(u fetch.Update) []supervise.Change {
	secrets, whole := u.Secrets, true
	plan, command, err := r.prep.plan(secrets)
	var refused []refusal
	if err != nil {
		secrets, refused = r.usable(u.Secrets)
		whole = false
		plan, command, err = r.prep.plan(secrets)
	}
	r.refuse(refused, time.Now())
	if err != nil {
		return nil // not even what the command has can be planned, as if it were not there any more
	}
	if plan.Same(r.plan) {
		r.given = secrets
		if whole {
			r.supersede(u.Generation)
		}
		return nil
	}
	changed := r.prep.planner.Changed(r.given, secrets)
	change := supervise.Change{Command: command, Reason: reason(changed), Expires: u.Expires, HookTimeout: hookTimeout}
	var signals []syscall.Signal
	change.Reaction, signals, change.Hook = r.reaction(r.prep.settings, changed, command)
	if len(plan.Files)+len(plan.Trees) > 0 {
		change.Deliver = func() error { return r.prep.rewrite(plan) }
	}
	// Only a command that was started anew has surely left its old leases.
	if change.Reaction == supervise.ReactRestart && whole {
		change.Applied = r.begin(u.Generation)
	} else {
		r.owe(u.Generation)
	}
	r.given, r.plan = secrets, plan
	if len(signals) == 0 {
		return []supervise.Change{change}
	}
	var changes []supervise.Change
	for _, sig := range signals {
		change.Signal = sig
		changes = append(changes, change)
	}
	return changes
}

// reaction is the strongest that the changed references ask for; if that is a
// signal, all of them.
func (r *rotation) reaction(s *settings.Settings, changed []ref.Ref, command supervise.Command) (supervise.Reaction, []syscall.Signal, supervise.Command) {
	strongest := s.OnChange
	var signals []syscall.Signal
	for i, c := range changed {
		asked, err := s.ReactionTo(c)
		if err != nil {
			panic("BUG: on_change was checked: " + err.Error())
		}
		if i == 0 || asked.Kind > strongest.Kind {
			strongest = asked
		}
		if asked.Kind == supervise.ReactSignal && !slices.Contains(signals, asked.Signal) {
			signals = append(signals, asked.Signal)
		}
	}
	switch strongest.Kind {
	case supervise.ReactSignal:
		if len(signals) == 0 {
			signals = append(signals, strongest.Signal)
		}
		return strongest.Kind, signals, supervise.Command{}
	case supervise.ReactExec:
	default:
		return strongest.Kind, nil, supervise.Command{}
	}
	hook := command
	hook.Path, hook.Args = "", strongest.Hook
	var err error
	if hook.Path, err = supervise.LookPath(strongest.Hook[0], command.Env); err != nil {
		r.log.Warn("the command for a change cannot be run: "+err.Error(), "class", classOf(err))
		return supervise.ReactNone, nil, supervise.Command{}
	}
	return strongest.Kind, nil, hook
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
		if r.owed <= *upTo {
			r.owed = 0
		}
		r.tellApplied(*upTo)
	}
}

// tellApplied tells that the command has moved to a generation.
func (r *rotation) tellApplied(generation int) {
	if r.watcher != nil {
		r.watcher.Applied(generation)
	}
}

// owe notes a change that leaves the command running: it may go on using what it
// has for as long as it likes.
func (r *rotation) owe(generation int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.owed = generation
}

// supersede notes an update that comes to the command that there is already, or
// that is on its way.
func (r *rotation) supersede(generation int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.owed != 0: // older ones would be released with it
	case r.onWay != nil:
		*r.onWay = generation
	default:
		r.tellApplied(generation)
	}
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
