package main

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vaultexec/internal/fetch"
	"vaultexec/internal/notice"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// What cannot be used is said once for each secret, however often something
// changes, then at growing intervals, and once when it is over.
func TestUnusableIsSaidNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		app, db := ref.Source{Path: "kv/app"}, ref.Source{Path: "kv/db"}
		r := rotating(t, map[ref.Source]secret.Fields{app: fields("key", "k1"), db: fields("key", "d1")}, "KEY=kv/app#key", "DB=kv/db#key")
		r.notices = notice.To(slog.New(slog.NewTextHandler(&log, nil)))
		update := func(appKey, dbKey string) {
			r.changes(fetch.Update{Generation: 1, Secrets: map[ref.Source]secret.Fields{app: fields(appKey, "x"), db: fields(dbKey, "y")}})
		}
		said := func(text string) int { return strings.Count(log.String(), text) }
		const trouble, over = "a changed secret cannot be used", "a changed secret can be used again"
		for range 100 { // 50 minutes: at 0, 1, 3, 7, 15 and 31
			update("other", "key")
			time.Sleep(30 * time.Second)
		}
		if n := said(trouble); n != 6 {
			t.Errorf("said %d times in 50 minutes, want 6\n%s", n, log.String())
		}
		log.Reset()
		update("other", "other") // news of the other one
		if n := said(trouble); n != 1 || said("secret=kv/db") != 1 {
			t.Errorf("said of the second one:\n%s", log.String())
		}
		log.Reset()
		update("key", "other")
		update("key", "key")
		update("key", "key")
		if said(trouble) != 0 || said(over) != 2 || said("secret=kv/app") != 1 {
			t.Errorf("said when it was over:\n%s", log.String())
		}
	})
}

// Of secrets that cannot be together, it is always the same that wins, and a
// secret that did not change is not blamed for what the command has come to.
func TestUnusableIsNoMatterOfChance(t *testing.T) {
	a, b, c := ref.Source{Path: "kv/a"}, ref.Source{Path: "kv/b"}, ref.Source{Path: "kv/c"}
	whole := fields("x", "1")
	for range 50 {
		given := map[ref.Source]secret.Fields{a: fields("A", "1"), b: fields("B", "1"), c: whole}
		r := rotating(t, given, "X=kv/c#x", "kv/a", "kv/b")
		changes := r.changes(fetch.Update{Secrets: map[ref.Source]secret.Fields{a: fields("SAME", "1"), b: fields("SAME", "2"), c: whole}})
		if len(changes) != 1 || !slices.Contains(changes[0].Command.Env, "SAME=1") || !slices.Contains(changes[0].Command.Env, "B=1") {
			t.Fatalf("%d changes: %v", len(changes), changes)
		}
		if got := refusedSources(r.refused); !slices.Equal(got, []ref.Source{b}) {
			t.Fatalf("refused are %v", got)
		}
		// Without a command nothing can be planned, and only what is new is to blame.
		r.prep.argv = []string{"no-such-command"}
		newer := map[ref.Source]secret.Fields{a: r.given[a], b: r.given[b], c: fields("x", "2")}
		if changes := r.changes(fetch.Update{Secrets: newer}); changes != nil {
			t.Fatalf("%d changes", len(changes))
		}
		if got := refusedSources(r.refused); !slices.Equal(got, []ref.Source{c}) {
			t.Fatalf("refused are %v", got)
		}
		// It is there again.
		r.prep.argv = []string{"true"}
		if changes := r.changes(fetch.Update{Secrets: newer}); len(changes) != 1 || r.refused != nil {
			t.Fatalf("%d changes, refused are %v", len(changes), r.refused)
		}
	}
}
