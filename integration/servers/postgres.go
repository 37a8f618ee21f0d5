package servers

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	_ "github.com/jackc/pgx/v5/stdlib" // as "pgx"
)

// Postgres is a running PostgreSQL server with an empty database.
type Postgres struct {
	Address   string // 127.0.0.1:PORT
	SocketDir string // has its unix socket
	User      string // the superuser
	Password  string // and the password, asked for on the socket too

	dir   string
	bin   string
	who   *syscall.Credential // that it runs as; nil is this user
	proc  *process
	super *sql.DB
}

// postgresDatabase is the database that each server has from the beginning.
const postgresDatabase = "postgres"

// StartPostgres starts a PostgreSQL server from Debian's packages and waits
// until it answers. It is ErrNoPostgres if there is none.
func StartPostgres(ctx context.Context) (*Postgres, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	return withFreePorts(func() (*Postgres, error) {
		dir, err := os.MkdirTemp("", "vaultexec-postgres-")
		if err != nil {
			return nil, err
		}
		p := &Postgres{User: "super", Password: rand.Text(), SocketDir: dir, dir: dir, bin: bin}
		if err := p.start(ctx); err != nil {
			_ = p.Stop()
			return nil, err
		}
		return p, nil
	})
}

func (p *Postgres) start(ctx context.Context) error {
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	p.Address = ports[0]
	if p.super, err = p.Open(p.User, p.Password); err != nil {
		return err
	}
	if p.who, err = unprivileged(); err != nil {
		return err
	}
	password := filepath.Join(p.dir, "password")
	if err := os.WriteFile(password, []byte(p.Password), 0o600); err != nil {
		return err
	}
	if p.who != nil {
		uid, gid := int(p.who.Uid), int(p.who.Gid)
		if err := errors.Join(os.Chown(p.dir, uid, gid), os.Chown(password, uid, gid)); err != nil {
			return err
		}
	}
	initdb, err := startProcessAs(p.who, p.dir, filepath.Join(p.bin, "initdb"), []string{"--pgdata", p.data(),
		"--username", p.User, "--pwfile", password, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"}, nil)
	if err != nil {
		return err
	}
	if err := initdb.finish(ctx); err != nil {
		return err
	}
	return p.Up(ctx)
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

// Up starts the server again after Down, at the same address and with what was
// in it.
func (p *Postgres) Up(ctx context.Context) error {
	host, port, _ := strings.Cut(p.Address, ":")
	var err error
	// What it writes is gone when it ends: nothing has to reach the disk.
	p.proc, err = startProcessAs(p.who, p.dir, filepath.Join(p.bin, "postgres"), []string{"-D", p.data(), "-h", host, "-p", port,
		"-k", p.SocketDir, "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"}, nil)
	if err != nil {
		return err
	}
	// TERM waits for clients to go away, see PostgreSQL's "Shutting Down the Server".
	p.proc.polite = syscall.SIGINT
	return p.proc.ready(ctx, p.super.PingContext)
}

// unprivileged is the user to run as, for PostgreSQL refuses to be root; nil is
// this one.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres") // Debian's package makes it
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// DSN is how user connects, as a URL.
func (p *Postgres) DSN(user, password string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: p.Address,
		Path: "/" + postgresDatabase, RawQuery: "sslmode=disable"}
	return u.String()
}

// Open makes a pool of connections of user, the first at its first use.
func (p *Postgres) Open(user, password string) (*sql.DB, error) {
	return sql.Open("pgx", p.DSN(user, password))
}

// DB is the superuser's pool of connections. It is the same at each call and
// closed by Stop.
func (p *Postgres) DB() *sql.DB { return p.super }

// Logins are the names of those who may log in, besides the superuser: with
// Vault's database engine, who has a lease.
func (p *Postgres) Logins(ctx context.Context) ([]string, error) {
	rows, err := p.super.QueryContext(ctx, "SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname <> $1 ORDER BY 1", p.User)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// Ask is one query of user, on a connection of its own.
func (p *Postgres) Ask(ctx context.Context, user, password, query string) (answer string, err error) {
	db, err := p.Open(user, password)
	if err != nil {
		return "", err
	}
	defer db.Close()
	if err := db.QueryRowContext(ctx, query).Scan(&answer); err != nil {
		return "", fmt.Errorf("as %s: %w", user, err)
	}
	return answer, nil
}

// Down ends the server, and with it all connections, until Up.
func (p *Postgres) Down() error { return p.proc.stop() }

// Stop ends the server and removes everything it has written.
func (p *Postgres) Stop() error {
	if p.super != nil {
		_ = p.super.Close()
	}
	return errors.Join(p.proc.stop(), os.RemoveAll(p.dir))
}
