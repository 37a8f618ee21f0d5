package fetch

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vaultexec/internal/fetch/fetchtest"
	"vaultexec/internal/ref"
)

// watchBelow runs a test on version 1 and on version 2 of KV, each with the tree
// of grow at tree/, while the references are watched.
func watchBelow(t *testing.T, refs []string, test func(w *watching, version int)) {
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			watch(t, true, func(v *fetchtest.Server) { growOne(v, version) }, refs, func(w *watching) { test(w, version) })
		})
	}
}

func growOne(v *fetchtest.Server, version int) {
	v.MountKV("tree", version)
	v.Put("tree/app/db", `{"password":"p"}`)
	v.Put("tree/app/api", `{"key":"k"}`)
	v.Put("tree/app/team/x", `{}`)
	v.Put("tree/app/team/deep/y", `{"a":"b"}`)
	v.Allow(roleToken, "*", "read", "list")
}

const grown = `api={"key":"k"} db={"password":"p"} team/deep/y={"a":"b"} team/x={}`

// below is what an update has of tree/app/*.
func below(u Update) string { return reveal(u.Secrets)["tree/app/*"] }

// becomes expects an update in time that has this of tree/app/*, and none after
// it.
func (w *watching) becomes(within time.Duration, want string) {
	w.Helper()
	if got := below(w.within(within)); got != want {
		w.Errorf("after %s\ngot  %s\nwant %s\nthe log: %s", time.Since(w.begun), got, want, w.log)
	}
	w.nothing(3 * time.Minute)
}

const soon = time.Minute + 5*time.Second // an interval, and what else is asked then

// P8 and P9: secrets that come, go and change arrive within the interval. Until
// then there is one listing of each folder and one read of each secret.
func TestP8WatchBelow(t *testing.T) {
	watchBelow(t, []string{"tree/app/*"}, func(w *watching, version int) {
		started := w.vault.Count("")
		w.nothing(time.Hour)
		w.between("GET tree/", 60*7, 80*7+2*7)
		if log := w.log.String(); log != "" {
			t.Errorf("logged in steady state: %s", log)
		}
		if others := w.vault.Count("") - started - w.vault.Count("GET tree/") + 7; others > 20 {
			t.Errorf("%d other requests", others)
		}
		w.vault.Put("tree/app/db", `{"password":"q"}`)
		w.becomes(soon, `api={"key":"k"} db={"password":"q"} team/deep/y={"a":"b"} team/x={}`)
		w.vault.Put("tree/app/new", `{"n":"1"}`)
		w.becomes(soon, `api={"key":"k"} db={"password":"q"} new={"n":"1"} team/deep/y={"a":"b"} team/x={}`)
		w.vault.Put("tree/app/folder/new", `{"n":"2"}`)
		w.vault.Put("tree/app/zero", `{}`)
		w.becomes(2*soon, `api={"key":"k"} db={"password":"q"} folder/new={"n":"2"} new={"n":"1"} team/deep/y={"a":"b"} team/x={} zero={}`)
		w.vault.Remove("tree/app/zero")
		w.becomes(soon, `api={"key":"k"} db={"password":"q"} folder/new={"n":"2"} new={"n":"1"} team/deep/y={"a":"b"} team/x={}`)
		w.vault.Remove("tree/app/db")
		w.becomes(2*time.Minute, `api={"key":"k"} folder/new={"n":"2"} new={"n":"1"} team/deep/y={"a":"b"} team/x={}`)
		w.vault.Remove("tree/app/team/deep/y")
		w.vault.Remove("tree/app/team/x")
		w.becomes(2*time.Minute, `api={"key":"k"} folder/new={"n":"2"} new={"n":"1"}`)
		w.said("secrets below a path have come or gone", 5)
		w.said("level=WARN", 0)
		before := w.vault.Count("GET tree/")
		w.nothing(time.Hour)
		if n := w.vault.Count("GET tree/") - before; n > 5*80 {
			t.Errorf("%d requests in an hour for what is left", n)
		}
	})
}

// What is moved comes and goes in one update, and what goes together is one
// update too, however far apart its reads are.
func TestP8WatchBelowMoves(t *testing.T) {
	watchBelow(t, []string{"tree/app/*"}, func(w *watching, version int) {
		w.vault.Put("tree/app/moved", `{"password":"p"}`)
		w.vault.Remove("tree/app/db")
		w.becomes(2*time.Minute, `api={"key":"k"} moved={"password":"p"} team/deep/y={"a":"b"} team/x={}`)
		w.vault.Put("tree/app/other/x", `{}`)
		w.vault.Put("tree/app/other/deeper/y", `{"a":"b"}`)
		w.vault.Remove("tree/app/team/x")
		w.vault.Remove("tree/app/team/deep/y")
		w.becomes(2*time.Minute, `api={"key":"k"} moved={"password":"p"} other/deeper/y={"a":"b"} other/x={}`)
	})
}

// A deleted version is gone although it is listed, and comes back.
func TestWatchBelowDeletedVersions(t *testing.T) {
	watch(t, true, func(v *fetchtest.Server) {
		growOne(v, 2)
		for i := range 10 {
			v.Put(fmt.Sprintf("tree/app/many/%d", i), `{}`)
		}
	}, []string{"tree/app/*"}, func(w *watching) {
		for i := range 10 {
			w.vault.Delete(fmt.Sprintf("tree/app/many/%d", i))
		}
		w.becomes(2*time.Minute, grown)
		w.vault.Put("tree/app/many/3", `{"back":"3"}`)
		w.becomes(2*time.Minute, `api={"key":"k"} db={"password":"p"} many/3={"back":"3"} team/deep/y={"a":"b"} team/x={}`)
		w.vault.Delete("tree/app/db")
		w.becomes(2*time.Minute, `api={"key":"k"} many/3={"back":"3"} team/deep/y={"a":"b"} team/x={}`)
		w.vault.Undelete("tree/app/db")
		w.becomes(2*time.Minute, `api={"key":"k"} db={"password":"p"} many/3={"back":"3"} team/deep/y={"a":"b"} team/x={}`)
		w.said("level=WARN", 0)
	})
}

// P2: when nothing is left the command keeps everything, and that is said ever
// more seldom.
// P2: a listing that is denied or fails takes nothing away, and what is known is
// still looked at.
// One secret that may not be read holds up no other.
// P2: an outage in the middle of the listing takes nothing away that may still be
// there.
// P9: what a reference names as well is read once, and keeps its last value for
// that reference when it is deleted.
func TestWatchBelowSharesReads(t *testing.T) {
	refs := []string{"tree/app/*", "tree/app/db#password", "tree/app/team/*", "tree/data/app/team/*"}
	watch(t, true, func(v *fetchtest.Server) { growOne(v, 2) }, refs, func(w *watching) {
		w.nothing(15 * time.Minute)
		for _, path := range []string{"GET tree/data/app/db", "GET tree/data/app/team/x", "GET tree/metadata/app/team/deep"} {
			w.between(path, 15, 21)
		}
		w.vault.Put("tree/app/team/x", `{"n":"1"}`)
		u := w.within(soon)
		for source, want := range map[string]string{"tree/app/*": strings.Replace(grown, "x={}", `x={"n":"1"}`, 1),
			"tree/app/team/*": `deep/y={"a":"b"} x={"n":"1"}`, "tree/data/app/team/*": `deep/y={"a":"b"} x={"n":"1"}`} {
			if got := reveal(u.Secrets)[source]; got != want {
				t.Errorf("%s has %s, want %s", source, got, want)
			}
		}
		w.vault.Delete("tree/app/db")
		u = w.within(2 * time.Minute)
		if got := reveal(u.Secrets); got["tree/app/db"] != "password=p" || strings.Contains(got["tree/app/*"], "db=") {
			t.Errorf("after the deletion there is %v", got)
		}
		w.nothing(15 * time.Minute)
		w.vault.Undelete("tree/app/db")
		u = w.within(3 * time.Minute)
		if got := reveal(u.Secrets); got["tree/app/db"] != "password=p" || !strings.Contains(got["tree/app/*"], `db={"password":"p"}`) {
			t.Errorf("after it was taken back there is %v", got)
		}
	})
}

// An inner and an outer tree share the reads, of what comes later too, and each
// loses what is gone, unless nothing is left of it.
func TestWatchBelowNestedTrees(t *testing.T) {
	watchBelow(t, []string{"tree/app/*", "tree/app/team/*"}, func(w *watching, version int) {
		become := func(outer, inner string) {
			t.Helper()
			for {
				got := reveal(w.within(2 * time.Minute).Secrets)
				if got["tree/app/*"] == outer && got["tree/app/team/*"] == inner {
					return
				}
			}
		}
		w.vault.Remove("tree/app/team/x")
		become(`api={"key":"k"} db={"password":"p"} team/deep/y={"a":"b"}`, `deep/y={"a":"b"}`)
		w.vault.Put("tree/app/team/x", `{"again":"x"}`)
		w.vault.Put("tree/app/team/z", `{}`)
		become(`api={"key":"k"} db={"password":"p"} team/deep/y={"a":"b"} team/x={"again":"x"} team/z={}`, `deep/y={"a":"b"} x={"again":"x"} z={}`)
		before := w.vault.Count("GET tree/")
		w.nothing(15 * time.Minute)
		if n := w.vault.Count("GET tree/") - before; n > 8*19+3 {
			t.Errorf("%d requests in a quarter of an hour for five secrets and three folders", n)
		}
		for _, name := range []string{"x", "z", "deep/y"} {
			w.vault.Remove("tree/app/team/" + name)
		}
		become(`api={"key":"k"} db={"password":"p"}`, `deep/y={"a":"b"} x={"again":"x"} z={}`)
		w.nothing(15 * time.Minute)
	})
}

func TestWatchBelowOptional(t *testing.T) {
	watchBelow(t, []string{"tree/later/*?optional"}, func(w *watching, version int) {
		w.nothing(15 * time.Minute)
		w.between("GET tree/", 15, 21)
		w.vault.Put("tree/later/a/b", `{"c":"d"}`)
		if got := reveal(w.within(soon).Secrets)["tree/later/*"]; got != `a/b={"c":"d"}` {
			t.Errorf("there is %s", got)
		}
		w.vault.Remove("tree/later/a/b")
		w.nothing(15 * time.Minute)
	})
}

func TestWatchBelowHasRefreshOfItsOwn(t *testing.T) {
	refs := []string{"tree/app/*?refresh=never", "tree/app/team/*?refresh=10m", "tree/app/api?refresh=5s"}
	watchBelow(t, refs, func(w *watching, version int) {
		requests := len(w.vault.Requests())
		w.nothing(15 * time.Minute)
		w.between("GET tree/data/app/db", 0, 1)
		if n, most := len(w.vault.Requests())-requests, 15*12*5/4+4*3+20; n > most {
			t.Errorf("%d requests, want at most %d", n, most)
		}
		w.vault.Put("tree/app/new", `{}`)
		w.vault.Remove("tree/app/db")
		w.nothing(15 * time.Minute)
		w.vault.Put("tree/app/api", `{"key":"l"}`)
		w.becomes(6*time.Second, strings.Replace(grown, `"k"`, `"l"`, 1))
	})
}

// P9: the ceiling holds for trees, and a named secret is not starved by one.
func TestP9WatchBelowHasACeiling(t *testing.T) {
	watch(t, true, func(v *fetchtest.Server) {
		growOne(v, 2)
		for i := range 200 {
			v.Put(fmt.Sprintf("tree/many/%d/%d", i%10, i), `{"a":"b"}`)
		}
	}, []string{"tree/many/*?refresh=1s", "kv/app?refresh=1s"}, func(w *watching) {
		started := w.vault.Count("")
		w.nothing(time.Minute)
		if n := w.vault.Count("") - started; n > 60*requestsPerSecond+requestBurst || n < 50*requestsPerSecond {
			t.Errorf("%d requests in a minute, want about %d", n, 60*requestsPerSecond)
		}
		w.between("GET kv/data/app", 4, 8) // its turn comes every eleven seconds
		for i := range 100 {
			w.vault.Put(fmt.Sprintf("tree/many/new/%d", i), `{}`)
			w.vault.Remove(fmt.Sprintf("tree/many/%d/%d", i%10, i))
		}
		u := w.within(2 * time.Minute)
		if n := len(u.Secrets[ref.Source{Path: "tree/many", Below: true}]); n != 200 {
			t.Errorf("%d secrets, want 200 in one update", n)
		}
	})
}

// A dead token, a denial while a new login is on its way, and no secret is lost.
// What the command cannot use of a tree is known by the secret.
func TestStatusOfWhatIsUnusableBelow(t *testing.T) {
	watchBelow(t, []string{"tree/app/*", "tree/app/team/*"}, func(w *watching, version int) {
		expect := func(fresh, unusable int) {
			t.Helper()
			synctest.Wait()
			if s := w.Status(); s.Fresh != fresh || s.Unusable != unusable || s.Stale != 0 {
				t.Errorf("%d fresh, %d unusable and %d stale secrets, want %d, %d and none", s.Fresh, s.Unusable, s.Stale, fresh, unusable)
			}
		}
		expect(4, 0)
		w.Unusable([]ref.Source{{Path: "tree/app/db"}, {Path: "tree/app/team/deep/y"}, {Path: "tree/app/none"}, {Path: "tree/app/api", Namespace: "other"}})
		expect(2, 2)
		w.Unusable(nil)
		expect(4, 0)
	})
}

// The entries that nobody needs any more are forgotten.
func TestWatchBelowForgets(t *testing.T) {
	watchBelow(t, []string{"tree/app/*"}, func(w *watching, version int) {
		for i := range 50 {
			path := fmt.Sprintf("tree/app/f%d/s", i)
			w.vault.Put(path, `{}`)
			w.within(soon)
			w.vault.Remove(path)
			w.within(2 * time.Minute)
		}
		before := w.vault.Count("GET tree/")
		w.nothing(15 * time.Minute)
		if n := w.vault.Count("GET tree/") - before; n > 7*20 {
			t.Errorf("%d requests in a quarter of an hour, want those for the four secrets and three folders", n)
		}
	})
}

// More than anybody needs is left out, and said.
func TestWatchBelowTooMany(t *testing.T) {
	cfg := Config{Role: "app", JWTPath: writeFile(t, "jwt", testJWT, 0o600), testOnlyMostBelow: 12}
	watchAs(t, cfg, func(v *fetchtest.Server) { growOne(v, 2) }, []string{"tree/app/*"}, func(w *watching) {
		for i := range 20 {
			w.vault.Put(fmt.Sprintf("tree/app/team/deep/%02d", i), `{}`)
		}
		u := w.within(2 * time.Minute)
		if n := len(u.Secrets[ref.Source{Path: "tree/app", Below: true}]); n != 12-2 {
			t.Errorf("%d secrets, want ten, and two folders", n)
		}
		w.nothing(5 * time.Minute)
		w.said("there is too much below a path", 1)
	})
}
