//go:build !linux

package supervise

import "errors"

// Init is the init role, which only Linux has.
func Init(*Stops, Options, Program) Outcome {
	return failed(errors.New("the init role needs Linux: use --init never"))
}
