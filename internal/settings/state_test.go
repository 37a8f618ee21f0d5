package settings

import "testing"

func TestStates(t *testing.T) {
	g, err := read(t, map[string]string{"VAULTEXEC_ROLE": "app", "VAULTEXEC_ENV": "A=kv/a?default=canary#b,B=kv/a#c"}, "--refresh", "5m", "--on-change", "exec:tool --password canary", "--once")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]State{
		"--role":      {"--role", "app", 0, "VAULTEXEC_ROLE", true},
		"--env":       {"--env", "", 2, "VAULTEXEC_ENV", true},
		"--refresh":   {"--refresh", "5m", 0, "--refresh", true},
		"--on-change": {"--on-change", "exec:...", 0, "--on-change", true},
		"--once":      {"--once", "true", 0, "--once", true},
		"--mode":      {"--mode", "auto", 0, "default", false},
	}
	states := g.States(g.flags)
	for _, s := range states {
		if w, ok := want[s.Name]; ok && s != w {
			t.Errorf("%+v, want %+v", s, w)
		}
		delete(want, s.Name)
	}
	if len(want) > 0 || states[0].Name != "--auth" {
		t.Errorf("%v are missing, and the first is %s", want, states[0].Name)
	}
}
