package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"vaultexec/integration/servers"
)

const (
	kvMount    = "kv"
	authMount  = "kubernetes"
	role       = "app"
	dbRole     = "reader"
	staticRole = "static"

	policy = `
path "kv/data/app" { capabilities = ["read"] }
path "database/creds/reader" { capabilities = ["read"] }
path "database/static-creds/static" { capabilities = ["read"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "auth/token/lookup-self" { capabilities = ["read"] }`

	// Lives are short, so that renewals and ends are many, and yet longer than
	// the longest fault by far: nothing else than a defect ends credentials.
	leaseLife, leaseMax = time.Minute, 3 * time.Minute
	tokenLife, tokenMax = 90 * time.Second, 4 * time.Minute

	// staticPeriod is when Vault itself changes a static password: not here.
	staticPeriod = 12 * time.Hour
)

// stage is everything that takes part.
type stage struct {
	dir      string
	vault    *servers.Vault
	audit    *servers.AuditLog
	cluster  *servers.Cluster
	postgres *servers.Postgres
	database *servers.Database
	proxy    *servers.Proxy
	jwt      string // file
	log      string // file, of the app
	metrics  string // address

	run      *exec.Cmd
	stderr   *os.File
	endc     chan struct{} // closed when it has ended
	err      error         // then
	number   int           // of the secret
	stopOnce sync.Once

	mu      sync.Mutex
	revoked []revocation
}

// newStage starts all servers and fills them.
func newStage(ctx context.Context, progress io.Writer) (s *stage, err error) {
	s = &stage{endc: make(chan struct{})}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "vaultexec-soak-"); err != nil {
		return s, err
	}
	bin, err := servers.Build(ctx, progress)
	if err != nil {
		return s, err
	}
	if s.vault, err = servers.StartVault(ctx, bin, servers.VaultOptions{Durable: true}); err != nil {
		return s, err
	}
	if s.audit, err = s.vault.EnableAudit(ctx); err != nil {
		return s, err
	}
	if s.cluster, err = servers.StartCluster(ctx, bin); err != nil {
		return s, err
	}
	if s.postgres, err = servers.StartPostgres(ctx); err != nil {
		return s, err
	}
	if s.proxy, err = servers.StartProxy(servers.ProxyOptions{Targets: []string{s.vault.Address}, TLS: true}); err != nil {
		return s, err
	}
	return s, s.seed(ctx)
}

func (s *stage) seed(ctx context.Context) (err error) {
	if err := s.vault.EnableKV(ctx, kvMount, 2); err != nil {
		return err
	}
	if s.database, err = s.vault.EnableDatabase(ctx, "database", s.postgres); err != nil {
		return err
	}
	if err := s.putDatabaseRole(ctx); err != nil {
		return err
	}
	if err := s.database.StaticRole(ctx, staticRole, staticPeriod); err != nil {
		return err
	}
	if err := s.rotate(ctx); err != nil {
		return err
	}
	if err := s.vault.Client().Sys().PutPolicyWithContext(ctx, "app", policy); err != nil {
		return err
	}
	return s.account(ctx)
}

// account makes the service account that vaultexec logs in with.
func (s *stage) account(ctx context.Context) error {
	if err := s.vault.EnableKubernetesAuth(ctx, s.cluster, authMount); err != nil {
		return err
	}
	if err := s.cluster.CreateNamespace(ctx, "soak"); err != nil {
		return err
	}
	if err := s.cluster.CreateServiceAccount(ctx, "soak", "app"); err != nil {
		return err
	}
	if err := s.putLoginRole(ctx); err != nil {
		return err
	}
	s.jwt, s.log = filepath.Join(s.dir, "jwt"), filepath.Join(s.dir, "app.log")
	return errors.Join(s.newJWT(ctx), os.WriteFile(s.log, nil, 0o600))
}

// newJWT puts another token of the service account in the place of the one there
// is, as kubelet does.
func (s *stage) newJWT(ctx context.Context) error {
	token, err := s.cluster.Token(ctx, "soak", "app", []string{"vault"}, 24*time.Hour)
	if err != nil {
		return err
	}
	next := s.jwt + ".next"
	if err := os.WriteFile(next, []byte(token), 0o600); err != nil {
		return err
	}
	return os.Rename(next, s.jwt)
}

const loginRole = "auth/" + authMount + "/role/" + role

// putLoginRole creates the role that vaultexec logs in with.
func (s *stage) putLoginRole(ctx context.Context) error {
	err := s.vault.CreateRole(ctx, authMount, servers.Role{Name: role, Namespace: "soak", ServiceAccount: "app",
		Audience: "vault", Policies: []string{"app"}, TTL: tokenLife})
	if err != nil {
		return err
	}
	_, err = s.vault.Client().Logical().WriteWithContext(ctx, loginRole, map[string]any{"token_max_ttl": tokenMax.String()})
	return err
}

func (s *stage) deleteLoginRole(ctx context.Context) error {
	_, err := s.vault.Client().Logical().DeleteWithContext(ctx, loginRole)
	return err
}

// putDatabaseRole creates the role that the app's credentials are of.
func (s *stage) putDatabaseRole(ctx context.Context) error {
	return s.database.DynamicRole(ctx, dbRole, leaseLife, leaseMax)
}

// deleteStaticRole deletes the role of the app's static user. Who makes it anew
// gives the user another password.
func (s *stage) deleteStaticRole(ctx context.Context) error {
	_, err := s.vault.Client().Logical().DeleteWithContext(ctx, s.database.Mount+"/static-roles/"+staticRole)
	return err
}

func (s *stage) putStaticRole(ctx context.Context) error {
	return s.database.TakeStatic(ctx, staticRole, staticPeriod)
}

// revokeTokens revokes what vaultexec has logged in with. The leases go with
// it, and the users in PostgreSQL with them: the app cannot work until it has
// other credentials.
func (s *stage) revokeTokens(ctx context.Context) error {
	users, err := s.postgres.Logins(ctx)
	if err != nil {
		return err
	}
	users = slices.DeleteFunc(users, func(name string) bool { return name == staticRole })
	s.mu.Lock()
	s.revoked = append(s.revoked, revocation{time.Now(), users})
	s.mu.Unlock()
	return s.vault.Client().Sys().RevokePrefixWithContext(ctx, "auth/"+authMount)
}

// revocation is the end of users before their time.
type revocation struct {
	at    time.Time
	users []string
}

// rotate gives the secret the next number.
func (s *stage) rotate(ctx context.Context) error {
	_, err := s.vault.PutKV2(ctx, kvMount, "app", map[string]any{"number": strconv.Itoa(s.number + 1)})
	if err == nil {
		s.number++
	}
	return err
}

// launch starts vaultexec with the app.
func (s *stage) launch(ctx context.Context) error {
	binary, err := servers.BuildVaultexec(ctx, s.dir, false)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if s.metrics, err = freeAddress(); err != nil {
		return err
	}
	if s.stderr, err = os.Create(filepath.Join(s.dir, "vaultexec.log")); err != nil {
		return err
	}
	s.run = exec.Command(binary, "--role", role, "--jwt-path", s.jwt, "--listen", s.metrics,
		"--refresh", "2s", "--debounce", "500ms", "--min-interval", "1s", "--request-timeout", "2s",
		"--env", "NUMBER=kv/app#number",
		"--env", "DB_USER=database/creds/reader#username", "--env", "DB_PASSWORD=database/creds/reader#password",
		"--env", "STATIC_USER=database/static-creds/static#username", "--env", "STATIC_PASSWORD=database/static-creds/static#password",
		"--", self, appWord)
	s.run.Env = []string{"PATH=" + os.Getenv("PATH"), "VAULT_ADDR=" + s.proxy.Address, "VAULT_CACERT=" + s.proxy.CA,
		"SOAK_LOG=" + s.log, "DB_ADDRESS=" + s.postgres.Address, "VAULTEXEC_LOG_FORMAT=text", "VAULTEXEC_LOG_LEVEL=debug"}
	s.run.Stderr, s.run.Stdout = s.stderr, s.stderr
	return s.begin()
}

// begin starts what is in run.
func (s *stage) begin() error {
	// It ends with this process, in whatever way that ends.
	s.run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := s.run.Start(); err != nil {
		return err
	}
	go func() {
		s.err = s.run.Wait()
		close(s.endc)
	}()
	return nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// end asks vaultexec to stop and waits for it.
func (s *stage) end() error {
	if err := s.run.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.endc:
		return s.err
	case <-time.After(time.Minute):
		return errors.New("vaultexec does not end")
	}
}

// leaveLimit is more than vaultexec takes to stop the app and to revoke.
const leaveLimit = 45 * time.Second

// leave ends vaultexec and, through it, the app. The app notices by itself if
// vaultexec cannot do that any more.
func (s *stage) leave() {
	_ = s.run.Process.Signal(syscall.SIGTERM) // no effect if it has ended
	select {
	case <-s.endc:
	case <-time.After(leaveLimit):
		_ = s.run.Process.Kill() // it may have ended just now
		<-s.endc
	}
}

// stop ends everything that was started.
func (s *stage) stop() {
	s.stopOnce.Do(func() {
		if s.run != nil && s.run.Process != nil {
			s.leave()
		}
		if s.proxy != nil {
			_ = s.proxy.Stop()
		}
		if s.vault != nil {
			_ = s.vault.Stop()
		}
		if s.cluster != nil {
			_ = s.cluster.Stop()
		}
		if s.postgres != nil {
			_ = s.postgres.Stop()
		}
		_ = os.RemoveAll(s.dir)
	})
}
