package main

import (
	"runtime"
	"sync"

	"vaultexec/internal/fetch"
	"vaultexec/internal/status"
	"vaultexec/internal/supervise"
)

// board gathers what --listen shows: from the supervisor's loop what happens to
// the command, from the watcher how the secrets are.
type board struct {
	mu       sync.Mutex
	running  bool
	restarts map[string]int
	watcher  *fetch.Watcher // nil: nothing is watched
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
func (b *board) watch(w *fetch.Watcher) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watcher = w
}

func (b *board) report() status.Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := status.Report{Version: version, Running: b.running, Goroutines: runtime.NumGoroutine(), Restarts: map[string]int{}, Errors: map[string]int{}}
	for reason, n := range b.restarts {
		r.Restarts[reason] = n
	}
	if b.watcher == nil {
		return r
	}
	s := b.watcher.Status()
	r.Fresh, r.Stale, r.Unusable, r.Expired = s.Fresh, s.Stale, s.Unusable, s.Past
	r.NextExpiry, r.TokenEnds, r.Logins, r.LastSuccess = s.NextExpiry, s.TokenEnds, s.Logins, s.LastSuccess
	for class, n := range s.Errors {
		r.Errors[string(class)] = n
	}
	return r
}
