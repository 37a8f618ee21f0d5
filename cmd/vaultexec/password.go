package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"vaultexec/internal/secret"
	"vaultexec/internal/smallfile"
)

var errNoTerminal = errors.New("there is no terminal")

// askPassword asks on the terminal, whatever standard input is, and without an
// echo. When ctx ends first, as with a Ctrl-C that ends vaultexec, the echo is
// back before it returns; the goroutine that reads is left behind then, for the
// little that the process still runs: nothing wakes a read of a terminal.
func askPassword(ctx context.Context, question string) (secret.Value, error) {
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil { // ENXIO: no controlling terminal; else no /dev
		return secret.Value{}, errNoTerminal
	}
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		_ = unix.Close(fd)
		return secret.Value{}, errNoTerminal
	}
	// A shell that continues a stopped job may have brought the echo back.
	contc := make(chan os.Signal, 1)
	signal.Notify(contc, syscall.SIGCONT)
	defer signal.Stop(contc)
	// What was typed before the question is no answer to it.
	if err := withoutEcho(fd, setTermiosFlush, before); err != nil {
		_ = unix.Close(fd)
		return secret.Value{}, fmt.Errorf("the terminal's echo cannot be turned off: %w", err)
	}
	show := func(text string) { _, _ = unix.Write(fd, []byte(text)) } // without it the password can be typed all the same
	show(question)
	linec := make(chan string, 1)
	go func() { linec <- readLine(fd) }()
	for {
		select {
		case <-ctx.Done():
			show("\n")
			_ = unix.IoctlSetTermios(fd, setTermios, before)
			return secret.Value{}, ctx.Err()
		case <-contc:
			_ = withoutEcho(fd, setTermios, before) // it could be done before
			show(question)
		case line := <-linec:
			show("\n") // the user's own was not echoed
			_ = unix.IoctlSetTermios(fd, setTermios, before)
			_ = unix.Close(fd)
			return secret.Of(line), nil
		}
	}
}

// withoutEcho sets a terminal to lines, Ctrl-C and Ctrl-Z, and no echo.
func withoutEcho(fd int, request uint, before *unix.Termios) error {
	quiet := *before
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ICANON | unix.ISIG
	quiet.Iflag |= unix.ICRNL
	return unix.IoctlSetTermios(fd, request, &quiet)
}

// readLine reads a line of a terminal, as far as there is one.
func readLine(fd int) string {
	var line smallfile.Buffer
	buf := make([]byte, 4096)
	defer clear(buf)
	for {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		text, whole := bytes.CutSuffix(buf[:max(n, 0)], []byte("\n"))
		_, _ = line.Write(text) // to memory
		if whole || n <= 0 {    // n is 0 after Ctrl-D
			return line.Take()
		}
	}
}
