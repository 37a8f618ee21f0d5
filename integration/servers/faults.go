package servers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Fault is what a proxy does with a request in place of passing it through.
type Fault func(x *exchange)

// exchange is a request at a proxy and the way to its answer.
type exchange struct {
	w    http.ResponseWriter
	r    *http.Request
	rule *Rule
	n    int // how many requests have fallen under the rule, with this one
}

// pass sends it to the server behind the proxy.
func (x *exchange) pass() { x.rule.proxy.forward.ServeHTTP(x.w, x.r) }

// lifted waits until the rule is lifted, or d is over unless that is zero. It
// is false if the client has gone away before.
func (x *exchange) lifted(d time.Duration) bool {
	var timec <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		timec = timer.C
	}
	select {
	case <-x.rule.liftc:
	case <-timec:
	case <-x.r.Context().Done():
		return false
	}
	return true
}

// Answer answers with a status and an error body like Vault's, and with these
// headers, "Retry-After: 1" say.
func Answer(status int, headers ...string) Fault {
	return func(x *exchange) {
		x.w.Header().Set("Content-Type", "application/json")
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ":")
			x.w.Header().Set(name, strings.TrimSpace(value))
		}
		x.w.WriteHeader(status)
		fmt.Fprintln(x.w, `{"errors":["spoiled by the test"]}`)
	}
}

// Func has f answer, which is told the number of the request under the rule,
// from 1; where it says that it has not the request passes through.
func Func(f func(n int, w http.ResponseWriter, r *http.Request) bool) Fault {
	return func(x *exchange) {
		if !f(x.n, x.w, x.r) {
			x.pass()
		}
	}
}

// Garbage answers 200 with what is no JSON, as does a login page in the way.
func Garbage() Fault {
	return func(x *exchange) {
		x.w.Header().Set("Content-Type", "text/html")
		fmt.Fprintln(x.w, "<html>It works!</html>")
	}
}

// Delay passes the request through, but later.
func Delay(d time.Duration) Fault {
	return func(x *exchange) {
		if x.lifted(d) {
			x.pass()
		}
	}
}

// Hang answers nothing until the client goes away. Once the rule is lifted
// the request passes through.
func Hang() Fault {
	return func(x *exchange) {
		if x.lifted(0) {
			x.pass()
		}
	}
}

// Reset has the connection reset before there is an answer. What was asked is
// not done. Go's own client repeats a GET at once, unseen by its caller, if the
// connection is not a new one: see http.Transport, and Disconnect.
func Reset() Fault { return func(x *exchange) { reset(x.w) } }

// ResetAfter has it reset although what was asked is done.
func ResetAfter() Fault {
	return func(x *exchange) {
		w := x.w
		x.w = &discard{make(http.Header)}
		x.pass()
		reset(w)
	}
}

// Truncate passes the request through, but breaks the connection in the middle
// of the answer's body.
func Truncate() Fault {
	return func(x *exchange) {
		x.r = x.r.WithContext(context.WithValue(x.r.Context(), spoilKey{}, truncate))
		x.pass()
	}
}

// Corrupt passes the request through, and answers with the true status and
// headers, but just half of the body: whole HTTP, broken JSON.
func Corrupt() Fault {
	return func(x *exchange) {
		x.r = x.r.WithContext(context.WithValue(x.r.Context(), spoilKey{}, corrupt))
		x.pass()
	}
}

// discard takes an answer that nobody gets.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) Flush()                      {}

// reset closes the client's connection so that it reads ECONNRESET.
func reset(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // it is broken already
	}
	raw := beneath(c)
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // RST in place of FIN, see socket(7)
	}
	_ = raw.Close()
}

// spoilKey is for a func([]byte) io.Reader in a request's context: what a
// server's answer is turned into.
type spoilKey struct{}

func truncate(body []byte) io.Reader {
	return io.MultiReader(bytes.NewReader(body[:len(body)/2]), broken{})
}

func corrupt(body []byte) io.Reader { return bytes.NewReader(body[:len(body)/2]) }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// spoil changes a server's answer, as the request's rule wants it.
func spoil(resp *http.Response) error {
	change, ok := resp.Request.Context().Value(spoilKey{}).(func([]byte) io.Reader)
	if !ok {
		return nil
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	changed := change(body)
	if whole, ok := changed.(*bytes.Reader); ok {
		resp.ContentLength = whole.Size()
		resp.Header.Set("Content-Length", fmt.Sprint(whole.Size()))
	}
	resp.Body = io.NopCloser(changed)
	return nil
}

// ServeHTTP is for the proxy's own server.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// To the end, or net/http does not notice that the client goes away.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if rule, n := p.note(r); rule != nil && rule.Do != nil {
		rule.Do(&exchange{w, r, rule, n})
		return
	}
	p.forward.ServeHTTP(w, r)
}
