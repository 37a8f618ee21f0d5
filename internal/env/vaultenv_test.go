package env

import (
	"slices"
	"testing"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

func TestDecodeBase64(t *testing.T) {
	v := vault{"kv/app": `{"std":"aGk/Pz8=","bare":"aGk/Pz8","lines":"aGk/\n Pz8=\n","bad":"` + canary + `!"}`}
	got, err := plan(t, v, nil, "--env A=kv/app?decode=base64#std", "--env B=kv/app?decode=base64#bare", "--env C=kv/app?decode=base64#lines",
		"--env D=kv/app?decode=base64&default=x#none")
	if want := []string{"A=hi???", "B=hi???", "C=hi???", "D=x"}; err != nil || !slices.Equal(got.Environ, want) {
		t.Errorf("%q, %v, want %q", got.Environ, err, want)
	}
	_, err = plan(t, v, nil, "--env A=kv/app?decode=base64#bad")
	checkError(t, err, "not_representable", "--env A: kv/app#bad is not base64, as decode= says: correct it, or remove decode=")
}

// What vault-env finds in inherited variables beside references.
func TestInheritedFromVaultEnv(t *testing.T) {
	s := Sources{Inherited: []string{"A=vault:v1:cipher==", "B=vault:kv/none#x", "C=x ${vault:kv/none#x}", "D=vault:kv/none?default=d#x", "VAULT_TOKEN=vault:login"},
		TransitMount: "transit", TransitKey: "k", IgnoreMissing: true}
	p, err := NewPlanner(s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Plan(map[ref.Source]secret.Fields{
		{Path: "transit/decrypt/k", Body: `{"ciphertext":"vault:v1:cipher=="}`}: fields(t, `{"plaintext":"cGxhaW4="}`),
		{Login: true}: fields(t, `{"token":"hvs.x"}`),
	})
	if want := []string{"A=plain", "D=d", "VAULT_TOKEN=hvs.x"}; err != nil || !slices.Equal(got.Environ, want) {
		t.Errorf("%q, %v, want %q", got.Environ, err, want)
	}
	p, err = NewPlanner(Sources{Inherited: []string{"A=vault:v1:cipher=="}})
	if err != nil || len(p.Refs()) != 0 {
		t.Errorf("a ciphertext without a key: %v, %v", p.Refs(), err)
	}
}
