package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// verbRun is a run of a verb that might show a secret.
type verbRun struct {
	leak
	words    []string // the verb and its own flags; none to run a command
	level    string
	format   string
	patience string
}

// runVerb looks for the secrets in all that a verb says. What env prints has
// them, and what render writes; not on standard error, and never what lets into
// Vault.
func (s *leakStage) runVerb(t *testing.T, v verbRun) {
	t.Helper()
	dir := t.TempDir()
	last := filepath.Join(dir, "termination-log")
	flags := append(v.words[:len(v.words):len(v.words)], "--log-level", v.level, "--log-format", v.format, "--startup-timeout", v.patience, "--termination-log", last)
	c := vaultexec(t).vault(s.kv.vault.Address)
	verb := strings.Join(v.words, " ")
	if verb != "" {
		c.alone()
	} else if v.argv != nil {
		c.exec(v.argv...)
	}
	if v.token {
		c.token(s.token)
	} else {
		flags = append(flags, "--role", s.account.role, "--jwt-path", s.jwtFile)
	}
	if v.vault != "" {
		c.vault(v.vault)
	}
	if verb == "render" {
		flags = append(flags, "--file", filepath.Join(dir, "password")+"="+s.kv.path("app")+"#password")
	}
	c.flags = append(flags, v.flags...)
	c.shows = strings.HasPrefix(verb, "env")
	res := c.env(v.vars...).run()
	if verb != "" && res.status != 0 && res.status != 2 && res.status != 3 && res.status != 125 {
		t.Errorf("exit status %d", res.status)
	}
	watch := s.watch
	if c.shows && res.status == 0 {
		watch = s.login
	} else if (c.shows || verb == "render") && res.stdout != "" {
		t.Errorf("there is something on stdout: %d bytes", len(res.stdout))
	}
	watch.silent(t, "standard output", res.stdout)
	s.watch.silent(t, "standard error", res.stderr)
	text, err := os.ReadFile(last)
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	s.watch.silent(t, "the termination log", string(text))
}

// TestP7Verbs takes the runs of TestP7Everywhere, all the failures too, to the
// verbs.
func TestP7Verbs(t *testing.T) {
	t.Parallel()
	s := newLeakStage(t)
	verbs := []string{"check --log-format text", "check --json --log-format json", "explain --log-format json", "explain --json --log-format text",
		"explain password", "doctor --log-format text", "doctor --json --log-format json", "env --log-format text", "render --log-format json"}
	for _, l := range append(s.successes(), s.failures(t)...) {
		verbs, patience := verbs, "10s"
		if l.vault != "" { // some of these answers are worth waiting for a better one
			verbs, patience = []string{verbs[0], verbs[3], verbs[6], verbs[7]}, "500ms"
		}
		for _, verb := range verbs {
			words, format, _ := strings.Cut(verb, " --log-format ")
			t.Run(l.name+"/"+verb, func(t *testing.T) {
				t.Parallel()
				s.runVerb(t, verbRun{l, strings.Fields(words), "debug", format, patience})
			})
		}
	}
}

// TestP7Levels takes one run of each kind to every verb at every level in both
// formats: what is said at one level alone would be seen at no other.
func TestP7Levels(t *testing.T) {
	t.Parallel()
	s := newLeakStage(t)
	const nobody = "http://127.0.0.1:1"
	password := []string{"--env", s.ref("PASSWORD", "app", "password"), "--env-template", "B={{ with secret `" + s.kv.path("app") + "` }}{{ .Data.data.password }}{{ end }}"}
	runs := []leak{
		{name: "well", flags: password},
		{name: "well with a token", flags: password, token: true},
		{name: "bad reference", vars: []string{"VAULTEXEC_ENV=PASSWORD=" + s.password, "DSN=${vault:" + s.kv.path("app") + "#" + s.password + "}"}},
		{name: "missing", flags: append(password, "--secret", s.kv.path("none"), "--env", s.ref("C", "app", "pasword"))},
		{name: "denied", flags: append(password, "--secret", s.kv.path("closed"))},
		{name: "login denied", flags: append(password, "--role", "nobodys")},
		{name: "nobody answers", flags: password, vault: nobody},
		{name: "echo", flags: password, vault: s.spoil(t, "/v1/", func(_, echo []byte) (int, []byte) { return 500, errorsOf(echo) })},
	}
	levels := choices(t, "--log-level")
	for _, verb := range []string{"", "check", "check --json", "explain", "explain --json", "doctor", "doctor --json", "env", "env --format json", "render"} {
		for _, l := range runs {
			for _, level := range levels {
				for _, format := range []string{"text", "json"} {
					t.Run(strings.Join([]string{verb, l.name, level, format}, "/"), func(t *testing.T) {
						t.Parallel()
						s.runVerb(t, verbRun{l, strings.Fields(verb), level, format, "500ms"})
					})
				}
			}
		}
	}
}

// choices are what a flag takes, as it says itself.
func choices(t *testing.T, flag string) []string {
	t.Helper()
	res := vaultexec(t, flag, "nothing").exec("/bin/true").run().refused(flag)
	m := regexp.MustCompile(`is not one of ([a-z, ]+)`).FindStringSubmatch(res.stderr)
	if m == nil {
		t.Fatalf("%s says nothing of what it takes: %s", flag, res.stderr)
	}
	return strings.Split(strings.TrimSpace(m[1]), ", ")
}
