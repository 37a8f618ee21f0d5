package main

import "errors"

// exitCode is what vaultexec itself exits with, beside the command's own
// statuses 0 to 255 and 128+n for its death by signal n. The numbers are those
// of env(1), nohup(1) and timeout(1).
type exitCode int

const (
	exitOK            exitCode = 0
	exitTrouble       exitCode = 2   // of check, explain and doctor: Vault could not be asked; of the first two also: it refused the login
	exitMissing       exitCode = 3   // of those: something is missing or to be mended
	exitFailure       exitCode = 125 // vaultexec failed, the command never ran
	exitNotExecutable exitCode = 126 // the command is there but cannot be run
	exitNotFound      exitCode = 127 // there is no such command
	exitUnknown       exitCode = 137 // how the command ended cannot be known
)

// exitFor is the one place that makes an exit code of an error.
func exitFor(err error) exitCode {
	var coded interface{ Code() int } // a supervise.StartError or LostError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &coded):
		return exitCode(coded.Code())
	}
	return exitFailure
}
