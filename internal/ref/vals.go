package ref

import (
	"errors"
	"fmt"
	"strings"
)

// valsScheme begins what vals (github.com/helmfile/vals) takes from Vault.
const valsScheme = "ref+vault://"

// parseVals reads what follows the scheme of a vals reference, which has to be
// all of a value: PATH[?PARAM=VALUE&...]#/KEY. Of its parameters those that name
// the secret mean the same here; those that say how to reach Vault are settings.
func parseVals(text string) (Ref, error) {
	text = strings.TrimSuffix(text, "+") // ends an expression inside other text, and may end any
	location, fragment, _ := strings.Cut(text, "#")
	path, query, hasQuery := strings.Cut(location, "?")
	key := strings.TrimPrefix(fragment, "/")
	switch {
	case key == "":
		return Ref{}, errors.New("ref+vault:// without #/KEY names a whole secret, and one variable takes one key: add #/KEY")
	case strings.Contains(key, "/"):
		return Ref{}, errors.New("ref+vault:// with a key inside of a key is not supported: name the outer key, whose value is JSON")
	}
	if hasQuery {
		for _, word := range strings.Split(query, "&") {
			if name, _, _ := strings.Cut(word, "="); name != "namespace" && name != "version" {
				return Ref{}, fmt.Errorf("parameter %s of ref+vault:// is not supported: version and namespace are; how to reach Vault and log in is said by VAULT_ADDR, --auth and --role", name)
			}
		}
		path += "?" + query
	}
	return Parse(path+"#"+key, Variable)
}

// Ciphertext tells whether a value is one that the transit engine made, as
// vault-env recognizes it: vault:v1:BASE64.
func Ciphertext(value string) bool {
	rest, ok := strings.CutPrefix(value, "vault:v")
	if !ok {
		return false
	}
	version, text, ok := strings.Cut(rest, ":")
	return ok && text != "" && version != "" && version[0] != '0' && strings.Trim(version, "0123456789") == ""
}

// Decrypt is the reference to the plain text of a value of the transit engine
// mounted at a path, encrypted with a key (Vault's API: transit, decrypt data).
func Decrypt(mount, key, ciphertext string) (Ref, error) {
	r, err := Parse(fmt.Sprintf(">>%s/decrypt/%s?decode=base64#plaintext", Escape(strings.Trim(mount, "/")), Escape(key)), Variable)
	if err != nil {
		return Ref{}, err
	}
	r.Body = string(mustMarshal(map[string]string{"ciphertext": ciphertext}))
	return r, nil
}
