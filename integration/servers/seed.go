package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// EnableKV mounts a KV secrets engine, version 1 or 2, and waits until it
// takes writes: version 2 upgrades itself in the background after mounting.
func (v *Vault) EnableKV(ctx context.Context, mount string, version int) error {
	err := v.client.Sys().MountWithContext(ctx, mount, &api.MountInput{
		Type: "kv", Options: map[string]string{"version": fmt.Sprint(version)},
	})
	if err != nil || version == 1 {
		return err
	}
	return v.proc.ready(ctx, func(ctx context.Context) error {
		_, err := v.client.Logical().ReadWithContext(ctx, mount+"/config")
		return err
	})
}

// PutKV1 writes a secret to a KV version 1 mount.
func (v *Vault) PutKV1(ctx context.Context, mount, path string, fields map[string]any) error {
	return v.write(ctx, mount+"/"+path, fields)
}

// PutKV2 writes a new version of a secret to a KV version 2 mount, and gives
// its number.
func (v *Vault) PutKV2(ctx context.Context, mount, path string, fields map[string]any) (version int, err error) {
	s, err := v.client.KVv2(mount).Put(ctx, path, fields)
	if err != nil {
		return 0, err
	}
	return s.VersionMetadata.Version, nil
}

// PutJSON writes a secret whose fields are given as text, for what Go's maps
// cannot say (numbers of many digits). For KV version 2 the path has data/ in
// it and the fields are inside "data".
func (v *Vault) PutJSON(ctx context.Context, path, fields string) error {
	if !json.Valid([]byte(fields)) {
		return fmt.Errorf("the fields for %s are not JSON", path)
	}
	_, err := v.client.Logical().WriteBytesWithContext(ctx, path, []byte(fields))
	return err
}

// Policy writes a policy that allows capability (read, say) on each path and
// nothing else.
func (v *Vault) Policy(ctx context.Context, name, capability string, paths ...string) error {
	var rules strings.Builder
	for _, path := range paths {
		fmt.Fprintf(&rules, "path %q { capabilities = [%q] }\n", path, capability)
	}
	return v.client.Sys().PutPolicyWithContext(ctx, name, rules.String())
}

// CreateToken makes a token with just these policies: not even default's.
func (v *Vault) CreateToken(ctx context.Context, ttl time.Duration, policies ...string) (string, error) {
	s, err := v.client.Auth().Token().CreateWithContext(ctx, &api.TokenCreateRequest{
		Policies: policies, TTL: ttl.String(), NoDefaultPolicy: true,
	})
	if err != nil {
		return "", err
	}
	return s.Auth.ClientToken, nil
}

// kubernetesPluginName is the type under which the method is enabled, as it
// is where Vault has it built in.
const kubernetesPluginName = "kubernetes"

// EnableKubernetesAuth mounts the Kubernetes auth method at auth/MOUNT and
// lets it review tokens with cluster, by a service account that may do just
// that. See https://developer.hashicorp.com/vault/docs/auth/kubernetes.
func (v *Vault) EnableKubernetesAuth(ctx context.Context, cluster *Cluster, mount string) error {
	err := v.registerPlugin(ctx, kubernetesPluginName, api.PluginTypeCredential, v.bin.KubernetesPlugin)
	if err != nil {
		return err
	}
	err = v.client.Sys().EnableAuthWithOptionsWithContext(ctx, mount, &api.EnableAuthOptions{Type: kubernetesPluginName})
	if err != nil {
		return err
	}
	reviewer, err := cluster.reviewer(ctx)
	if err != nil {
		return err
	}
	return v.write(ctx, "auth/"+mount+"/config", map[string]any{
		"kubernetes_host":    cluster.Address,
		"kubernetes_ca_cert": string(cluster.CA),
		"token_reviewer_jwt": reviewer,
		// Vault itself may run in a pod, whose own credentials mean another cluster.
		"disable_local_ca_jwt": true,
	})
}

// registerPlugin makes a plugin known to Vault, which takes it for what it
// is only as long as its checksum does not change. What has no file is built in.
func (v *Vault) registerPlugin(ctx context.Context, name string, kind api.PluginType, file string) error {
	if file == "" {
		return nil
	}
	sum, err := fileSHA256(file)
	if err != nil {
		return err
	}
	return v.client.Sys().RegisterPluginWithContext(ctx, &api.RegisterPluginInput{
		Name: name, Type: kind, Command: filepath.Base(file), SHA256: sum,
	})
}

// Role is a role of the Kubernetes auth method: who may log in, and what for.
type Role struct {
	Name           string
	Namespace      string // of the service account
	ServiceAccount string
	Audience       string // that the token has to be for; empty takes any
	Policies       []string
	TTL            time.Duration // of Vault's token
}

// CreateRole creates a role of the auth method at auth/MOUNT.
func (v *Vault) CreateRole(ctx context.Context, mount string, r Role) error {
	data := map[string]any{
		"bound_service_account_names":      r.ServiceAccount,
		"bound_service_account_namespaces": r.Namespace,
		"token_policies":                   r.Policies,
		"token_no_default_policy":          true,
		"token_ttl":                        r.TTL.String(),
	}
	if r.Audience != "" {
		data["audience"] = r.Audience
	}
	return v.write(ctx, "auth/"+mount+"/role/"+r.Name, data)
}
