package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shellReaders are the shells that take over what vaultexec env prints: each
// has a line that does, and starts a program with the outcome.
var shellReaders = []struct{ shell, script string }{
	{"sh", `eval "$("$VX" env)" && exec "$@"`},
	{"dash", `eval "$("$VX" env)" && exec "$@"`},
	{"bash", `eval "$("$VX" env)" && exec "$@"`},
	{"zsh", `eval "$("$VX" env)" && exec "$@"`},
	{"fish", `$VX env --format fish | source; and exec $argv`},
}

// A development shell takes the variables over, byte for byte, whatever is in
// them.
func TestP1EnvInShells(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	hard := canary(t, "hard value") + " it's \"$HOME\" `id` $(id) \\ \\n !! # ~ * \n\ttwo\n\n"
	all := fields{"HARD": hard, "EMPTY": "", "PLAIN": canary(t, "plain value")}
	for i, value := range hostileValues {
		all[fmt.Sprint("V", i)] = value
	}
	kv.put(t, "app", all)
	for _, r := range shellReaders {
		t.Run(r.shell, func(t *testing.T) {
			shell, err := exec.LookPath(r.shell)
			if err != nil {
				t.Fatal(err) // 'make integration' installs what is missing
			}
			c := kv.run(t, []string{"app"}).env("VAULTEXEC_SECRET=" + kv.path("app"))
			c.env("VX=" + c.binary)
			child := c.argv
			arguments := []string{"-c", r.script, "--"}
			if r.shell == "fish" {
				arguments = arguments[:2]
			}
			c.binary, c.flags, c.argv = shell, append(arguments, child...), nil
			res := c.run().exited(0)
			for name, value := range all {
				res.childHas(name, value.(string))
			}
		})
	}
}

// hostileValues are what a shell might take for something else.
var hostileValues = []string{"a b", "it's", `say "hi"`, `it's "hi"`, "pa$$word", "${HOME}", "`id`", "$(id)", "(id)", "{a,b}", "a\nb\n", "\n", "\r\n", "~", "*",
	`\`, `\\`, `a\nb`, "a\\\nb", "#", "a # b", "!!", "é€😀", "\x01\x7f\x1b[0m", "=", ";id", "&", "a\tb", "'", "''", `'\''`, `\'`, "\u2018\u2019", "\ufeff\ufffe", "%self", "-n", "^", "a?b", "[a]", "|", "<", ">"}

// A container gets from docker's --env-file, read by docker itself, what a value
// was; what docker cannot read is refused, and nothing is printed.
func TestP1EnvInDocker(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	fit, all := fields{"EMPTY": ""}, fields{}
	for i, value := range hostileValues {
		if all[fmt.Sprint("V", i)] = value; !strings.ContainsAny(value, "\n\r") {
			fit[fmt.Sprint("V", i)] = value
		}
	}
	kv.put(t, "fit", fit)
	kv.put(t, "all", all)
	print := func(path string) *result {
		c := kv.run(t, []string{path}, "env", "--format", "docker", "--secret", kv.path(path)).alone()
		return c.run()
	}
	file := writeFile(t, filepath.Join(t.TempDir(), "env"), print("fit").exited(0).stdout)
	res := inContainer(t, "--mode", "exec").with("--env-file", file).run().exited(0)
	for name, value := range fit {
		res.childHas(name, value.(string))
	}
	if res := print("all").exited(125).says("docker's --env-file cannot hold: use --format json"); res.stdout != "" {
		t.Errorf("stdout is %q", res.stdout)
	}
}

// An init container checks, then writes what the application's container reads;
// no login is left behind by the check.
func TestP11Render(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	a := newAccount(t, kv.policy(t, "app"))
	file := filepath.Join(t.TempDir(), "password")
	flag := file + "=" + kv.path("app") + "?mode=0440#password"
	check := a.login(t, "--file", flag).alone()
	check.flags = append([]string{"check"}, check.flags...)
	if res := check.run().exited(0); res.stdout != "ok      "+kv.path("app")+"#password\n" {
		t.Errorf("stdout is %q", res.stdout)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("check has written the file")
	}
	render := a.login(t, "--file", flag).alone()
	render.flags = append([]string{"render"}, render.flags...)
	if res := render.run().exited(0); res.stdout != "" {
		t.Errorf("stdout is %q", res.stdout)
	}
	text, err := os.ReadFile(file)
	if err != nil || string(text) != password {
		t.Errorf("the file has %d bytes, %v", len(text), err)
	}
	missing := a.login(t, "--file", file+"="+kv.path("app")+"#passwort").alone()
	missing.flags = append([]string{"check"}, missing.flags...)
	if res := missing.run().exited(3); !strings.Contains(res.stdout, "missing "+kv.path("app")+"#passwort") {
		t.Errorf("stdout is %q", res.stdout)
	}
}
