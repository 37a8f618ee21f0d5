package integration

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"vaultexec/integration/servers"
)

// world is what all tests share. Its servers start when first asked for.
type world struct {
	dir  string // removed at the end
	self string // this binary, which is also the child
	bin  servers.Binaries

	tested func() (string, error) // path of the program under test
	static func() (string, error) // the same as it is released, for containers

	vault   func() (*servers.Vault, error)
	cluster func() (*servers.Cluster, error)
	login   func() (string, error) // auth mount through which cluster's accounts log in

	postgres func() (*servers.Postgres, error)
	database func() (*servers.Database, error) // of vault, with postgres behind it

	audit *servers.AuditLog // of vault, once that has started

	mu    sync.Mutex
	stops []func() error // newest last
}

var shared *world

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == childWord {
		os.Exit(beChild(os.Args[2], os.Args[3], os.Args[4:]))
	}
	heedSignals()
	os.Exit(runTests(m))
}

// heedSignals makes what these tests start begin without ignored signals, also
// where the tests themselves were started by nohup or something like it: what
// is caught is not inherited.
func heedSignals() {
	for sig := syscall.Signal(1); sig < 32; sig++ {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
}

func runTests(m *testing.M) int {
	// Only for what happens here: a server needs no help to end with this
	// process, see package servers.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	shared, err = newWorld(ctx)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		return 1
	}
	code := m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, "integration: stop the servers:", err)
		return 1
	}
	return code
}

func newWorld(ctx context.Context) (*world, error) {
	bin, err := servers.Build(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "vaultexec-integration-")
	if err != nil {
		return nil, err
	}
	// Containers and tests with another user reach the programs in it.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	w := &world{dir: dir, self: self, bin: bin}
	w.static = sync.OnceValues(func() (string, error) { return w.build("static", false) })
	w.tested = w.static
	if raceEnabled {
		w.tested = sync.OnceValues(func() (string, error) { return w.build("race", true) })
	}
	w.vault = sync.OnceValues(w.startVault)
	w.cluster = sync.OnceValues(w.startCluster)
	w.login = sync.OnceValues(w.enableLogin)
	w.postgres = sync.OnceValues(w.startPostgres)
	w.database = sync.OnceValues(w.enableDatabase)
	return w, nil
}

func (w *world) build(name string, race bool) (string, error) {
	dir := filepath.Join(w.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	return servers.BuildVaultexec(context.Background(), dir, race)
}

// startVault enables the audit log before anybody else uses the server: Vault
// answers 500 to requests that it is changed under.
func (w *world) startVault() (*servers.Vault, error) {
	v, err := servers.StartVault(context.Background(), w.bin, servers.VaultOptions{})
	if err != nil {
		return nil, err
	}
	w.atEnd(v.Stop)
	w.audit, err = v.EnableAudit(context.Background())
	return v, err
}

func (w *world) startCluster() (*servers.Cluster, error) {
	c, err := servers.StartCluster(context.Background(), w.bin)
	if err == nil {
		w.atEnd(c.Stop)
	}
	return c, err
}

func (w *world) enableLogin() (string, error) {
	v, err := w.vault()
	if err != nil {
		return "", err
	}
	c, err := w.cluster()
	if err != nil {
		return "", err
	}
	const mount = "kubernetes"
	return mount, v.EnableKubernetesAuth(context.Background(), c, mount)
}

func (w *world) startPostgres() (*servers.Postgres, error) {
	pg, err := servers.StartPostgres(context.Background())
	if err == nil {
		w.atEnd(pg.Stop)
	}
	return pg, err
}

func (w *world) enableDatabase() (*servers.Database, error) {
	pg, err := w.postgres() // before Vault, which lets go of it at its end
	if err != nil {
		return nil, err
	}
	v, err := w.vault()
	if err != nil {
		return nil, err
	}
	return v.EnableDatabase(context.Background(), "database", pg)
}

func (w *world) atEnd(stop func() error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stops = append(w.stops, stop)
}

func (w *world) close() error {
	var first error
	for i := len(w.stops) - 1; i >= 0; i-- {
		if err := w.stops[i](); err != nil && first == nil {
			first = err
		}
	}
	if err := os.RemoveAll(w.dir); err != nil && first == nil {
		first = err
	}
	return first
}
