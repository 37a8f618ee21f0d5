package env

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"vaultexec/internal/secret"
)

// Each format is read back by somebody else's reader: JSON and YAML by
// decoders, dotenv and export by the shells of this system (dotenv also by Compose
// and by godotenv: TestP1EnvInDotenvReaders in integration), properties by a
// reader of java.util.Properties' rules.

// decodeJSON is nil for what is no JSON, or deeper than any secret.
func decodeJSON(text string) any {
	if strings.Count(text, "[")+strings.Count(text, "{") > 100 {
		return nil
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// contentOf has an object's fields, or any other value as the only one.
func contentOf(v any) content {
	object, ok := v.(map[string]any)
	if !ok {
		return content{[]named{{"k", "k", secret.Of(v)}}, true}
	}
	f := secret.Fields{}
	for k, e := range object {
		f[k] = secret.Of(e)
	}
	return content{rename("", f, naming{}, &report{}), false}
}

func addJSONSeeds(f *testing.F) {
	for _, s := range []string{golden, `{}`, `[]`, `null`, `"\ud83d\ude00\u0000\u007f\u0085\u2028\ufeff\ufffe\uffff"`, `{"":{"":[]}}`,
		`{"<<":1,"~":2,"?":3,"- a":4,"1":5,"a: b":6,"\n":7,"true":8,"=":9}`, `-0`, `1e999`, `-1.0E+5`, `0.1e-2`, `[[[[1]],{}],{"a":{"b":{}}}]`,
		`{"` + strings.Repeat("k", 1500) + `":{"` + strings.Repeat("é", 100) + `":[[]]}}`} {
		f.Add(s)
	}
}

func FuzzJSON(f *testing.F) {
	addJSONSeeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		want := decodeJSON(text)
		if want == nil { // a null field of #KEY is missing, and never gets here
			return
		}
		got, err := encodeJSON(contentOf(want))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(got, "\n") || !reflect.DeepEqual(decodeJSON(got), want) {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func FuzzYAML(f *testing.F) {
	addJSONSeeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		want := decodeJSON(text)
		if want == nil {
			return
		}
		got, err := encodeYAML(contentOf(want))
		if err != nil {
			t.Fatal(err)
		}
		var document yaml.Node
		if err := yaml.Unmarshal([]byte(got), &document); err != nil {
			t.Fatalf("%q became %q: %v", text, got, err)
		}
		if !strings.HasSuffix(got, "\n") || !sameAsYAML(want, document.Content[0]) {
			t.Errorf("%q became %q", text, got)
		}
	})
}

// sameAsYAML compares types, texts, numbers and structure.
func sameAsYAML(v any, n *yaml.Node) bool {
	switch x := v.(type) {
	case nil:
		return n.Tag == "!!null"
	case bool:
		return n.Tag == "!!bool" && n.Value == strconv.FormatBool(x)
	case string:
		return n.Tag == "!!str" && n.Value == x
	case json.Number:
		want, errWant := strconv.ParseFloat(x.String(), 64)
		got, errGot := strconv.ParseFloat(n.Value, 64)
		if errWant != nil { // too large for this decoder, which takes it for text; all digits are there
			return errors.Is(errGot, strconv.ErrRange) && got == want
		}
		return (n.Tag == "!!int" || n.Tag == "!!float") && errGot == nil && got == want
	case []any:
		if n.Kind != yaml.SequenceNode || len(n.Content) != len(x) {
			return false
		}
		for i, e := range x {
			if !sameAsYAML(e, n.Content[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		if n.Kind != yaml.MappingNode || len(n.Content) != 2*len(x) {
			return false
		}
		for i := 0; i < len(n.Content); i += 2 {
			e, ok := x[n.Content[i].Value]
			if !ok || n.Content[i].Tag != "!!str" || !sameAsYAML(e, n.Content[i+1]) {
				return false
			}
		}
		return true
	}
	return false
}

func FuzzProperties(f *testing.F) {
	for _, s := range []string{"", "plain", " a  b ", "a=b:c#d!e", "\t\n\r\f\x00\x1b", "\\", "\\u0041", "é€😀\u2028", "\xff", "#", "a\\\nb"} {
		f.Add("key", s)
		f.Add(s, "value")
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		got, err := encodeProperties(content{[]named{{key, key, secret.Of(value)}}, true})
		if valid := utf8.ValidString(key) && utf8.ValidString(value); err != nil || !valid {
			if (err != nil) == valid {
				t.Errorf("%q = %q: %v", key, value, err)
			}
			return
		}
		for _, c := range []byte(got) {
			if c >= utf8.RuneSelf {
				t.Fatalf("%q is not ASCII", got)
			}
		}
		if read := readProperties(t, got); len(read) != 1 || read[key] != value {
			t.Errorf("%q = %q became %q, which is %q", key, value, got, read)
		}
	})
}

// readProperties reads as java.util.Properties.load(Reader) is documented to,
// but for comments in the middle and lines that are continued, which are never
// written.
func readProperties(t *testing.T, text string) map[string]string {
	t.Helper()
	properties := map[string]string{}
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		line = strings.TrimLeft(line, " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		end := 0
		for end < len(line) && !strings.ContainsRune("=: \t\f", rune(line[end])) {
			if line[end] == '\\' {
				end++
			}
			end++
		}
		value := strings.TrimLeft(line[end:], " \t\f")
		if value != "" && (value[0] == '=' || value[0] == ':') {
			value = strings.TrimLeft(value[1:], " \t\f")
		}
		properties[unescapeProperties(t, line[:end])] = unescapeProperties(t, value)
	}
	return properties
}

func unescapeProperties(t *testing.T, s string) string {
	t.Helper()
	var units []uint16
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' {
			i++
			switch c = s[i]; c {
			case 'u':
				n, err := strconv.ParseUint(s[i+1:i+5], 16, 16)
				if err != nil {
					t.Fatalf("%q: %v", s, err)
				}
				units = append(units, uint16(n))
				i += 4
				continue
			case 't':
				c = '\t'
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 'f':
				c = '\f'
			}
		}
		units = append(units, uint16(c))
	}
	return string(utf16.Decode(units))
}

var shellSeeds = []string{"", "plain", "a b", "it's", `say "hi"`, `it's "hi"`, "pa$$word", "${HOME}", "`id`", "$(id)", "a\nb\n", "\n", "\r\n", "~", "*",
	`\`, `\\`, `a\nb`, "a\\\nb", "#", "a # b", "!!", "é€😀", "\xff\xfe", "\x01\x7f\x1b[0m", "=", ";id", "&", "a\tb", "'", "''", `'\''`, "\x00"}

func FuzzExport(f *testing.F) {
	for _, s := range shellSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := encodeExport(content{[]named{{"V", "V", secret.Of(value)}}, true})
		if nul := strings.Contains(value, "\x00"); err != nil || nul {
			if (err != nil) != nul {
				t.Errorf("%q: %v", value, err)
			}
			return
		}
		for shell, read := range source(t, `. "$1"`, got) {
			if read != value {
				t.Errorf("%q became %q, which is %q for %s", value, got, read, shell)
			}
		}
	})
}

func FuzzDotenv(f *testing.F) {
	for _, s := range shellSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := encodeDotenv(content{[]named{{"V", "V", secret.Of(value)}}, true})
		if err != nil {
			return
		}
		for shell, read := range source(t, `set -a; . "$1"`, got) {
			if read != value {
				t.Errorf("%q became %q, which is %q for %s", value, got, read, shell)
			}
		}
	})
}

// source has each shell of this system read a file and start a program, and
// returns what that finds in $V.
func source(t *testing.T, script, text string) map[string]string {
	t.Helper()
	values := map[string]string{}
	for _, shell := range shells() {
		values[shell] = readBack(t, text, shell, "-c", script+"; exec printenv V", shell)
	}
	return values
}

// readBack writes a file, and has a shell read it that gets its name as the last
// argument and prints $V.
func readBack(t *testing.T, text string, argv ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argv[0], append(argv[1:], file)...)
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", argv[0], err, stderr.String())
	}
	return strings.TrimSuffix(string(out), "\n") // the one that printenv adds
}

// shells are sh, which every system has, and those of dash and bash that are
// here and are not sh.
var shells = sync.OnceValue(func() []string {
	var list []string
	seen := map[string]bool{}
	for _, shell := range []string{"sh", "dash", "bash"} {
		path, err := exec.LookPath(shell)
		if err != nil && shell != "sh" {
			continue
		}
		if real, err := filepath.EvalSymlinks(path); err == nil && !seen[real] {
			seen[real] = true
			list = append(list, path)
		}
	}
	return list
})
