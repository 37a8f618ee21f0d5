package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// waitLimit bounds every wait for the program: a hang is a failure, and a slow
// machine is none.
const waitLimit = time.Minute

// command is a run of vaultexec that is being put together. Its methods
// change and return it.
type command struct {
	t      *testing.T
	binary string
	flags  []string
	argv   []string // behind --; nil for none
	vars   []string
	home   string
	dir    string
	stdin  io.Reader
	report string  // where the child reports
	spaces uintptr // clone(2) flags: namespaces of its own
	shows  bool    // what it prints may have secrets in it: it is vaultexec env
	shell  string  // a script that runs it as "$@"; empty: nothing does
}

// vaultexec prepares a run with these flags, in front of a child that reports
// and exits with 0. The environment has PATH, an empty HOME, VAULT_ADDR of the
// shared Vault if a test has asked for that, and logs as text at debug level.
func vaultexec(t *testing.T, flags ...string) *command {
	t.Helper()
	binary, err := shared.tested()
	if err != nil {
		t.Fatal(err)
	}
	c := &command{t: t, binary: binary, flags: flags, home: t.TempDir(), dir: t.TempDir()}
	c.report = filepath.Join(t.TempDir(), "report.json")
	c.env("PATH="+os.Getenv("PATH"), "HOME="+c.home, "VAULTEXEC_LOG_LEVEL=debug", "VAULTEXEC_LOG_FORMAT=text")
	if raceEnabled {
		c.env("GORACE=atexit_sleep_ms=0") // by default each process sleeps for a second
	}
	return c.child("report")
}

// child sets what the child does after it has reported, see childVerbs.
func (c *command) child(verb string, args ...string) *command {
	return c.exec(append([]string{shared.self, childWord, c.report, verb}, args...)...)
}

// exec sets another command than this binary to be run.
func (c *command) exec(argv ...string) *command {
	c.argv = argv
	return c
}

// alone takes the command away: vaultexec gets its flags and no more.
func (c *command) alone() *command { return c.exec() }

// env adds NAME=value variables; a later one wins.
func (c *command) env(vars ...string) *command {
	c.vars = append(c.vars, vars...)
	return c
}

// vault points it at a Vault.
func (c *command) vault(address string) *command { return c.env("VAULT_ADDR=" + address) }

// token gives it a Vault token in VAULT_TOKEN.
func (c *command) token(token string) *command { return c.env("VAULT_TOKEN=" + token) }

// homeFile writes a file to its home directory.
func (c *command) homeFile(name, content string) *command {
	writeFile(c.t, filepath.Join(c.home, name), content)
	return c
}

// cmd is the command for exec's own use, for a test that needs a terminal or a
// namespace; checkSilence is then the test's to call.
func (c *command) cmd() *exec.Cmd {
	args := c.flags
	if len(c.argv) > 0 {
		args = append(append(append([]string{}, c.flags...), "--"), c.argv...)
	}
	cmd := exec.Command(c.binary, args...)
	if c.shell != "" {
		cmd = exec.Command("/bin/sh", append([]string{"-ec", c.shell, "sh", c.binary}, args...)...)
	}
	cmd.Env, cmd.Dir, cmd.Stdin = c.vars, c.dir, c.stdin
	return cmd
}

// run runs it to its end.
func (c *command) run() *result {
	c.t.Helper()
	return c.start().wait()
}

// start starts it. It is killed, with the child's process group, if it still
// runs when the test ends.
func (c *command) start() *running {
	c.t.Helper()
	r := &running{command: c, cmd: c.cmd(), donec: make(chan struct{}), more: make(chan struct{})}
	// In a group of its own, so that nothing is sent to the test itself.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Cloneflags: c.spaces}
	r.cmd.Stderr = &r.stderr
	r.cmd.Stdout = stdoutOf{r}
	// A forgotten grandchild may hold the pipes open.
	r.cmd.WaitDelay = 10 * time.Second
	if err := r.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		r.waitErr = r.cmd.Wait()
		close(r.donec)
	}()
	c.t.Cleanup(r.abandon)
	return r
}

// running is a vaultexec that was started.
type running struct {
	*command
	cmd     *exec.Cmd
	donec   chan struct{} // closed when it has ended
	waitErr error         // valid after that

	stderr lockedBuffer
	mu     sync.Mutex
	stdout bytes.Buffer
	seen   int           // bytes of stdout that waitLine has gone past
	more   chan struct{} // closed and made anew whenever stdout grows
}

type stdoutOf struct{ *running }

func (w stdoutOf) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.more)
	w.more = make(chan struct{})
	return w.stdout.Write(p)
}

// waitLine waits for the next line on stdout that starts with prefix, and
// gives it whole.
func (r *running) waitLine(prefix string) string {
	r.t.Helper()
	limit := time.NewTimer(waitLimit)
	defer limit.Stop()
	ended := false
	for {
		line, ok, more := r.nextLine(prefix)
		switch {
		case ok:
			return line
		case ended:
			r.t.Fatalf("vaultexec ended (%v) without the line %q\n%s", r.cmd.ProcessState, prefix, r.outputs())
		}
		select {
		case <-more:
		case <-r.donec:
			ended = true // what it wrote last may still be unread
		case <-limit.C:
			r.t.Fatalf("no line %q within %v\n%s", prefix, waitLimit, r.outputs())
		}
	}
}

func (r *running) nextLine(prefix string) (line string, ok bool, more chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		line, _, ok := strings.Cut(string(r.stdout.Bytes()[r.seen:]), "\n")
		if !ok {
			return "", false, r.more
		}
		r.seen += len(line) + 1
		if strings.HasPrefix(line, prefix) {
			return line, true, nil
		}
	}
}

// waitChild waits until the child has reported.
func (r *running) waitChild() *childReport {
	r.t.Helper()
	r.poll("the child to start", func() bool { return readReport(r.t, r.report) != nil })
	return readReport(r.t, r.report)
}

// waitLog waits until stderr has the text.
func (r *running) waitLog(text string) {
	r.t.Helper()
	r.poll("the log line "+strconv.Quote(text), func() bool { return strings.Contains(r.stderr.String(), text) })
}

// poll waits for something that announces itself to nobody.
func (r *running) poll(what string, there func() bool) {
	r.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(waitLimit)
	defer limit.Stop()
	for !there() {
		select {
		case <-tick.C:
		case <-r.donec:
			if !there() {
				r.t.Fatalf("vaultexec ended (%v) before %s\n%s", r.cmd.ProcessState, what, r.outputs())
			}
		case <-limit.C:
			r.t.Fatalf("waited %v in vain for %s\n%s", waitLimit, what, r.outputs())
		}
	}
}

// await waits for what announces itself to nobody, and happens in a server.
func await(t *testing.T, what string, there func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(waitLimit)
	defer limit.Stop()
	for !there() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("waited %v in vain for %s", waitLimit, what)
		}
	}
}

// pid is vaultexec's own.
func (r *running) pid() int { return r.cmd.Process.Pid }

// signal sends a signal to vaultexec alone, as kubelet and docker do.
func (r *running) signal(sig syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatalf("send %v: %v\n%s", sig, err, r.outputs())
	}
}

// wait waits for the end, and checks that no output has a canary in it.
func (r *running) wait() *result {
	r.t.Helper()
	limit := time.NewTimer(waitLimit)
	defer limit.Stop()
	select {
	case <-r.donec:
	case <-limit.C:
		_ = r.cmd.Process.Signal(syscall.SIGQUIT) // Go's runtime shows where it hangs
		r.kill()
		r.t.Fatalf("vaultexec still runs after %v\n%s", waitLimit, r.outputs())
	}
	var exit *exec.ExitError
	if r.waitErr != nil && !errors.As(r.waitErr, &exit) {
		r.t.Fatalf("wait: %v\n%s", r.waitErr, r.outputs())
	}
	res := &result{t: r.t, stdout: r.out(), stderr: r.stderr.String(), child: readReport(r.t, r.report)}
	ws := r.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if res.status = ws.ExitStatus(); ws.Signaled() {
		res.status, res.signal = -1, ws.Signal()
	}
	if strings.Contains(res.stderr, "WARNING: DATA RACE") {
		r.t.Errorf("vaultexec has a data race:\n%s", res.stderr)
	}
	if !r.shows {
		checkSilence(r.t, "standard output", res.stdout)
	}
	checkSilence(r.t, "standard error", res.stderr)
	return res
}

func (r *running) out() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stdout.String()
}

func (r *running) outputs() string {
	return "stdout:\n" + r.out() + "\nstderr:\n" + r.stderr.String()
}

// kill ends vaultexec and, as far as it is known, the child's group.
func (r *running) kill() {
	_ = r.cmd.Process.Kill()
	<-r.donec
}

func (r *running) abandon() {
	select {
	case <-r.donec:
		return
	default:
	}
	// In exec mode both are one process; otherwise the child leads its group.
	if report := readReport(r.t, r.report); report != nil && report.Pid != r.pid() {
		_ = syscall.Kill(report.Pid, syscall.SIGKILL)
	}
	r.kill()
}

func readReport(t *testing.T, file string) *childReport {
	t.Helper()
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var report childReport
	if err == nil {
		err = json.Unmarshal(text, &report)
	}
	if err != nil {
		t.Fatalf("the child's report: %v", err)
	}
	return &report
}

// lockedBuffer is a buffer that is read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func writeFile(t *testing.T, file, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
