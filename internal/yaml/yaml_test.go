package yaml

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"vaultexec/internal/seeds"
)

// TestPeer reads what gopkg.in/yaml.v2 v2.4.0, which consul-template has, reads to
// the same. The texts are out of what fuzzing the two against each other had found;
// what the library makes of them is put there by
//
//	go -C integration/servers/vault run ./peer -update
func TestPeer(t *testing.T) {
	content, err := os.ReadFile("testdata/peer.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct{ Text, Want string }
	if err := json.Unmarshal(content, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 100 {
		t.Errorf("%d cases", len(cases))
	}
	for _, c := range cases {
		node, err := Parse(c.Text)
		if got := fmt.Sprintf("%#v", node.Value()); err != nil || got != c.Want {
			t.Errorf("%q:\n%s, %v\nwant\n%s", c.Text, got, err, c.Want)
		}
	}
}

const canary = "hunter2"

func TestYAMLErrors(t *testing.T) {
	for text, want := range map[string]string{
		"a: &x " + canary:                  "1: anchors and aliases are not read here",
		"a: *x":                            "1: anchors and aliases are not read here",
		"a: !!str " + canary:               "1: tags are not read here",
		"a: 1\n<<: {b: c}":                 "2: merging another map with << is not read here",
		"a: {<<: {b: c}}":                  "1: merging another map with << is not read here",
		"? " + canary + "\n: b":            "1: a key with ? before it is not read here",
		"---\na: b\n---\nc: " + canary:     "3: a second document begins here",
		"--- a: b":                         "1: put what follows the --- on a line of its own",
		"%YAML 1.2\n---\na: b":             "1: directives (%) are not read here",
		"a: " + canary + "\n  b":           "2: this line is indented further than the one it belongs to",
		"a: \"" + canary + "\n  b\"":       "1: the quote is not closed on its line",
		"a: '" + canary:                    "1: the quote is not closed on its line",
		"a: \"\\q" + canary + "\"":         "1: there is no such escape",
		"a: \"\\ud800\"":                   "1: the escape is not the number of a character",
		"a: \"x\" " + canary:               "1: something follows the closing quote",
		"a: b: " + canary:                  "1: there is a colon with a blank behind it in the value",
		"a: @" + canary:                    "1: a text that begins with '@' has to be in quotes",
		"a: %" + canary:                    "1: a text that begins with '%' has to be in quotes",
		"\ta: b":                           "1: this line begins with a tab",
		"a:\n    b: c\n  d: " + canary:     "3: this line is indented",
		"a: b\n" + canary:                  "2: this is no KEY: VALUE",
		"- a\nb: " + canary:                "2: this line is indented like nothing before it",
		"a: |x\n  " + canary:               "1: behind | or > there is a + or a -, a digit, and no more",
		"a: | " + canary:                   "1: the text of a block begins on the next line",
		"a: |\n    \n  " + canary:          "3: an empty line before this one has more blanks than its indentation",
		"a: [1, " + canary:                 "1: a bracket or a brace is not closed",
		"a: [1,\n2]":                       "2: a bracket or a brace is not closed, or this line is not indented",
		"a: [x: " + canary + "]":           "1: a KEY: VALUE in a list has to be in braces",
		"a: {x}":                           "1: a key in braces has a colon behind it",
		"a: {[x]: y}":                      "1: a key is a text",
		"a: [b " + canary + "\n  c]":       "2: a text of several lines has to be in double quotes",
		"a: [\"b\" \"" + canary + "\"]":    "1: there is no comma between two values",
		"a: [b] " + canary:                 "1: something follows the closing bracket or brace",
		"a: b\x01" + canary:                "1: there is a control character",
		"a: b\n\xff" + canary:              "2: there is a byte that is not UTF-8",
		"a: b\rc":                          "1: there is a carriage return inside of a line",
		"a: " + strings.Repeat("[", 200):   "1: values are nested more than 100 deep",
		strings.Repeat("- ", 200) + canary: "1: values are nested more than 100 deep",
		strings.Repeat("k", 1100) + ": x":  "1: the key is longer than 1024 bytes",
	} {
		_, err := Parse(text)
		wrong, ok := errors.AsType[*Error](err)
		if !ok {
			t.Errorf("%q: %v, want %s", text, err, want)
			continue
		}
		if got := fmt.Sprintf("%d: %v", wrong.Line, wrong); !strings.HasPrefix(got, want) || strings.Contains(got, canary) {
			t.Errorf("%q:\n%s\nwant\n%s", text, got, want)
		}
	}
}

// FuzzParse holds that nothing panics and that an error repeats nothing.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"a: 1\nb:\n- c\n- d: |\n    x\n", "[a, {b: \"c\"}]", "- - >\n    x\n   y\n", "a: {b: [1, 2]}\n"} {
		f.Add(s)
	}
	for _, text := range seeds.Files(f, "seeds/*.yaml") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		node, err := Parse(text)
		if err == nil {
			node.Value()
		} else if strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("%q: %v", text, err)
		}
	})
}
