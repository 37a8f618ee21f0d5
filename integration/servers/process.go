package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// startLimit bounds the wait for a server to be ready. Seconds are normal;
	// the rest is for a loaded machine.
	startLimit = 2 * time.Minute
	// stopGrace is what a server gets between being asked to end and KILL.
	stopGrace = 15 * time.Second
	// pollEvery is how often a starting server is asked whether it is ready.
	pollEvery = 50 * time.Millisecond
	// logTail is how much of a server's log an error shows, in bytes.
	logTail = 4 << 10
)

// guardScript outlives the process that started the server by a moment: its
// standard input is a pipe that only that process holds, so it reads an end of
// file when that process ends in whatever way, and then ends the whole group,
// itself and a server's own children (Vault's plugins) included.
const guardScript = `trap '' HUP INT TERM; read line; kill -s KILL 0`

// process is one running server and what it has started.
type process struct {
	name    string
	log     string // path of what it writes to stdout and stderr
	cmd     *exec.Cmd
	guard   *exec.Cmd      // leads the group
	guarded *os.File       // write end of the guard's pipe; closing it ends the group
	polite  syscall.Signal // asks the server to end
	donec   chan struct{}  // closed when the server has ended and was waited for
}

// startProcess starts a server in dir with nothing but env, PATH, HOME and
// TMPDIR in its environment.
func startProcess(dir, binary string, args, env []string) (*process, error) {
	return startProcessAs(nil, dir, binary, args, env)
}

// startProcessAs starts it as another user, who owns dir; nil is this one.
func startProcessAs(user *syscall.Credential, dir, binary string, args, env []string) (*process, error) {
	p := &process{
		name:   filepath.Base(binary),
		log:    filepath.Join(dir, filepath.Base(binary)+".log"),
		donec:  make(chan struct{}),
		polite: syscall.SIGTERM,
	}
	tmp := filepath.Join(dir, "tmp")
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return nil, err
	}
	if user != nil {
		if err := os.Chown(tmp, int(user.Uid), int(user.Gid)); err != nil {
			return nil, err
		}
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.Command(binary, args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, log, log
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + tmp}, env...)
	// The guard is first: there is no moment at which a server has none.
	if err := p.startGuard(); err != nil {
		return nil, fmt.Errorf("start the guard of %s: %v", p.name, err)
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: p.guard.Process.Pid, Credential: user}
	if err := p.cmd.Start(); err != nil {
		p.guarded.Close()
		_ = p.guard.Wait()
		return nil, fmt.Errorf("start %s: %v", p.name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.donec)
	}()
	return p, nil
}

// startGuard starts the leader of the process group.
func (p *process) startGuard() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	p.guard = exec.Command("/bin/sh", "-c", guardScript)
	p.guard.Stdin = r
	p.guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.guard.Start(); err != nil {
		w.Close()
		return err
	}
	p.guarded = w
	return nil
}

// stop ends the server and everything it has started; a second call does
// nothing.
func (p *process) stop() error {
	if p == nil || p.guarded == nil {
		return nil
	}
	_ = p.signal(p.polite)
	_ = p.signal(syscall.SIGCONT) // it may be paused
	var err error
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case <-p.donec:
	case <-grace.C:
		err = fmt.Errorf("%s did not end within %v of %v", p.name, stopGrace, p.polite)
	}
	p.kill()
	return err
}

// kill ends the server and everything it has started at once.
func (p *process) kill() {
	if p.guarded == nil {
		return
	}
	p.guarded.Close()
	p.guarded = nil
	_ = p.guard.Wait()
	<-p.donec
}

// signal reaches the server itself, not what it has started.
func (p *process) signal(sig syscall.Signal) error {
	err := p.cmd.Process.Signal(sig)
	if errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s is not running", p.name)
	}
	return err
}

// pause stops all threads of the server. Each stops by itself, a moment after the
// signal: until then one may still answer.
func (p *process) pause() error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for range 1000 {
		states, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid)) // an error is of the pattern
		if !slices.ContainsFunc(states, func(file string) bool {
			stat, err := os.ReadFile(file)
			_, rest, _ := strings.Cut(string(stat), ") ")
			return err == nil && !strings.HasPrefix(rest, "T")
		}) {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("%s does not stop", p.name)
}

// ready polls until check is content. It gives up when the server ends, when
// ctx does, or after startLimit, and then shows the end of the log.
func (p *process) ready(ctx context.Context, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.donec:
			return fmt.Errorf("%s ended while starting: %v\n%s", p.name, p.cmd.ProcessState, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %v (%v)\n%s", p.name, err, context.Cause(ctx), p.tail())
		}
	}
}

// finish waits for a program that ends by itself, and whose status says how it
// went.
func (p *process) finish(ctx context.Context) error {
	defer p.kill()
	select {
	case <-p.donec:
	case <-ctx.Done():
		return fmt.Errorf("%s: %v", p.name, context.Cause(ctx))
	}
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("%s: %v\n%s", p.name, p.cmd.ProcessState, p.tail())
	}
	return nil
}

func (p *process) tail() string {
	f, err := os.Open(p.log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > logTail {
		_, _ = f.Seek(-logTail, io.SeekEnd)
	}
	text, _ := io.ReadAll(f)
	return "end of " + p.log + ":\n" + strings.TrimSpace(string(text))
}

// Ports of servers are below those that a client gets for its own end, see
// ip(7), ip_local_port_range: a server that is down would else find its port
// taken, perhaps by a client that has just connected to itself.
const firstPort, endPort = 10000, 32768

// freePorts finds n loopback addresses that nothing listens on, host:port.
func freePorts(n int) ([]string, error) {
	var addrs []string
	for len(addrs) < n {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(endPort-firstPort)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer l.Close() // at the end: the same port is not given twice
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

// withFreePorts starts a server, and again if somebody else has taken one of
// its ports since it was found free.
func withFreePorts[T any](start func() (T, error)) (T, error) {
	for tries := 1; ; tries++ {
		server, err := start()
		if err == nil || tries == 3 || !strings.Contains(strings.ToLower(err.Error()), "address already in use") {
			return server, err
		}
	}
}
