package supervise

import (
	"errors"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Descriptor is an open file that a command inherits, under a number that it
// can rely on.
type Descriptor struct {
	Number int // of FreeDescriptors, or that of a stream

	// Open makes the file, anew for each start, so that nothing stays open
	// for a command that is never started and no child finds the file at the
	// place to which another has read. Whoever starts the command closes it as
	// soon as the child has its copy. Its error is that of the start.
	Open func() (*os.File, error)
}

// firstDescriptor is the number of the first inherited file. It is higher than
// what systemd passes (sd_listen_fds(3), from 3 on) and what a shell script can
// name (0 to 9), and lower than any usual limit (RLIMIT_NOFILE, 1024 or 256).
const firstDescriptor = 100

// FreeDescriptors returns the first of n numbers in a row that no descriptor
// has which this process was given for its command. It has to be called before
// anybody but this package makes descriptors that are inherited.
func FreeDescriptors(n int) int {
	first := firstDescriptor
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil && limit.Cur < uint64(first+reach(n)) {
		first = max(int(limit.Cur)-reach(n), 3)
	}
	for free, number := 0, first; free < reach(n); number++ {
		if free++; isInherited(number) {
			free, first = 0, number+1
		}
	}
	return first
}

// reach is how many free numbers n files take. Until the child runs,
// syscall.StartProcess needs up to n+2 more behind the n: for what would be
// overwritten, and for the pipe on which it hears of a failure.
func reach(n int) int { return 2*n + 2 }

// isInherited reports whether a descriptor is open and passed on to children.
// What the Go runtime and its libraries open is not.
func isInherited(number int) bool {
	flags, err := unix.FcntlInt(uintptr(number), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC == 0
}

// startProcess starts a command with these three files and its own.
func startProcess(command Command, sys *syscall.SysProcAttr, stdin, stdout, stderr *os.File) (*os.Process, error) {
	command.As.Apply(sys)
	var process *os.Process
	start := func() (err error) {
		process, err = launch(command, sys, stdin, stdout, stderr)
		return err
	}
	var err error
	if command.NoNewPrivs {
		err = WithoutNewPrivs(start)
	} else {
		err = start()
	}
	return process, err
}

func launch(command Command, sys *syscall.SysProcAttr, stdin, stdout, stderr *os.File) (*os.Process, error) {
	if len(command.Inherit)+len(command.Streams) == 0 {
		return os.StartProcess(command.Path, command.Args, &os.ProcAttr{
			Env:   command.Env,
			Files: []*os.File{stdin, stdout, stderr},
			Sys:   sys,
		})
	}
	descriptors := slices.Concat(command.Streams, command.Inherit)
	files, err := openAll(descriptors)
	defer closeAll(files) // the child has its copies
	if err != nil {
		return nil, err
	}
	// Each number up to the last is what it is here, if it is inherited, or
	// closed. Not os.StartProcess: what it takes are files of the os package,
	// which would be closed by the garbage collector.
	numbers := []uintptr{stdin.Fd(), stdout.Fd(), stderr.Fd()}
	for i, d := range descriptors {
		for len(numbers) <= d.Number {
			number := ^uintptr(0)
			if isInherited(len(numbers)) {
				number = uintptr(len(numbers))
			}
			numbers = append(numbers, number)
		}
		numbers[d.Number] = files[i].Fd()
	}
	pid, _, err := syscall.StartProcess(command.Path, command.Args, &syscall.ProcAttr{Env: command.Env, Files: numbers, Sys: sys})
	if err != nil {
		return nil, err
	}
	// The number is the child's until it is reaped, which only we do.
	return os.FindProcess(pid)
}

// openAll opens the files of descriptors. Also on an error, what it returns is
// the caller's to close.
func openAll(descriptors []Descriptor) ([]*os.File, error) {
	files := make([]*os.File, 0, len(descriptors))
	for _, d := range descriptors {
		file, err := d.Open()
		if err != nil {
			return files, &inheritError{err}
		}
		files = append(files, file)
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // nothing was written through it
	}
}

// become replaces this process with the command; it returns only if that failed.
func become(command Command) error {
	for _, d := range command.Streams {
		restore, err := keep(d.Number)
		if err != nil {
			return startFailure(command, err)
		}
		defer restore() // there is something to be said, if it was not the command
	}
	for _, d := range slices.Concat(command.Inherit, command.Streams) {
		file, err := d.Open()
		if err != nil {
			return err
		}
		defer file.Close() // it was not passed on
		if int(file.Fd()) == d.Number {
			_, err = unix.FcntlInt(file.Fd(), unix.F_SETFD, 0)
		} else {
			err = duplicate(int(file.Fd()), d.Number)
		}
		if err != nil {
			return startFailure(command, err)
		}
	}
	exec := func() error {
		if command.NoNewPrivs {
			if err := dropNewPrivs(); err != nil {
				return err
			}
		}
		if err := command.As.take(); err != nil {
			return err
		}
		return unix.Exec(command.Path, command.Args, command.Env)
	}
	if command.NoNewPrivs || command.As != nil {
		// If it fails, files are still to be removed and a report to be written,
		// by who we are.
		return startFailure(command, apart(exec))
	}
	return startFailure(command, exec())
}

// keep keeps a stream of ours, whose number the command's gets, until restore.
func keep(number int) (restore func(), err error) {
	ours, err := unix.FcntlInt(uintptr(number), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	return func() {
		_ = duplicate(ours, number) // there is nothing left to say it on
		_ = unix.Close(ours)
	}, nil
}

// inheritError tells a file that could not be made from a command that could
// not be started.
type inheritError struct{ err error }

func (e *inheritError) Error() string { return e.err.Error() }

// startFailure is the error of a start for the user.
func startFailure(command Command, err error) error {
	if inherit, ok := errors.AsType[*inheritError](err); ok {
		return inherit.err
	}
	failure := newStartError(command.Path, err)
	failure.as = command.As
	return failure
}
