package main

import (
	"runtime"
	"sync"

	"vaultexec/internal/fetch"
	"vaultexec/internal/from"
	"vaultexec/internal/status"
	"vaultexec/internal/supervise"
)

// board gathers what --listen shows: from the supervisor's loop what happens to
// the command, from the watchers how the secrets are.
type board struct {
	mu       sync.Mutex
	running  bool
	restarts map[string]int
	watcher  *fetch.Watcher // nil: nothing of Vault is watched
	files    *from.Watcher  // nil: no files are
}

func newBoard() *board { return &board{restarts: map[string]int{"rotation": 0, "failure": 0}} }

// serve begins to show it; nowhere if the address is empty.
func (b *board) serve(address string) (*status.Server, error) {
	if address == "" {
		return nil, nil
	}
	return status.Serve(address, b.report)
}

// observe notes what the supervisor tells. Its loop calls it.
func (b *board) observe(e supervise.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.Kind {
	case supervise.ChildStarted:
		b.running = true
	case supervise.ChildExited:
		b.running = false
	case supervise.RestartBegan:
		b.restarts["rotation"]++
	case supervise.BackedOff:
		b.restarts["failure"]++
	}
}

// watch notes who keeps the secrets.
func (b *board) watch(w *fetch.Watcher, files *from.Watcher) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watcher, b.files = w, files
}

func (b *board) report() status.Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := status.Report{Version: version, Running: b.running, Goroutines: runtime.NumGoroutine(), Restarts: map[string]int{}, Errors: map[string]int{}}
	for reason, n := range b.restarts {
		r.Restarts[reason] = n
	}
	if b.files != nil {
		s := b.files.Status()
		r.Fresh, r.Stale = s.Fresh, s.Stale
	}
	if b.watcher == nil {
		return r
	}
	s := b.watcher.Status()
	r.Fresh, r.Stale, r.Unusable, r.Expired = r.Fresh+s.Fresh, r.Stale+s.Stale, s.Unusable, s.Past
	r.NextExpiry, r.TokenEnds, r.Logins, r.LastSuccess = s.NextExpiry, s.TokenEnds, s.Logins, s.LastSuccess
	for class, n := range s.Errors {
		r.Errors[string(class)] = n
	}
	return r
}
