package supervise

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for something that must happen. It is no
// measure: a machine with two busy cores takes its time.
const patience = 30 * time.Second

// TestMain makes the test binary its own helper: with "helper:NAME" as the
// first argument it does what NAME says, in a process of its own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if name, ok := strings.CutPrefix(os.Args[1], "helper:"); ok {
			os.Exit(helpers[name](os.Args[2:]))
		}
	}
	heedSignals()
	// The race detector sleeps for a second at the end of each helper otherwise.
	if os.Getenv("GORACE") == "" {
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // it has no NUL
	}
	os.Exit(m.Run())
}

// heedSignals makes what these tests start begin without ignored signals, also
// where the tests themselves were started by nohup or something like it: what
// is caught is not inherited.
func heedSignals() {
	for sig := syscall.Signal(1); sig < 32; sig++ {
		if isIgnored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
}

// untestable skips a test with the reason, but not in continuous integration:
// there it is a failure.
func untestable(t *testing.T, format string, a ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, a...)
	}
	t.Skipf("NOT TESTED: "+format, a...)
}

// helpers holds what the test binary can be. key -> value: name -> main.
var helpers = map[string]func(args []string) int{}

func init() {
	helpers["run"] = helperRun
	helpers["print"] = helperPrint
	helpers["dispositions"] = helperDispositions
}

// helperRun is a small vaultexec: helper:run [flags] COMMAND [ARG...].
func helperRun(args []string) int {
	link := Attach(os.Args[0])
	flags := flag.NewFlagSet("run", flag.ExitOnError)
	mode := flags.String("mode", "supervise", "supervise, exec or init")
	hold := flags.Bool("hold", false, "say 'preparing' and start only when descriptor 3 is closed")
	fail := flags.Bool("fail", false, "let the preparation fail")
	huge := flags.Bool("huge", false, "prepare an environment that no kernel takes")
	stop := flags.String("stop-signal", "TERM", "")
	timeout := flags.Duration("stop-timeout", time.Minute, "")
	child := flags.Bool("child", false, "forward to the child only")
	rewrite := flags.String("rewrite", "", "FROM:TO,...")
	verbose := flags.Bool("v", false, "log")
	inherit := flags.String("inherit", "", "texts of files that the command inherits, or !REASON for one that cannot be made: TEXT,...")
	user := flags.Int("user", 0, "who the command runs as, and its group; 0: who we are")
	rotation := rotationFlags(flags)
	_ = flags.Parse(args)
	inherited = inheritTexts(*inherit)
	if *user != 0 {
		as = &Identity{UID: *user, GID: *user}
	}

	options := Options{StopTimeout: *timeout, Link: link, Rewrite: map[syscall.Signal]syscall.Signal{}, Rotation: rotation.Rotation}
	options.StopSignal, _ = ParseSignal(*stop)
	if *child {
		options.Forward = Child
	}
	for pair := range strings.SplitSeq(*rewrite, ",") {
		from, to, _ := strings.Cut(pair, ":")
		if fromSignal, err := ParseSignal(from); err == nil {
			options.Rewrite[fromSignal], _ = ParseSignal(to)
		}
	}
	if *verbose {
		options.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if *mode == "init" && link == nil {
		return finish(Init(CatchStops(), options, Program{Args: os.Args, Env: os.Environ()}))
	}
	stops := CatchStops()
	run, caughtc := stops.Become, stops.Caught()
	if *mode != "exec" {
		s := Catch(stops, options)
		changec := rotation.changes(flags.Args())
		run = func(startc <-chan Start, cancel func()) Outcome { return s.Run(startc, cancel, changec) }
		caughtc = s.Caught()
	}
	startc := make(chan Start, 1)
	go func() {
		<-caughtc
		if *hold {
			fmt.Println("preparing")
			_, _ = io.ReadAll(os.NewFile(3, "hold"))
		}
		startc <- prepare(flags.Args(), *fail, *huge)
	}()
	outcome := run(startc, func() { fmt.Println("cancelled") })
	code := finish(outcome)
	if err := link.Exited(code, outcome.Signal); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return code
}

func prepare(argv []string, fail, huge bool) Start {
	if fail {
		return Start{Err: errors.New("nothing is ready")}
	}
	env := os.Environ()
	if huge {
		env = append(env, "HUGE="+strings.Repeat("x", 2<<20))
	}
	path, err := LookPath(argv[0], env)
	return Start{Command: Command{Path: path, Args: argv, Env: env, Inherit: inherited, As: as}, Err: err}
}

func finish(outcome Outcome) int {
	if outcome.Err != nil {
		fmt.Fprintln(os.Stderr, outcome.Err)
	}
	return outcome.Code
}

// helperPrint says ready and then which signals it gets, one a line, until it
// gets the one that ends it: helper:print [flags].
func helperPrint(args []string) int {
	flags := flag.NewFlagSet("print", flag.ExitOnError)
	until := flags.String("until", "TERM", "the signal that ends it, or none")
	code := flags.Int("code", 0, "exit status")
	name := flags.String("name", "", "put in front of each line")
	leave := flags.String("leave", "", "start another one with this -until, and exit when it is ready")
	front := flags.Bool("front", false, "say whether it is in the terminal's foreground")
	linger := flags.Duration("linger", 0, "how long it takes to end, and say so")
	far := flags.Bool("far", false, "let it make a session of its own")
	tell := flags.Bool("tell", false, "close descriptor 3 when ready")
	stay := flags.Bool("stay", false, "with -leave: go on")
	lock := flags.String("lock", "", "a file that we and what we leave must have for ourselves")
	_ = flags.Parse(args)

	c := make(chan os.Signal, 1024)
	signal.Notify(c)
	say := func(format string, a ...any) { fmt.Printf(os.Getenv("GENERATION")+*name+format+"\n", a...) }
	held, err := hold(*lock)
	if err != nil {
		say("two at once: %v", err)
	}
	if *leave != "" {
		if err := startLeftover(*leave, *far, *linger, held); err != nil {
			say("%v", err)
			return 1
		}
		if !*stay {
			return *code
		}
	}
	say("ready")
	if *front {
		group, err := foregroundGroup(0)
		say(map[bool]string{true: "in front", false: "behind"}[err == nil && group == syscall.Getpgrp()])
	}
	if *tell {
		_ = os.NewFile(3, "told").Close()
	}
	for sig := range c {
		switch sig {
		case syscall.SIGURG, syscall.SIGCHLD:
			continue // Go's own
		}
		say("%s", signalName(sig.(syscall.Signal)))
		if signalName(sig.(syscall.Signal)) == *until {
			if *linger > 0 {
				time.Sleep(*linger)
				say("done")
			}
			return *code
		}
	}
	return 1
}

// startLeftover starts a grandchild, in our group or far from it, and waits
// until it is ready. It holds held too.
func startLeftover(until string, far bool, linger time.Duration, held ...*os.File) error {
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command(os.Args[0], "helper:print", "-until", until, "-name", "left ", "-tell", "-linger", linger.String())
	cmd.Stdout, cmd.ExtraFiles = os.Stdout, append([]*os.File{in}, held...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: far}
	if err := cmd.Start(); err != nil {
		return err
	}
	_ = in.Close()
	_, _ = io.ReadAll(out) // ends when it closes its descriptor 3
	return nil
}

// helperDispositions prints which signals are ignored and blocked.
func helperDispositions([]string) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 1
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "SigIgn:") || strings.HasPrefix(line, "SigBlk:") {
			fmt.Print(line)
		}
	}
	return 0
}

// process is a helper that a test started.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	hold  *os.File // closing it lets helper:run -hold go on
	linec chan string
	seen  []string
	err   lockedBuffer
}

// lockedBuffer is a strings.Builder that two goroutines may use.
type lockedBuffer struct {
	mu  sync.Mutex
	buf strings.Builder
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

// helper returns the command line of a helper.
func helper(name string, args ...string) []string {
	return append([]string{os.Args[0], "helper:" + name}, args...)
}

// run returns the command line of helper:run with flags in front of a command.
func run(flags string, command ...string) []string {
	return append(helper("run", strings.Fields(flags)...), command...)
}

// start starts argv in a session without a terminal.
func start(t *testing.T, argv []string, change ...func(*exec.Cmd)) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(argv[0], argv[1:]...), linec: make(chan string, 4096)}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p.cmd.Stderr = &p.err
	p.cmd.WaitDelay = time.Second // a stray child may hold stderr
	hold, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.ExtraFiles = []*os.File{hold}
	p.hold = ours
	for _, f := range change {
		f(p.cmd)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = hold.Close()
	go func() {
		defer close(p.linec)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.linec <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			killSession(p.cmd.Process.Pid)
			_ = p.cmd.Wait()
			killSession(p.cmd.Process.Pid) // what was started while the others were looked up
		}
		_ = ours.Close() // not before: helper:run -hold would start its command
		if t.Failed() {
			t.Logf("stderr of %q:\n%s", argv, p.err.String())
		}
	})
	return p
}

// killSession ends what a failed test left running: the members of the
// session that start made, where ps(1) can tell.
func killSession(leader int) {
	out, err := exec.Command("ps", "-A", "-o", "pid=,sess=").Output()
	if err != nil {
		out = fmt.Appendf(nil, "%d %d", leader, leader)
	}
	for line := range strings.Lines(string(out)) {
		var pid, session int
		if n, _ := fmt.Sscan(line, &pid, &session); n == 2 && session == leader {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// next returns the next line of output.
func (p *process) next() string {
	p.t.Helper()
	select {
	case line, ok := <-p.linec:
		if !ok {
			p.t.Fatalf("the output ended after %q", p.seen)
		}
		p.seen = append(p.seen, line)
		return line
	case <-time.After(patience):
		p.t.Fatalf("no more output after %q", p.seen)
	}
	return ""
}

// expect waits for exactly these lines.
func (p *process) expect(lines ...string) {
	p.t.Helper()
	for _, want := range lines {
		if got := p.next(); got != want {
			p.t.Fatalf("got line %q after %q, want %q", got, p.seen[:len(p.seen)-1], want)
		}
	}
}

// logs waits until stderr has text in it.
func (p *process) logs(text string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(p.err.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("stderr has no %q: %q", text, p.err.String())
		}
	}
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatalf("signal %s: %v", signalName(sig), err)
	}
}

// exit waits for the end and returns the lines that were still to come.
func (p *process) exit(code int) []string {
	p.t.Helper()
	watchdog := time.AfterFunc(patience, func() { killSession(p.cmd.Process.Pid) })
	defer watchdog.Stop()
	var rest []string
	for line := range p.linec {
		rest = append(rest, line)
	}
	err := p.cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		p.t.Fatal(err)
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("%q: %v, want exit status %d; output %q", p.cmd.Args, p.cmd.ProcessState, code, append(p.seen, rest...))
	}
	return rest
}
