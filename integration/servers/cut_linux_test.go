package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func init() {
	// The child at the near end: what it can see and reach.
	starters["look"] = func(url string) error {
		all, err := net.Interfaces()
		if err != nil {
			return err
		}
		for _, i := range all {
			if i.Flags&net.FlagUp != 0 { // a kernel's tunnels are everywhere, but down
				fmt.Print(i.Name, " ")
			}
		}
		resp, err := http.Get(url)
		if err != nil {
			return err
		}
		fmt.Println(resp.StatusCode)
		return nil
	}
}

func newCut(t *testing.T) *Cut {
	t.Helper()
	c, err := StartCut(t.Context())
	if errors.Is(err, ErrNoCut) {
		cannot(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestCut(t *testing.T) {
	t.Parallel()
	c, v := newCut(t), newVault(t, VaultOptions{})
	p := newProxy(t, ProxyOptions{Targets: []string{v.Address}, TLS: true, Listen: c.Listen})
	a := newAsker(t, p, v)
	a.client.Transport.(*http.Transport).DialContext = c.DialContext
	a.good(lookup)

	if err := c.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	hangs := func(what string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if status, _, _, err := a.ask(ctx, lookup); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dropped, on %s: status %d, error %v", what, status, err)
		}
	}
	hangs("a connection that was there")
	hangs("a new connection")
	if err := c.Mend(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.good(lookup)

	// A request under way outlives a cut.
	r := p.Add(Rule{Do: Hang()})
	errc := make(chan error, 1)
	go func() {
		_, _, _, err := a.ask(t.Context(), lookup)
		errc <- err
	}()
	if err := r.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := c.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Lift()
	if err := c.Mend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-errc; err != nil {
		t.Errorf("the request under way: error %v", err)
	}

	if err := c.Unplug(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.client.CloseIdleConnections()
	if _, _, _, err := a.ask(t.Context(), lookup); !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("unplugged: error %v", err)
	}
	if err := c.Mend(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.good(lookup)
}

// A child at the near end has nothing but the cable.
func TestCutChild(t *testing.T) {
	t.Parallel()
	c := newCut(t)
	v := newVault(t, VaultOptions{})
	p := newProxy(t, ProxyOptions{Targets: []string{v.Address}, Listen: c.Listen})
	child := exec.Command(os.Args[0], starterWord, "look", p.Address+"/v1/sys/health")
	child.Stderr = os.Stderr
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Do(child.Start); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	_ = child.Process.Kill()
	_ = child.Wait()
	if line != "lo near 200\n" || err != nil {
		t.Errorf("the child says %q, error %v", line, err)
	}
}
