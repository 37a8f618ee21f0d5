package env

import (
	"slices"
	"strings"
	"testing"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

func TestDecodeBase64(t *testing.T) {
	v := vault{"kv/app": `{"std":"aGk/Pz8=","bare":"aGk/Pz8","lines":"aGk/\n Pz8=\n","bad":"` + canary + `!"}`}
	got, err := plan(t, v, nil, "--env A=kv/app?decode=base64#std", "--env B=kv/app?decode=base64#bare", "--env C=kv/app?decode=base64#lines",
		"--env D=kv/app?decode=base64&default=x#none")
	if want := []string{"A=hi???", "B=hi???", "C=hi???", "D=x"}; err != nil || !slices.Equal(got.Environ, want) {
		t.Errorf("%q, %v, want %q", got.Environ, err, want)
	}
	_, err = plan(t, v, nil, "--env A=kv/app?decode=base64#bad")
	checkError(t, err, "not_representable", "--env A: kv/app#bad is not base64, as decode= says: correct it, or remove decode=")
}

// A template in place of a key has the fields of its secret as its dot.
func TestKeyTemplates(t *testing.T) {
	v := vault{"kv/app": `{"user":"u&","list":["a","b"],"nil":null,"n":5,"secret":"` + canary + `"}`}
	got, err := plan(t, v, []string{"A=vault:kv/app#${ .user | urlquery }", "B=pg://${vault:kv/app#${.user | printf \"%s}\"}}@h", "C=vault:kv/app#{\"l\":${ .list | toJSON }}"},
		"--env D=kv/app#${.user | upper}-${.n}", "--env E=kv/app?optional#${.none}", "--env F=kv/app?default=d#${.nil}", "--env G=kv/none?optional#${.none}")
	if want := []string{"A=u%26", "B=pg://u&}@h", `C={"l":["a","b"]}`, "D=U&-5", "F=d"}; err != nil || !slices.Equal(got.Environ, want) {
		t.Errorf("%q, %v, want %q", got.Environ, err, want)
	}
	got, err = plan(t, v, nil, "--file /f=kv/app#${range .list}${.}\n${end}")
	if err != nil || got.Files[0].Content.Text() != "a\nb\n" {
		t.Errorf("%v, %v", got.Files, err)
	}
	_, err = plan(t, v, []string{"A=vault:kv/app#${.none}", "B=${vault:kv/app#${.nil}}"}, "--env C=kv/app#${.secret.x}", "--env D=kv/app#${with secret \"kv/other\"}${.Data}${end}")
	checkError(t, err, ClassTemplate,
		"--env C, line 1 of the template: can't evaluate field x in type interface {}",
		"--env D: a template in place of a key has the fields of its own secret and reads no other: use --env-template or --template",
		"variable A: kv/app#${.none} is missing: correct it, or add optional or default= to the reference",
		"variable B: kv/app#${.nil} is missing: correct it, or add optional or default= to the reference")
	_, err = plan(t, v, []string{"A=vault:kv/app#${.a | nothing}"}, "--env B=kv/app#${.a", "--file /f=kv/app#${nothing}", "--file /d/=kv/app#${.user}")
	checkError(t, err, ClassTemplate,
		"--env B, line 1 of the template: unclosed action",
		`--file /f, line 1 of the template: function "nothing" not defined`,
		"--file /d/: a template in place of the key gives no file's name: name a file")
	_, err = plan(t, v, []string{"A=vault:kv/app#${.a | nothing}"})
	checkError(t, err, ClassTemplate, `variable A, line 1 of the template: function "nothing" not defined`)
}

// A key inside of a key, as vals has it. What changes beside it is no change.
func TestInnerKeys(t *testing.T) {
	v := vault{"kv/app": `{"db":{"user-name":"alice","port":5432,"nil":null,"more":{"x":["y"]}},"text":"` + canary + `"}`}
	got, err := plan(t, v, []string{"A=ref+vault://kv/app#/db/user-name", "B=ref+vault://kv/app#/db/port", "C=ref+vault://kv/app#/db/more", "D=ref+vault://kv/app#/db/more/x"})
	if want := []string{"A=alice", "B=5432", `C={"x":["y"]}`, `D=["y"]`}; err != nil || !slices.Equal(got.Environ, want) {
		t.Errorf("%q, %v, want %q", got.Environ, err, want)
	}
	_, err = plan(t, v, []string{"A=ref+vault://kv/app#/db/none", "B=ref+vault://kv/app#/text/x", "C=ref+vault://kv/app#/db/nil", "D=ref+vault://kv/app#/db/port/x"})
	hint := func(key string) string {
		return " is missing: the value of the key \"" + key + "\" is no map with such a key in it: correct it"
	}
	checkError(t, err, ClassMissing, "variable A: kv/app#db/none"+hint("db"), "variable B: kv/app#text/x"+hint("text"), "variable C: kv/app#db/nil"+hint("db"), "variable D: kv/app#db/port/x"+hint("db"))

	p, err := NewPlanner(Sources{Inherited: []string{"A=ref+vault://kv/app#/db/user"}})
	if err != nil {
		t.Fatal(err)
	}
	at := func(object string) map[ref.Source]secret.Fields {
		return map[ref.Source]secret.Fields{{Path: "kv/app"}: fields(t, object)}
	}
	for object, changed := range map[string]int{`{"db":{"user":"alice","port":1}}`: 0, `{"db":{"user":"bob"}}`: 1} {
		if got := p.Changed(at(`{"db":{"user":"alice","port":5432}}`), at(object)); len(got) != changed {
			t.Errorf("%s: %v", object, got)
		}
	}
}

// What vault-env exports as it is, and has in its templates, is refused by name.
func TestWhatVaultEnvHasAndIsRefused(t *testing.T) {
	for field, want := range map[string]string{
		"my-key":     `--secret kv/app: the field "my-key" gives no variable's name: use case=upper, or leave it out with except= and name it with --env 'NAME=kv/app#my-key'`,
		"LD_PRELOAD": "--secret kv/app: LD_PRELOAD decides which programs or libraries run, so no secret sets it by itself: leave it out with except=, or set it with --env LD_PRELOAD=REF",
	} {
		if _, err := plan(t, vault{"kv/app": `{"` + field + `":"` + canary + `"}`}, nil, "--secret kv/app"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", field, err, want)
		}
	}
	for _, function := range []string{"awskms", "gcpkms", "blob", "accessor"} {
		want := `variable A, line 1 of the template: function "` + function + `" not defined`
		if _, err := NewPlanner(Sources{Inherited: []string{"A=vault:kv/app#${.a | " + function + "}"}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", function, err, want)
		}
	}
}

// What vault-env finds in inherited variables beside references.
func TestInheritedFromVaultEnv(t *testing.T) {
	s := Sources{Inherited: []string{"A=vault:v1:cipher==", "B=vault:kv/none#x", "C=x ${vault:kv/none#x}", "D=vault:kv/none?default=d#x", "VAULT_TOKEN=vault:login"},
		TransitMount: "transit", TransitKey: "k", IgnoreMissing: true}
	p, err := NewPlanner(s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Plan(map[ref.Source]secret.Fields{
		{Path: "transit/decrypt/k", Body: `{"ciphertext":"vault:v1:cipher=="}`}: fields(t, `{"plaintext":"cGxhaW4="}`),
		{Login: true}: fields(t, `{"token":"hvs.x"}`),
	})
	if want := []string{"A=plain", "D=d", "VAULT_TOKEN=hvs.x"}; err != nil || !slices.Equal(got.Environ, want) {
		t.Errorf("%q, %v, want %q", got.Environ, err, want)
	}
	p, err = NewPlanner(Sources{Inherited: []string{"A=vault:v1:cipher=="}})
	if err != nil || len(p.Refs()) != 0 {
		t.Errorf("a ciphertext without a key: %v, %v", p.Refs(), err)
	}
}
