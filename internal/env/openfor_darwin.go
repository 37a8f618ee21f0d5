package env

import "golang.org/x/sys/unix"

// searchOnly opens a directory to go on from there.
const searchOnly = unix.O_RDONLY
