package fetch

import (
	"strings"
	"testing"
	"time"

	"vaultexec/internal/fetch/fetchtest"
)

func TestP2WatchBelowNothingLeft(t *testing.T) {
	names := []string{"db", "api", "team/x", "team/deep/y"}
	for name, empty := range map[string]func(w *watching, version int){
		"removed": func(w *watching, _ int) {
			for _, name := range names {
				w.vault.Remove("tree/app/" + name)
			}
		},
		"deleted": func(w *watching, version int) {
			for _, name := range names {
				if version == 2 {
					w.vault.Delete("tree/app/" + name)
				} else {
					w.vault.Remove("tree/app/" + name)
				}
			}
		},
		"unmounted": func(w *watching, _ int) {
			w.vault.FaultOn("GET tree/", fetchtest.Status(404, `no handler for route "tree/metadata/app". route entry not found.`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			watchBelow(t, []string{"tree/app/*"}, func(w *watching, version int) {
				empty(w, version)
				w.nothing(40 * time.Minute)
				w.said("no secret is left below a path", 6)
				if s := w.Status(); s.Stale != 4 || s.Fresh != 0 {
					t.Errorf("%d stale and %d fresh secrets, want 4 and 0", s.Stale, s.Fresh)
				}
				w.between("GET tree/", 7*40, 7*40*3/2)
				w.vault.FaultOn("GET tree/", nil)
				w.vault.Put("tree/app/api", `{"key":"new"}`)
				for {
					u := w.within(3 * time.Minute)
					if below(u) == `api={"key":"new"}` || name == "unmounted" && strings.Contains(below(u), `api={"key":"new"} db={"password":"p"}`) {
						break
					}
				}
				w.nothing(5 * time.Minute)
				w.said("there are secrets below the path again", 1)
			})
		})
	}
}

func TestP2WatchBelowListingDenied(t *testing.T) {
	watchBelow(t, []string{"tree/app/*"}, func(w *watching, version int) {
		w.vault.Allow(roleToken, "*", "read")
		w.vault.Put("tree/app/new", `{"n":"1"}`)
		w.nothing(12 * time.Minute)
		policy := map[int]string{
			1: `path \"tree/app/*\" { capabilities = [\"list\", \"read\"] }`,
			2: `path \"tree/metadata/app/*\" { capabilities = [\"list\"] }`,
		}[version]
		w.said("a folder cannot be listed, the command keeps what it has from there", 3*4) // at once, then after 1, 3 and 7 minutes
		if !strings.Contains(w.log.String(), policy) {
			t.Errorf("the log does not say %s: %s", policy, w.log)
		}
		w.vault.Put("tree/app/db", `{"password":"q"}`)
		w.becomes(soon, strings.Replace(grown, `"p"`, `"q"`, 1))
		w.vault.Allow(roleToken, "*", "read", "list")
		w.becomes(2*time.Minute, `api={"key":"k"} db={"password":"q"} new={"n":"1"} team/deep/y={"a":"b"} team/x={}`)
		w.said("a folder can be listed again", 3)
	})
}

func TestP2WatchBelowNewSecretDenied(t *testing.T) {
	watchBelow(t, []string{"tree/app/*"}, func(w *watching, version int) {
		w.vault.FaultOn("GET tree/data/app/shut", fetchtest.Status(403, "permission denied"))
		w.vault.FaultOn("GET tree/app/shut", fetchtest.Status(403, "permission denied"))
		w.vault.Put("tree/app/shut", `{"n":"1"}`)
		w.vault.Put("tree/app/open", `{"n":"2"}`)
		w.vault.Remove("tree/app/db")
		w.becomes(2*time.Minute, `api={"key":"k"} open={"n":"2"} team/deep/y={"a":"b"} team/x={}`)
		w.said("a secret cannot be read, the command goes on without it", 2)
		w.vault.FaultOn("GET tree/data/app/shut", nil)
		w.vault.FaultOn("GET tree/app/shut", nil)
		w.becomes(2*time.Minute, `api={"key":"k"} open={"n":"2"} shut={"n":"1"} team/deep/y={"a":"b"} team/x={}`)
	})
}

func TestP2WatchBelowOutageWhileListing(t *testing.T) {
	watchBelow(t, []string{"tree/app/*"}, func(w *watching, version int) {
		metadata := map[int]string{1: "tree/app", 2: "tree/metadata/app"}[version]
		w.vault.FaultOn("GET "+metadata+"/team", fetchtest.Status(503, "Vault is sealed"))
		w.nothing(15 * time.Minute)
		w.vault.Remove("tree/app/db") // what is known to be gone goes
		w.becomes(3*time.Minute, `api={"key":"k"} team/deep/y={"a":"b"} team/x={}`)
		// What may have been moved to where the outage is stays.
		w.vault.FaultOn("GET "+metadata+"/team", nil)
		w.vault.FaultOn("GET "+metadata+"/other", fetchtest.Status(503, "Vault is sealed"))
		w.vault.Put("tree/app/other/x", `{"moved":"x"}`)
		w.vault.Remove("tree/app/team/x")
		w.nothing(15 * time.Minute)
		w.vault.FaultOn("GET "+metadata+"/other", nil)
		w.becomes(3*time.Minute, `api={"key":"k"} other/x={"moved":"x"} team/deep/y={"a":"b"}`)
		// And all of it.
		w.vault.FaultOn("", fetchtest.Status(503, "Vault is sealed"))
		w.vault.Put("tree/app/db", `{"password":"back"}`)
		w.nothing(time.Hour)
		w.vault.FaultOn("", nil)
		w.becomes(3*time.Minute, `api={"key":"k"} db={"password":"back"} other/x={"moved":"x"} team/deep/y={"a":"b"}`)
	})
}

func TestP2WatchBelowDeadToken(t *testing.T) {
	watchBelow(t, []string{"tree/app/*"}, func(w *watching, version int) {
		w.vault.Revoke(roleToken)
		w.vault.DeleteRole("kubernetes", "app")
		w.nothing(15 * time.Minute)
		w.vault.Role("kubernetes", "app", testJWT, roleToken, "app")
		w.vault.Allow(roleToken, "*", "read", "list")
		w.vault.Put("tree/app/new", `{"n":"1"}`)
		w.becomes(3*time.Minute, `api={"key":"k"} db={"password":"p"} new={"n":"1"} team/deep/y={"a":"b"} team/x={}`)
	})
}
