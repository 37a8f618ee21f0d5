// Command soak runs vaultexec for a long time while everything goes wrong that
// can: faults in the answers, on the way and of Vault itself, and rotations of
// secrets and of database credentials. The command that vaultexec runs queries
// PostgreSQL ten times a second with what it was given.
//
// It passes if no query failed outside of a restart, no lease or token is left
// at the end, vaultexec has not grown, and the last rotation arrived. What
// happens in which order is drawn from the seed, which it prints.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == appWord {
		os.Exit(app())
	}
	duration := flag.Duration("duration", 5*time.Minute, "how long")
	seed := flag.Uint64("seed", rand.Uint64(), "what the order of events is drawn from")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report, err := soak(ctx, options{duration: *duration, seed: *seed, progress: os.Stdout})
	if report != "" {
		fmt.Println(report)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "soak: FAILED, seed %d: %v\n", *seed, err)
		stop()
		os.Exit(1)
	}
	fmt.Println("soak: passed")
}
