package supervise

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// rotationOptions are those of helper:run that concern changes.
type rotationOptions struct {
	Rotation
	rotate      bool
	hook        string
	hookTimeout time.Duration
	next        string
}

func rotationFlags(flags *flag.FlagSet) *rotationOptions {
	o := &rotationOptions{}
	flags.BoolVar(&o.rotate, "rotate", false, "take changes from descriptor 3, see readChanges")
	flags.StringVar(&o.hook, "hook", "", "what the change 'exec' runs")
	flags.DurationVar(&o.hookTimeout, "hook-timeout", time.Minute, "")
	flags.StringVar(&o.next, "next", "", "the command of changes; empty: the same")
	flags.DurationVar(&o.Debounce, "debounce", 0, "")
	flags.DurationVar(&o.MinInterval, "min-interval", 0, "")
	flags.BoolVar(&o.OnFailure, "on-failure", false, "")
	flags.IntVar(&o.MaxFailures, "max-failures", 0, "")
	return o
}

// changes are those that the test orders through descriptor 3.
func (o *rotationOptions) changes(argv []string) <-chan Change {
	if !o.rotate {
		return nil
	}
	if o.next != "" {
		argv = strings.Fields(o.next)
	}
	changec := make(chan Change, 1)
	go o.readChanges(bufio.NewScanner(os.NewFile(3, "orders")), argv, changec)
	return changec
}

// readChanges reads one change a line: a reaction (none, restart, exit, exec,
// or the name of a signal). With "held " in front its Deliver says "delivering
// PID" and waits for another line, "go" or "fail". The
// command of each gets GENERATION in its environment, which is what helper:print
// puts in front of its lines.
func (o *rotationOptions) readChanges(orders *bufio.Scanner, argv []string, changec chan<- Change) {
	answerc := make(chan string)
	for generation := 1; orders.Scan(); {
		order, held := strings.CutPrefix(orders.Text(), "held ")
		switch order {
		case "go", "fail":
			answerc <- order
			continue
		case "ping": // what was ordered before is in the channel
			fmt.Println("pong")
			continue
		case "die":
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // a process may always signal itself
		}
		command := unchecked(argv)
		command.Env = append(command.Env, fmt.Sprintf("GENERATION=%d ", generation))
		change := Change{Command: command, Reason: "change " + fmt.Sprint(generation), HookTimeout: o.hookTimeout,
			Applied: func() { fmt.Println("applied") }}
		generation++
		switch order {
		case "none":
		case "restart":
			change.Reaction = ReactRestart
		case "exit":
			change.Reaction = ReactExit
		case "exec":
			change.Reaction = ReactExec
			change.Hook = unchecked(strings.Fields(o.hook))
		default:
			change.Reaction = ReactSignal
			change.Signal, _ = ParseSignal(order)
		}
		if held {
			change.Deliver = func() error {
				fmt.Println("delivering", os.Getpid())
				if <-answerc == "fail" {
					return errors.New("the disk is full")
				}
				return nil
			}
		}
		changec <- change
	}
}

// unchecked is a command that may not be there.
func unchecked(argv []string) Command {
	command := prepare(argv, false, false).Command
	if command.Path == "" {
		command.Path = argv[0]
	}
	command.Args, command.Env = argv, os.Environ()
	return command
}

// hold locks a file for this process and those that it gives it to; nil: there
// is none to lock.
func hold(path string) (*os.File, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return file, unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

// order sends a line to helper:run -rotate.
func (p *process) order(line string) {
	p.t.Helper()
	if _, err := p.hold.WriteString(line + "\n"); err != nil {
		p.t.Fatal(err)
	}
}

// delivering waits for a held delivery to begin and returns the pid of the
// supervisor.
func (p *process) delivering() int {
	p.t.Helper()
	var pid int
	if line := p.next(); len(line) > 0 {
		if _, err := fmt.Sscanf(line, "delivering %d", &pid); err != nil {
			p.t.Fatalf("got line %q, want delivering", line)
		}
	}
	return pid
}

// free waits until nobody holds the lock.
func free(t *testing.T, path string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		file, err := hold(path)
		if err == nil {
			_ = file.Close()
			return
		}
		_ = file.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			t.Fatalf("somebody still holds %s: %v", path, err)
		}
	}
}
