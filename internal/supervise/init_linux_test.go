package supervise

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	helpers["container"] = helperContainer
	helpers["zombies"] = helperZombies
	helpers["orphans"] = helperOrphans
}

// helperContainer is PID 1 of a fresh namespace: it mounts /proc, leaves
// $ZOMBIES zombies and becomes its arguments.
func helperContainer(args []string) int {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		fmt.Println("make mounts private:", err)
		return 1
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		fmt.Println("mount /proc:", err)
		return 1
	}
	zombies, _ := strconv.Atoi(os.Getenv("ZOMBIES"))
	for range zombies {
		if err := exec.Command("true").Start(); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	fmt.Println("exec:", unix.Exec(args[0], args, os.Environ()))
	return 1
}

// helperZombies waits until there is no zombie in this namespace.
func helperZombies([]string) int {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			fmt.Println(err)
			return 1
		}
		zombies := 0
		for _, entry := range entries {
			if stat, err := os.ReadFile("/proc/" + entry.Name() + "/stat"); err == nil {
				if state, _, _ := parseStat(stat); state == "Z" {
					zombies++
				}
			}
		}
		if zombies == 0 {
			fmt.Println("no zombies")
			return 0
		}
	}
	return 1
}

// helperOrphans leaves orphans that end at the moment when it does:
// helper:orphans COUNT STATUS.
func helperOrphans(args []string) int {
	count, _ := strconv.Atoi(args[0])
	code, _ := strconv.Atoi(args[1])
	// Everybody ends when the pipe is closed, which our end does.
	r, w, err := os.Pipe()
	if err != nil {
		return 1
	}
	for range count {
		cmd := exec.Command("sh", "-c", "(read x <&3; exit 1) & (read x <&3; exit 2) & exit 0")
		cmd.ExtraFiles = []*os.File{r}
		if err := cmd.Run(); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	_ = w.Close()
	return code
}

// inNamespace makes the process PID 1 of namespaces of its own.
func inNamespace(cmd *exec.Cmd) {
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWPID | unix.CLONE_NEWNS
}

// container is start as PID 1 of a namespace with its own /proc.
func container(t *testing.T, argv []string, change ...func(*exec.Cmd)) *process {
	t.Helper()
	return start(t, append(helper("container"), argv...), append(change, inNamespace)...)
}

// needNamespace skips with the reason where no pid namespace can be made.
func needNamespace(t *testing.T) {
	t.Helper()
	cmd := exec.Command("true")
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	inNamespace(cmd)
	if err := cmd.Run(); err != nil {
		untestable(t, "a pid namespace needs privileges: %v", err)
	}
}

func TestP6StatusAsPID1(t *testing.T) {
	needNamespace(t)
	for code := 0; code < 256; code += 15 {
		container(t, run("-mode init", "sh", "-c", "exit "+strconv.Itoa(code))).exit(code)
	}
	for _, sig := range []int{1, 2, 3, 6, 9, 11, 13, 15} {
		container(t, run("-mode init", "sh", "-c", fmt.Sprintf("ulimit -c 0; kill -%d $$", sig))).exit(128 + sig)
	}
}

// The reaper steals no status, whoever ends at the same moment.
func TestP6NoStatusLost(t *testing.T) {
	needNamespace(t)
	runs := 300
	if testing.Short() {
		runs = 30
	}
	for i := range runs {
		code := i % 256
		container(t, run("-mode init", helper("orphans", strconv.Itoa(i%4), strconv.Itoa(code))...)).exit(code)
		if t.Failed() {
			t.Fatalf("after %d runs", i+1)
		}
	}
}

func TestP6NoZombies(t *testing.T) {
	needNamespace(t)
	script := fmt.Sprintf(`i=0; while [ $i -lt 100 ]; do (sleep 0.01 & (true &) ); i=$((i+1)); done; exec %s helper:zombies`, os.Args[0])
	p := container(t, run("-mode init", "sh", "-c", script))
	p.expect("no zombies")
	p.exit(0)
}

// What ended before the reaper listened is reaped too: there is no SIGCHLD
// left that could tell it.
func TestP6NoZombiesFromBefore(t *testing.T) {
	needNamespace(t)
	p := container(t, run("-mode init", helper("zombies")...), func(cmd *exec.Cmd) {
		cmd.Env = append(os.Environ(), "ZOMBIES=3")
	})
	p.expect("no zombies")
	p.exit(0)
}

// A namespace that shows somebody else's /proc must not confuse the search
// for leftovers.
func TestForeignProc(t *testing.T) {
	needNamespace(t)
	p := start(t, run("", helper("print", "-leave", "TERM", "-linger", "300ms", "-code", "3")...), inNamespace)
	p.expect("left ready", "left TERM", "left done")
	p.exit(3)
}

// P6 the death of the supervisor still ends with the stop signal and grace.
func TestP6SupervisorKilled(t *testing.T) {
	needNamespace(t)
	for name, begin := range map[string]func(*testing.T, []string, ...func(*exec.Cmd)) *process{
		"subreaper": start, "PID 1": container,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The shell kills its parent as soon as we let it.
			script := `trap '%s' TERM; read x <&3; kill -KILL $PPID; while :; do sleep 0.05; done`
			p := begin(t, run("-v -mode init", "sh", "-c", fmt.Sprintf(script, "sleep 0.3; echo clean; exit 5")))
			p.logs("command started")
			_ = p.hold.Close()
			p.expect("clean")
			p.exit(137)
			p.logs("died without a report")

			// A deaf command gets KILL at the end of the stop timeout, and a
			// second TERM is passed on.
			p = begin(t, run("-v -mode init -stop-timeout 2s", "sh", "-c", fmt.Sprintf(script, "echo TERM")))
			p.logs("command started")
			_ = p.hold.Close()
			p.expect("TERM")
			p.signal(syscall.SIGTERM)
			p.expect("TERM")
			p.exit(137)
			p.logs("sent KILL")
		})
	}
}

// The death of an init that is not PID 1 stops the command.
func TestP6InitKilled(t *testing.T) {
	p := start(t, run("-mode init", helper("print")...))
	p.expect("ready")
	p.signal(syscall.SIGKILL)
	p.expect("TERM")
	p.exit(-1)
}

// Signals wait until the supervisor can take them; before that they would end
// it.
func TestInitHoldsSignalsUntilReady(t *testing.T) {
	p := start(t, helper("print"))
	p.expect("ready")
	in := &initRole{log: slog.New(slog.DiscardHandler), supervisor: p.cmd.Process}
	in.forward(syscall.SIGUSR1)
	in.forward(syscall.SIGTERM)
	if len(in.held) != 2 {
		t.Errorf("held %v, want USR1 and TERM", in.held)
	}
	in.reported(report{kind: reportReady})
	in.forward(syscall.SIGHUP)
	if p.exit(0); in.held != nil {
		t.Errorf("still held: %v", in.held)
	}
}

// A stop does not wait until the settings are read; other signals do.
func TestInitPassesStopsOnBeforeReady(t *testing.T) {
	p := start(t, helper("print"))
	p.expect("ready")
	in := &initRole{log: slog.New(slog.DiscardHandler), supervisor: p.cmd.Process}
	in.forward(syscall.SIGINT)
	in.forward(syscall.SIGHUP)
	in.forward(syscall.SIGUSR1)
	in.reported(report{kind: reportStops})
	p.expect("INT")
	if want := []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1}; !slices.Equal(in.held, want) {
		t.Errorf("held %v, want %v", in.held, want)
	}
	in.forward(syscall.SIGTERM)
	p.expect("TERM")
	p.exit(0)
}

// The kernel tells how a process ended that somebody else reaped.
func TestExitedStatus(t *testing.T) {
	cmd := exec.Command("sh", "-c", "ulimit -c 0; kill -SEGV $$")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := exitedStatus(cmd.Process); err == nil {
		t.Error("a status before the end")
	}
	if _, err := unix.Wait4(cmd.Process.Pid, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	status, err := exitedStatus(cmd.Process)
	if kernelBefore(t, 6, 15) {
		t.Skipf("NOT TESTED: PIDFD_GET_INFO tells no exit status before Linux 6.15: %v", err)
	}
	if err != nil || !status.Signaled() || status.Signal() != syscall.SIGSEGV {
		t.Errorf("status %x, %v, want an end by SEGV", status, err)
	}
	_ = cmd.Process.Release()
}

func kernelBefore(t *testing.T, major, minor int) bool {
	t.Helper()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	var isMajor, isMinor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &isMajor, &isMinor); err != nil {
		t.Fatal(err)
	}
	return isMajor < major || isMajor == major && isMinor < minor
}

// The command gets the descriptors that we got, and none of ours.
func TestDescriptorsReachTheChild(t *testing.T) {
	list := []string{"sh", "-c", `for f in /proc/$$/fd/*; do echo ${f##*/}; done`}
	want := start(t, list).exit(0)
	for _, mode := range []string{"supervise", "exec", "init"} {
		if got := start(t, run("-mode "+mode, list...)).exit(0); !slices.Equal(got, want) {
			t.Errorf("%s: descriptors %q, want %q", mode, got, want)
		}
	}
}

// What left its group and session still gets TERM before PID 1 goes.
func TestP6NamespaceIsSwept(t *testing.T) {
	needNamespace(t)
	for _, until := range []string{"TERM", "none"} { // "none" gets KILL five seconds later
		t.Run(until, func(t *testing.T) {
			t.Parallel()
			p := container(t, run("-mode init", helper("print", "-leave", until, "-far", "-code", "6")...))
			p.expect("left ready", "left TERM")
			p.exit(6)
		})
	}
}

func TestScrubEnviron(t *testing.T) {
	const canary = "s.canary-in-environ"
	p := start(t, helper("scrub"), func(cmd *exec.Cmd) {
		cmd.Env = append(os.Environ(), "VAULT_TOKEN="+canary, "EMPTY=", "KEPT=kept", "MULTI="+canary+"\n="+canary)
	})
	if out := strings.Join(p.exit(0), "\n"); out != "kept" {
		t.Errorf("got %q", out)
	}
}

func init() { helpers["scrub"] = helperScrub }

// helperScrub scrubs VAULT_TOKEN and MULTI and prints what gives them away.
func helperScrub([]string) int {
	if err := ScrubEnviron(func(name string) bool { return name == "VAULT_TOKEN" || name == "MULTI" || name == "EMPTY" }); err != nil {
		fmt.Println(err)
	}
	environ, err := os.ReadFile("/proc/self/environ")
	if err != nil || !strings.Contains(string(environ), "VAULT_TOKEN=\x00") || !strings.Contains(string(environ), "\x00KEPT=kept\x00") {
		fmt.Printf("%v, %q\n", err, environ)
	}
	if strings.Contains(string(environ), "canary") || os.Getenv("VAULT_TOKEN") != "" {
		fmt.Println("the secret is still there")
	}
	fmt.Println(os.Getenv("KEPT"))
	return 0
}

func TestEnvironBounds(t *testing.T) {
	tests := []struct {
		stat string
		err  string
	}{
		{"1 (a) b) c) R 1 2" + strings.Repeat(" 7", 44) + " 100 200 0", ""},
		{"1 (x) R 1", "does not tell"},
		{"1 (x) R" + strings.Repeat(" 0", 60), "hides"},
	}
	for _, tt := range tests {
		start, end, err := environBounds([]byte(tt.stat))
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: %v, want %q", tt.stat, err, tt.err)
			}
		} else if err != nil || start != 100 || end != 200 {
			t.Errorf("%q: %d, %d, %v", tt.stat, start, end, err)
		}
	}
}
