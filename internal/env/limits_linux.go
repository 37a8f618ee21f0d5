package env

import (
	"os"
	"syscall"
)

// SystemLimits are those of this kernel for this process's children: a quarter
// of the stack limit, but at most 6 MiB and at least 128 KiB, in all, and 32
// pages for one string (execve(2), "Limits on size of arguments and
// environment"; bprm_stack_limits in fs/exec.c).
func SystemLimits() Limits {
	const most, least = 6 << 20, 128 << 10
	total := uint64(most)
	var stack syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_STACK, &stack); err == nil {
		total = max(min(total, stack.Cur/4), least)
	}
	return Limits{String: 32 * os.Getpagesize(), Total: int(total)}
}
