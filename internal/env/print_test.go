package env

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Shells read back what is printed for them. Those that are on this system do
// it here: see source.
func FuzzPrintShell(f *testing.F) {
	for _, s := range shellSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.Contains(value, "\x00") { // a plan has none
			return
		}
		got, err := Print("shell", []string{"V=" + value})
		if err != nil {
			t.Fatal(err)
		}
		for shell, read := range source(t, `eval "$(cat "$1"; echo :)"`, got) {
			if read != value {
				t.Errorf("%q became %q, which is %q for %s", value, got, read, shell)
			}
		}
	})
}

// fish too, where it is here; the integration tests install it.
func FuzzPrintFish(f *testing.F) {
	for _, s := range hostileValues {
		f.Add(s)
	}
	fish, err := exec.LookPath("fish")
	f.Fuzz(func(t *testing.T, value string) {
		if strings.Contains(value, "\x00") {
			return
		}
		got, printErr := Print("fish", []string{"V=" + value})
		if printErr != nil {
			t.Fatal(printErr)
		}
		if err != nil {
			return
		}
		if read := readBack(t, got, fish, "--no-config", "-c", `source $argv[1]; exec printenv V`); read != value {
			t.Errorf("%q became %q, which is %q for fish", value, got, read)
		}
	})
}

func TestPrint(t *testing.T) {
	const hard = "it's \"$HOME\" `id` \\ \u2019 é"
	for dialect, want := range map[string]string{
		"shell":      `export A='it'\''s "$HOME" ` + "`id`" + ` \ ’ é'` + "\n",
		"fish":       `set -gx A 'it\'s "$HOME" ` + "`id`" + ` \\ ’ é'` + "\n",
		"powershell": `$Env:A = 'it''s "$HOME" ` + "`id`" + ` \ ’’ é'` + "\n",
		"docker":     "A=" + hard + "\n",
		"json":       "{\n  \"A\": \"it's \\\"$HOME\\\" `id` \\\\ ’ é\"\n}\n",
		"systemd":    `A="it's \"\$HOME\" ` + "\\`id\\`" + ` \\ ’ é"` + "\n",
	} {
		if got, err := Print(dialect, []string{"A=" + hard}); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", dialect, got, err, want)
		}
	}
	got, err := Print("github", []string{"A=1\n2"})
	if err != nil || !regexp.MustCompile(`^A<<(end_\w+)\n1\n2\nend_\w+\n$`).MatchString(got) {
		t.Errorf("github: %q, %v", got, err)
	}
	for _, dialect := range Dialects() {
		got, err := Print(dialect, nil)
		if want := map[string]string{"json": "{}\n", "yaml": "{}\n"}[dialect]; err != nil || got != want {
			t.Errorf("nothing for %s: %q, %v", dialect, got, err)
		}
	}
}

// The documentation says of each what it is for.
func TestDialectsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/verbs.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| format | for | holds no |\n| --- | --- | --- |\n")
	var names []string
	for row := range strings.Lines(table) {
		if row[0] != '|' {
			break
		}
		names = append(names, strings.Split(strings.TrimSpace(strings.Split(row, "|")[1]), ", ")...)
	}
	if !slices.Equal(names, Dialects()) {
		t.Errorf("the table has %q, there are %q", names, Dialects())
	}
}

// What a dialect cannot hold is an error that names it, and nothing is
// written; nothing of a value is in it.
func TestPrintRefuses(t *testing.T) {
	for _, tt := range []struct{ dialect, name, value string }{
		{"shell", "UID", canary}, {"shell", "BASHOPTS", canary}, {"shell", "GID", canary},
		{"shell", "my.var", canary}, {"fish", "a-b", canary},
		{"powershell", "A", ""}, {"powershell", "A", canary + "\xff"}, {"powershell", "A", canary + "\r"},
		{"dotenv", "A", canary + "\x01"}, {"dotenv", "A", canary + "'\\\\\"$"},
		{"docker", "A", canary + "\n"}, {"docker", "A", strings.Repeat("x", maxDockerLine)}, {"docker", "A", canary + "\r"},
		{"json", "A", canary + "\xff"}, {"yaml", "A", canary + "\xff"},
		{"systemd", "A", canary + "\x1b"}, {"systemd", "A.b", canary}, {"systemd", "A", canary + "\ufffe"},
		{"github", "GITHUB_TOKEN", canary}, {"github", "NODE_OPTIONS", canary}, {"github", "Node_Options", canary}, {"github", "\ufeffA", canary}, {"github", "A", canary + "\r\n"},
	} {
		got, err := Print(tt.dialect, []string{"FINE=1", tt.name + "=" + tt.value})
		if err == nil || got != "" {
			t.Errorf("%s: %s is written: %q", tt.dialect, tt.name, got)
			continue
		}
		checkSilent(t, err.Error())
		if !strings.HasPrefix(err.Error(), "variable "+tt.name+": ") || !strings.Contains(err.Error(), "--format ") {
			t.Errorf("%s: %v", tt.dialect, err)
		}
	}
}

func TestMade(t *testing.T) {
	v := vault{"kv/app": `{"A":"new","B":"same","C":"c"}`}
	p, err := NewPlanner(sources(t, []string{"A=old", "B=same", "HOME=/root", "D=vault:kv/app#C"}, "--secret kv/app", "--on-conflict overwrite"))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := p.Plan(v.fetch(t))
	if got, want := p.Made(plan), []string{"A=new", "C=c", "D=c"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

func FuzzPrintJSON(f *testing.F) {
	for _, s := range shellSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := Print("json", []string{"V=" + value})
		var read map[string]string
		if err == nil && (json.Unmarshal([]byte(got), &read) != nil || read["V"] != value) {
			t.Errorf("%q became %q", value, got)
		}
	})
}
