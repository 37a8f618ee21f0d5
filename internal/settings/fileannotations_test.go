package settings

import (
	"os"
	"testing"
)

// readBoth reads settings as main does, with annotations, a configuration file,
// or both. Names of annotations are without vault.hashicorp.com/.
func readBoth(t *testing.T, annotations map[string]string, text string, args ...string) (*Settings, []Note) {
	t.Helper()
	lines := ""
	for name, value := range annotations {
		lines += "vault.hashicorp.com/" + name + `="` + value + "\"\n"
	}
	for name, content := range map[string]string{"a": lines, "f": text} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := read(t, nil, append([]string{"--annotations", "a", "--config", "f"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	notes, err := s.ReadFiles(s.environ, s.flags)
	if err == nil {
		err = s.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	return s.Settings, notes
}

// A default of the Injector's says nothing against what a file says.
func TestFailingCommandsByDefault(t *testing.T) {
	t.Chdir(t.TempDir())
	const name = "template-config-exit-on-retry-failure"
	for _, tt := range []struct {
		what        string
		annotations map[string]string
		text        string
		want        bool
	}{
		{"nothing said", map[string]string{"agent-inject": "false"}, "", true},
		{"the file says no", map[string]string{"agent-inject": "false"}, "template_config { exit_on_retry_failure = false }", false},
		{"the file says something else", map[string]string{"agent-inject": "false"}, "template_config { max_connections_per_host = 3 }", true},
		{"the annotation says yes", map[string]string{name: "true"}, "template_config { exit_on_retry_failure = false }", true},
		{"the annotation says no", map[string]string{name: "false"}, "template_config { exit_on_retry_failure = true }", false},
	} {
		if s, _ := readBoth(t, tt.annotations, tt.text); s.Files().FailCommands.Value != tt.want {
			t.Errorf("%s: %+v, want %v", tt.what, s.Files().FailCommands, tt.want)
		}
	}
}
