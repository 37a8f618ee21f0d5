package integration

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// What a child does in a container and in a scratch root, where there is no
// shell and no other program than this one.
var containerVerbs = map[string]func(args []string) int{
	"signal-self": childSignalSelf,
	"serve":       childServe,
	"serve-size":  childServeSize,
	"echo":        childEcho,
	"eat":         childEat,
	"orphans":     childOrphans,
	"leave":       childLeave,
	"kill-parent": childKillParent,
	"copy":        childCopy,
}

func init() { maps.Copy(childVerbs, containerVerbs) }

// childSignalSelf ends by the signal whose number it is given, with the
// kernel's own action for it: Go's runtime would make a panic of some.
func childSignalSelf(args []string) int {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return 99
	}
	// All zeros is SIG_DFL; 4 words are enough for struct sigaction of the
	// kernel (rt_sigaction(2)), whose mask has 8 bytes.
	var dfl [4]uint64
	if sig := syscall.Signal(n); sig != syscall.SIGKILL {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(n), uintptr(unsafe.Pointer(&dfl)), 0, 8, 0, 0)
		if errno != 0 {
			return 99
		}
	}
	if err := syscall.Kill(os.Getpid(), syscall.Signal(n)); err != nil {
		return 99
	}
	time.Sleep(waitLimit) // it has one thread or another that takes the signal
	return 98
}

// childServe prints ready and each signal that it gets, and at TERM says that
// it is stopping and exits with the status it is given; without one it goes on.
func childServe(args []string) int {
	status := -1
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return 99
		}
		status = n
	}
	return serve(status, func() {})
}

// childServeSize does the same and prints the terminal's size, first and
// whenever it changes.
func childServeSize([]string) int { return serve(0, printSize) }

func serve(status int, resized func()) int {
	sigc := make(chan os.Signal, 64)
	signal.Notify(sigc)
	fmt.Println("ready")
	resized()
	limit := time.NewTimer(waitLimit)
	for {
		select {
		case sig := <-sigc:
			if sig == syscall.SIGURG || sig == syscall.SIGCHLD { // Go's own, and its children's
				continue
			}
			fmt.Println("got", sig)
			if sig == syscall.SIGWINCH {
				resized()
			}
			if sig == syscall.SIGTERM && status >= 0 {
				fmt.Println("stopping")
				return status
			}
		case <-limit.C:
			return 98
		}
	}
}

// printSize prints the size of the terminal on standard output.
func printSize() {
	size, err := terminalSize(os.Stdout)
	if err != nil {
		fmt.Println("no terminal")
		return
	}
	fmt.Printf("size %dx%d\n", size.rows, size.columns)
}

// childEcho gives standard input back, and tells what it is.
func childEcho([]string) int {
	_, err := terminalSize(os.Stdin)
	fmt.Println("terminal:", err == nil)
	if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
		return 1
	}
	return 0
}

// childEat takes memory until the kernel has enough of it.
func childEat([]string) int {
	const mebibyte = 1 << 20
	var kept [][]byte
	for range 4096 {
		block := make([]byte, mebibyte)
		for i := 0; i < len(block); i += os.Getpagesize() {
			block[i] = 1
		}
		kept = append(kept, block)
	}
	runtime.KeepAlive(kept)
	return 98
}

// childOrphans has a child that has children and ends, as often as it is told,
// and exits with 0 once no process but vaultexec's and itself is left.
func childOrphans(args []string) int {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return 99
	}
	self, err := os.Executable()
	if err != nil {
		return 99
	}
	for i := range n {
		if err := again(self, fmt.Sprintf("/report/%d.json", i), "leave", "10").Run(); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			return 99
		}
	}
	limit := time.Now().Add(waitLimit)
	for time.Now().Before(limit) {
		others := otherProcesses()
		if len(others) == 0 {
			return 0
		}
		time.Sleep(10 * time.Millisecond) // a zombie that goes announces itself to its parent only
	}
	fmt.Println("left over:", strings.Join(otherProcesses(), ", "))
	return 1
}

// again is this program once more, with its own streams: there may be no
// /dev/null to give it.
func again(self, report string, verb ...string) *exec.Cmd {
	cmd := exec.Command(self, append([]string{childWord, report}, verb...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
}

// childLeave starts as many processes as it is told, which end soon, and does
// not wait for them.
func childLeave(args []string) int {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return 99
	}
	self, err := os.Executable()
	if err != nil {
		return 99
	}
	for i := range n {
		if err := again(self, fmt.Sprintf("/report/%d-%d.json", os.Getpid(), i), "exit", "3").Start(); err != nil {
			return 99
		}
	}
	return 0
}

// otherProcesses are those in /proc that are neither this one nor above it,
// zombies among them: "PID STATE".
func otherProcesses() []string {
	above := map[int]bool{}
	for pid := os.Getpid(); pid > 0; {
		above[pid] = true
		_, pid, _ = processStat(pid)
	}
	var out []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if state, _, err := processStat(pid); err == nil && !above[pid] {
			out = append(out, fmt.Sprint(pid, " ", state))
		}
	}
	return out
}

// processStat reads a process's state and parent from /proc/PID/stat
// (proc_pid_stat(5)).
func processStat(pid int) (state string, parent int, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0, err
	}
	// The name may have anything in it; it ends with the last parenthesis.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 2 {
		return "", 0, errors.New("short stat")
	}
	parent, err = strconv.Atoi(fields[1])
	return fields[0], parent, err
}

// childKillParent kills the supervisor and then serves: TERM must still come,
// and leave time to stop.
func childKillParent([]string) int {
	sigc := make(chan os.Signal, 1)
	signal.Notify(sigc, syscall.SIGTERM)
	if err := syscall.Kill(os.Getppid(), syscall.SIGKILL); err != nil {
		fmt.Println("kill:", err)
		return 99
	}
	select {
	case <-sigc:
		fmt.Println("got terminated")
	case <-time.After(waitLimit):
		return 98
	}
	// Longer than the kernel would leave it if PID 1 had ended.
	time.Sleep(200 * time.Millisecond)
	fmt.Println("stopped in peace")
	return 0
}

// childCopy copies files to /report, one after the other: copy FILE NAME... A
// file that matches no name, and one that cannot be read, is left out.
func childCopy(args []string) int {
	for ; len(args) >= 2; args = args[2:] {
		out, err := os.Create(filepath.Join("/report", args[1]))
		if err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			return 1
		}
		files, _ := filepath.Glob(args[0])
		for _, file := range files {
			if text, err := os.ReadFile(file); err == nil {
				_, _ = out.Write(text)
			}
		}
		if err := out.Close(); err != nil {
			return 1
		}
	}
	return 0
}
