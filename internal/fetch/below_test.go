package fetch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"vaultexec/internal/fetch/fetchtest"
	"vaultexec/internal/ref"
)

// grow puts trees into a Vault: tree/ in KV version 2, old-tree/ in version 1.
func grow(v *fetchtest.Server) {
	v.MountKV("tree", 2)
	v.MountKV("old-tree", 1)
	for _, mount := range []string{"tree", "old-tree"} {
		v.Put(mount+"/app/db", `{"password":"`+canary+`"}`)
		v.Put(mount+"/app/api", `{"key":"`+canary+`","n":1.10}`)
		v.Put(mount+"/app/team/x", `{}`)
		v.Put(mount+"/app/team/deep/y", `{"nothing":null}`)
		v.Put(mount+"/app", `{"beside":"the folder"}`)
		v.Put(mount+"/app%/a?b", `{"odd":"name"}`)
	}
	v.Put("tree/app/gone", `{"a":"`+canary+`"}`)
	v.Delete("tree/app/gone")
	v.Put("tree/app/burnt", `{"a":"`+canary+`"}`)
	v.Destroy("tree/app/burnt")
	v.Put("tree/dead/gone", `{"a":"`+canary+`"}`)
	v.Delete("tree/dead/gone")
}

const appTree = `api={"key":"` + canary + `","n":1.10} db={"password":"` + canary + `"} team/deep/y={"nothing":null} team/x={}`

func TestFetchBelow(t *testing.T) {
	v2 := []string{"tree/data/app/api", "tree/data/app/burnt", "tree/data/app/db", "tree/data/app/gone", "tree/data/app/team/deep/y", "tree/data/app/team/x",
		"tree/metadata/app?list=true", "tree/metadata/app/team/deep?list=true", "tree/metadata/app/team?list=true"}
	v1 := []string{"old-tree/app/api", "old-tree/app/db", "old-tree/app/team/deep/y", "old-tree/app/team/deep?list=true", "old-tree/app/team/x", "old-tree/app/team?list=true",
		"old-tree/app?list=true"}
	tests := []struct {
		name     string
		refs     []string
		want     map[string]string
		requests []string // after the mount's; nil: not looked at
	}{
		{"v2", []string{"tree/app/*"}, map[string]string{"tree/app/*": appTree}, v2},
		{"v2, API forms share it all", []string{"tree/data/app/*", "tree/metadata/app/*?optional", "tree/app/*"},
			map[string]string{"tree/app/*": appTree, "tree/data/app/*": appTree, "tree/metadata/app/*": appTree}, v2},
		{"v1", []string{"old-tree/app/*"}, map[string]string{"old-tree/app/*": appTree}, v1},
		{"a secret that is named too is read once", []string{"tree/app/db#password", "tree/app/*", "tree/data/app/gone?optional", "tree/app/team/*"},
			map[string]string{"tree/app/*": appTree, "tree/app/db": "password=" + canary, "tree/app/team/*": `deep/y={"nothing":null} x={}`}, v2},
		{"a version is a read of its own", []string{"tree/app/*", "tree/app/db?version=1"},
			map[string]string{"tree/app/*": appTree, "tree/app/db@1": "password=" + canary}, append([]string{"tree/data/app/db?version=1"}, v2...)},
		{"a whole mount", []string{"old-tree/*?only=odd"},
			map[string]string{"old-tree/*": `app%/a?b={"odd":"name"} app/api={"key":"` + canary + `","n":1.10} app/db={"password":"` + canary + `"} app/team/deep/y={"nothing":null} app/team/x={} app={"beside":"the folder"}`}, nil},
		{"a whole mount, API form", []string{"kv/data/*"}, map[string]string{
			"kv/data/*": `app={"big":12345678901234567890.10,"list":[1,"` + canary + `"],"nothing":null,"password":"` + canary + `","port":5432,"user":"` + canary + `"} data/x={"a":"in-data"} dir/inner={"a":"` + canary + `"} empty={}`}, nil},
		{"a folder called data", []string{"kv/data/data/*"}, map[string]string{"kv/data/data/*": `x={"a":"in-data"}`}, nil},
		{"names that a URL escapes", []string{"tree/app%25/*"}, map[string]string{"tree/app%25/*": `a?b={"odd":"name"}`}, nil},
		{"what may be missing", []string{"tree/nope/*?optional", "tree/dead/*?optional", "tree/app/db/*?optional"}, map[string]string{}, nil},
		{"a key of one secret, a pattern", []string{"tree/app/*?only=db/password,nope*&except=x"}, map[string]string{"tree/app/*": appTree}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHarness(t, fetchtest.RootToken)
			seed(h.vault)
			grow(h.vault)
			snapshot, err := h.Fetch(h.ctx, parse(t, test.refs...))
			if err != nil {
				t.Fatal(err)
			}
			if got := reveal(snapshot); !maps.Equal(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
			var requests []string
			for _, r := range h.vault.Requests()[1:] {
				text := r.Path
				if r.Query != "" {
					text += "?" + r.Query
				}
				requests = append(requests, text)
			}
			slices.Sort(requests)
			slices.Sort(test.requests)
			if test.requests != nil && !slices.Equal(requests, test.requests) {
				t.Errorf("requests %q\nwant     %q", requests, test.requests)
			}
		})
	}
}

// A mount is asked for once, whether it is named whole or in part.
func TestFetchBelowAsksOncePerMount(t *testing.T) {
	h := newHarness(t, fetchtest.RootToken)
	seed(h.vault)
	if _, err := h.Fetch(h.ctx, parse(t, "kv/*", "kv/app", "kv/dir/*", "old/*", "old/app")); err != nil {
		t.Fatal(err)
	}
	if n := h.vault.Count("GET sys/internal/ui/mounts/"); n != 2 {
		t.Errorf("%d questions for two mounts", n)
	}
}

func TestFindingsBelow(t *testing.T) {
	const weak, blind, half = "hvs.weak", "hvs.blind", "hvs.half"
	listed := func(keys string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"request_id":"r","data":%s}`, keys)
		}
	}
	tests := []struct {
		name  string
		ref   string
		token string
		fault http.HandlerFunc // of the listing
		class Class
		want  string
	}{
		{"nothing there", "tree/nope/*", "", nil, ClassNotFound,
			`tree/nope/*: no secret below tree/metadata/nope (mount tree/, KV v2, HTTP 404)`},
		{"something near", "tree/appp/*", "", nil, ClassNotFound,
			`tree/appp/*: no secret below tree/metadata/appp (mount tree/, KV v2, HTTP 404); did you mean tree/app/* or tree/app%25/*?`},
		{"something near of version 1", "old-tree/appp/*", "", nil, ClassNotFound,
			`old-tree/appp/*: no secret below old-tree/appp (mount old-tree/, KV v1, HTTP 404); did you mean old-tree/app/* or old-tree/app%25/*?`},
		{"a secret", "tree/app/db/*", "", nil, ClassNotFound,
			`tree/app/db/*: no secret below tree/metadata/app/db: it is a secret, not a folder: leave out the /* (mount tree/, KV v2, HTTP 404)`},
		{"an empty mount", "hollow/*", "", nil, ClassNotFound,
			`hollow/*: no secret below hollow/metadata (mount hollow/, KV v2, HTTP 404)`},
		{"all deleted", "tree/dead/*", "", nil, ClassNotFound,
			`tree/dead/*: no secret below tree/metadata/dead: what is listed there is deleted (mount tree/, KV v2, HTTP 200)`},
		{"no listing", "tree/app/*", weak, nil, ClassDenied,
			`tree/app/*: permission denied listing tree/metadata/app (mount tree/, KV v2, HTTP 403); it takes this in a policy: path "tree/metadata/app/*" { capabilities = ["list"] }`},
		{"no listing, optional", "tree/app/*?optional", weak, nil, ClassDenied,
			`tree/app/*: permission denied listing tree/metadata/app (mount tree/, KV v2, HTTP 403); it takes this in a policy: path "tree/metadata/app/*" { capabilities = ["list"] }; optional and default excuse what is missing, and this may not be`},
		{"no listing of version 1", "old-tree/app/*", weak, nil, ClassDenied,
			`old-tree/app/*: permission denied listing old-tree/app (mount old-tree/, KV v1, HTTP 403); it takes this in a policy: path "old-tree/app/*" { capabilities = ["list", "read"] }`},
		{"no listing of a whole mount", "tree/*", weak, nil, ClassDenied,
			`tree/*: permission denied listing tree/metadata (mount tree/, KV v2, HTTP 403); it takes this in a policy: path "tree/metadata/*" { capabilities = ["list"] }`},
		{"no reading", "tree/app/*", blind, nil, ClassDenied,
			`tree/app/*: permission denied reading tree/data/app/api, tree/data/app/burnt, tree/data/app/db, tree/data/app/gone, tree/data/app/team/deep/y, tree/data/app/team/x (mount tree/, KV v2, HTTP 403); it takes this in a policy: path "tree/data/app/*" { capabilities = ["read"] }`},
		{"the mount is denied", "other/app/*", weak, nil, ClassDenied,
			`other/app/*: permission denied: the policies open nothing below its mount, or there is no mount for it (HTTP 403); it takes this in a policy: path "other/app/*" { capabilities = ["list", "read"] } or, if other/ is a KV v2 mount, path "other/metadata/app/*" { capabilities = ["list"] } and path "other/data/app/*" { capabilities = ["read"] }`},
		{"all of a mount is denied", "other/*", weak, nil, ClassDenied,
			`other/*: permission denied: the policies open nothing below its mount, or there is no mount for it (HTTP 403); it takes this in a policy: path "other/*" { capabilities = ["list", "read"] } or, if other/ is a KV v2 mount, path "other/metadata/*" { capabilities = ["list"] } and path "other/data/*" { capabilities = ["read"] }`},
		{"another engine", "database/*", "", nil, ClassConfig,
			`database/*: only KV can list its secrets, and database/ is database: name each secret (mount database/, database)`},
		{"a key that none has", "tree/app/*?only=pasword", "", nil, ClassKeyMissing,
			`tree/app/*: no secret below tree/metadata/app has the key pasword (mount tree/, KV v2, HTTP 200); did you mean password?`},
		{"a key that another one has", "tree/app/*?only=api/zzz", "", nil, ClassKeyMissing,
			`tree/app/*: no secret below tree/metadata/app has the key api/zzz (mount tree/, KV v2, HTTP 200); the keys there are api/key, api/n, db/password, team/deep/y/nothing`},
		{"a name that is none", "tree/app/*", "", listed(`{"keys":["../../sys/mounts"]}`), ClassNotFound,
			`tree/app/*: tree/metadata/app lists "../../sys/mounts", which is no name (mount tree/, KV v2, HTTP 200)`},
		{"no name at all", "tree/app/*", "", listed(`{"keys":["/"]}`), ClassNotFound,
			`tree/app/*: tree/metadata/app lists "/", which is no name (mount tree/, KV v2, HTTP 200)`},
		{"no keys", "tree/app/*", "", listed(`{"key":["` + canary + `"]}`), ClassNotFound,
			`tree/app/*: tree/metadata/app cannot be listed: it answers without data (mount tree/, KV v2, HTTP 200)`},
		{"refused", "tree/app/*", "", fetchtest.Status(400, "no"), ClassNotFound,
			`tree/app/*: tree/metadata/app cannot be listed: no (mount tree/, KV v2, HTTP 400)`},
		{"a part is denied", "tree/app/*", half, nil, ClassDenied,
			`tree/app/*: permission denied reading tree/data/app/db (mount tree/, KV v2, HTTP 403); it takes this in a policy: path "tree/data/app/db" { capabilities = ["read"] }` + "\n" +
				`tree/app/*: permission denied listing tree/metadata/app/team (mount tree/, KV v2, HTTP 403); it takes this in a policy: path "tree/metadata/app/*" { capabilities = ["list"] }`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			token := test.token
			if token == "" {
				token = fetchtest.RootToken
			}
			h := newHarness(t, token)
			seed(h.vault)
			grow(h.vault)
			h.vault.MountKV("hollow", 2)
			h.vault.Allow(weak, "tree/data/app/*", "read")
			h.vault.Allow(weak, "old-tree/app/*", "read")
			h.vault.Allow(blind, "tree/metadata/app/*", "list")
			h.vault.Allow(half, "tree/metadata/app/", "list")
			for _, name := range []string{"api", "gone", "burnt"} {
				h.vault.Allow(half, "tree/data/app/"+name, "read")
			}
			if test.fault != nil {
				h.vault.FaultOn("GET tree/metadata/app", test.fault)
			}
			_, err := h.Fetch(h.ctx, parse(t, test.ref))
			var missing *MissingError
			if !errors.As(err, &missing) {
				t.Fatalf("error %v", err)
			}
			checkSilence(t, strings.ReplaceAll(err.Error(), "hvs.", ""))
			var lines []string
			for _, f := range missing.Findings {
				lines = append(lines, f.String())
			}
			if got := strings.Join(lines, "\n"); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if got := missing.Class(); got != string(test.class) {
				t.Errorf("class %s, want %s", got, test.class)
			}
		})
	}
}

// A tree of 200 secrets: as many requests as there are folders and secrets, no
// more at a time than is allowed.
func TestFetchBelowManySecrets(t *testing.T) {
	const concurrency = 5
	h := newHarness(t, fetchtest.RootToken, func(c *Config) { c.Concurrency = concurrency })
	h.vault.MountKV("tree", 2)
	for i := range 200 {
		h.vault.Put(fmt.Sprintf("tree/%d/%d/s%d", i%2, i%10, i), `{"a":"b"}`)
	}
	snapshot, err := h.Fetch(h.ctx, parse(t, "tree/*"))
	if err != nil || len(snapshot[ref.Source{Path: "tree", Below: true}]) != 200 {
		t.Fatalf("%d secrets, %v", len(snapshot[ref.Source{Path: "tree", Below: true}]), err)
	}
	if lists, reads := h.vault.Count("GET tree/metadata"), h.vault.Count("GET tree/data/"); lists != 13 || reads != 200 {
		t.Errorf("%d listings and %d reads, want 13 and 200", lists, reads)
	}
	if peak := h.vault.Peak(); peak > concurrency {
		t.Errorf("%d requests at a time, want at most %d", peak, concurrency)
	}
}

func TestFetchBelowTooMany(t *testing.T) {
	h := newHarness(t, fetchtest.RootToken)
	grow(h.vault)
	h.mostBelow = 7
	h.vault.FaultOn("GET tree/metadata/app/team/deep", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"request_id":"r","data":{"keys":["deeper/"]}}`)) // without end
	})
	_, err := h.Fetch(h.ctx, parse(t, "tree/app/*"))
	if err == nil || classOf(err) != string(ClassConfig) || !strings.HasSuffix(err.Error(), ": more than 7 secrets and folders are below it and the other paths: name one further down") {
		t.Errorf("error %v", err)
	}
}

// Trouble in the middle of a walk is waited out like any other.
func TestFetchBelowOutlivesTrouble(t *testing.T) {
	h := newHarness(t, fetchtest.RootToken)
	grow(h.vault)
	failing := map[string]int{}
	h.vault.FaultOn("GET tree/metadata/app/team", func(w http.ResponseWriter, r *http.Request) {
		failing[r.URL.Path]++
		if failing[r.URL.Path] == 2 {
			h.vault.FaultOn("GET tree/metadata/app/team", nil)
		}
		fetchtest.Status(503, "Vault is sealed")(w, r)
	})
	snapshot, err := h.Fetch(h.ctx, parse(t, "tree/app/*"))
	if err != nil || reveal(snapshot)["tree/app/*"] != appTree {
		t.Errorf("%v, %v", reveal(snapshot), err)
	}
}

func TestFetchBelowCancelled(t *testing.T) {
	h := newHarness(t, fetchtest.RootToken)
	grow(h.vault)
	ctx, cancel := context.WithCancel(h.ctx)
	h.vault.Gate(func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/team") {
			cancel()
			<-r.Context().Done()
		}
	})
	if _, err := h.Fetch(ctx, parse(t, "tree/app/*")); err != context.Canceled {
		t.Errorf("error %v", err)
	}
}
