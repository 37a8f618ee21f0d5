// Package status tells over HTTP how a run is: /healthz (this process works),
// /readyz (the command runs and no secret is past its life) and /metrics
// (Prometheus text format). It knows names and numbers, never a value.
//
// The format is written here and not by a client library, because a dozen
// figures are not worth what one costs each container at its start.
//
// Goroutines: Serve starts one, the server's, which ends with Close.
package status

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Report is how a run is at a moment.
type Report struct {
	Version string
	Running bool // the command runs

	Fresh       int            // secrets that are as they should be
	Stale       int            // that were not read when they were due
	Unusable    int            // that became what the command cannot use: it keeps what it has
	Expired     int            // that are past their life
	NextExpiry  time.Time      // of a secret; zero: none expires
	TokenEnds   time.Time      // zero: never, or there is none
	Logins      int            // after the first
	Errors      map[string]int // class of a failed request -> how many
	LastSuccess time.Time      // of a request; zero: nothing is fetched
	Restarts    map[string]int // rotation or failure -> how many
	Goroutines  int
}

// Server answers.
type Server struct {
	http     *http.Server
	listener net.Listener
	donec    chan struct{}
}

// Error is an address that cannot be listened on. Its class is "config".
type Error struct{ text string }

func (e *Error) Error() string { return e.text }

// Class is how the failure is sorted for whoever reads it by machine.
func (*Error) Class() string { return "config" }

// Serve listens on address and answers with what report returns.
func Serve(address string, report func() Report) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, &Error{fmt.Sprintf("--listen %s: %v: use HOST:PORT or :PORT, and a port that is free", address, err)}
	}
	s := &Server{
		http:     &http.Server{Handler: handler(report), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10},
		listener: listener,
		donec:    make(chan struct{}),
	}
	go func() {
		defer close(s.donec)
		_ = s.http.Serve(listener) // it ends with Close
	}()
	return s, nil
}

// Address is where it listens, with the port that was chosen for :0.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Close ends it at once. A nil Server may be closed.
func (s *Server) Close() {
	if s == nil {
		return
	}
	_ = s.http.Close() // nothing is lost but an answer
	<-s.donec
}

func handler(report func() Report) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := report().unready(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		write(w, report(), time.Now())
	})
	return mux
}

// unready says why the command is not to be sent work, or nothing.
func (r Report) unready() string {
	var why []string
	if !r.Running {
		why = append(why, "the command is not running")
	}
	if r.Expired > 0 {
		why = append(why, fmt.Sprintf("secrets past their life: %d", r.Expired))
	}
	return strings.Join(why, "\n")
}

// write writes the figures in the Prometheus text format.
func write(w io.Writer, r Report, now time.Time) {
	family := func(name, kind, help string) { fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind) }
	gauge := func(name, help string, value float64) {
		family(name, "gauge", help)
		fmt.Fprintf(w, "%s %v\n", name, value)
	}
	by := func(name, kind, help, label string, values map[string]int) {
		family(name, kind, help)
		for _, key := range slices.SortedFunc(maps.Keys(values), cmp.Compare[string]) {
			fmt.Fprintf(w, "%s{%s=%q} %d\n", name, label, key, values[key])
		}
	}
	left := func(name, help string, at time.Time) {
		if !at.IsZero() {
			gauge(name, help, at.Sub(now).Seconds())
		}
	}
	family("vaultexec_build_info", "gauge", "The version that runs.")
	fmt.Fprintf(w, "vaultexec_build_info{version=%q} 1\n", r.Version)
	gauge("go_goroutines", "Goroutines of vaultexec: under the name that Go programs have it by.", float64(r.Goroutines))
	running := 0.0
	if r.Running {
		running = 1
	}
	gauge("vaultexec_command_running", "1 while the command runs.", running)
	by("vaultexec_restarts_total", "counter", "Restarts of the command, by reason.", "reason", r.Restarts)
	by("vaultexec_secrets", "gauge", "Secrets: fresh, stale (not read when they were due), unusable (the command keeps the last value), expired (past their life).", "state",
		map[string]int{"fresh": r.Fresh, "stale": r.Stale, "unusable": r.Unusable, "expired": r.Expired})
	left("vaultexec_secret_expiry_seconds", "Seconds until the first secret ends; negative: since it has.", r.NextExpiry)
	left("vaultexec_token_ttl_seconds", "Seconds that the token has left.", r.TokenEnds)
	by("vaultexec_fetch_errors_total", "counter", "Requests to Vault that failed, by class.", "class", r.Errors)
	family("vaultexec_logins_total", "counter", "Logins after the first.")
	fmt.Fprintf(w, "vaultexec_logins_total %d\n", r.Logins)
	if !r.LastSuccess.IsZero() {
		gauge("vaultexec_last_success_timestamp_seconds", "When Vault last answered.", float64(r.LastSuccess.UnixMilli())/1000)
	}
}
