// Command prepare builds the servers that tests, demo and benchmarks run,
// installs those that are Debian's, downloads what else the tests need, and shows
// how it goes: go test keeps a package's output until it has ended, and ends one
// that takes ten minutes.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"vaultexec/integration/servers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// What cannot be installed is for the tests that need it to say: the others
	// go without.
	if err := servers.InstallPackages(ctx, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "prepare:", err)
	}
	_, err := servers.Build(ctx, os.Stderr)
	if err == nil {
		err = servers.DownloadForeignKinds(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "prepare:", err)
		os.Exit(1)
	}
}
