package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// childWord as the first argument makes this binary the command that
// vaultexec runs: child REPORT VERB [ARG...].
const childWord = "child"

// childReport is what a child was given, as it saw it.
type childReport struct {
	Args    []string
	Env     []string // as inherited, in order
	Dir     string
	UID     int
	Pid     int
	Parent  int
	Group   int
	Session int
	FDs     []int // open, apart from 0 to 2
}

// lookup gives the value of a variable, the last one as most programs do.
func (r *childReport) lookup(name string) (string, bool) {
	for _, kv := range slices.Backward(r.Env) {
		if n, v, _ := strings.Cut(kv, "="); n == name {
			return v, true
		}
	}
	return "", false
}

// childVerbs are what a child can do after it has reported: verb -> what it
// does with its arguments, and the exit status.
var childVerbs = map[string]func(args []string) int{
	"report": func([]string) int { return 0 },
	"exit":   childExit,
	"die":    childDie,
	"wait":   childWait,
	"cat":    childCat,
}

func beChild(report, verb string, args []string) int {
	sigc := make(chan os.Signal, 64)
	if verb == "wait" {
		signal.Notify(sigc) // before anybody can know that we run
		childSignals = sigc
	}
	do, ok := childVerbs[verb]
	if !ok {
		fmt.Fprintf(os.Stderr, "child: unknown verb %q\n", verb)
		return 99
	}
	if err := writeReport(report); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 99
	}
	return do(args)
}

func writeReport(file string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	session, _, errno := syscall.Syscall(syscall.SYS_GETSID, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	text, err := json.Marshal(childReport{
		Args: os.Args, Env: os.Environ(), Dir: dir, UID: os.Getuid(),
		Pid: os.Getpid(), Parent: os.Getppid(), Group: syscall.Getpgrp(), Session: int(session),
		FDs: openFDs(),
	})
	if err != nil {
		return err
	}
	// Whoever waits for the file finds it whole.
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// openFDs are the inherited descriptors from 3 up: Go opens its own with
// close-on-exec, so those without it came from the parent.
func openFDs() []int {
	links, _ := filepath.Glob("/proc/self/fd/*")
	var out []int
	for _, link := range links {
		fd, err := strconv.Atoi(filepath.Base(link))
		if err != nil || fd < 3 {
			continue
		}
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		if errno == 0 && flags&syscall.FD_CLOEXEC == 0 {
			out = append(out, fd)
		}
	}
	return out
}

// childExit ends with the status it is given.
func childExit(args []string) int {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return 99
	}
	return n
}

// childDie ends by the signal whose number it is given.
func childDie(args []string) int {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return 99
	}
	// Go's runtime makes a panic of SEGV and the like; a shell just dies.
	err = syscall.Exec("/bin/sh", []string{"sh", "-c", fmt.Sprintf("kill -%d $$", n)}, nil)
	fmt.Fprintln(os.Stderr, "child:", err)
	return 99
}

var childSignals chan os.Signal

// childWait prints ready, and then "got SIGNAL" for each signal, until TERM or
// INT, for which it exits with 0. It does not outlive a test that forgot it.
func childWait([]string) int {
	fmt.Println("ready")
	limit := time.NewTimer(waitLimit)
	for {
		select {
		case sig := <-childSignals:
			if sig == syscall.SIGURG { // Go's own, to preempt goroutines
				continue
			}
			fmt.Println("got", sig)
			if sig == syscall.SIGTERM || sig == syscall.SIGINT {
				return 0
			}
		case <-limit.C:
			return 98
		}
	}
}

// childCat keeps a copy of a file for the test: cat FILE COPY.
func childCat(args []string) int {
	text, err := os.ReadFile(args[0])
	if err == nil {
		err = os.WriteFile(args[1], text, 0o600)
	}
	if err == nil {
		st, _ := os.Stat(args[0])
		err = os.Chmod(args[1], st.Mode().Perm())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}
