package integration

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// watch is a set of secrets and everything that shows them.
type watch struct{ names map[string]string } // form -> of what

// add watches for a value in whole, for its lines, and for its long words,
// which are what is left of it when it is cut or escaped.
func (w *watch) add(name, value string) {
	parts := append(strings.FieldsFunc(value, func(r rune) bool { return !isWord(r) }), strings.Split(value, "\n")...)
	for _, part := range append(parts, value) {
		if len(part) < 12 { // shorter ones may be anything
			continue
		}
		for _, form := range disguises(part) {
			w.names[form] = name
		}
	}
}

func isWord(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '-' || r == '_'
}

// disguises are the forms in which a value gets into a log by accident.
func disguises(value string) []string {
	jsonEscaped, _ := json.Marshal(value) // a string can always be marshalled
	out := []string{
		value,
		hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value))),
		strings.Trim(string(jsonEscaped), `"`), strings.Trim(strconv.Quote(value), `"`),
		url.QueryEscape(value), url.PathEscape(value),
		strings.Trim(fmt.Sprint([]byte(value)), "[]"),
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		// Inside a longer text it has one of three alignments; what depends on
		// its neighbours is left out.
		for shift := range 3 {
			encoded := encoding.EncodeToString(append(make([]byte, shift), value...))
			out = append(out, encoded[(8*shift+5)/6:len(encoded)-1])
		}
	}
	return out
}

// silent fails the test for everything in the text that is watched for.
func (w *watch) silent(t *testing.T, where, text string) {
	t.Helper()
	for form, name := range w.names {
		if strings.Contains(text, form) {
			t.Errorf("%s shows %s:\n%s", where, name, strings.ReplaceAll(text, form, "<<"+name+">>"))
		}
	}
}

func TestWatchFindsDisguises(t *testing.T) {
	value := canary(t, "value") + "\"\n<&%é>" + canary(t, "second line")
	w := &watch{names: make(map[string]string)}
	w.add("the value", value)
	var marshalled strings.Builder
	_ = json.NewEncoder(&marshalled).Encode(value) // to memory
	for _, text := range []string{
		value, value[len(value)-40:], marshalled.String(), fmt.Sprintf("%q", value), fmt.Sprintf("%x", value),
		fmt.Sprint([]byte(value)), url.QueryEscape(value), url.PathEscape(value),
		base64.StdEncoding.EncodeToString([]byte(value)), base64.URLEncoding.EncodeToString([]byte("x:" + value)),
		base64.StdEncoding.EncodeToString([]byte("u" + value + "!")),
	} {
		found := false
		for form := range w.names {
			found = found || strings.Contains(text, form)
		}
		if !found {
			t.Errorf("nothing is found in %q", text)
		}
	}
	w.silent(t, "an innocent text", "vaultexec: debug: supervising terminal=none")
}

// leak is one run that might show a secret.
type leak struct {
	name   string
	flags  []string
	vars   []string
	argv   []string // nil for the child
	vault  string   // another address than the stage's
	token  bool     // with VAULT_TOKEN; else with a service account
	status int
}

// TestP7Everywhere runs vaultexec in every mode and into every kind of
// failure, in both log formats at debug level, and looks for the secrets, the
// token and the JWT in all that it says, in the termination log, in every
// process's arguments and in its own processes' environments.
func TestP7Everywhere(t *testing.T) {
	t.Parallel()
	s := newLeakStage(t)
	for _, l := range append(s.successes(), s.failures(t)...) {
		for _, format := range []string{"text", "json"} {
			t.Run(l.name+"/"+format, func(t *testing.T) {
				t.Parallel()
				s.run(t, l, format)
			})
		}
	}
}

func (s *leakStage) run(t *testing.T, l leak, format string) {
	last := filepath.Join(t.TempDir(), "termination-log")
	flags := append([]string{"--log-level", "debug", "--log-format", format, "--termination-log", last}, l.flags...)
	if l.vault != "" { // some of these answers are worth waiting for a better one
		flags = append([]string{"--startup-timeout", "1s"}, flags...)
	}
	c := vaultexec(t, flags...).vault(s.kv.vault.Address).child("wait")
	if l.token {
		c.token(s.token)
	} else {
		c.flags = append([]string{"--role", s.account.role, "--jwt-path", s.jwtFile}, c.flags...)
	}
	if l.vault != "" {
		c.vault(l.vault)
	}
	if c.env(l.vars...); l.argv != nil {
		c.exec(l.argv...)
	}
	r := c.start()
	if l.status == 0 {
		r.waitLine("ready")
		s.lookAtProcesses(t, r)
		r.signal(syscall.SIGTERM)
	}
	res := r.wait().exited(l.status)
	if l.status != 0 && res.stdout != "" {
		t.Errorf("there is something on stdout: %d bytes", len(res.stdout))
	}
	s.watch.silent(t, "standard output", res.stdout)
	s.watch.silent(t, "standard error", res.stderr)
	text, err := os.ReadFile(last)
	if err != nil && l.status != 0 && l.status != 143 {
		t.Errorf("there is no termination log: %v; stderr:\n%s", err, res.stderr)
	}
	s.watch.silent(t, "the termination log", string(text))
}

// lookAtProcesses looks at the arguments of all processes, and at the
// environments of vaultexec's own.
func (s *leakStage) lookAtProcesses(t *testing.T, r *running) {
	t.Helper()
	child := r.waitChild().Pid
	own := make(map[int]bool) // those from the child's parent up to the one that was started
	for pid := child; pid > 1 && pid != r.pid(); {
		_, parent, err := processStat(pid)
		if err != nil {
			t.Fatal(err)
		}
		pid = parent
		own[pid] = true
	}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	looked := 0
	for _, dir := range dirs {
		if text, err := os.ReadFile(dir + "/cmdline"); err == nil { // else it has ended
			s.watch.silent(t, dir+"/cmdline", string(text))
		}
		if pid, _ := strconv.Atoi(filepath.Base(dir)); !own[pid] {
			continue
		}
		text, err := os.ReadFile(dir + "/environ")
		if err != nil && !os.IsPermission(err) {
			t.Error(err)
		}
		looked++
		s.watch.silent(t, dir+"/environ", string(text))
	}
	if looked != len(own) || looked == 0 && child != r.pid() {
		t.Errorf("looked at %d processes of vaultexec, it has %d", looked, len(own))
	}
}
