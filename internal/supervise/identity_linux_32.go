//go:build linux && (386 || arm)

package supervise

import "golang.org/x/sys/unix"

// The plain ones are older than numbers of more than 16 bits.
const (
	sysSetgroups = unix.SYS_SETGROUPS32
	sysSetresgid = unix.SYS_SETRESGID32
	sysSetresuid = unix.SYS_SETRESUID32
)
