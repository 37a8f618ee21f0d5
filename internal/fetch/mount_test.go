package fetch

import (
	"encoding/json"
	"testing"
)

func TestAlignMount(t *testing.T) {
	tests := []struct{ full, path, want string }{
		{"kv/", "kv/app", "kv/"},
		{"kv/", "kv", "kv/"},
		{"team/kv/", "team/kv/app", "team/kv/"},
		{"token/", "auth/token/lookup-self", "auth/token/"}, // Vault leaves auth/ out
		{"parent/child/kv/", "child/kv/app", "child/kv/"},   // and names namespaces from the root on
		{"parent/kv/", "kv/app", "kv/"},
		{"kv/", "kvx/app", ""},
		{"other/", "kv/app", ""},
		{"", "kv/app", ""},
		{"/", "kv/app", ""},
	}
	for _, test := range tests {
		if got := alignMount(test.full, test.path); got != test.want {
			t.Errorf("mount %q of %q is %q, want %q", test.full, test.path, got, test.want)
		}
	}
}

func TestParseMount(t *testing.T) {
	tests := []struct {
		data string
		want string
	}{
		{`{"path":"kv/","type":"kv","options":{"version":"2"}}`, "mount kv/, KV v2"},
		{`{"path":"kv/","type":"kv","options":{"version":"1"}}`, "mount kv/, KV v1"},
		{`{"path":"kv/","type":"kv","options":{}}`, "mount kv/, KV v1"},
		{`{"path":"kv/","type":"kv","options":null}`, "mount kv/, KV v1"},
		{`{"path":"kv/","type":"generic"}`, "mount kv/, KV v1"},
		{`{"path":"kv/","type":"pki","options":{"version":"2"}}`, "mount kv/, pki"},
		{`{"path":"elsewhere/","type":"kv"}`, ""},
		{`{"path":"kv/"}`, ""},
		{`{"path":7,"type":"kv"}`, ""},
		{`{}`, ""},
	}
	for _, test := range tests {
		got := ""
		if m := parseMount("kv/app", decodeObject(json.RawMessage(test.data))); m != nil {
			got = m.String()
		}
		if got != test.want {
			t.Errorf("%s is %q, want %q", test.data, got, test.want)
		}
	}
}

func TestLocate(t *testing.T) {
	v2 := &mount{prefix: "team/kv/", engine: "kv", kv: 2}
	v1 := &mount{prefix: "old/", engine: "kv", kv: 1}
	pki := &mount{prefix: "pki/", engine: "pki"}
	tests := []struct {
		m                    *mount
		typed, api, dir      string
		hasVersions, isMount bool
	}{
		{v2, "team/kv/app", "team/kv/data/app", "team/kv/metadata", true, false},
		{v2, "team/kv/data/app", "team/kv/data/app", "team/kv/metadata", true, false},
		{v2, "team/kv/a/b", "team/kv/data/a/b", "team/kv/metadata/a", true, false},
		{v2, "team/kv/data", "team/kv/data/data", "team/kv/metadata", true, false},
		{v2, "team/kv/database", "team/kv/data/database", "team/kv/metadata", true, false},
		{v2, "team/kv/data/data/x", "team/kv/data/data/x", "team/kv/metadata/data", true, false},
		{v2, "team/kv/metadata/app", "team/kv/metadata/app", "team/kv/metadata", false, false},
		{v2, "team/kv", "", "", false, true},
		{v1, "old/app", "old/app", "old", false, false},
		{v1, "old/data/app", "old/data/app", "old/data", false, false},
		{pki, "pki/cert/ca", "pki/cert/ca", "pki/cert", false, false},
	}
	for _, test := range tests {
		if test.isMount {
			if test.m.objection(sourceOf(test.typed, 0)) == "" {
				t.Errorf("%s passes for a secret", test.typed)
			}
			continue
		}
		api := test.m.locate(test.typed)
		if dir := test.m.directory(api); api != test.api || dir != test.dir {
			t.Errorf("%s is at %s in %s, want %s in %s", test.typed, api, dir, test.api, test.dir)
		}
		if ok := test.m.objection(sourceOf(test.typed, 3)) == ""; ok != test.hasVersions {
			t.Errorf("%s has versions: %t, want %t", test.typed, ok, test.hasVersions)
		}
	}
}
