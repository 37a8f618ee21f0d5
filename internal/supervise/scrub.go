package supervise

import (
	"os"
	"strings"
)

// ScrubEnviron overwrites with zeros the values of the variables whose name
// secret accepts, in the block of memory that execve(2) left and that
// /proc/PID/environ shows for as long as the process lives; os.Unsetenv alone
// does not reach it. It also unsets them. Copies that were made of the
// environment before are not touched. Call it before the process is made
// undumpable, or an ordinary user may not open /proc/self/mem any more. An
// error means that the block is unchanged; the variables are unset regardless.
func ScrubEnviron(secret func(name string) bool) error {
	if secret == nil {
		return nil
	}
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); secret(name) {
			_ = os.Unsetenv(name) // fails for an empty name only
		}
	}
	return scrubBlock(secret)
}
