package supervise

import "golang.org/x/sys/unix"

// duplicate makes to a copy of from that is inherited.
func duplicate(from, to int) error { return unix.Dup3(from, to, 0) }
