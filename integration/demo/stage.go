package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"vaultexec/integration/servers"
)

// The names of https://developer.hashicorp.com/vault/tutorials/kubernetes-introduction.
const (
	mount      = "internal"
	secretName = "database/config"
	secretPath = mount + "/" + secretName
	namespace  = "webapp"
	account    = "internal-app"
	role       = "internal-app"
	policy     = "internal-app"
	audience   = "vault"
)

// stage has what the demo plays on.
type stage struct {
	dir       string // temporary
	self      string // this binary, which is also the app
	vaultexec string
	bin       servers.Binaries
	vault     *servers.Vault
	cluster   *servers.Cluster
	jwt       string // file with the service account's token
}

func (s *stage) build(ctx context.Context) (err error) {
	if s.self, err = os.Executable(); err != nil {
		return err
	}
	if s.bin, err = servers.Build(ctx, os.Stdout); err != nil {
		return err
	}
	s.vaultexec, err = servers.BuildVaultexec(ctx, s.dir, false)
	return err
}

func (s *stage) start(ctx context.Context) (err error) {
	say("Starting Vault ...")
	if s.vault, err = servers.StartVault(ctx, s.bin, servers.VaultOptions{}); err != nil {
		return err
	}
	say("Starting the Kubernetes API (etcd, kube-apiserver) ...")
	s.cluster, err = servers.StartCluster(ctx, s.bin)
	return err
}

// stop ends the servers; a second time it does nothing.
func (s *stage) stop() {
	if s.cluster != nil {
		s.complain(s.cluster.Stop())
	}
	if s.vault != nil {
		s.complain(s.vault.Stop())
	}
}

func (s *stage) complain(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
	}
}

// seed makes what the tutorials make: a secret, a policy to read it, a service
// account, and a role that gives the one to the other.
func (s *stage) seed(ctx context.Context) error {
	if err := s.vault.EnableKV(ctx, mount, 2); err != nil {
		return err
	}
	if err := s.put(ctx, "db-secret-password"); err != nil {
		return err
	}
	err := errors.Join(
		s.vault.Policy(ctx, policy, "read", mount+"/data/"+secretName),
		s.cluster.CreateNamespace(ctx, namespace),
		s.cluster.CreateServiceAccount(ctx, namespace, account),
		s.vault.EnableKubernetesAuth(ctx, s.cluster, "kubernetes"),
	)
	if err != nil {
		return err
	}
	err = s.vault.CreateRole(ctx, "kubernetes", servers.Role{
		Name: role, Namespace: namespace, ServiceAccount: account,
		Audience: audience, Policies: []string{"default", policy}, TTL: time.Hour,
	})
	if err != nil {
		return err
	}
	say(fmt.Sprintf("Role %s: service account %s may read %s.", role, account, secretPath), "")
	return s.project(ctx)
}

// project does what kubelet does for a pod: it leaves a token of the service
// account in a file.
func (s *stage) project(ctx context.Context) error {
	token, err := s.cluster.Token(ctx, namespace, account, []string{audience}, time.Hour)
	if err != nil {
		return err
	}
	s.jwt = filepath.Join(s.dir, "token")
	return os.WriteFile(s.jwt, []byte(token), 0o600)
}

// put writes the secret, and shows the command that would.
func (s *stage) put(ctx context.Context, password string) error {
	const username = "db-readonly-username"
	fmt.Printf("   $ vault kv put %s username=%s password=%s\n", secretPath, username, password)
	_, err := s.vault.PutKV2(ctx, mount, secretName, map[string]any{"username": username, "password": password})
	return err
}
