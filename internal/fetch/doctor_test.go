package fetch

import (
	"encoding/base64"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
	"vaultexec/internal/ref"
)

func TestPermissions(t *testing.T) {
	vault := fetchtest.New(t)
	vault.MountKV("kv/", 2)
	vault.MountKV("old/", 1)
	vault.Mount("pki/", "pki")
	vault.Allow("token", "kv/data/app", "read")
	vault.Allow("token", "kv/metadata/all/*", "list")
	vault.Allow("token", "old/*", "list")
	vault.Allow("token", "pki/issue/web", "update")
	t.Setenv("VAULT_ADDR", vault.URL)
	t.Setenv("VAULT_TOKEN", "token")
	c, err := login(t, Config{})
	if err != nil {
		t.Fatal(err)
	}
	var refs []ref.Ref
	for _, text := range []string{"kv/app#a", "kv/app#b", "kv/other", "kv/all/*", "old/x", ">>pki/issue/web#c", "none/x", "old/x?version=3"} {
		r, err := ref.Parse(text, ref.File)
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, r)
	}
	all, err := c.Permissions(t.Context(), refs)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range all {
		state := "denied"
		if p.OK {
			state = "ok"
		}
		got = append(got, strings.Join([]string{p.Reference, state, p.Needs, p.Path, p.Mount, p.Reason}, "|"))
	}
	want := []string{
		"kv/app#a|ok|read|kv/data/app|mount kv/, KV v2|",
		"kv/app#b|ok|read|kv/data/app|mount kv/, KV v2|",
		"kv/other|denied|read|kv/data/other|mount kv/, KV v2|",
		"kv/all/*|ok|list|kv/metadata/all|mount kv/, KV v2|",
		"old/x|denied|read|old/x|mount old/, KV v1|",
		"pki/issue/web#c|ok|update|pki/issue/web|mount pki/, pki|",
		"none/x|denied|read|||permission denied: the policies open nothing below its mount, or there is no mount for it",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if p := all[len(all)-1].Fix.Lines(); len(p) != 3 || p[2] != `path "none/data/x" { capabilities = ["read"] }` {
		t.Errorf("it is mended by %q", p)
	}
	if p := all[3].Fix.Lines(); len(p) != 1 || p[0] != `path "kv/metadata/all/*" { capabilities = ["list"] }`+"\n"+`path "kv/data/all/*" { capabilities = ["read"] }` {
		t.Errorf("the folder is opened by %q", p)
	}
	if n := vault.Count("PUT sys/capabilities-self"); n != 1 {
		t.Errorf("the capabilities were asked for %d times", n)
	}
}

func TestSkew(t *testing.T) {
	at := func(s float64) time.Time {
		return time.Unix(1_700_000_000, 0).Add(time.Duration(s * float64(time.Second)))
	}
	for _, tt := range []struct {
		date, asked, answered float64
		want                  time.Duration
	}{
		{100, 100.2, 100.9, 0}, // cut off
		{100, 99, 103, 0},
		{160, 100, 101, 59 * time.Second},
		{40, 100, 101, -59 * time.Second},
	} {
		if got := skew(at(tt.date), at(tt.asked), at(tt.answered)); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

func TestClaims(t *testing.T) {
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for jwt, want := range map[string]Claims{
		"h." + encode(`{"aud":["vault","other"],"iss":"https://k8s","sub":"system:serviceaccount:ns:app","exp":1700000000,"x":"canary"}`) + ".s": {[]string{"vault", "other"}, "https://k8s", "system:serviceaccount:ns:app", time.Unix(1700000000, 0)},
		"h." + encode(`{"aud":"vault","exp":1.7e9}`) + ".s": {Audience: []string{"vault"}, Expires: time.Unix(1700000000, 0)},
		"h." + encode(`{"exp":1e300}`) + ".s":               {Expires: time.Unix(int64(maxLife/time.Second), 0)},
		"h." + encode(`[]`) + ".s":                          {},
		"hvs.canary":                                        {},
		"h.%%%.s":                                           {},
	} {
		t.Setenv("VAULT_ADDR", "http://127.0.0.1:1")
		c, err := New(Config{Role: "app", JWTPath: writeFile(t, "jwt", jwt, 0o600)})
		if err != nil {
			t.Fatal(err)
		}
		got, there, err := c.Claims()
		bad := reflect.DeepEqual(want, Claims{})
		if !there || (err != nil) != bad || !reflect.DeepEqual(got, want) || err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %+v, %v, want %+v", jwt, got, err, want)
		}
	}
}

// The way to Vault is gone as far as it goes, and a certificate that is refused
// is shown all the same.
func TestLine(t *testing.T) {
	vault := fetchtest.NewTLS(t)
	for _, tt := range []struct {
		address string
		want    func(Line) bool
	}{
		{vault.URL, func(l Line) bool {
			return l.TLS && len(l.Chain) == 1 && l.Refused != nil && strings.Contains(l.Refused.Error(), "unknown authority")
		}},
		{strings.Replace(vault.URL, "https", "http", 1), func(l Line) bool { return !l.TLS && l.Connect == nil }},
		{"https://127.0.0.1:1", func(l Line) bool { return l.Connect != nil && l.Connect.Error() == "connection refused" }},
		{"https://nowhere.invalid", func(l Line) bool { return l.DNS != nil && l.Connect == nil }},
		{"unix:///run/vault.sock", func(l Line) bool { return l.Host == "" && l.Connect != nil }},
	} {
		t.Setenv("VAULT_ADDR", tt.address)
		c, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		if l := c.Line(t.Context()); !tt.want(l) {
			t.Errorf("%s: %+v", tt.address, l)
		}
	}
}

func TestHealthAndToken(t *testing.T) {
	vault := fetchtest.New(t)
	vault.Allow("hvs.doctor", "kv/*", "read")
	vault.TokenLife("hvs.doctor", fetchtest.Life{TTL: time.Hour, Renewable: true})
	t.Setenv("VAULT_ADDR", vault.URL)
	t.Setenv("VAULT_TOKEN", "hvs.doctor")
	c, err := login(t, Config{})
	if err != nil {
		t.Fatal(err)
	}
	vault.Seal(true)
	if h, err := c.Health(Once(t.Context())); err != nil || !h.Sealed || !h.Initialized || !h.Clocked || h.Skew != 0 {
		t.Errorf("%+v, %v", h, err)
	}
	for _, r := range vault.Requests() {
		if r.Path == "sys/health" && r.Token != "" {
			t.Error("the token went to who answers everybody")
		}
	}
	vault.Seal(false)
	if k, err := c.Token(Once(t.Context())); err != nil || k.TTL < 59*time.Minute || !k.Renews || k.Type != "service" {
		t.Errorf("%+v, %v", k, err)
	}
	vault.Fault(1, fetchtest.Status(http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n"))
	if k, err := c.Token(Once(t.Context())); err != nil || !k.Unknown {
		t.Errorf("denied: %+v, %v", k, err)
	}
	vault.Revoke("hvs.doctor")
	if k, err := c.Token(Once(t.Context())); classOf(err) != string(ClassAuthDenied) {
		t.Errorf("revoked: %+v, %v", k, err)
	}
	vault.FaultOn("GET sys/health", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })
	if _, err := c.Health(Once(t.Context())); classOf(err) != string(ClassUnreachable) {
		t.Errorf("not Vault: %v", err)
	}
}
