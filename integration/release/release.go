package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// platform is what a binary is for.
type platform struct{ os, arch string }

var platforms = []platform{
	{"linux", "amd64"}, {"linux", "arm64"}, {"linux", "arm"}, {"linux", "s390x"},
	{"darwin", "amd64"}, {"darwin", "arm64"},
}

// file is the name of the platform's binary.
func (p platform) file() string {
	if p.arch == "arm" {
		return "vaultexec-" + p.os + "-armv7"
	}
	return "vaultexec-" + p.os + "-" + p.arch
}

// levels are the instruction sets: the least that the platforms' names promise,
// whatever the builder's own environment prefers.
var levels = []string{"GOAMD64=v1", "GOARM64=v8.0", "GOARM=7"}

// release is where it comes from and where it goes.
type release struct {
	source   string // the root of vaultexec's module
	out      string
	version  string
	progress io.Writer
	env      []string // beside the environment, for the tests
}

// sumsFile is as sha256sum writes it and 'sha256sum -c' reads it.
const sumsFile = "SHA256SUMS"

// license has to be with every copy.
const license = "LICENSE"

// write builds the binaries and writes the rest beside them.
func (r release) write(ctx context.Context, platforms []platform) error {
	if err := r.empty(); err != nil {
		return err
	}
	if err := r.writePages(ctx); err != nil {
		return err
	}
	for _, p := range platforms {
		fmt.Fprintf(r.progress, "%s ...\n", p.file())
		binary, err := r.build(ctx, p)
		if err != nil {
			return err
		}
		if err := writeSBOM(binary, r.version); err != nil {
			return err
		}
	}
	return r.writeSums()
}

// empty leaves nothing in the directory that an earlier release left there, and
// touches nothing else: it may be any directory.
func (r release) empty() error {
	old, err := r.made()
	if err != nil {
		return err
	}
	for _, file := range append(old, filepath.Join(r.out, sumsFile)) {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return os.MkdirAll(r.out, 0o755)
}

// made are the files that are there and have been made, sorted.
func (r release) made() ([]string, error) {
	return filepath.Glob(filepath.Join(r.out, `vaultexec[.\-]*`))
}

// writePages writes what is the same for all platforms: the license and the
// manual page, which a binary for this machine prints.
func (r release) writePages(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join(r.source, license))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.out, license), text, 0o644); err != nil {
		return err
	}
	page, err := r.goTool(ctx, platform{runtime.GOOS, runtime.GOARCH}, "run", "./cmd/vaultexec", "man")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, "vaultexec.1"), page, 0o644)
}

// build builds one binary.
func (r release) build(ctx context.Context, p platform) (file string, err error) {
	file, err = filepath.Abs(filepath.Join(r.out, p.file()))
	if err != nil {
		return "", err
	}
	_, err = r.goTool(ctx, p, "build", "-o", file, "./cmd/vaultexec")
	return file, err
}

// goTool builds or runs for a platform. What could make two builds differ is left
// out (paths, the state of the checkout, C) or said here (instruction sets, flags).
func (r release) goTool(ctx context.Context, p platform, verb string, args ...string) (stdout []byte, err error) {
	flags := []string{verb, "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=" + r.version}
	cmd := exec.CommandContext(ctx, "go", append(flags, args...)...)
	cmd.Dir, cmd.Stderr = r.source, r.progress
	cmd.Env = slices.Concat(os.Environ(), r.env, levels,
		[]string{"CGO_ENABLED=0", "GOOS=" + p.os, "GOARCH=" + p.arch, "GOFLAGS=", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off"})
	if stdout, err = cmd.Output(); err != nil {
		return nil, fmt.Errorf("%s: %v: %v", p.file(), cmd, err)
	}
	return stdout, nil
}

// writeSums writes the checksums of all that is there.
func (r release) writeSums() error {
	files, err := r.made()
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, file := range append([]string{filepath.Join(r.out, license)}, files...) {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(text), filepath.Base(file))
	}
	return os.WriteFile(filepath.Join(r.out, sumsFile), []byte(sums.String()), 0o644)
}
