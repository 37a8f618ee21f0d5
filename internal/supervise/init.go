package supervise

// Program is this program, for Init to start once more as the supervisor.
type Program struct {
	Args []string // our own arguments, with argv[0]
	Env  []string // our own environment

	// Secret reports whether a variable's value must not stay readable in
	// /proc/1/environ; see ScrubEnviron. The supervisor gets it all the same.
	Secret func(name string) bool
}
