package main

import (
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"

	"vaultexec/internal/env"
	"vaultexec/internal/fetch"
	"vaultexec/internal/notice"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
	"vaultexec/internal/settings"
	"vaultexec/internal/supervise"
)

// rotating is a rotation of what --env, --secret (without a name in front) and
// --from (behind from:) name, without a watcher.
func rotating(t *testing.T, given map[ref.Source]secret.Fields, references ...string) *rotation {
	t.Helper()
	s := settings.Default()
	sources := env.Sources{Inherited: []string{"PATH=/bin:/usr/bin"}}
	for _, text := range references {
		if path, isFile := strings.CutPrefix(text, "from:"); isFile {
			file, err := ref.ParseFrom(path)
			if err != nil {
				t.Fatal(err)
			}
			sources.Secrets = append(sources.Secrets, file)
			continue
		}
		if name, _, named := strings.Cut(text, "="); !named || strings.Contains(name, "/") {
			whole, err := ref.Parse(text, ref.Secret)
			if err != nil {
				t.Fatal(err)
			}
			sources.Secrets = append(sources.Secrets, whole)
			continue
		}
		v, err := env.ParseVariable(text)
		if err != nil {
			t.Fatal(err)
		}
		sources.Variables = append(sources.Variables, v)
	}
	planner, err := env.NewPlanner(sources)
	if err != nil {
		t.Fatal(err)
	}
	prep := &preparation{settings: s, argv: []string{"true"}, planner: planner}
	plan, _, err := prep.plan(given)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	return &rotation{prep: prep, log: log, given: given, plan: plan, notices: notice.To(log)}
}

func fields(pairs ...string) secret.Fields {
	f := secret.Fields{}
	for i := 0; i < len(pairs); i += 2 {
		f[pairs[i]] = secret.Of(pairs[i+1])
	}
	return f
}

// A secret that lost a key keeps its last value and does not hold up another;
// what shares a read stays together.
func TestP8OneBadSecretHoldsUpNoOther(t *testing.T) {
	app, db, dbToo := ref.Source{Path: "kv/app"}, ref.Source{Path: "database/creds/x"}, ref.Source{Path: "database/creds/x", Namespace: "same"}
	old := fields("username", "u1", "password", "p1")
	r := rotating(t, map[ref.Source]secret.Fields{app: fields("key", "k1"), db: old, dbToo: old},
		"KEY=kv/app#key", "USER=database/creds/x#username", "PASSWORD=database/creds/x?namespace=same#password")
	fresh := fields("username", "u2", "password", "p2")
	changes := r.changes(fetch.Update{Generation: 1, Secrets: map[ref.Source]secret.Fields{app: fields("other", "x"), db: fresh, dbToo: fresh}})
	if len(changes) != 1 || changes[0].Reaction != supervise.ReactRestart || changes[0].Applied != nil {
		t.Fatalf("%d changes, want a restart that releases nothing", len(changes))
	}
	got := strings.Join(changes[0].Command.Env, " ")
	if want := "KEY=k1 PASSWORD=p2 PATH=/bin:/usr/bin USER=u2"; got != want {
		t.Errorf("environment %s, want %s", got, want)
	}
	if again := r.changes(fetch.Update{Generation: 2, Secrets: map[ref.Source]secret.Fields{app: fields("other", "y"), db: fresh, dbToo: fresh}}); again != nil {
		t.Errorf("%d changes for what cannot be used", len(again))
	}
}

// The strongest reaction wins; of signals all are sent, and nobody says that a
// command that goes on has left what it had.
func TestReactionsTogether(t *testing.T) {
	a := ref.Source{Path: "kv/a"}
	before := map[ref.Source]secret.Fields{a: fields("x", "1", "y", "1", "z", "1")}
	variables := []string{"X=kv/a?on_change=signal:HUP#x", "Y=kv/a?on_change=signal:USR1#y", "Z=kv/a?on_change=restart#z"}
	r := rotating(t, before, variables...)
	changes := r.changes(fetch.Update{Generation: 1, Secrets: map[ref.Source]secret.Fields{a: fields("x", "2", "y", "2", "z", "1")}})
	var sent []syscall.Signal
	for _, c := range changes {
		if c.Reaction != supervise.ReactSignal || c.Applied != nil {
			t.Errorf("reaction %d, want a signal that releases nothing", c.Reaction)
		}
		sent = append(sent, c.Signal)
	}
	if !slices.Equal(sent, []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1}) {
		t.Errorf("signals %v", sent)
	}
	changes = r.changes(fetch.Update{Generation: 2, Secrets: map[ref.Source]secret.Fields{a: fields("x", "3", "y", "2", "z", "2")}})
	if len(changes) != 1 || changes[0].Reaction != supervise.ReactRestart || changes[0].Applied == nil {
		t.Errorf("%d changes, want one restart that says when it is done", len(changes))
	}
	if changes := r.changes(fetch.Update{Generation: 3, Secrets: r.given}); changes != nil {
		t.Errorf("%d changes although nothing differs", len(changes))
	}
}

// A file of --from is a secret like the others, and where nothing is Vault's
// nobody is told that the command has moved.
func TestFileChanges(t *testing.T) {
	file := ref.Source{File: "/vault/secrets"}
	before := map[ref.Source]secret.Fields{file: fields("A", "1")}
	r := rotating(t, before, "from:/vault/secrets?on_change=signal:HUP")
	changes := r.changes(fetch.Update{Secrets: map[ref.Source]secret.Fields{file: fields("A", "2")}})
	if len(changes) != 1 || changes[0].Signal != syscall.SIGHUP || changes[0].Reason != "/vault/secrets" {
		t.Fatalf("%d changes, want one that signals", len(changes))
	}
	r = rotating(t, before, "from:/vault/secrets")
	changes = r.changes(fetch.Update{Secrets: map[ref.Source]secret.Fields{file: fields("A", "3")}})
	if len(changes) != 1 || changes[0].Reaction != supervise.ReactRestart {
		t.Fatalf("%d changes, want one that restarts", len(changes))
	}
	changes[0].Applied()
	if changes := r.changes(fetch.Update{Secrets: map[ref.Source]secret.Fields{file: fields("A", "nul\x00")}}); changes != nil || len(r.refused) != 1 {
		t.Errorf("%d changes for what no environment can hold, %d refusals", len(changes), len(r.refused))
	}
}
