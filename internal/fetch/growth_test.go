package fetch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// following wants the secrets that the names in kv/app lead to, as a template
// would.
func following(secrets map[ref.Source]secret.Fields) []ref.Ref {
	var refs []ref.Ref
	for _, name := range strings.Fields(secrets[ref.Source{Path: "kv/app"}]["next"].Text()) {
		refs = append(refs, ref.Ref{Source: ref.Source{Path: name}})
	}
	return refs
}

func follow(v *fetchtest.Server) {
	v.Put("kv/app", `{"next":"kv/one"}`)
	v.Put("kv/one", `{"n":"1"}`)
	v.Put("kv/two", `{"n":"2"}`)
}

// watchWanting watches a secret that leads to others.
func watchWanting(t *testing.T, test func(*watching)) {
	t.Helper()
	t.Setenv("VAULT_TOKEN", userToken)
	watchAs(t, Config{Wants: following}, follow, []string{"kv/app"}, test)
}

// A changed secret that leads to others is handed on with them, never alone;
// what is there already is not read again for it.
func TestP8WatchGrows(t *testing.T) {
	watchWanting(t, func(w *watching) {
		w.vault.Put("kv/app", `{"next":"kv/one kv/two"}`)
		u := w.within(time.Minute + 5*time.Second)
		if field(u, "kv/one", "n") != "1" || field(u, "kv/two", "n") != "2" {
			t.Errorf("not all that is wanted is there: %v", reveal(u.Secrets))
		}
		w.between("GET kv/data/one", 1, 2)
		w.vault.Put("kv/two", `{"n":"3"}`) // it is watched from now on
		if u := w.within(time.Minute + 5*time.Second); field(u, "kv/two", "n") != "3" {
			t.Error("not the new value of what came later")
		}
	})
}

// While the others cannot be read nothing is handed on; then all of it is.
func TestP2WatchGrowsLater(t *testing.T) {
	watchWanting(t, func(w *watching) {
		w.vault.Put("kv/app", `{"next":"kv/none"}`)
		w.nothing(5 * time.Minute)
		if text := w.log.String(); !strings.Contains(text, "a changed secret leads to another that cannot be read") || strings.Count(text, "a changed secret") > 3 {
			t.Errorf("not said, or not at growing intervals: %s", text)
		}
		w.vault.Put("kv/none", `{"n":"4"}`)
		if u := w.within(2 * time.Minute); field(u, "kv/none", "n") != "4" {
			t.Error("not what was wanted")
		}
		w.said("what the changed secrets lead to can be read", 1)
	})
}

// Templates that never have enough are an error, not a flood.
func TestP9FetchComesToAnEnd(t *testing.T) {
	h := newHarness(t, fetchtest.RootToken)
	h.vault.MountKV("kv", 1)
	n := 0
	h.wants = func(map[ref.Source]secret.Fields) []ref.Ref {
		n++
		path := fmt.Sprintf("kv/%d", n)
		h.vault.Put(path, `{"a":"b"}`)
		return []ref.Ref{{Source: ref.Source{Path: path}}}
	}
	_, err := h.Fetch(h.ctx, parse(t, "kv/first?optional"))
	if err == nil || !strings.HasPrefix(err.Error(), "a template asks for more secrets after each of 10 rounds, kv/10 for one") {
		t.Errorf("error %v", err)
	}
}

// Both views of a secret share a read; a list of names is one of its own.
func TestFetchViews(t *testing.T) {
	h := newHarness(t, fetchtest.RootToken)
	seed(h.vault)
	refs := append(parse(t, "kv/app"), ref.Ref{Source: ref.Source{Path: "kv/app", View: ref.WholeAnswer}}, ref.Ref{Source: ref.Source{Path: "kv/dir", View: ref.Names}},
		ref.Ref{Source: ref.Source{Path: "kv", View: ref.Names}}, ref.Ref{Source: ref.Source{Path: "old", View: ref.Names}})
	snapshot, err := h.Fetch(h.ctx, refs)
	if err != nil {
		t.Fatal(err)
	}
	whole := snapshot[refs[1].Source]
	data, _ := whole["data"].Any().(map[string]any)
	if data["data"] == nil || data["metadata"] == nil || whole["request_id"].Text() == "" || whole["lease_duration"].Text() != "0" {
		t.Errorf("the whole answer lacks something: %v", data)
	}
	if got := snapshot[refs[2].Source]["keys"].Text(); got != `["inner"]` {
		t.Errorf("names %s", got)
	}
	for _, mount := range refs[3:] {
		if got := snapshot[mount.Source]["keys"].Text(); !strings.Contains(got, `"app"`) {
			t.Errorf("names of the mount %s: %s", mount.Path, got)
		}
	}
	if n := h.vault.Count("GET kv/data/app"); n != 1 {
		t.Errorf("%d reads of one secret", n)
	}
}
