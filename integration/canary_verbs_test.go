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
	verbs := []string{"", "check", "check --json", "explain", "explain --json", "explain PASSWORD", "explain env", "doctor", "doctor --json", "env", "render"}
	for _, format := range choices(t, "env", "--format") {
		verbs = append(verbs, "env --format "+format)
	}
	for _, verb := range verbs {
		runs := runs
		if strings.HasPrefix(verb, "env --format") && verb != "env --format json" {
			runs = runs[:2] // the others never come to a format
		}
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

// TestP7VerbsWithoutSettings runs the verbs that read no settings where everything
// around them is secret: they repeat none of it, in no log format and at no level.
func TestP7VerbsWithoutSettings(t *testing.T) {
	t.Parallel()
	s := newLeakStage(t)
	verbs := map[string]int{"version": 0, "version --json": 0, "man": 0, "help": 0, "--help": 0, "env --help": 0, "install DIR": 0,
		"install /dev/null/none": 125, "install": 125, "completion none": 125, "version --none": 125}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		verbs["completion "+shell] = 0
	}
	verbs["__complete explain --role "] = 0 // what a shell's script asks
	secrets := []string{"PASSWORD=" + s.password, "DSN=${vault:" + s.kv.path("app") + "#" + s.password + "}", "VAULTEXEC_ENV=PASSWORD=" + s.password,
		"VAULTEXEC_ROLE=" + s.password, "VAULTEXEC_STOP_TIMEOUT=" + s.password, "VAULTEXEC_PASSWORD=" + s.password, "VAULT_HEADERS=" + s.password}
	for verb, status := range verbs {
		for _, level := range choices(t, "--log-level") {
			for _, format := range []string{"text", "json"} {
				t.Run(strings.Join([]string{verb, level, format}, "/"), func(t *testing.T) {
					t.Parallel()
					last := filepath.Join(t.TempDir(), "termination-log")
					words := strings.Split(strings.Replace(verb, "DIR", t.TempDir(), 1), " ")
					c := vaultexec(t, words...).alone().vault(s.kv.vault.Address).token(s.token).env(secrets...)
					res := c.env("VAULTEXEC_LOG_LEVEL="+level, "VAULTEXEC_LOG_FORMAT="+format, "VAULTEXEC_TERMINATION_LOG="+last).run().exited(status)
					s.watch.silent(t, "standard output", res.stdout)
					s.watch.silent(t, "standard error", res.stderr)
					if text, err := os.ReadFile(last); status != 0 && err == nil {
						s.watch.silent(t, "the termination log", string(text))
					}
				})
			}
		}
	}
}

// choices are what a flag takes, as it says itself; words are a verb and the flag,
// or the flag alone.
func choices(t *testing.T, words ...string) []string {
	t.Helper()
	flag := words[len(words)-1]
	res := vaultexec(t, append(words, "nothing")...).exec("/bin/true").run().refused(flag)
	m := regexp.MustCompile(`(?:is not one|is none) of ([a-z, ]+)`).FindStringSubmatch(res.stderr)
	if m == nil {
		t.Fatalf("%s says nothing of what it takes: %s", flag, res.stderr)
	}
	return strings.Split(strings.TrimSpace(m[1]), ", ")
}
