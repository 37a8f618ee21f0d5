package env

// SystemLimits are those of XNU: 1 MiB in all (ARG_MAX, execve(2)), and none
// for one string.
func SystemLimits() Limits { return Limits{Total: 1 << 20} }
