package supervise

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func init() { helpers["inherited"] = helperInherited }

// inherited is what the command of helper:run inherits.
var inherited []Descriptor

// as is who it runs as; nil: who we are.
var as *Identity

func inheritTexts(texts string) []Descriptor {
	if texts == "" {
		return nil
	}
	var descriptors []Descriptor
	list := strings.Split(texts, ",")
	first := FreeDescriptors(len(list))
	for i, text := range list {
		descriptors = append(descriptors, Descriptor{Number: first + i, Open: func() (*os.File, error) {
			if reason, broken := strings.CutPrefix(text, "!"); broken {
				return nil, errors.New(reason)
			}
			return fileOf(text)
		}})
	}
	return descriptors
}

// fileOf is a file with a text and without a name.
func fileOf(text string) (*os.File, error) {
	file, err := os.CreateTemp("", "vaultexec-test-")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(file.Name()) // it was just made
	if _, err := file.WriteString(text); err != nil {
		return nil, err
	}
	_, err = file.Seek(0, io.SeekStart)
	return file, err
}

// helperInherited prints which files of fileOf it has, with what can be read
// from each, and fails if there is an argument: helper:inherited [fail].
func helperInherited(args []string) int {
	var found []string
	for number := 3; number < 200; number++ {
		var stat unix.Stat_t
		if !isInherited(number) || unix.Fstat(number, &stat) != nil || stat.Nlink > 0 {
			continue // Go's own, or not of fileOf
		}
		text, err := io.ReadAll(os.NewFile(uintptr(number), "inherited"))
		if err != nil {
			return 1
		}
		found = append(found, fmt.Sprintf("%d=%s", number, text))
	}
	fmt.Println(os.Getenv("GENERATION") + strings.Join(found, " "))
	if len(args) > 0 {
		return 7
	}
	return 0
}

// What the command inherits has its number in every mode, beside what vaultexec
// was given for it: systemd's sockets are 3 and up.
func TestInherit(t *testing.T) {
	for _, mode := range []string{"supervise", "exec", "init"} {
		t.Run(mode, func(t *testing.T) {
			if mode == "init" && runtime.GOOS != "linux" {
				untestable(t, "the init role needs Linux")
			}
			given := func(cmd *exec.Cmd) {
				for _, text := range []string{"socket", "another"} {
					file, err := fileOf(text)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { file.Close() })
					cmd.ExtraFiles = append(cmd.ExtraFiles, file)
				}
				cmd.ExtraFiles = cmd.ExtraFiles[1:] // not the pipe of start
			}
			p := start(t, run("-mode "+mode+" -inherit one,two", helper("inherited")...), given)
			p.expect("3=socket 4=another 100=one 101=two")
			p.exit(0)
		})
	}
}

// Each start makes the files anew: a child that was started again finds them
// from their beginning. A hook has them too.
func TestInheritAgain(t *testing.T) {
	p := start(t, run("-rotate -inherit one -on-failure -max-failures 2", helper("inherited", "fail")...))
	for range 2 {
		p.expect("100=one")
	}
	p.exit(7)

	p = start(t, run("-v -rotate -inherit one", helper("print")...), func(cmd *exec.Cmd) {
		cmd.Args = slices.Insert(cmd.Args, 2, "-hook", strings.Join(helper("inherited"), " "))
	})
	p.expect("ready")
	p.order("exec")
	p.logs("\n100=one\n")
	p.expect("applied")
	p.signal(syscall.SIGTERM)
	p.expect("TERM")
	p.exit(0)
}

// A file that cannot be made is not the command's fault.
func TestInheritFails(t *testing.T) {
	for _, mode := range []string{"supervise", "exec"} {
		p := start(t, run("-mode "+mode+" -inherit one,!refused", helper("inherited")...))
		p.exit(exitOwnFailure)
		if got := p.err.String(); got != "refused\n" {
			t.Errorf("%s: stderr is %q", mode, got)
		}
	}
}

func TestFreeDescriptors(t *testing.T) {
	if got := FreeDescriptors(3); got != firstDescriptor {
		t.Fatalf("the first is %d, want %d", got, firstDescriptor)
	}
	file, err := fileOf("")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const taken = firstDescriptor + 7
	if err := duplicate(int(file.Fd()), taken); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(taken)
	for n, want := range map[int]int{1: firstDescriptor, 2: firstDescriptor, 3: taken + 1, 50: taken + 1} {
		if got := FreeDescriptors(n); got != want {
			t.Errorf("the first of %d is %d, want %d", n, got, want)
		}
	}
	if _, err := unix.FcntlInt(taken, unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if got := FreeDescriptors(3); got != firstDescriptor {
		t.Errorf("the first is %d: one that is ours alone is counted", got)
	}
}

// A thousand starts leave no descriptor open, those that fail neither.
func TestInheritLeaksNothing(t *testing.T) {
	s := &system{tty: -1, log: slog.New(slog.DiscardHandler)}
	path, err := LookPath("true", nil)
	if err != nil {
		t.Fatal(err)
	}
	command := Command{Path: path, Args: []string{"true"}, Inherit: inheritTexts("one,two")}
	broken := command
	broken.Path = "/nowhere"
	refused := command
	refused.Inherit = inheritTexts("one,!refused")
	before := openDescriptors(t)
	for range 1000 {
		if e := s.start(command); e.kind != childStarted {
			t.Fatal(e.err)
		}
		s.reap()
		s.child = nil
		for _, c := range []Command{broken, refused} {
			if e := s.start(c); e.kind != startFailed {
				t.Fatalf("got %s, want a failure", e.kind)
			}
		}
	}
	if after := openDescriptors(t); !slices.Equal(before, after) {
		t.Errorf("open are %v, before %v", after, before)
	}
}

// openDescriptors are the numbers that are open in this process.
func openDescriptors(t *testing.T) []int {
	t.Helper()
	var numbers []int
	for number := range 1024 {
		if _, err := unix.FcntlInt(uintptr(number), unix.F_GETFD, 0); err == nil {
			numbers = append(numbers, number)
		}
	}
	return numbers
}
