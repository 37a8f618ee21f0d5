package servers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/hashicorp/vault/api"
)

// EnableAuth mounts an auth method that Vault has built in at auth/MOUNT.
func (v *Vault) EnableAuth(ctx context.Context, mount, kind string) error {
	return v.client.Sys().EnableAuthWithOptionsWithContext(ctx, mount, &api.EnableAuthOptions{Type: kind})
}

// Issuer issues JWTs, as a CI system or an identity provider does.
type Issuer struct{ key *ecdsa.PrivateKey }

// NewIssuer makes one with a key of its own.
func NewIssuer() (*Issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return &Issuer{key}, err
}

// Issue signs the claims.
func (i *Issuer) Issue(claims map[string]any) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: i.key}, nil)
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// TrustIssuer makes the jwt method at auth/MOUNT take what the issuer signs.
func (v *Vault) TrustIssuer(ctx context.Context, mount string, i *Issuer) error {
	der, err := x509.MarshalPKIXPublicKey(&i.key.PublicKey)
	if err != nil {
		return err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return v.write(ctx, "auth/"+mount+"/config", map[string]any{"jwt_validation_pubkeys": string(public)})
}
