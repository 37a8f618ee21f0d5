package supervise

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	reap "github.com/hashicorp/go-reap"
	"golang.org/x/sys/unix"
)

const (
	// reapKick is when the first reaping is asked for. go-reap makes no pass
	// of its own and registers for SIGCHLD in its goroutine, so what ended
	// before that would stay a zombie until somebody else ends.
	reapKick = 100 * time.Millisecond

	// reapAgain is when it is asked for again, and again after that, in case
	// one came too early or was lost. It is the init's only wake-up.
	reapAgain = time.Minute

	// leaveTimeout is how long a supervisor that has reported may take to
	// exit.
	leaveTimeout = 5 * time.Second
)

// Init is the init role: it starts program once more as the supervisor, in a
// process of its own, and gives back what that reports as its exit status. It
// adopts and reaps orphans with go-reap and therefore waits for no process,
// knows no secret and makes no connection. Signals are forwarded to the
// supervisor. If the supervisor dies without a report, the command still gets
// the stop signal and its time, and the status is 128+n if the kernel tells
// which signal n ended the supervisor, else 137.
//
// As PID 1 it adopts by nature, and all that is left when it returns will be
// killed by the kernel; otherwise it makes itself a child subreaper. Of options
// StopSignal, StopTimeout, Rewrite (which signals to catch) and Log are used.
func Init(stops *Stops, options Options, program Program) Outcome {
	in := &initRole{
		options: options.withDefaults(),
		sigc:    stops.sigc,
		stopc:   make(chan os.Signal, 1),
		reports: make(chan report),
		pid1:    os.Getpid() == 1,
	}
	in.log = in.options.Log
	facts := lookAtTerminal()
	if in.mode = facts.mode(); in.mode == foreground {
		in.mode = shared // init, supervisor and command are one job of the shell's
	}
	// What asks to stop is not lost, even if the supervisor should be ready before
	// we have caught the others.
	if sig := in.options.StopSignal; !slices.Contains(stopSignals, sig) && uncatchable[sig] == "" && runtimeReserved(sig) == "" && !isIgnored(sig) {
		catch(in.sigc, []syscall.Signal{sig})
	}
	caughtc := make(chan struct{})
	go func() { // beside the start of the supervisor, which takes longer
		defer close(caughtc)
		<-stops.caughtc
		first, later := toCatch(in.mode, options)
		catch(in.sigc, append(first, later...))
		discardPipe()
		if in.mode == shared {
			signal.Notify(in.stopc, syscall.SIGCHLD)
		}
	}()
	if !in.pid1 {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			in.log.Warn("orphans cannot be adopted", "error", err)
		}
	}
	if in.mode == session {
		<-caughtc // giving up the terminal sends us two of them
	}
	err := in.startSupervisor(program, facts.descriptor)
	<-caughtc
	if err != nil {
		return failed(fmt.Errorf("start the supervisor process: %w", err))
	}
	if err := ScrubEnviron(program.Secret); err != nil {
		in.log.Debug("the initial environment could not be overwritten", "error", err)
	}
	if err := HideMemory(); err != nil {
		in.log.Debug("a crash would leave a core dump", "error", err)
	}
	if in.pid1 {
		// Keep no mount busy. It cannot fail for a root directory.
		_ = os.Chdir("/")
	}
	// No pid channel, error channel or lock: each of them can block the reaper.
	go reap.ReapChildren(nil, nil, nil, nil)
	return in.run()
}

// initRole is the state of an init. Its loop owns all of it.
type initRole struct {
	options Options
	log     *slog.Logger
	mode    terminalMode
	pid1    bool

	sigc     chan os.Signal
	stopc    chan os.Signal // SIGCHLD in a shared group: the supervisor may have stopped
	reports  chan report    // closed when the supervisor is gone
	lifeline *os.File       // only held: its end is our end

	supervisor *os.Process
	stoppable  bool             // the supervisor has caught those of endsReading
	ready      bool             // and all others
	held       []syscall.Signal // what came before that
	target     int              // the command's pid, negative if it leads a group; 0: there is none
	hook       int              // the pid of the hook, which leads a group; 0: none runs
	outcome    *Outcome         // what the supervisor reported; nil: nothing yet
}

// startSupervisor starts program with its ends of the two pipes.
func (in *initRole) startSupervisor(program Program, tty int) error {
	reportsIn, reportsOut, err := pipe()
	if err != nil {
		return err
	}
	defer unix.Close(reportsOut) // ours only until the start
	lifelineIn, lifelineOut, err := pipe()
	if err != nil {
		return err
	}
	defer unix.Close(lifelineIn) // ours only until the start
	// The supervisor's ends keep their numbers, so that no descriptor that was
	// passed to us is displaced. Nothing else is started before they are closed.
	for _, fd := range []int{reportsOut, lifelineIn} {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return err
		}
	}
	_ = unix.SetNonblock(reportsIn, true) // else reading takes a thread
	in.lifeline = os.NewFile(uintptr(lifelineOut), "lifeline")
	argv := append([]string{fmt.Sprintf(argvForm, reportsOut, lifelineIn)}, program.Args[1:]...)
	if in.supervisor, err = startSelf(program, argv, in.placement(tty)); err != nil {
		return err
	}
	go receive(os.NewFile(uintptr(reportsIn), "report pipe"), in.reports)
	return nil
}

// placement puts the supervisor where it finds the terminal as we found it: in
// a session of its own with the terminal, so that Ctrl-C reaches it during the
// preparation; in our group; or without a terminal in a group of its own, so
// that a signal to our group arrives once.
func (in *initRole) placement(tty int) *syscall.SysProcAttr {
	switch in.mode {
	case noTerminal:
		return &syscall.SysProcAttr{Setpgid: true}
	case session:
		if err := giveUpTerminal(tty, in.sigc); err != nil {
			in.log.Warn("the terminal cannot be handed to the supervisor", "error", err)
			return nil
		}
		return &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: tty}
	}
	return nil
}

// startSelf starts this very program. /proc/self/exe is right even if the file
// was replaced or deleted; a root without /proc leaves the name it was called by.
func startSelf(program Program, argv []string, sys *syscall.SysProcAttr) (*os.Process, error) {
	attr := &os.ProcAttr{
		Env:   program.Env,
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   sys,
	}
	process, err := os.StartProcess("/proc/self/exe", argv, attr)
	if err == nil {
		return process, nil
	}
	path, lookErr := LookPath(program.Args[0], program.Env)
	if lookErr != nil {
		return nil, err
	}
	if path, lookErr = filepath.Abs(path); lookErr != nil {
		return nil, err
	}
	return os.StartProcess(path, argv, attr)
}

// pipe returns the read and the write end of a pipe, both close-on-exec.
func pipe() (int, int, error) {
	var fds [2]int
	err := unix.Pipe2(fds[:], unix.O_CLOEXEC)
	return fds[0], fds[1], err
}

// receive passes the supervisor's messages on and closes c at their end.
func receive(pipe *os.File, c chan<- report) {
	defer close(c)
	for {
		r, err := readReport(pipe)
		if err != nil {
			return
		}
		c <- r // the loop receives until we close
	}
}

// run forwards signals until the supervisor is gone, sees to what it left, and
// returns how to exit.
func (in *initRole) run() Outcome {
	kick := time.NewTimer(reapKick)
	defer kick.Stop()
	var leavec, followc <-chan time.Time
	var stop syscall.Signal // what stopped the supervisor but maybe not us
	for {
		select {
		case sig := <-in.sigc:
			in.forward(sig.(syscall.Signal))
		case <-in.stopc:
			// As the supervisor follows the command, see followDelay; the shell
			// looks at us alone.
			if sig := takeStop(in.supervisor.Pid); asksForTerminal(sig) && unix.Getpgrp() == os.Getpid() {
				stop, followc = sig, time.After(followDelay)
			}
		case <-followc:
			followc = nil
			in.followSupervisor(stop)
		case <-kick.C:
			_ = unix.Kill(os.Getpid(), unix.SIGCHLD) // a process may always signal itself
			kick.Reset(reapAgain)
		case <-leavec:
			return in.supervisorEnded()
		case r, ok := <-in.reports:
			if !ok {
				return in.supervisorEnded()
			}
			in.reported(r)
			if r.kind == reportExited {
				leavec = time.After(leaveTimeout)
			}
		}
	}
}

// followSupervisor stops the init if the supervisor still is.
func (in *initRole) followSupervisor(sig syscall.Signal) {
	if !isStopped(in.supervisor.Pid) {
		return
	}
	if err := stopSelf(sig); err != nil {
		in.log.Warn("the init cannot stop as the supervisor did", "error", err)
	}
}

func (in *initRole) reported(r report) {
	switch r.kind {
	case reportStops:
		in.stoppable = true
		in.forwardHeld()
	case reportReady:
		in.ready = true
		in.forwardHeld()
	case reportStarted:
		in.target = int(r.value)
	case reportGone:
		in.target = 0
	case reportHook:
		in.hook = int(r.value)
	case reportExited:
		in.outcome = &Outcome{Code: int(r.value & 0xff), Signal: syscall.Signal(r.value >> 8)}
	}
}

// forward passes a signal on to the supervisor, through its pidfd where the
// kernel has them. Without one the number could be reused once go-reap reaped
// the supervisor; the end of the report pipe comes before that and stops us.
func (in *initRole) forward(sig syscall.Signal) {
	if in.mode == shared && fromTerminal(sig) {
		return // the supervisor is in our group and got it from the terminal
	}
	if !in.ready && !(in.stoppable && slices.Contains(endsReading, sig)) {
		in.held = append(in.held, sig)
		return
	}
	if err := in.supervisor.Signal(sig); err != nil {
		in.log.Debug("a signal could not be forwarded", "signal", signalName(sig), "error", err)
	}
}

// forwardHeld passes on what the supervisor takes by now.
func (in *initRole) forwardHeld() {
	held := in.held
	in.held = nil
	for _, sig := range held {
		in.forward(sig)
	}
}

// supervisorEnded sees to what is left and returns how to exit.
func (in *initRole) supervisorEnded() Outcome {
	if in.outcome != nil {
		if in.pid1 {
			in.sweep(-1, -1, syscall.SIGTERM, drainTimeout)
		}
		return *in.outcome
	}
	in.log.Warn("the supervising process died without a report, stopping the command",
		"signal", signalName(in.options.StopSignal), "timeout", in.options.StopTimeout)
	in.stopCommand()
	return failed(&LostError{code: in.lostStatus()})
}

// stopCommand does to the command and its hook what the supervisor would have
// done, and as PID 1 to all that is left.
func (in *initRole) stopCommand() {
	if in.hook != 0 {
		// Its number is still its own, for the reason that sweep has.
		_ = unix.Kill(-in.hook, unix.SIGKILL) // it may just have ended
	}
	left := false
	if in.target != 0 {
		leader := max(in.target, -in.target)
		left = in.sweep(in.target, leader, in.options.StopSignal, in.options.StopTimeout)
	}
	switch {
	case in.pid1:
		in.sweep(-1, -1, syscall.SIGTERM, drainTimeout)
	case left:
		in.sweep(in.target, in.target, syscall.SIGTERM, drainTimeout)
	}
}
