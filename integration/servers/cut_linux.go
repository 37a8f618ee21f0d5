package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// ErrNoCut is why no network can be made here.
var ErrNoCut = errors.New("a network of its own needs root and the program ip (iproute2)")

// Cut is a network of two network namespaces and a cable between them, which
// can be cut. Nothing else is in it: not the machine's own interfaces, nor do
// those see it, so its addresses are the same in each (RFC 5737 keeps them for
// documentation). Programs run at the near end (Do), a listener is at the far
// end (Listen), in whatever process made it, which has the machine's network
// besides.
//
// The namespaces are no files in /run/netns: they are gone with the last
// process and descriptor in them.
type Cut struct {
	near, far *os.File // namespaces, see network_namespaces(7)
}

const (
	nearAddress, farAddress = "192.0.2.1", "192.0.2.2"
	nearMAC, farMAC         = "02:00:00:00:00:01", "02:00:00:00:00:02"
)

// StartCut makes such a network, with the cable whole. The error is ErrNoCut
// where this process may not.
func StartCut(ctx context.Context) (*Cut, error) {
	if _, err := exec.LookPath("ip"); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNoCut, err)
	}
	near, err := newNamespace()
	if err != nil {
		return nil, err
	}
	far, err := newNamespace()
	if err != nil {
		return nil, errors.Join(err, near.Close())
	}
	c := &Cut{near, far}
	if err := c.lay(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// lay puts the cable between the two, as veth(4) has it.
func (c *Cut) lay(ctx context.Context) error {
	// The namespace of the other end is ip's descriptor 3.
	err := c.ip(ctx, c.near, "link", "add", "near", "address", nearMAC, "type", "veth",
		"peer", "name", "far", "address", farMAC, "netns", "/proc/self/fd/3")
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"address", "add", nearAddress + "/30", "dev", "near"}, {"link", "set", "lo", "up"}, {"link", "set", "near", "up"},
	} {
		if err := c.ip(ctx, c.near, args...); err != nil {
			return err
		}
	}
	for _, args := range [][]string{
		{"address", "add", farAddress + "/30", "dev", "far"}, {"link", "set", "lo", "up"},
	} {
		if err := c.ip(ctx, c.far, args...); err != nil {
			return err
		}
	}
	return c.Mend(ctx)
}

// Drop cuts it in the way of a router that has failed: what the near end sends
// vanishes, and connections there are and new ones hang.
func (c *Cut) Drop(ctx context.Context) error { return c.ip(ctx, c.far, "link", "set", "far", "down") }

// Unplug cuts it in the way of a cable that is pulled at the near end, which
// knows at once: new connections fail, as the network is unreachable.
func (c *Cut) Unplug(ctx context.Context) error {
	return c.ip(ctx, c.near, "link", "set", "near", "down")
}

// Mend ends both. Connections that have outlived it go on when they send
// again, in a while that grows with how long it took, see tcp(7).
func (c *Cut) Mend(ctx context.Context) error {
	return errors.Join(c.ip(ctx, c.near, "link", "set", "near", "up"), c.ip(ctx, c.far, "link", "set", "far", "up"),
		// Whoever had to ask for it would be told by its own kernel that nobody
		// answers, after three seconds: Drop would not hang. Down forgets it.
		c.ip(ctx, c.near, "neighbour", "replace", farAddress, "lladdr", farMAC, "dev", "near", "nud", "permanent"))
}

// Do calls f in a thread at the near end: a process that f starts is there
// with all it starts itself, and a socket that f itself makes.
func (c *Cut) Do(f func() error) error { return in(c.near, f) }

// Listen makes a listener at the far end, with the port of the address and the
// far end's own host: ProxyOptions.Listen.
func (c *Cut) Listen(address string) (l net.Listener, err error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	err = in(c.far, func() error {
		l, err = net.Listen("tcp4", net.JoinHostPort(farAddress, port))
		return err
	})
	return l, err
}

// DialContext connects from the near end, for a client in this process. The
// address has no name in it, but a number.
func (c *Cut) DialContext(ctx context.Context, _, address string) (conn net.Conn, err error) {
	err = c.Do(func() error {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp4", address)
		return err
	})
	return conn, err
}

// Stop lets go of the network. Who is still in it keeps it.
func (c *Cut) Stop() error { return errors.Join(c.near.Close(), c.far.Close()) }

func (c *Cut) ip(ctx context.Context, ns *os.File, args ...string) error {
	cmd := exec.CommandContext(ctx, "ip", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = &out, &out, []*os.File{c.far}
	err := in(ns, cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return fmt.Errorf("%v: %v\n%s", cmd, err, out.Bytes())
	}
	return nil
}

func newNamespace() (ns *os.File, err error) {
	err = apart(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("%w: unshare: %v", ErrNoCut, err)
		}
		ns, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	return ns, err
}

// in calls f in a thread that is in a network namespace.
func in(ns *os.File, f func() error) error {
	return apart(func() error {
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("setns: %v", err)
		}
		return f()
	})
}

// apart calls f in a thread that does nothing else, neither before nor after:
// a goroutine that ends without unlocking takes its thread with it.
func apart(f func() error) error {
	errc := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		errc <- f()
	}()
	return <-errc
}
