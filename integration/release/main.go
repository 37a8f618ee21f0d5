// Command release builds what a release is made of: the binary for every
// platform, what each is made of (SBOM), and their checksums. The same source,
// version and Go give the same bytes on any machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	version := flag.String("version", "", "what the binaries call themselves")
	out := flag.String("out", "", "directory to write to")
	flag.Parse()
	if *version == "" || *out == "" || flag.NArg() != 0 {
		fmt.Fprintln(os.Stderr, "release: both -version and -out are needed, and nothing else")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	r := release{source: "..", out: *out, version: *version, progress: os.Stderr}
	err := r.write(ctx, platforms)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}
