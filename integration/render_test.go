//go:build linux

package integration

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"
)

// written is all that there is below a directory: path -> type and mode, owner,
// and content or target. What a directory of a file for each key calls its
// version has a time in it.
func written(t *testing.T, dir string) map[string]string {
	t.Helper()
	version := regexp.MustCompile(`\.\.\d{4}(_\d\d){5}\.[A-Z2-7]{26}`)
	found := map[string]string{}
	mustDo(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := ""
		switch info.Mode().Type() {
		case 0:
			text = readText(t, path)
		case fs.ModeSymlink:
			if text, err = os.Readlink(path); err != nil {
				return err
			}
		}
		owner := info.Sys().(*syscall.Stat_t)
		name, err := filepath.Rel(dir, path)
		found[version.ReplaceAllString(name, "..VERSION")] = fmt.Sprintf("%v %d:%d %q", info.Mode(), owner.Uid, owner.Gid, version.ReplaceAllString(text, "..VERSION"))
		return err
	}))
	return found
}

// An init container leaves what a supervised command would have: the same names,
// bytes, modes and owners, wherever they are asked for.
func TestP11RenderAsSupervised(t *testing.T) {
	needRoot(t)
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password"), "user": "alice", "n": 5432, "nested": fields{"<&>": nil}, "pem": "a\nb\n"})
	a := newAccount(t, kv.policy(t, "app"))
	from := writeFile(t, filepath.Join(t.TempDir(), "from.env"), "FROM=from\n")
	assignments := writeFile(t, filepath.Join(t.TempDir(), "env"), "USER_NAME=vault:"+kv.path("app")+"#user\n")
	page := writeFile(t, filepath.Join(t.TempDir(), "page.tpl"), "{{ with secret `"+kv.path("app")+"` }}<{{ .Data.data.user }}>\n{{ end }}")
	sources := func(root string, flags ...string) []string {
		config := configFile(t, "config.hcl", fmt.Sprintf("template {\n contents = <<EOT\n{{ with secret %q }}{{ .Data.data | toJSON }}{{ end }}\nEOT\n destination = %q\n perms = \"0604\"\n user = \"4713\"\n group = \"817\"\n}\n",
			kv.path("app"), root+"/block/made/config.json"))
		annotations := annotationsFile(t, "agent-inject", "true", "secret-volume-path", root+"/annotated",
			"agent-inject-secret-plain", kv.path("app"), "agent-inject-perms-plain", "0640",
			"agent-inject-secret-text", kv.path("app"), "agent-inject-template-text", `{{ with secret "`+kv.path("app")+`" }}{{ .Data.data.n }}{{ end }}`)
		return append(flags, "--user", "4711:815", "--config", config, "--annotations", annotations, "--env-file", assignments, "--from", from,
			"--template", page+":"+root+"/page.html",
			"--file", root+"/plain="+kv.path("app")+"?mode=0440#password",
			"--file", root+"/made/deep/whole.json="+kv.path("app"),
			"--file", root+"/whole.yaml="+kv.path("app")+"?case=upper&prefix=A_",
			"--file", root+"/owned.env="+kv.path("app")+"?only=user&owner=4712:816",
			"--file", root+"/tree/="+kv.path("app")+"?mode=0444",
			"--file", root+"/optional="+kv.path("app")+"?optional#none")
	}
	supervised, rendered := t.TempDir(), t.TempDir()
	r := a.login(t, sources(supervised, "--mode", "supervise")...).exec("/bin/sh", "-c", "trap 'exit 0' TERM"+loop).start()
	r.waitLine("ready")
	want := written(t, supervised)
	r.signal(syscall.SIGTERM)
	r.wait().exited(0)

	render := a.login(t, sources(rendered)...).alone()
	render.flags = append([]string{"render"}, render.flags...)
	if res := render.run().exited(0); res.stdout != "" {
		t.Errorf("stdout is %q", res.stdout)
	}
	got := written(t, rendered)
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if got[path] != want[path] {
			t.Errorf("%s is\n%s, while a command runs\n%s", path, hidden(got[path]), hidden(want[path]))
		}
		delete(got, path)
	}
	if len(got) > 0 {
		t.Errorf("there is also %v", hidden(fmt.Sprint(got)))
	}
	for _, path := range []string{"plain", "made/deep/whole.json", "whole.yaml", "owned.env", "tree/password", "page.html", "block/made/config.json", "annotated/plain", "annotated/text"} {
		if want[path] == "" {
			t.Errorf("nobody writes %s: there is %v", path, slices.Sorted(maps.Keys(want)))
		}
	}
}
