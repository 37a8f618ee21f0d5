package settings

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// readBoth reads settings as main does, with annotations, a configuration file,
// or both. Names of annotations are without vault.hashicorp.com/.
func readBoth(t *testing.T, annotations map[string]string, text string, args ...string) (*Settings, []Note) {
	t.Helper()
	return readAll(t, nil, annotations, text, args...)
}

// readAll is readBoth with an environment.
func readAll(t *testing.T, environ, annotations map[string]string, text string, args ...string) (*Settings, []Note) {
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
	s, err := read(t, environ, append([]string{"--annotations", "a", "--config", "f"}, args...)...)
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

// What annotations and flags make takes the place of what a weaker file would put
// there.
func TestGivesWay(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	inDir := map[string]string{"agent-inject-template-x": "pod", "agent-inject-token": "true", "secret-volume-path": here}
	for _, tt := range []struct {
		what        string
		annotations map[string]string
		text        string
		args        []string
		want        []string // everything that is made, by who makes it
	}{
		{"a template to a relative flag", inDir, "", []string{"--file", "x=kv/a#k"}, []string{"file x", "token token"}},
		{"a template block to a relative flag", nil, `template { contents = "" destination = "` + here + `/x" }`, []string{"--template", "f:./x"}, []string{"template x"}},
		{"an item of file to a template", inDir, `file = ["x=kv/a#k", "y=kv/a#k"]`, nil, []string{"file y", "token token", "block x"}},
		{"an item of template to a template", inDir, `template = ["f:x", "f:y"]`, nil, []string{"template y", "token token", "block x"}},
		{"a sink to a sink", inDir, `auto_auth { method "kubernetes" { config = { role = "r" } } sink "file" { config = { path = "token" } } sink "file" { config = { path = "other" } } }`, nil,
			[]string{"token token", "token other", "block x"}},
		{"a sink to a flag", inDir, "", []string{"--file", "./token=kv/a#k"}, []string{"file token", "block x"}},
		{"a template block to a sink", inDir, `template { contents = "" destination = "token" }`, nil, []string{"token token", "block x"}},
		{"an item of env to a flag", nil, "env {\n A = \"kv/a#k\"\n B = \"kv/a#k\"\n}", []string{"--env-template", "A=x"}, []string{"env B", "env-template A"}},
		{"an item of env_template to a flag", nil, `env_template = ["A=x", "B=x"]`, []string{"--env", "A=kv/a#k"}, []string{"env A", "env-template B"}},
		{"a whole list to a flag", inDir, `file = ["y=kv/a#k"]`, []string{"--file", "z=kv/a#k"}, []string{"file z", "token token", "block x"}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			s, _ := readBoth(t, tt.annotations, tt.text, tt.args...)
			if got := makers(s); !slices.Equal(got, tt.want) {
				t.Errorf("made %q, want %q", got, tt.want)
			}
		})
	}
}

// makers are all variables and files that the settings ask for.
func makers(s *Settings) (list []string) {
	for _, v := range s.Env.Items {
		list = append(list, "env "+v.Name)
	}
	for _, x := range s.EnvTemplate.Items {
		list = append(list, "env-template "+x.Name)
	}
	for _, f := range s.File.Items {
		list = append(list, "file "+filepath.Base(f.Dest))
	}
	for _, x := range s.Template.Items {
		list = append(list, "template "+filepath.Base(x.Dest))
	}
	for _, f := range s.files.Tokens {
		list = append(list, "token "+filepath.Base(f.Dest))
	}
	for _, x := range s.files.Templates {
		list = append(list, "block "+x.Name+filepath.Base(x.Dest))
	}
	return list
}

// The Injector's proxy is that of HTTPS, so what counts is the address that Vault
// is reached at, whoever says it.
func TestProxyOfHTTPS(t *testing.T) {
	t.Chdir(t.TempDir())
	const inFile = `vault { address = "http://v" }`
	for _, tt := range []struct {
		what             string
		environ          map[string]string
		annotation, text string
		want             string
	}{
		{"no address", nil, "", "", "http://p"},
		{"an annotation with HTTPS", nil, "https://v", "", "http://p"},
		{"an annotation with HTTP", nil, "http://v", "", ""},
		{"in capitals", nil, "HTTP://v", "", ""},
		{"the environment over the annotation", map[string]string{"VAULT_ADDR": "http://v"}, "https://v", "", ""},
		{"HTTPS in the environment", map[string]string{"VAULT_ADDR": "https://v"}, "http://v", "", "http://p"},
		{"an agent", map[string]string{"VAULT_AGENT_ADDR": "http://127.0.0.1:8100", "VAULT_ADDR": "https://v"}, "", "", ""},
		{"an agent's socket", map[string]string{"VAULT_AGENT_ADDR": "unix:///s"}, "", "", ""},
		{"the file", nil, "", inFile, ""},
		{"the annotation over the file", nil, "https://v", inFile, "http://p"},
	} {
		s, _ := readAll(t, tt.environ, map[string]string{"proxy-address": "http://p", "service": tt.annotation}, tt.text)
		if got := s.Files().Vault["VAULT_PROXY_ADDR"].Value; got != tt.want {
			t.Errorf("%s: the proxy is %q, want %q", tt.what, got, tt.want)
		}
	}
}
