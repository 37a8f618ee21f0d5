package servers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/vault/api"
)

// VaultOptions say what kind of server is wanted. The zero value is a
// development server: in memory, unsealed, with plain HTTP.
type VaultOptions struct {
	// Durable asks for a server like those in production: it keeps its secrets
	// in files, so it can be stopped and started again, is sealed then, and
	// listens with TLS and on a unix socket too.
	Durable bool
	// Uninitialized leaves a durable server as it is after its installation: there
	// are no keys and no token.
	Uninitialized bool
}

// Vault is a running Vault server.
type Vault struct {
	Address string // http://127.0.0.1:PORT
	Token   string // root's

	TLS *VaultTLS // nil unless Durable

	proc       *process
	dir        string
	bin        Binaries
	args       []string
	unsealKeys []string
	client     *api.Client
	peers      bool // others of its cluster may be active in its place
}

// VaultTLS is how a durable server is reached with TLS.
type VaultTLS struct {
	Address    string // https://127.0.0.1:PORT
	Mutual     string // the same, where the client has to show a certificate
	Socket     string // path of a unix socket, plain HTTP
	CA         string // file: the authority of the server's certificate
	OtherCA    string // file: an authority that has nothing to do with it
	ClientCert string // file: a certificate that Mutual takes
	ClientKey  string // file: and its key

	ca  *authority
	dir string
}

// Issue makes another client certificate for Mutual, with this name.
func (t *VaultTLS) Issue(name string) (certFile, keyFile string, err error) {
	return t.ca.issue(t.dir, name)
}

// StartVault starts a Vault server and waits until it answers, unsealed if it can be.
func StartVault(ctx context.Context, bin Binaries, opt VaultOptions) (*Vault, error) {
	return withFreePorts(func() (*Vault, error) {
		dir, err := os.MkdirTemp("", "vaultexec-vault-")
		if err != nil {
			return nil, err
		}
		v := &Vault{dir: dir, bin: bin}
		if err := v.start(ctx, opt); err != nil {
			_ = v.Stop()
			return nil, err
		}
		return v, nil
	})
}

func (v *Vault) start(ctx context.Context, opt VaultOptions) error {
	free, err := freePorts(1)
	if err != nil {
		return err
	}
	addr := free[0]
	v.Address = "http://" + addr
	if v.client, err = newClient(v.Address); err != nil {
		return err
	}
	if opt.Durable {
		if err := v.configure(addr); err != nil {
			return err
		}
		if opt.Uninitialized {
			return v.Start(ctx)
		}
		return v.firstStart(ctx)
	}
	v.Token = "root-" + rand.Text() // Vault refuses an ID that looks like one of its own
	v.args = []string{"server", "-dev", "-dev-no-store-token",
		"-dev-listen-address=" + addr, "-dev-root-token-id=" + v.Token}
	if v.bin.KubernetesPlugin != "" {
		v.args = append(v.args, "-dev-plugin-dir="+filepath.Dir(v.bin.KubernetesPlugin), "-dev-plugin-init=false")
	}
	v.client.SetToken(v.Token)
	if err := v.Start(ctx); err != nil {
		return err
	}
	return v.proc.ready(ctx, v.unsealed)
}

// configure writes the configuration of a durable server, with everything it
// refers to, into its directory.
func (v *Vault) configure(addr string) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	ca, err := newAuthority("vault test authority")
	if err != nil {
		return err
	}
	other, err := newAuthority("unrelated authority")
	if err != nil {
		return err
	}
	v.TLS = &VaultTLS{
		Address: "https://" + ports[0], Mutual: "https://" + ports[1],
		Socket: filepath.Join(v.dir, "vault.sock"),
		CA:     filepath.Join(v.dir, "ca.pem"), OtherCA: filepath.Join(v.dir, "other-ca.pem"),
		ca: ca, dir: v.dir,
	}
	cert, key, err := ca.issue(v.dir, "vault")
	if err != nil {
		return err
	}
	if v.TLS.ClientCert, v.TLS.ClientKey, err = ca.issue(v.dir, "client"); err != nil {
		return err
	}
	withTLS := section{"address": ports[0], "tls_cert_file": cert, "tls_key_file": key}
	mutual := section{"address": ports[1], "tls_cert_file": cert, "tls_key_file": key,
		"tls_client_ca_file": v.TLS.CA, "tls_require_and_verify_client_cert": true}
	return errors.Join(os.WriteFile(v.TLS.CA, ca.pem, 0o644), os.WriteFile(v.TLS.OtherCA, other.pem, 0o644),
		v.writeConfig(addr, ports[2], section{"node_id": "only"},
			section{"tcp": withTLS}, section{"tcp": mutual}, section{"unix": section{"address": v.TLS.Socket}}))
}

// section is one of Vault's configuration.
type section = map[string]any

// writeConfig writes the configuration of a server that keeps its secrets, with
// these settings of its storage and listeners beside the plain one at addr, and
// has it started with that. Of the storage that keeps anything, the minimal build
// has raft alone.
func (v *Vault) writeConfig(addr, clusterAddr string, raft section, listeners ...section) error {
	raft["path"] = filepath.Join(v.dir, "storage")
	raft["performance_multiplier"] = "1" // the least: how long a node waits for others
	plain := section{"tcp": section{"address": addr, "tls_disable": true, "cluster_address": clusterAddr}}
	config := section{
		"storage": section{"raft": raft}, "listener": append([]section{plain}, listeners...),
		"api_addr": "http://" + addr, "cluster_addr": "https://" + clusterAddr, "disable_mlock": true,
		requestLog: "info",
	}
	if v.bin.KubernetesPlugin != "" {
		config["plugin_directory"] = filepath.Dir(v.bin.KubernetesPlugin)
	}
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	file := filepath.Join(v.dir, "vault.json")
	v.args = []string{"server", "-config=" + file}
	return errors.Join(os.Mkdir(filepath.Join(v.dir, "storage"), 0o700), os.WriteFile(file, text, 0o600))
}

func (v *Vault) firstStart(ctx context.Context) error {
	if err := v.Start(ctx); err != nil {
		return err
	}
	init, err := v.client.Sys().InitWithContext(ctx, &api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	if err != nil {
		return err
	}
	v.Token, v.unsealKeys = init.RootToken, init.Keys
	v.client.SetToken(v.Token)
	return v.Unseal(ctx)
}

// Client is a client with root's token. It is the same at each call: Clone it
// to change it.
func (v *Vault) Client() *api.Client { return v.client }

// Start starts the server again after Stop or Kill, at the same addresses. A
// durable one is sealed then, one in memory has forgotten everything.
func (v *Vault) Start(ctx context.Context) error {
	proc, err := startProcess(v.dir, v.bin.Vault, v.args, nil)
	if err != nil {
		return err
	}
	v.proc = proc
	return proc.ready(ctx, v.answers)
}

// Shutdown ends the server but keeps what it has stored, for Start.
func (v *Vault) Shutdown() error { return v.proc.stop() }

// Kill does the same without a warning.
func (v *Vault) Kill() { v.proc.kill() }

// Stop ends the server and removes everything it has written.
func (v *Vault) Stop() error {
	err := v.proc.stop()
	return errors.Join(err, os.RemoveAll(v.dir))
}

// Pause makes the server hang: it accepts connections and answers nothing.
func (v *Vault) Pause() error { return v.proc.pause() }

// Resume ends Pause.
func (v *Vault) Resume() error { return v.proc.signal(syscall.SIGCONT) }

// Seal seals the server: it answers 503 to everything.
func (v *Vault) Seal(ctx context.Context) error { return v.client.Sys().SealWithContext(ctx) }

// Unseal unseals a durable server and waits until it serves: as the active
// node, or in a cluster as a standby one.
func (v *Vault) Unseal(ctx context.Context) error {
	for _, key := range v.unsealKeys {
		if _, err := v.client.Sys().UnsealWithContext(ctx, key); err != nil {
			return err
		}
	}
	return v.proc.ready(ctx, v.unsealed)
}

// answers is content when the listener is there, whatever state Vault is in.
func (v *Vault) answers(ctx context.Context) error {
	_, err := v.client.Sys().SealStatusWithContext(ctx)
	return err
}

// unsealed is content when Vault is the active node, or one of several.
func (v *Vault) unsealed(ctx context.Context) error { return v.serves(ctx, v.peers) }

// active is content when Vault is the active node and takes requests.
func (v *Vault) active(ctx context.Context) error { return v.serves(ctx, false) }

// serves goes by /sys/health, see its API documentation.
func (v *Vault) serves(ctx context.Context, standby bool) error {
	h, err := v.client.Sys().HealthWithContext(ctx)
	if err == nil && (!h.Initialized || h.Sealed || h.Standby && !standby) {
		err = errors.New("it is sealed or in standby")
	}
	return err
}

// newClient makes a client that the caller's VAULT_* and proxy variables do
// not concern.
func newClient(address string) (*api.Client, error) {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "VAULT_") && name != "VAULT_TEST_CACHE" {
			// The client reads them wherever it is made, see api.NewClient.
			if err := os.Unsetenv(name); err != nil {
				return nil, err
			}
		}
	}
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, config.Error
	}
	config.Address = address
	config.HttpClient.Transport.(*http.Transport).Proxy = nil
	config.Timeout = time.Minute
	config.MaxRetries = 0
	return api.NewClient(config)
}

// fileSHA256 is how Vault's plugin catalogue names a program.
func fileSHA256(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// write is a Vault request as root whose answer does not matter.
func (v *Vault) write(ctx context.Context, path string, data map[string]any) error {
	if _, err := v.client.Logical().WriteWithContext(ctx, path, data); err != nil {
		return fmt.Errorf("vault write %s: %w", path, err)
	}
	return nil
}
