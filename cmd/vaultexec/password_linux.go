package main

import "golang.org/x/sys/unix"

// See tcsetattr(3): TCSANOW and TCSAFLUSH.
const (
	getTermios      = unix.TCGETS
	setTermios      = unix.TCSETS
	setTermiosFlush = unix.TCSETSF
)
