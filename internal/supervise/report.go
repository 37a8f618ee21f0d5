package supervise

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The init and its supervisor talk over two pipes. On the report pipe the
// supervisor writes messages of one fixed size, each in one write, which a
// pipe keeps whole (pipe(7), PIPE_BUF): stops and ready, for each child started and gone,
// for each hook, and exited. On the lifeline nothing is ever written; the supervisor sees its
// end when the init is gone.
//
// The supervisor knows its role and the descriptors from argv[0], not from an
// environment variable, which the child would inherit (coder/coder#2441), and
// not from fixed numbers, which an inherited descriptor may occupy.

// argvForm is argv[0] of a supervisor: its ends of the report pipe and of the
// lifeline.
const argvForm = argvPrefix + "%d:%d"

const argvPrefix = "vaultexec-supervisor:"

// reportKind is what a message says.
type reportKind byte

const (
	reportStops   reportKind = 't' // the signals of endsReading are caught
	reportReady   reportKind = 'r' // all signals are caught
	reportStarted reportKind = 's' // value: the child's pid, negative if it leads a group
	reportGone    reportKind = 'g' // that child is reaped and nothing is left of its group
	reportHook    reportKind = 'h' // value: the pid of the hook, which leads a group; 0: it is reaped
	reportExited  reportKind = 'x' // value: the exit status, and Outcome.Signal in the second byte
)

// report is one message.
type report struct {
	kind  reportKind
	value int32
}

// reportSize is the length of a message in bytes: the kind, then the value.
const reportSize = 5

func (r report) write(w io.Writer) error {
	buf := append(make([]byte, 0, reportSize), byte(r.kind))
	_, err := w.Write(binary.NativeEndian.AppendUint32(buf, uint32(r.value)))
	return err
}

func readReport(r io.Reader) (report, error) {
	var buf [reportSize]byte
	if _, err := io.ReadFull(r, buf[:]); err != nil {
		return report{}, err
	}
	return report{reportKind(buf[0]), int32(binary.NativeEndian.Uint32(buf[1:]))}, nil
}

// Link is a supervisor's connection to its init. A nil Link is that of a
// supervisor without one: it does nothing.
type Link struct {
	reports *os.File
	lostc   chan struct{}
}

// Attach returns the Link if argv0 says that an init started this process, and
// nil otherwise. Call it first of all: until it closed the pipes for what this
// process starts, a child could keep them open.
func Attach(argv0 string) *Link {
	if !strings.HasPrefix(argv0, argvPrefix) {
		return nil
	}
	var reports, lifeline int
	if n, err := fmt.Sscanf(argv0, argvForm, &reports, &lifeline); n != 2 || err != nil {
		return nil
	}
	unix.CloseOnExec(reports)
	unix.CloseOnExec(lifeline)
	if !isPipe(reports) || !isPipe(lifeline) {
		return nil // somebody else's idea of a program name
	}
	// Started through /proc/self/exe it would be called exe in ps and top.
	_ = os.WriteFile("/proc/self/comm", []byte("vaultexec"), 0) // best effort
	l := &Link{
		reports: os.NewFile(uintptr(reports), "report pipe"),
		lostc:   make(chan struct{}),
	}
	// Non-blocking, so that waiting for its end takes a goroutine and no thread.
	_ = unix.SetNonblock(lifeline, true) // if it fails, it takes a thread
	go watch(os.NewFile(uintptr(lifeline), "lifeline"), l.lostc)
	return l
}

// watch closes lostc when the other end of the lifeline is closed.
func watch(lifeline *os.File, lostc chan<- struct{}) {
	var none [1]byte
	_, err := lifeline.Read(none[:])
	for err == nil {
		_, err = lifeline.Read(none[:])
	}
	close(lostc)
}

// Exited reports the status to exit with and Outcome.Signal, as the last thing
// before exiting: the init then ends what is left of the container.
func (l *Link) Exited(code int, sig syscall.Signal) error {
	if l == nil {
		return nil
	}
	if err := (report{reportExited, int32(code) | int32(sig)<<8}).write(l.reports); err != nil && !errors.Is(err, unix.EPIPE) {
		return fmt.Errorf("report the exit status to the init process: %v", err)
	}
	return nil
}

// Stoppable reports once the supervisor can be stopped, which it has to be while
// it reads its settings already: that may take for ever.
func (l *Link) Stoppable(stops *Stops) {
	if l == nil {
		return
	}
	go func() {
		<-stops.Caught()
		_ = (report{reportStops, 0}).write(l.reports) // the lifeline tells if nobody listens
	}()
}

func (l *Link) ready() {
	if l != nil {
		_ = (report{reportReady, 0}).write(l.reports) // the lifeline tells if nobody listens
	}
}

func (l *Link) started(pid int, leadsGroup bool) {
	if l == nil {
		return
	}
	if leadsGroup {
		pid = -pid
	}
	_ = (report{reportStarted, int32(pid)}).write(l.reports) // the lifeline tells if nobody listens
}

func (l *Link) gone() {
	if l != nil {
		_ = (report{reportGone, 0}).write(l.reports) // the lifeline tells if nobody listens
	}
}

func (l *Link) hook(pid int) {
	if l != nil {
		_ = (report{reportHook, int32(pid)}).write(l.reports) // the lifeline tells if nobody listens
	}
}

// lost is closed when the init is gone; nil, which blocks for ever, without one.
func (l *Link) lost() <-chan struct{} {
	if l == nil {
		return nil
	}
	return l.lostc
}
