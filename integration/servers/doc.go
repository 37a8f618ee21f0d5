// Package servers runs the real servers that vaultexec is tested and shown
// with: Vault, kube-apiserver with etcd, which issues service account tokens
// (TokenRequest) and reviews them for Vault (TokenReview), and PostgreSQL.
//
// PostgreSQL is Debian's. Everything else is built from Go modules, in the two
// nested modules vault and kubernetes, and kept outside the tree: in
// $VAULT_TEST_CACHE, or else in the user's cache directory under
// vaultexec/servers. A vault on PATH serves instead where it is new enough and
// can log in with Kubernetes.
//
//	bin, err := servers.Build(ctx, os.Stderr)
//	vault, err := servers.StartVault(ctx, bin, servers.VaultOptions{})
//	defer vault.Stop()
//	cluster, err := servers.StartCluster(ctx, bin)
//	defer cluster.Stop()
//	err = vault.EnableKubernetesAuth(ctx, cluster, "kubernetes")
//
// What can go wrong around a Vault is made here, too: Raft is a cluster whose
// nodes fail one by one, Proxy spoils answers, breaks connections and has a
// certificate that expires, Cut is a network whose cable can be cut.
//
// A developer's own VAULT_* variables are removed from the environment of the
// process that starts a server, since Vault's client would obey them.
//
// Servers listen on free loopback ports (and nowhere else), keep what they
// write in a temporary directory, and are ready when their Start function
// returns. Each is in a process group of its own that a guard leads, so that
// nothing survives the process that started it, however that ends; after a
// crash only the temporary directory, with the server's log, is left behind
// (and 56 bytes of shared memory for each PostgreSQL).
package servers
