package fetchtest

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
)

// NewPipe starts a Vault that is reached through dial only, over pipes in
// memory, so that it can live in a testing/synctest bubble. Its URL and the
// like are not there.
func NewPipe(t testing.TB) (s *Server, dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	s = unstarted()
	l := &pipeListener{connc: make(chan net.Conn), closec: make(chan struct{})}
	server := &http.Server{Handler: s}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() {
		_ = server.Close()
		wg.Wait()
	})
	return s, l.dial
}

type pipeListener struct {
	connc  chan net.Conn
	once   sync.Once
	closec chan struct{}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.connc <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.connc:
		return conn, nil
	case <-l.closec:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closec) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
