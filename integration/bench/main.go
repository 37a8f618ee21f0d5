// Command bench measures vaultexec side by side with the floor (a program of
// forty lines with the same client library), Vault Agent and tini, and prints
// a Markdown page. Times are medians of whole processes that take turns in one
// run: on a shared machine only the ratios mean something.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"vaultexec/integration/servers"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == echoArg {
		echoSignals()
		return
	}
	rounds := flag.Int("rounds", 60, "how often each program runs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, rounds: rounds}
	if err := b.programs(ctx); err != nil {
		return err
	}
	stop, err := b.servers(ctx)
	if err != nil {
		return err
	}
	defer stop()
	printMachine()
	for _, measure := range []func(context.Context) error{
		b.start, b.requests, b.agent, b.size, b.memory, b.latency,
	} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	return nil
}

// bench is what all measurements need.
type bench struct {
	dir    string
	rounds int

	vaultexec, floor, empty, tini, self string
	bin                                 servers.Binaries

	vault *servers.Vault
	audit *servers.AuditLog
	token string // may read all of kv/
	jwt   string // file with a service account's token
}

func (b *bench) programs(ctx context.Context) (err error) {
	if b.bin, err = servers.Build(ctx, os.Stderr); err != nil {
		return err
	}
	if b.vaultexec, err = servers.BuildVaultexec(ctx, b.dir, false); err != nil {
		return err
	}
	for _, p := range []struct {
		name string
		path *string
	}{{"floor", &b.floor}, {"empty", &b.empty}} {
		*p.path = filepath.Join(b.dir, p.name)
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", *p.path, "vaultexec/integration/bench/"+p.name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %v\n%s", p.name, err, out)
		}
	}
	if b.tini, err = exec.LookPath("tini"); errors.Is(err, exec.ErrNotFound) {
		fmt.Fprintln(os.Stderr, "bench: tini is not on PATH, its columns stay empty")
	}
	// Until it is on disk a program's text counts as dirty memory.
	syscall.Sync()
	b.self, err = os.Executable()
	return err
}

const paths = 100

func (b *bench) servers(ctx context.Context) (stop func(), err error) {
	if b.vault, err = servers.StartVault(ctx, b.bin, servers.VaultOptions{}); err != nil {
		return nil, err
	}
	cluster, err := servers.StartCluster(ctx, b.bin)
	if err != nil {
		return nil, errors.Join(err, b.vault.Stop())
	}
	stop = func() { _, _ = cluster.Stop(), b.vault.Stop() }
	if err := b.seed(ctx, cluster); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

func (b *bench) seed(ctx context.Context, cluster *servers.Cluster) (err error) {
	if err := b.vault.EnableKV(ctx, "kv", 2); err != nil {
		return err
	}
	for i := range paths {
		if _, err := b.vault.PutKV2(ctx, "kv", fmt.Sprintf("app/%d", i), map[string]any{fmt.Sprintf("KEY_%d", i): "value"}); err != nil {
			return err
		}
	}
	if err := b.vault.Policy(ctx, "bench", "read", "kv/data/app/*"); err != nil {
		return err
	}
	if b.token, err = b.vault.CreateToken(ctx, 0, "bench"); err != nil {
		return err
	}
	if err := b.vault.EnableKubernetesAuth(ctx, cluster, "kubernetes"); err != nil {
		return err
	}
	if err := cluster.CreateNamespace(ctx, "bench"); err != nil {
		return err
	}
	if err := cluster.CreateServiceAccount(ctx, "bench", "app"); err != nil {
		return err
	}
	role := servers.Role{Name: "app", Namespace: "bench", ServiceAccount: "app", Audience: "vault", Policies: []string{"bench"}, TTL: 3600e9}
	if err := b.vault.CreateRole(ctx, "kubernetes", role); err != nil {
		return err
	}
	token, err := cluster.Token(ctx, "bench", "app", []string{"vault"}, 3600e9)
	if err != nil {
		return err
	}
	b.jwt = filepath.Join(b.dir, "jwt")
	return os.WriteFile(b.jwt, []byte(token), 0o600)
}
