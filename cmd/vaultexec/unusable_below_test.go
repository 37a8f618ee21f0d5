package main

import (
	"strings"
	"testing"

	"vaultexec/internal/fetch"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// members is what PATH/* has: each secret as NAME KEY=VALUE...
func members(secrets ...string) secret.Fields {
	f := secret.Fields{}
	for _, text := range secrets {
		words := strings.Fields(text)
		object := map[string]any{}
		for _, pair := range words[1:] {
			key, value, _ := strings.Cut(pair, "=")
			object[key] = value
		}
		f[words[0]] = secret.Of(object)
	}
	return f
}

// One secret of PATH/* that cannot be used keeps no other from being new or
// gone.
func TestP8OneBadSecretBelowHoldsUpNoOther(t *testing.T) {
	below, twin := ref.Source{Path: "kv/app", Below: true}, ref.Source{Path: "kv/data/app", Below: true}
	first := members("a A=1", "b B=1", "z Z=1")
	r := rotating(t, map[ref.Source]secret.Fields{below: first, twin: first}, "kv/app/*", "kv/data/app/*?prefix=T_")
	for _, tt := range []struct {
		name    string
		newer   secret.Fields
		want    string // without PATH; empty: no change
		refused string
	}{
		{"a name that is taken", members("a A=2", "b B=1", "new B=3"), "A=2 B=1 T_A=2 T_B=1", "kv/app/new"},
		{"the same again", members("a A=2", "b B=1", "new B=3"), "", "kv/app/new"},
		{"its owner is gone", members("a A=2", "new B=3"), "A=2 B=3 T_A=2 T_B=3", ""},
		{"a name that no secret may set, and a move", members("a B=4", "new A=4", "worse LD_PRELOAD=x"), "", "kv/app/a kv/app/new kv/app/worse"},
		{"and one that is free", members("a B=4", "new A=4", "worse LD_PRELOAD=x", "free F=5"), "A=2 B=3 F=5 T_A=2 T_B=3 T_F=5", "kv/app/a kv/app/new kv/app/worse"},
		{"the move alone", members("a B=4", "new A=4", "free F=5"), "A=4 B=4 F=5 T_A=4 T_B=4 T_F=5", ""},
		{"a key moves to an earlier secret", members("a B=4 F=7", "new A=4", "free G=5", "worse LD_PRELOAD=x"), "A=4 B=4 F=7 G=5 T_A=4 T_B=4 T_F=7 T_G=5", "kv/app/worse"},
	} {
		changes := r.changes(fetch.Update{Generation: 1, Secrets: map[ref.Source]secret.Fields{below: tt.newer, twin: tt.newer}})
		got := ""
		if len(changes) > 0 {
			got = strings.Replace(strings.Join(changes[0].Command.Env, " "), "PATH=/bin:/usr/bin ", "", 1)
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		var refused []string
		for _, x := range r.refused {
			refused = append(refused, x.name())
			if len(x.sources) != 2 || x.sources[0].Below || x.err == nil {
				t.Errorf("%s: refused are %v", tt.name, x.sources)
			}
		}
		if got := strings.Join(refused, " "); got != tt.refused {
			t.Errorf("%s: refused are %q, want %q", tt.name, got, tt.refused)
		}
	}
}
