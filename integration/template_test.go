//go:build linux

package integration

import (
	"path/filepath"
	"testing"
)

// A secret that only a template asks for, because another one has its name, is
// watched as any other; file and variable of it change together.
func TestP8TemplatesFollow(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	first, second := canary(t, "first password"), canary(t, "second password")
	kv.put(t, "which", fields{"name": "blue"})
	kv.put(t, "db/blue", fields{"password": first})
	kv.put(t, "db/green", fields{"password": second})
	dir := t.TempDir()
	text := `{{ with secret "` + kv.path("which") + `" }}{{ with secret (printf "` + kv.path("db/%s") + `" .Data.data.name) }}{{ .Data.data.password }}{{ end }}{{ end }}`
	src, dest := writeFile(t, filepath.Join(dir, "src"), text), filepath.Join(dir, "dest")
	a := newAccount(t, kv.policy(t, "which", "db/blue", "db/green"))
	l := a.login(t, append(quick, "--template", src+":"+dest, "--env-template", "PASSWORD="+text)...).live(dest)
	m := l.nth(1, "start")
	if m.lookup("PASSWORD") != first || m.Files["dest"] != first {
		t.Error("not the first password")
	}
	kv.put(t, "which", fields{"name": "green"})
	m = l.nth(2, "start")
	if m.lookup("PASSWORD") != second || m.Files["dest"] != second {
		t.Error("not the password that the other name leads to")
	}
	third := canary(t, "third password")
	kv.put(t, "db/green", fields{"password": third})
	if m = l.nth(3, "start"); m.lookup("PASSWORD") != third || m.Files["dest"] != third {
		t.Error("not the newest password")
	}
	l.stop()
	l.order(3)
}
