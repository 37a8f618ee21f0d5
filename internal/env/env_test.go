package env

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// canary is the value of everything that could be in the way of an error.
const canary = "canary-hunter2"

// vault is what was fetched: path -> the secret as JSON, PATH/* -> the secrets
// below by their names.
type vault map[string]string

func (v vault) fetch(t testing.TB) map[ref.Source]secret.Fields {
	t.Helper()
	fetched := map[ref.Source]secret.Fields{}
	for path, text := range v {
		path, below := strings.CutSuffix(path, "/*")
		fetched[ref.Source{Path: path, Below: below}] = fields(t, text)
	}
	return fetched
}

func fields(t testing.TB, object string) secret.Fields {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(object))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	f := secret.Fields{}
	for k, v := range m {
		f[k] = secret.Of(v)
	}
	return f
}

// sources reads the flags of a test's command line, each as FLAG VALUE.
func sources(t testing.TB, inherited []string, flags ...string) Sources {
	t.Helper()
	s := Sources{Inherited: inherited, RuntimeDir: "/run/us", FirstDescriptor: 100}
	for _, flag := range flags {
		name, value, _ := strings.Cut(flag, " ")
		var err error
		switch name {
		case "--env":
			var v Variable
			v, err = ParseVariable(value)
			s.Variables = append(s.Variables, v)
		case "--file":
			var f File
			f, err = ParseFile(value)
			s.Files = append(s.Files, f)
		case "--file-env", "--fd-env":
			var v Variable
			if name == "--fd-env" {
				v, err = ParseDescriptorVariable(value)
				s.DescriptorVariables = append(s.DescriptorVariables, v)
			} else {
				v, err = ParseFileVariable(value)
				s.FileVariables = append(s.FileVariables, v)
			}
		case "--credentials":
			var c Credential
			c, err = ParseCredential(value)
			s.Credentials = append(s.Credentials, c)
		case "--secret":
			var r ref.Ref
			r, err = ref.Parse(value, ref.Secret)
			s.Secrets = append(s.Secrets, r)
		case "--on-conflict":
			s.OnConflict = Conflict(value)
		case "--case":
			s.Case = ref.Case(value)
		case "--prefix":
			s.Prefix = value
		case "--pristine":
			s.Pristine = true
		case "--keep":
			s.Keep = append(s.Keep, value)
		case "--drop":
			s.Drop = append(s.Drop, value)
		case "--pass":
			s.Pass = append(s.Pass, value)
		default:
			t.Fatalf("the test has an unknown flag %q", flag)
		}
		if err != nil {
			t.Fatalf("%s: %v", flag, err)
		}
	}
	return s
}

func plan(t testing.TB, v vault, inherited []string, flags ...string) (Plan, error) {
	t.Helper()
	p, err := NewPlanner(sources(t, inherited, flags...))
	if err != nil {
		return Plan{}, err
	}
	return p.Plan(v.fetch(t))
}

// checkError tests an error's lines, its class, and that it shows no canary.
func checkError(t testing.TB, err error, class string, lines ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", lines)
	}
	checkSilent(t, err.Error())
	var classed interface{ Class() string }
	if !errors.As(err, &classed) {
		t.Fatalf("%T has no class", err)
	}
	if classed.Class() != class {
		t.Errorf("class %s, want %s: %v", classed.Class(), class, err)
	}
	if got, want := err.Error(), strings.Join(lines, "\n"); got != want {
		t.Errorf("error\n%s\nwant\n%s", got, want)
	}
}

func checkSilent(t testing.TB, text string) {
	t.Helper()
	for _, form := range []string{canary, "hunter2", hex.EncodeToString([]byte(canary)),
		base64.StdEncoding.EncodeToString([]byte(canary)), base64.RawURLEncoding.EncodeToString([]byte(canary))} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			t.Errorf("a value was printed: %s", text)
		}
	}
}
