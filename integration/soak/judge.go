package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

type options struct {
	duration time.Duration
	seed     uint64
	progress io.Writer
}

// soak does it all and returns what it measured.
func soak(ctx context.Context, opt options) (report string, err error) {
	fmt.Fprintf(opt.progress, "soak: seed %d, for %v\n", opt.seed, opt.duration)
	s, err := newStage(ctx, opt.progress)
	if err != nil {
		return "", err
	}
	defer s.stop()
	if err := s.launch(ctx); err != nil {
		return "", err
	}
	if err := s.started(ctx, s.number); err != nil {
		return "", s.explain(err)
	}
	j := &judge{stage: s, begin: time.Now(), out: opt.progress, events: make(map[string]int)}
	stopTelling := j.tellEvery(ctx, 10*time.Second)
	random := rand.New(rand.NewPCG(opt.seed, 0))
	// The first minute, or less of a short run, is for growing up.
	warm := j.begin.Add(min(opt.duration/3, time.Minute))
	err = play(ctx, s, random, warm, j.happens)
	if err == nil {
		j.before, err = s.size(ctx)
	}
	if err == nil {
		err = play(ctx, s, random, j.begin.Add(opt.duration), j.happens)
	}
	stopTelling()
	if err == nil {
		err = j.conclude(ctx)
	}
	if err != nil {
		err = s.explain(err)
	}
	return j.report(), err
}

// explain adds the end of vaultexec's log, and keeps the whole.
func (s *stage) explain(err error) error {
	text, readErr := os.ReadFile(s.stderr.Name())
	if readErr != nil {
		return err
	}
	kept := filepath.Join(os.TempDir(), fmt.Sprintf("vaultexec-soak-%d.log", os.Getpid()))
	if os.WriteFile(kept, text, 0o600) != nil {
		kept = "nowhere"
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return fmt.Errorf("%w\nthe end of vaultexec's log, kept in %s:\n%s", err, kept, strings.Join(all[max(0, len(all)-20):], "\n"))
}

// judge watches and decides.
type judge struct {
	*stage
	begin time.Time
	out   io.Writer

	mu     sync.Mutex
	latest string         // event
	events map[string]int // name -> how many so far

	before, after size
	sum           summary
	leaked        string
}

func (j *judge) happens(name string, lasts time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.latest = fmt.Sprintf("%s %.1fs", name, lasts.Seconds())
	j.events[name]++
}

// total is how many events there were.
func (j *judge) total() (n int) {
	for _, times := range j.events {
		n += times
	}
	return n
}

// tellEvery shows the progress until it is stopped.
func (j *judge) tellEvery(ctx context.Context, d time.Duration) (stop func()) {
	donec, endedc := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(endedc)
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				sum, _ := j.summary() // an error is conclude's to see
				size, _ := j.size(ctx)
				j.mu.Lock()
				fmt.Fprintf(j.out, "soak: %4.0fs  %4d events (%s)  %5d queries, %d failed  %d starts  %v\n",
					time.Since(j.begin).Seconds(), j.total(), j.latest, sum.queries, len(sum.failed), sum.starts, size)
				j.mu.Unlock()
			case <-donec:
				return
			}
		}
	}()
	return func() { close(donec); <-endedc }
}

// conclude checks what a run has to pass for.
func (j *judge) conclude(ctx context.Context) error {
	if err := j.rotate(ctx); err != nil {
		return err
	}
	if err := j.started(ctx, j.number); err != nil {
		return fmt.Errorf("the last rotation: %w", err)
	}
	var err error
	if j.after, err = j.size(ctx); err != nil {
		return err
	}
	logins, err := j.metric(ctx, "vaultexec_logins_total")
	if err != nil {
		return err
	}
	if err := j.end(); err != nil {
		return fmt.Errorf("vaultexec ended: %w", err)
	}
	if j.sum, err = j.summary(); err != nil {
		return err
	}
	return errors.Join(j.queries(), j.leaks(ctx, int(logins)+1), j.before.grown(j.after))
}

// queries complains of each that failed and of too many starts.
func (j *judge) queries() error {
	var errs []error
	for _, f := range j.sum.failed {
		errs = append(errs, errors.New("query: "+f))
	}
	lasted := time.Since(j.begin)
	// Each rotation starts the app, as does the end of credentials, that of
	// the token (whose leases end with it), and the first start. A lease cannot
	// be renewed while its role is away.
	limit := 1 + j.number + j.events["rotate static"] + j.events["static role"] + j.events["revoke token"] + j.events["database role"] +
		2*int(lasted/tokenMax+1) + 2*int(lasted/leaseMax+1)
	if j.sum.starts > limit {
		errs = append(errs, fmt.Errorf("the app was started %d times, want at most %d", j.sum.starts, limit))
	}
	if want := int(lasted / queryEvery / 4); j.sum.queries < want {
		errs = append(errs, fmt.Errorf("only %d queries, want %d at least", j.sum.queries, want))
	}
	return errors.Join(errs...)
}

// leaks looks for what is left in Vault and PostgreSQL. A login whose answer
// got lost on the way has made a token that nobody knows of; known is how many
// vaultexec has made that it knows.
func (j *judge) leaks(ctx context.Context, known int) error {
	logins, err := j.audit.Requests("auth/" + authMount + "/login")
	if err != nil {
		return err
	}
	made := len(logins) // none is denied
	client := j.vault.Client()
	list, err := client.Logical().ListWithContext(ctx, "auth/token/accessors")
	if err != nil {
		return err
	}
	tokens := len(list.Data["keys"].([]any)) - 1 // root's
	lost := made - known
	j.leaked = fmt.Sprintf("%d logins, of which %d were lost on the way; %d tokens left", made, lost, tokens)
	var errs []error
	if tokens > lost {
		errs = append(errs, fmt.Errorf("%d tokens are left, and just %d logins were lost on the way", tokens, lost))
	}
	return errors.Join(append(errs, j.leaseless(ctx))...)
}

// leaseless waits until there are no leases any more: Vault ends those of a
// token that is revoked one after the other, behind its answer, and they would
// live for leaseLife.
func (j *judge) leaseless(ctx context.Context) error {
	limit := time.Now().Add(leaseLife / 4)
	for {
		leases, err := j.vault.Client().Logical().ListWithContext(ctx, "sys/leases/lookup/"+j.database.CredsPath(dbRole))
		if err != nil {
			return err
		}
		users, err := j.postgres.Logins(ctx)
		if err != nil {
			return err
		}
		users = slices.DeleteFunc(users, func(name string) bool { return name == staticRole })
		switch {
		case leases == nil && len(users) == 0:
			return nil
		case time.Now().After(limit):
			return fmt.Errorf("leases are left, or users in PostgreSQL: %v, %v", leases, users)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (j *judge) report() string {
	var each []string
	for _, name := range slices.Sorted(maps.Keys(j.events)) {
		each = append(each, fmt.Sprintf("%s %d", name, j.events[name]))
	}
	return fmt.Sprintf("soak: %d events: %s\nsoak: %d queries, of which %d failed outside of a restart, and %d because their user was gone with a token, the longest for %.1fs\n"+
		"soak: %d starts for %d rotations\nsoak: %s\nsoak: vaultexec before: %v, after: %v",
		j.total(), strings.Join(each, ", "), j.sum.queries, len(j.sum.failed), j.sum.excused, j.sum.longest.Seconds(),
		j.sum.starts, j.number, j.leaked, j.before, j.after)
}
