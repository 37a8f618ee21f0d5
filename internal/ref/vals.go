package ref

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// valsScheme begins what vals (github.com/helmfile/vals) takes from Vault.
const valsScheme = "ref+vault://"

// parseVals reads what follows the scheme of a vals reference, which has to be
// all of a value: PATH[?PARAM=VALUE&...]#/KEY, or #/KEY/INNER for a key of the map
// that KEY's value is. Of its parameters those that name the secret mean the same
// here; those that say how to reach Vault are settings.
func parseVals(text string) (Ref, error) {
	text = strings.TrimSuffix(text, "+") // ends an expression inside other text, and may end any
	location, fragment, _ := strings.Cut(text, "#")
	path, query, hasQuery := strings.Cut(location, "?")
	keys := strings.Split(strings.TrimPrefix(fragment, "/"), "/")
	switch {
	case len(keys) == 1 && keys[0] == "":
		return Ref{}, errors.New("ref+vault:// without #/KEY names a whole secret, and one variable takes one key: add #/KEY")
	case slices.Contains(keys, ""):
		return Ref{}, errors.New("ref+vault:// has an empty key between two slashes: write #/KEY/INNER")
	}
	if hasQuery {
		for _, word := range strings.Split(query, "&") {
			if name, _, _ := strings.Cut(word, "="); name != "namespace" && name != "version" {
				return Ref{}, fmt.Errorf("parameter %s of ref+vault:// is not supported: version and namespace are; how to reach Vault and log in is said by VAULT_ADDR, --auth and --role", name)
			}
		}
		path += "?" + query
	}
	r, err := Parse(path+"#"+keys[0], Variable)
	for _, key := range keys[1:] {
		if err == nil {
			key, err = unescape(key) // as Parse does with the outer one
		}
		r.Inner = append(r.Inner, key)
	}
	return r, err
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
