package servers

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/vault/api"
)

// EnablePKI mounts a PKI secrets engine with a new root authority, and gives
// its certificate as PEM.
func (v *Vault) EnablePKI(ctx context.Context, mount string) (ca string, err error) {
	err = v.client.Sys().MountWithContext(ctx, mount, &api.MountInput{
		Type: "pki", Config: api.MountConfigInput{MaxLeaseTTL: certLife.String()},
	})
	if err != nil {
		return "", err
	}
	s, err := v.client.Logical().WriteWithContext(ctx, mount+"/root/generate/internal", map[string]any{
		"common_name": "pki test authority", "key_type": "ec", "ttl": certLife.String(),
	})
	if err != nil {
		return "", err
	}
	ca, ok := s.Data["certificate"].(string)
	if !ok {
		return "", errors.New("the PKI engine gives no root certificate")
	}
	return ca, nil
}

// PKIRole is a role of a PKI engine: what MOUNT/issue/NAME takes, for any name.
type PKIRole struct {
	Name   string
	TTL    time.Duration // of a certificate that asks for none; zero is MaxTTL
	MaxTTL time.Duration
	// GenerateLease makes each certificate a lease, whose end revokes it.
	// Without, as by default, the answer has no lease and just an expiration.
	GenerateLease bool
}

// CreatePKIRole creates or changes a role of a PKI engine.
func (v *Vault) CreatePKIRole(ctx context.Context, mount string, r PKIRole) error {
	if r.TTL == 0 {
		r.TTL = r.MaxTTL
	}
	return v.write(ctx, mount+"/roles/"+r.Name, map[string]any{
		"allow_any_name": true, "enforce_hostnames": false, "key_type": "ec",
		"ttl": r.TTL.String(), "max_ttl": r.MaxTTL.String(), "generate_lease": r.GenerateLease,
		// The default, half a minute back, makes short lives look longer.
		"not_before_duration": "1s",
	})
}

// EnableAppRole mounts the AppRole auth method at auth/MOUNT.
func (v *Vault) EnableAppRole(ctx context.Context, mount string) error {
	return v.client.Sys().EnableAuthWithOptionsWithContext(ctx, mount, &api.EnableAuthOptions{Type: "approle"})
}

// CreateAppRole creates a role of the AppRole method at auth/MOUNT with these
// token settings (token_ttl, token_policies, token_type ...), and gives what
// logs in with it.
func (v *Vault) CreateAppRole(ctx context.Context, mount, name string, settings map[string]any) (roleID, secretID string, err error) {
	role := "auth/" + mount + "/role/" + name
	if err := v.write(ctx, role, settings); err != nil {
		return "", "", err
	}
	id, err := v.client.Logical().ReadWithContext(ctx, role+"/role-id")
	if err != nil {
		return "", "", err
	}
	secret, err := v.client.Logical().WriteWithContext(ctx, role+"/secret-id", nil)
	if err != nil {
		return "", "", err
	}
	roleID, _ = id.Data["role_id"].(string)
	secretID, _ = secret.Data["secret_id"].(string)
	return roleID, secretID, nil
}

// EnableUserpass mounts the userpass auth method at auth/MOUNT.
func (v *Vault) EnableUserpass(ctx context.Context, mount string) error {
	return v.client.Sys().EnableAuthWithOptionsWithContext(ctx, mount, &api.EnableAuthOptions{Type: "userpass"})
}

// CreateUser creates a user of the userpass method at auth/MOUNT with these
// token settings.
func (v *Vault) CreateUser(ctx context.Context, mount, name, password string, settings map[string]any) error {
	with := map[string]any{"password": password}
	for k, value := range settings {
		with[k] = value
	}
	return v.write(ctx, "auth/"+mount+"/users/"+name, with)
}
