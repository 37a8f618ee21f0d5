// Command vaultexec runs a command with secrets from HashiCorp Vault. It is
// put in front of a container's command, logs in with the pod's service
// account, hands the secrets over as environment variables and files, and is a
// correct init for what it runs. 'vaultexec --help' is the manual.
//
// This package wires and decides nothing: internal/settings knows what can be
// set, internal/fetch knows Vault, internal/env plans the command's
// environment and files, internal/supervise knows processes and signals.
package main

import "os"

func main() {
	os.Exit(run(os.Args, os.Environ(), os.Stdout, os.Stderr))
}
