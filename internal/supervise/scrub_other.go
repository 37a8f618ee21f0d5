//go:build !linux

package supervise

import (
	"os"
	"strings"
)

// ScrubEnviron unsets the variables whose name secret accepts. There is no
// /proc here that would show the initial environment.
func ScrubEnviron(secret func(name string) bool) error {
	if secret == nil {
		return nil
	}
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); secret(name) {
			_ = os.Unsetenv(name) // fails for an empty name only
		}
	}
	return nil
}
