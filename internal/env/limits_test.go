package env

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestCheckLimits(t *testing.T) {
	limits := Limits{String: 100, Total: execOverhead + 900}
	big := strings.Repeat("x", 100)
	tests := []struct {
		name          string
		argv, environ []string
		want          []string
	}{
		{"nothing", nil, nil, nil},
		{"just small enough", []string{big[:99]}, []string{"A=" + big[:97]}, nil},
		{"one too big", []string{"app", big}, []string{"A=" + big[:97], "B=" + big[:98]}, []string{
			"argument 1 of the command takes 101 bytes, and this system passes at most 100 in one string",
			"variable B takes 101 bytes, and this system passes at most 100 in one string: hand it over with --file",
		}},
		{"NUL", []string{"app", "\x00" + canary}, []string{"A=" + canary + "\x00"}, []string{
			"argument 1 of the command has a NUL byte in it, where the child would see it end",
			"variable A has a NUL byte in it, where the child would see it end: hand it over with --file",
		}},
		{"the total", []string{"app"}, []string{
			"A=" + big[:10], "B=" + big[:97], "C=" + big[:97], "D=" + big[:96], "E=" + big[:97],
			"F=" + big[:90], "G=" + big[:90], "H=" + big[:90], "I=" + big[:90], "J=" + big[:90],
		}, []string{
			"arguments and environment together take 5081 bytes, and this system passes at most 4996: hand the biggest over with --file, or inherit less with --drop or --pristine; the biggest are variable B (100 bytes), variable C (100 bytes), variable E (100 bytes)",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckLimits(tt.argv, tt.environ, limits)
			if tt.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			checkError(t, err, ClassNotRepresentable, tt.want...)
		})
	}
}

// TestP12SystemLimitsAreTheKernels runs a real program at each limit: what is
// said to fit does, and what is said not to fit does not (but for the few
// bytes that are set aside for the path of the program).
func TestP12SystemLimitsAreTheKernels(t *testing.T) {
	limits := SystemLimits()
	program, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	run := func(environ []string) error {
		return (&exec.Cmd{Path: program, Args: []string{"true"}, Env: environ}).Run()
	}
	if runtime.GOOS == "linux" { // elsewhere only the total is limited
		fits := "A=" + strings.Repeat("x", limits.String-len("A=")-1)
		for _, environ := range [][]string{{fits}, {fits + "x"}} {
			got, want := run(environ), CheckLimits([]string{"true"}, environ, limits)
			if (got == nil) != (want == nil) || got != nil && !isTooBig(got) {
				t.Errorf("a string of %d bytes: execve says %v, CheckLimits says %v", len(environ[0])+1, got, want)
			}
		}
	}
	fill := func(total int) []string {
		total -= execOverhead + 2*pointerSize + len("true") + 1 + pointerSize
		var environ []string
		for i := 0; total > 0; i++ {
			size := min(total-pointerSize, 100_000)
			name := "V" + strings.Repeat("0", i) + "=" // a different name each time
			environ = append(environ, name+strings.Repeat("x", max(0, size-len(name)-1)))
			total -= size + pointerSize
		}
		return environ
	}
	for _, tt := range []struct {
		total int
		fits  bool
	}{{limits.Total, true}, {limits.Total + 2*execOverhead, false}} {
		environ := fill(tt.total)
		if err := CheckLimits([]string{"true"}, environ, limits); (err == nil) != tt.fits {
			t.Errorf("CheckLimits says of %d bytes: %v", tt.total, err)
		}
		if err := run(environ); (err == nil) != tt.fits || err != nil && !isTooBig(err) {
			t.Errorf("execve says of %d bytes: %v", tt.total, err)
		}
	}
}

func isTooBig(err error) bool {
	e, ok := err.(*os.PathError)
	return ok && e.Err == syscall.E2BIG
}
