package ref

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseValsReferences(t *testing.T) {
	for value, want := range map[string]Ref{
		"ref+vault://kv/app#/password":                      {Source: Source{Path: "kv/app"}, Key: "password"},
		"ref+vault://kv/app#password+":                      {Source: Source{Path: "kv/app"}, Key: "password"},
		"ref+vault://kv/app#/a/b-2/c%23+":                   {Source: Source{Path: "kv/app"}, Key: "a", Inner: []string{"b-2", "c#"}},
		"ref+vault://kv/app?version=2&namespace=team#/user": {Source: Source{Path: "kv/app", Version: 2, Namespace: "team"}, Key: "user"},
	} {
		got, err := ParseValue(value)
		if err != nil || len(got) != 1 || !reflect.DeepEqual(*got[0].Ref, want) {
			t.Errorf("%s: %v, %v, want %v", value, got, err, want)
		}
	}
	for value, want := range map[string]string{
		"ref+vault://kv/app":                            "add #/KEY",
		"ref+vault://kv/app#/a//b":                      "an empty key between two slashes",
		"ref+vault://kv/app#/a/":                        "an empty key between two slashes",
		"ref+vault://kv/app#/a/%zz":                     "has a % that is not followed by",
		"ref+vault://kv/app?token_env=" + canary + "#k": "parameter token_env of ref+vault:// is not supported",
		"ref+vault://kv/app?address=https://x#k":        "VAULT_ADDR",
		"ref+vault://kv#/k":                             "the path has no slash",
	} {
		_, err := ParseValue(value)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v, want %s", value, err, want)
		}
	}
	if got, err := ParseValue("ref+vault://kv/app#/a/b#"); err != nil || got[0].Ref.String() != "kv/app#a/b%23" {
		t.Errorf("its name: %v, %v", got, err)
	}
	if got, err := ParseValue("see ref+vault://kv/app#k"); got != nil || err != nil {
		t.Errorf("a text that has such a reference in it: %v, %v", got, err)
	}
}

// What vault-env takes for a ciphertext (vault-sdk, transit IsEncrypted).
func TestCiphertext(t *testing.T) {
	for value, want := range map[string]bool{
		"vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==": true,
		"vault:v100:x": true, "vault:v1:": false, "vault:v0:x": false, "vault:v0": false, "vault:v:x": false, "vault:v1x:y": false,
		"": false, "vault:kv/app#k": false, "x vault:v1:y": false,
	} {
		if got := Ciphertext(value); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

func TestDecrypt(t *testing.T) {
	r, err := Decrypt("/crypt/transit/", "a#b", `vault:v1:"x`)
	want := Ref{Source: Source{Path: "crypt/transit/decrypt/a#b", Body: `{"ciphertext":"vault:v1:\"x"}`}, Key: "plaintext", Decode: "base64"}
	if err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestParseLoginToken(t *testing.T) {
	token := Source{Login: true}
	for text, use := range map[string]Use{"vault:login": Variable, "vault:login?mode=0440&on_change=none": File} {
		r, err := Parse(text, use)
		if err != nil || r.Source != token || r.Key != TokenKey || r.String() != "vault:login" {
			t.Errorf("%s: %+v, %v", text, r, err)
		}
	}
	for text, want := range map[string]string{
		"vault:login":             "is one value",
		"vault:login?version=2":   "is one value",
		"vault:login#token":       "the path has no slash",
		"vault:login?namespace=a": "is one value",
	} {
		if _, err := Parse(text, Secret); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := Parse("vault:login?version=2", File); err == nil || !strings.Contains(err.Error(), "neither a version") {
		t.Errorf("a version of the token: %v", err)
	}
}
