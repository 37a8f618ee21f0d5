package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

func init() {
	helpers["raw"] = helperRaw
	helpers["settings"] = helperSettings
}

// helperSettings says whether the terminal is as shells leave it to commands.
func helperSettings([]string) int {
	settings, err := unix.IoctlGetTermios(2, unix.TCGETS)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	how := map[bool]string{true: "cooked", false: "raw"}[settings.Lflag&unix.ICANON != 0]
	fmt.Fprintf(os.Stderr, "%sthe terminal is %s\r\n", os.Getenv("GENERATION"), how)
	return 0
}

// helperRaw says how the terminal is, makes it raw, as an editor does, and leaves
// it like that: helper:raw STATUS. A signal ends it, but TERM with that status.
func helperRaw(args []string) int {
	termc := make(chan os.Signal, 1)
	signal.Notify(termc, syscall.SIGTERM)
	if code := helperSettings(nil); code != 0 {
		return code
	}
	if _, err := term.MakeRaw(2); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Fprintf(os.Stderr, "%sdrawing\r\n", os.Getenv("GENERATION"))
	<-termc
	var code int
	_, _ = fmt.Sscan(args[0], &code) // else 0
	return code
}

// P5 each child finds the terminal as the first one did, whatever the one before
// made of it and however it ended.
func TestP5SettingsBetweenChildrenOfASession(t *testing.T) {
	for _, mode := range []string{"supervise", "init"} {
		t.Run(mode, func(t *testing.T) {
			term := takingOrders(t, func(orders ...func(*exec.Cmd)) *terminal {
				return onTerminal(t, run("-rotate -on-failure -mode "+mode, helper("raw", "5")...), orders...)
			})
			term.expect("the terminal is cooked", "drawing")
			term.order("restart")
			term.expect("1 the terminal is cooked", "1 drawing")
			term.order("KILL") // a change that sends it
			term.expect("the terminal is cooked", "2 drawing")
			_ = term.cmd.Process.Signal(syscall.SIGTERM)
			term.exit(5)
		})
	}
}

// As a job: in a group of its own, and as one of our group.
func TestP5SettingsBetweenChildrenOfAJob(t *testing.T) {
	for _, mode := range []string{"supervise", "init"} {
		t.Run(mode, func(t *testing.T) {
			term := takingOrders(t, func(orders ...func(*exec.Cmd)) *terminal { return bash(t, orders...) })
			term.typeLine(`$HELPER helper:run -rotate -on-failure -mode ` + mode + ` $HELPER helper:raw 0`)
			term.expect("the terminal is cooked", "drawing")
			term.order("restart")
			term.expect("1 the terminal is cooked", "1 drawing")
			term.order("KILL")
			term.expect("the terminal is cooked", "2 drawing")
			term.signalMember(supervisorIn(mode), syscall.SIGTERM)
			term.leave()
		})
	}
}

// At the end the shell finds the terminal as after the bare command: as it was
// if a signal ended that, else as the command left it.
func TestP5SettingsAtTheEndOfAJob(t *testing.T) {
	for _, wrapper := range []string{"", "$HELPER helper:run -mode supervise ", "$HELPER helper:run -mode init "} {
		for sig, want := range map[syscall.Signal]string{syscall.SIGKILL: "cooked", syscall.SIGTERM: "raw"} {
			t.Run(wrapper+signalName(sig), func(t *testing.T) {
				term := bash(t)
				term.typeLine(wrapper + `$HELPER helper:raw 0`)
				term.expect("the terminal is cooked", "drawing")
				term.signalMember(os.Args[0]+"\x00helper:raw\x00", sig)
				term.expect("prompt> ")
				term.typeLine(`$HELPER helper:settings`)
				term.expect("the terminal is " + want)
				term.leave()
			})
		}
	}
}

// leave ends the shell, however the terminal is by now.
func (term *terminal) leave() {
	term.t.Helper()
	term.expect("prompt> ")
	term.typeLine("exit 0")
	term.exit(0)
}

// In the background the terminal is somebody else's, and whoever sets it there
// is stopped.
func TestP5SettingsAreLeftAloneInTheBackground(t *testing.T) {
	for _, mode := range []string{"supervise", "init"} {
		t.Run(mode, func(t *testing.T) {
			term := takingOrders(t, func(orders ...func(*exec.Cmd)) *terminal { return bash(t, orders...) })
			term.typeLine(`$HELPER helper:run -rotate -mode ` + mode + ` sh -c 'echo begin $GENERATION; exec sleep 1000'`)
			term.expect("begin")
			term.write(ctrlZ)
			term.stopped()
			term.typeLine("bg")
			term.expect("prompt> ")
			term.typeLine("stty -icanon; echo set")
			term.expect("set", "prompt> ")
			term.order("restart")
			term.expect("begin 1")
			term.typeLine("$HELPER helper:settings; jobs")
			term.expect("the terminal is raw", "Running", "prompt> ")
			term.signalMember(supervisorIn(mode), syscall.SIGKILL)
			term.typeLine("exit 0")
			term.expect("exit")
		})
	}
}

// What another member of a pipeline has set is left alone.
func TestP5SettingsOfAPipeline(t *testing.T) {
	term := takingOrders(t, func(orders ...func(*exec.Cmd)) *terminal { return bash(t, orders...) })
	term.typeLine(`$HELPER helper:run -rotate $HELPER helper:print | { read x; $HELPER helper:raw 0 & cat; }`)
	term.expect("drawing")
	term.order("restart")
	term.expect("1 ready")
	term.signalHelper(syscall.SIGTERM)
	term.expect("1 TERM")
	term.signalMember(os.Args[0]+"\x00helper:raw\x00", syscall.SIGTERM)
	term.expect("prompt> ")
	term.typeLine("$HELPER helper:settings")
	term.expect("the terminal is raw")
	term.leave()
}

// What comes back is what the first child found, not what the last one did.
func TestP5SettingsAreThoseOfTheFirst(t *testing.T) {
	term := takingOrders(t, func(orders ...func(*exec.Cmd)) *terminal {
		return onTerminal(t, run("-rotate", "sh", "-c", `stty -a | grep -o "intr = ^.; quit"; stty intr ^A; exec $HELPER helper:print`), orders...)
	})
	for range 3 {
		term.expect("intr = ^C; quit", "ready")
		term.order("restart")
	}
	term.expect("intr = ^C; quit")
	if n := strings.Count(term.all, "intr = ^A"); n != 0 {
		t.Errorf("a child found the settings of another one")
	}
	term.expect("ready")
	_ = term.cmd.Process.Signal(syscall.SIGTERM)
	term.exit(0)
}
