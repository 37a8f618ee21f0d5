package servers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// issuer of service account tokens, as most clusters have it.
const issuer = "https://kubernetes.default.svc.cluster.local"

// Cluster is a Kubernetes API with nothing behind it: no nodes, no controllers.
type Cluster struct {
	Address string // https://127.0.0.1:PORT
	CA      []byte // PEM: the authority of its certificate

	dir       string
	etcd      *process
	apiserver *process
	admin     string // bearer token
	signer    *ecdsa.PrivateKey
	client    *http.Client
}

// StartCluster starts etcd and kube-apiserver and waits until it is ready.
func StartCluster(ctx context.Context, bin Binaries) (*Cluster, error) {
	return withFreePorts(func() (*Cluster, error) {
		dir, err := os.MkdirTemp("", "vaultexec-kubernetes-")
		if err != nil {
			return nil, err
		}
		c := &Cluster{dir: dir, admin: rand.Text()}
		if err := c.start(ctx, bin); err != nil {
			_ = c.Stop()
			return nil, err
		}
		return c, nil
	})
}

func (c *Cluster) start(ctx context.Context, bin Binaries) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	client, peer := "http://"+ports[0], "http://"+ports[1]
	c.etcd, err = startProcess(c.dir, bin.Etcd, []string{
		"--data-dir", filepath.Join(c.dir, "etcd"), "--unsafe-no-fsync", "--log-level", "warn",
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer,
	}, nil)
	if err != nil {
		return err
	}
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	err = c.etcd.ready(ctx, func(ctx context.Context) error { return getOK(ctx, plain, client+"/health", "") })
	if err != nil {
		return err
	}
	args, err := c.configure(ports[2], client)
	if err != nil {
		return err
	}
	if c.apiserver, err = startProcess(c.dir, bin.KubeAPIServer, args, nil); err != nil {
		return err
	}
	// Readiness includes the roles that every cluster has, ours among them.
	return c.apiserver.ready(ctx, func(ctx context.Context) error {
		return getOK(ctx, c.client, c.Address+"/readyz", c.admin)
	})
}

// configure writes keys and certificates and gives kube-apiserver's arguments.
func (c *Cluster) configure(addr, etcd string) (args []string, err error) {
	ca, err := newAuthority("kubernetes test authority")
	if err != nil {
		return nil, err
	}
	cert, key, err := ca.issue(c.dir, "kubernetes")
	if err != nil {
		return nil, err
	}
	if c.signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	private, public := filepath.Join(c.dir, "service-account.key"), filepath.Join(c.dir, "service-account.pub")
	tokens := filepath.Join(c.dir, "tokens.csv")
	err = errors.Join(writeKey(private, c.signer), writePublicKey(public, &c.signer.PublicKey),
		os.WriteFile(tokens, []byte(c.admin+",admin,admin,system:masters\n"), 0o600))
	if err != nil {
		return nil, err
	}
	c.Address, c.CA, c.client = "https://"+addr, ca.pem, httpsClient(ca)
	host, port, _ := strings.Cut(addr, ":")
	return []string{
		"--etcd-servers=" + etcd,
		"--bind-address=" + host, "--advertise-address=" + host, "--secure-port=" + port,
		"--tls-cert-file=" + cert, "--tls-private-key-file=" + key, "--cert-dir=" + c.dir,
		"--token-auth-file=" + tokens, "--authorization-mode=RBAC",
		"--service-account-issuer=" + issuer,
		"--service-account-key-file=" + public, "--service-account-signing-key-file=" + private,
		"--service-cluster-ip-range=10.0.0.0/24",
		// No controller makes the default service accounts it insists on.
		"--disable-admission-plugins=ServiceAccount",
		// Nothing is behind the service "kubernetes", and loopback may not be.
		"--endpoint-reconciler-type=none",
	}, nil
}

// Stop ends both servers and removes everything they have written.
func (c *Cluster) Stop() error {
	return errors.Join(c.apiserver.stop(), c.etcd.stop(), os.RemoveAll(c.dir))
}

func getOK(ctx context.Context, client *http.Client, url, bearer string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}
