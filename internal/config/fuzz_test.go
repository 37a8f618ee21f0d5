package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// canary stands in values that no message may have.
const canary = "hvs.canary"

// fuzz parses text; whatever it is, the outcome is a Config or a message without
// a value in it.
func fuzz(t *testing.T, text string) {
	c, err := Parse("f", []byte(text), testOptions)
	if (c == nil) == (err == nil) {
		t.Fatalf("%v and %v", c, err)
	}
	if err == nil {
		return
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		if !strings.HasPrefix(line, "f:") {
			t.Errorf("a message without its place: %s", line)
		}
	}
}

func seed(f *testing.F, pattern string) {
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds %s: %v", pattern, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
}

func FuzzHCL(f *testing.F) {
	seed(f, "*.hcl")
	f.Add(agentHCL)
	f.Fuzz(func(t *testing.T, text string) { fuzz(t, "#\n"+text) }) // never JSON
}

func FuzzJSON(f *testing.F) {
	seed(f, "*.json")
	f.Add(agentJSON)
	f.Fuzz(func(t *testing.T, text string) { fuzz(t, "{"+strings.TrimPrefix(text, "{")) })
}

// TestNoValueInMessages: a value in the wrong place may be a token.
func TestNoValueInMessages(t *testing.T) {
	for _, text := range []string{
		`vault { token = ["` + canary + `"] }`, `vault { address = "${` + canary + `}" }`, `vault = "` + canary + `"`,
		`exit_after_auth = "` + canary + `"`, `template_config { static_secret_render_interval = "` + canary + `" }`,
		`template { destination = "d" contents = "c" perms = "` + canary + `" }`, `secret "a/b" { format = "{{ ` + canary + ` }}" }`,
		`vault { token = "` + canary, `vault { token "` + canary + `" }`, `token = "a" "` + canary + `"`, `x = '` + canary + `'`,
		`{"vault": {"token": "` + canary + `" 1}}`, `{"vault": {"token": "` + canary, `{"vault": {"token": ` + canary + `}}`,
	} {
		_, err := Parse("f", []byte(text), testOptions)
		if err == nil {
			t.Errorf("%s is taken", text)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("%s\nis repeated: %v", text, err)
		}
	}
}
