package env

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// TestPrecedence has every pair of sources for one name, under every policy.
func TestPrecedence(t *testing.T) {
	v := vault{"kv/env": `{"k":"explicit"}`, "kv/ref": `{"k":"reference"}`, "kv/one": `{"N":"first"}`, "kv/two": `{"N":"second"}`}
	const (
		explicit  = "--env N=kv/env#k"
		reference = "N=vault:kv/ref#k"
		literal   = "N=literal"
		first     = "--secret kv/one"
		second    = "--secret kv/two"
		single    = "--secret kv/two#N"
	)
	tests := []struct {
		sources                string // as the constants above
		error, keep, overwrite string // the value under each policy, or the places of a conflict
	}{
		{literal, "literal", "literal", "literal"},
		{reference, "reference", "reference", "reference"},
		{first, "first", "first", "first"},
		{explicit, "explicit", "explicit", "explicit"},
		{explicit + " " + literal, "explicit", "explicit", "explicit"},
		{explicit + " " + reference, "explicit", "explicit", "explicit"},
		{explicit + " " + first, "explicit", "explicit", "explicit"},
		{explicit + " " + first + " " + second, "explicit", "explicit", "explicit"},
		{explicit + " " + first + " " + literal, "explicit", "explicit", "explicit"},
		{first + " " + literal, "!the inherited variable, --secret kv/one", "literal", "first"},
		{first + " " + reference, "!variable N, --secret kv/one", "reference", "first"},
		{first + " " + second, "!--secret kv/one, --secret kv/two", "first", "second"},
		{second + " " + first, "!--secret kv/two, --secret kv/one", "second", "first"},
		{first + " " + single, "!--secret kv/one, --secret kv/two#N", "first", "second"},
		{first + " " + second + " " + literal, "!the inherited variable, --secret kv/one\n!the inherited variable, --secret kv/two", "literal", "second"},
		{first + " " + second + " " + reference, "!variable N, --secret kv/one\n!variable N, --secret kv/two", "reference", "second"},
	}
	for _, tt := range tests {
		for policy, want := range map[Conflict]string{"": tt.error, ConflictError: tt.error, ConflictKeep: tt.keep, ConflictOverwrite: tt.overwrite} {
			t.Run(fmt.Sprintf("%s %s", tt.sources, policy), func(t *testing.T) {
				var inherited, flags []string
				for word := range strings.FieldsSeq(tt.sources) {
					switch {
					case word == reference || word == literal:
						inherited = append(inherited, word)
					case strings.HasPrefix(word, "--"):
						flags = append(flags, word)
					default:
						flags[len(flags)-1] += " " + word
					}
				}
				got, err := plan(t, v, inherited, append(flags, "--on-conflict "+string(policy))...)
				if !strings.HasPrefix(want, "!") {
					if err != nil || !slices.Equal(got.Environ, []string{"N=" + want}) {
						t.Fatalf("got %q, %v, want N=%s", got.Environ, err, want)
					}
					return
				}
				var lines []string
				for places := range strings.SplitSeq(want, "\n") {
					there, here, _ := strings.Cut(places[1:], ", ")
					lines = append(lines, "variable N comes from "+there+" and from "+here+": leave it out with except=, rename it with prefix=, choose with --on-conflict keep or overwrite, or set it with --env N=REF")
				}
				checkError(t, err, ClassConflict, lines...)
			})
		}
	}
}

func TestEnviron(t *testing.T) {
	app := vault{
		"kv/app": `{"user":"u","db-pass":"p","n":9007199254740993,"on":true,"list":[1,"<"],"nil":null,"empty":"","1st":"x"}`,
		"kv/db":  `{"url":"db:5432","password":"s3"}`,
	}
	tests := []struct {
		name      string
		inherited []string
		flags     []string
		want      []string
	}{
		{"nothing", nil, nil, []string{}},
		{"scalars, structures, null and empty", nil, []string{"--secret kv/app?except=db-pass,1st"},
			[]string{"empty=", `list=[1,"<"]`, "n=9007199254740993", "on=true", "user=u"}},
		{"upper case", nil, []string{"--secret kv/app?case=upper&only=1st,db-pass"}, []string{"DB_PASS=p", "_1ST=x"}},
		{"prefix", nil, []string{"--secret kv/app?only=user&prefix=app_"}, []string{"app_user=u"}},
		{"prefix and case together", nil, []string{"--secret kv/app?only=1st&prefix=app.&case=upper"}, []string{"APP_1ST=x"}},
		{"settings for names", nil, []string{"--prefix app_", "--case upper", "--secret kv/app?only=user"}, []string{"APP_USER=u"}},
		{"a reference overrules them", nil, []string{"--prefix app_", "--case upper", "--secret kv/app?only=user&prefix=&case=keep"}, []string{"user=u"}},
		{"settings for names leave --env alone", nil, []string{"--prefix app_", "--case upper", "--env db=kv/db#url"}, []string{"db=db:5432"}},
		{"one key of a secret", nil, []string{"--secret kv/app?case=upper#db-pass"}, []string{"DB_PASS=p"}},
		{"names of --env", nil, []string{"--env my.var-1=kv/db#url"}, []string{"my.var-1=db:5432"}},

		{"sorted by name", []string{"A_B=1", "A=2", "A0=3"}, nil, []string{"A=2", "A0=3", "A_B=1"}},
		{"inherited", []string{"A=1", "B=", "C=x=y", "BASH_FUNC_f%%=() { :; }"}, nil, []string{"A=1", "B=", "BASH_FUNC_f%%=() { :; }", "C=x=y"}},
		{"entries that no getenv finds", []string{"noequals", "=x", "=C:=y", ""}, nil, []string{}},
		{"the first of two counts", []string{"A=1", "A=2"}, nil, []string{"A=1"}},
		{"also where the second is a reference", []string{"A=1", "A=vault:kv/none#x"}, nil, []string{"A=1"}},

		{"Vault's are stripped", []string{"VAULT_TOKEN=t", "VAULT_ADDR=a", "VAULTEXEC_ROLE=r", "VAULTED=x", "VAULT=y"}, nil, []string{"VAULT=y", "VAULTED=x"}},
		{"but passed", []string{"VAULT_TOKEN=t", "VAULT_ADDR=a", "VAULTEXEC_ROLE=r"}, []string{"--pass VAULT_A*", "--pass VAULTEXEC_*"}, []string{"VAULTEXEC_ROLE=r", "VAULT_ADDR=a"}},
		{"a reference under Vault's name is the child's", []string{"VAULT_TOKEN=vault:kv/db#password"}, nil, []string{"VAULT_TOKEN=s3"}},
		{"a reference under vaultexec's name is not", []string{"VAULTEXEC_SECRET=vault:kv/none#x"}, nil, []string{}},
		{"and is passed as it is", []string{"VAULTEXEC_SECRET=vault:kv/none#x"}, []string{"--pass *"}, []string{"VAULTEXEC_SECRET=vault:kv/none#x"}},
		{"a secret may hold Vault's names", []string{"VAULT_TOKEN=stripped"}, []string{"--secret kv/db?only=url&prefix=VAULT_"}, []string{"VAULT_url=db:5432"}},

		{"pristine", []string{"A=1", "B=vault:kv/db#url"}, []string{"--pristine"}, []string{"B=db:5432"}},
		{"pristine but", []string{"A=1", "LC_ALL=C", "LC_TIME=C"}, []string{"--pristine", "--keep LC_*"}, []string{"LC_ALL=C", "LC_TIME=C"}},
		{"keeping does not pass", []string{"A=1", "VAULT_TOKEN=t"}, []string{"--pristine", "--keep *"}, []string{"A=1"}},
		{"passing needs no keeping", []string{"A=1", "VAULT_ADDR=a"}, []string{"--pristine", "--pass VAULT_ADDR"}, []string{"VAULT_ADDR=a"}},
		{"drop", []string{"A=1", "AB=2", "B=3"}, []string{"--drop A*"}, []string{"B=3"}},
		{"drop takes references", []string{"A=vault:kv/none#x", "B=vault:malformed#"}, []string{"--drop [AB]"}, []string{}},
		{"drop beats keep and pass", []string{"A=1", "VAULT_ADDR=a"}, []string{"--pristine", "--keep A", "--pass *", "--drop *"}, []string{}},
		{"drop leaves explicit ones", []string{"A=1"}, []string{"--drop *", "--env A=kv/db#url"}, []string{"A=db:5432"}},

		{"inline", []string{"URL=pg://${vault:kv/app#user}:${vault:kv/db#password}@h"}, nil, []string{"URL=pg://u:s3@h"}},
		{"texts that look similar", []string{"A=vault:8200", "B=${HOME}#", "C=vault"}, nil, []string{"A=vault:8200", "B=${HOME}#", "C=vault"}},
		{"what a value contains is not looked at again", []string{"A=${vault:kv/db#url}${vault:kv/db?default=${vault#x}}"}, nil,
			[]string{"A=db:5432${vault}"}},

		{"optional and there", nil, []string{"--env A=kv/db?optional#url"}, []string{"A=db:5432"}},
		{"optional variable missing", nil, []string{"--env A=kv/db?optional#no", "--env B=kv/none?optional#x"}, []string{}},
		{"what is weaker then shows", []string{"A=1"}, []string{"--env A=kv/db?optional#no"}, []string{"A=1"}},
		{"an inherited reference then is gone", []string{"A=vault:kv/db?optional#no"}, nil, []string{}},
		{"with all its text", []string{"A=x${vault:kv/db?optional#no}y${vault:kv/db#url}"}, nil, []string{}},
		{"and takes part in no conflict", []string{"url=vault:kv/none?optional#x"}, []string{"--secret kv/db?only=url"}, []string{"url=db:5432"}},
		{"optional secret missing", nil, []string{"--secret kv/none?optional", "--secret kv/db?optional#no"}, []string{}},
		{"optional choice missing", nil, []string{"--secret kv/db?optional&only=no"}, []string{}},
		{"a pattern that matches nothing", nil, []string{"--secret kv/db?only=no*"}, []string{}},
		{"null is missing", nil, []string{"--env A=kv/app?optional#nil"}, []string{}},
		{"empty is not", nil, []string{"--env A=kv/app#empty"}, []string{"A="}},
		{"nor does it take the default", nil, []string{"--env A=kv/app?default=x#empty"}, []string{"A="}},
		{"default for null", nil, []string{"--env A=kv/app?default=x#nil"}, []string{"A=x"}},
		{"default for a key", nil, []string{"--env A=kv/app?default=#no"}, []string{"A="}},
		{"default for a secret", []string{"B=${vault:kv/none?default=%7D#x}"}, []string{"--env A=kv/none?default=x#y"}, []string{"A=x", "B=}"}},
		{"default of one key of a secret", nil, []string{"--secret kv/none?default=d#key"}, []string{"key=d"}},

		{"reserved names of --env and references", []string{"LD_PRELOAD=vault:kv/db#url", "BASH_ENV=x"}, []string{"--env PATH=kv/db#url"},
			[]string{"BASH_ENV=x", "LD_PRELOAD=db:5432", "PATH=db:5432"}},
		{"a reserved field that is replaced", nil, []string{"--secret kv/db?prefix=LD_&only=url", "--env LD_url=kv/app#user"}, []string{"LD_url=u"}},
		{"a reserved field that is left out", nil, []string{"--secret kv/db?prefix=LD_&except=*"}, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := plan(t, app, tt.inherited, tt.flags...)
			if err != nil || !slices.Equal(got.Environ, tt.want) {
				t.Errorf("got %q, %v\nwant %q", got.Environ, err, tt.want)
			}
		})
	}
}

func TestPlanErrors(t *testing.T) {
	const hidden = `"` + canary + `"`
	v := vault{
		"kv/app":   `{"password":` + hidden + `,"a.b":` + hidden + `,"a-b":` + hidden + `,"nil":null}`,
		"kv/bad":   `{"PATH":` + hidden + `,"LD_PRELOAD":` + hidden + `,"dash-ed":` + hidden + `,"null-ed":null}`,
		"kv/nul":   `{"bin":"canary-hunter2\u0000"}`,
		"kv/lines": `{"x\ny":` + hidden + `}`,
	}
	tests := []struct {
		name      string
		inherited []string
		flags     []string
		class     string
		want      []string
	}{
		{"all that is missing", []string{"URL=x" + canary + "${vault:kv/none#x}"}, []string{"--env A=kv/app#no", "--env B=kv/app#nil", "--secret kv/none", "--secret kv/app#no", "--file /f=kv/none#k"}, ClassMissing, []string{
			"--env A: kv/app#no is missing: correct it, or add optional or default= to the reference",
			"--env B: kv/app#nil is missing: correct it, or add optional or default= to the reference",
			"variable URL: kv/none#x is missing: correct it, or add optional or default= to the reference",
			"--secret kv/none: kv/none is missing: correct it, or add optional to the reference",
			"--secret kv/app#no: kv/app#no is missing: correct it, or add optional or default= to the reference",
			"--file /f: kv/none#k is missing: correct it, or add optional or default= to the reference",
		}},
		{"a choice that is not there", nil, []string{"--secret kv/app?only=pasword,passw*"}, ClassMissing, []string{
			`--secret kv/app: there is no field "pasword" for only=: did you mean password?`,
		}},
		{"reserved and unusable names", nil, []string{"--secret kv/bad"}, ClassNotRepresentable, []string{
			`--secret kv/bad: the field "dash-ed" gives no variable's name: use case=upper, or leave it out with except= and name it with --env 'NAME=kv/bad#dash-ed'`,
			"--secret kv/bad: LD_PRELOAD decides which programs or libraries run, so no secret sets it by itself: leave it out with except=, or set it with --env LD_PRELOAD=REF",
			"--secret kv/bad: PATH decides which programs or libraries run, so no secret sets it by itself: leave it out with except=, or set it with --env PATH=REF",
		}},
		{"reserved by one key", nil, []string{"--secret kv/bad#PATH"}, ClassConfig, []string{
			"--secret kv/bad#PATH: PATH decides which programs or libraries run, so no secret sets it by itself: leave it out with except=, or set it with --env PATH=REF",
		}},
		{"reserved by case", nil, []string{"--secret kv/app?case=upper&prefix=LD_&only=password", "--on-conflict overwrite"}, ClassConfig, []string{
			"--secret kv/app: LD_PASSWORD decides which programs or libraries run, so no secret sets it by itself: leave it out with except=, or set it with --env LD_PASSWORD=REF",
		}},
		{"two fields of one name", nil, []string{"--secret kv/app?case=upper", "--on-conflict overwrite"}, ClassConflict, []string{
			`--secret kv/app: the fields "a-b" and "a.b" both become A_B: leave one out with except=, or use case=keep`,
		}},
		{"NUL", []string{"C=${vault:kv/nul#bin}"}, []string{"--env A=kv/nul#bin", "--secret kv/nul"}, ClassNotRepresentable, []string{
			"--env A: the value of variable A has a NUL byte in it, which no environment can hold: use --file, or leave it out with except=",
			"variable C: the value of variable C has a NUL byte in it, which no environment can hold: use --file, or leave it out with except=",
			"--secret kv/nul: the value of variable bin has a NUL byte in it, which no environment can hold: use --file, or leave it out with except=",
		}},
		{"one line for a name of two", nil, []string{"--secret kv/lines"}, ClassNotRepresentable, []string{
			`--secret kv/lines: the field "x\ny" gives no variable's name: use case=upper, or leave it out with except= and name it with --env 'NAME=kv/lines#x%0Ay'`,
		}},
		{"what a file's format cannot hold", nil, []string{"--file /a.env=kv/nul", "--file /b.sh=kv/nul", "--file /c.env=kv/bad"}, ClassNotRepresentable, []string{
			`--file /a.env: field "bin" has characters that the readers of dotenv files do not agree on (such as a backslash with a quote, or ${): use format=json, or format=export for a shell`,
			`--file /b.sh: field "bin" has a NUL byte in it, which no shell can hold: use format=json`,
			`--file /c.env: the field "dash-ed" gives no variable's name: use case=upper, or leave it out with except= and name it with --env 'NAME=kv/bad#dash-ed'`,
			"--file /c.env: LD_PRELOAD decides which programs or libraries run, so no secret sets it by itself: leave it out with except=",
			"--file /c.env: PATH decides which programs or libraries run, so no secret sets it by itself: leave it out with except=",
		}},
		{"text that is none", nil, []string{"--file /a.json=kv/none?format=json&default=canary-hunter2%FF#k", "--file /a.yaml=kv/none?format=yaml&default=canary-hunter2%FF#k", "--file /a.p=kv/none?format=properties&default=canary-hunter2%FF#k"}, ClassNotRepresentable, []string{
			`--file /a.json: field "k" is not UTF-8, which JSON cannot hold: write it by itself with #KEY, or store it in base64`,
			`--file /a.yaml: field "k" is not UTF-8, which YAML cannot hold: write it by itself with #KEY, or store it in base64`,
			`--file /a.p: field "k" is not UTF-8, which a properties file cannot hold: write it by itself with #KEY, or store it in base64`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := plan(t, v, tt.inherited, tt.flags...)
			checkError(t, err, tt.class, tt.want...)
		})
	}
}

func TestDeterminism(t *testing.T) {
	object := map[string]string{"kv/a": "{", "kv/b": "{", "kv/bad": "{"}
	for i := range 40 {
		for path := range object {
			object[path] += fmt.Sprintf(`"k%s%d":"%d",`, strings.TrimPrefix(path, "kv/"), i, i)
		}
		object["kv/bad"] += fmt.Sprintf(`"same.%d":"","same-%d":"","LD_%d":"x",`, i%20, i%20, i)
	}
	v := vault{}
	for path, text := range object {
		v[path] = strings.TrimSuffix(text, ",") + "}"
	}
	inherited := []string{"Z=vault:kv/a#ka1", "Y=vault:kv/b#kb2", "A=1", "B=2"}
	good := []string{"--secret kv/a", "--secret kv/b?case=upper", "--file /a.json=kv/a", "--file /a.env=kv/b", "--file /a.yaml=kv/b", "--file /a.properties=kv/a", "--file /a.sh=kv/a"}
	bad := append(slices.Clone(good), "--secret kv/bad?case=upper", "--secret kv/a", "--env Q=kv/a#no", "--env P=kv/none#no", "--file /b.sh=kv/bad")
	var wantPlan, wantError string
	for run := range 100 {
		rand.Shuffle(len(inherited), func(i, j int) { inherited[i], inherited[j] = inherited[j], inherited[i] })
		p, err := plan(t, v, inherited, good...)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(p.Environ, "\n")
		for _, f := range p.Files {
			got += "\n" + f.Dest + "\n" + f.Content.Text()
		}
		_, err = plan(t, v, inherited, bad...)
		if err == nil {
			t.Fatal("no error")
		}
		if run == 0 {
			wantPlan, wantError = got, err.Error()
		}
		if got != wantPlan {
			t.Fatalf("run %d differs:\n%s\nfrom\n%s", run, got, wantPlan)
		}
		if err.Error() != wantError {
			t.Fatalf("run %d differs:\n%s\nfrom\n%s", run, err, wantError)
		}
	}
}

// TestPlanLeavesThePlannerAlone since one is used for each rotation.
func TestPlanLeavesThePlannerAlone(t *testing.T) {
	p, err := NewPlanner(sources(t, []string{"A=1", "B=vault:kv/a#k"}, "--secret kv/a?prefix=x_", "--env C=kv/a?optional#c"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ secret, want string }{
		{`{"k":"1","c":"2"}`, "A=1 B=1 C=2 x_c=2 x_k=1"},
		{`{"k":"3"}`, "A=1 B=3 x_k=3"},
		{`{"k":"1","c":"2"}`, "A=1 B=1 C=2 x_c=2 x_k=1"},
	} {
		got, err := p.Plan(vault{"kv/a": tt.secret}.fetch(t))
		if err != nil || strings.Join(got.Environ, " ") != tt.want {
			t.Errorf("got %q, %v, want %s", got.Environ, err, tt.want)
		}
	}
}

func TestP7NothingPrintsAPlan(t *testing.T) {
	s := sources(t, []string{"A=" + canary, "B=" + canary + "${vault:kv/a#k}"}, "--secret kv/a", "--file /f=kv/a#k")
	p, err := NewPlanner(s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Plan(map[ref.Source]secret.Fields{{Path: "kv/a"}: {"k": secret.Of(canary)}})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, x := range []any{s, &s, p, got, &got, got.Files, got.Files[0], struct{ P Plan }{got}} {
		fmt.Fprintf(&out, "%v %+v %#v %s %q %x\n", x, x, x, x, x, x)
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "x", x)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "x", x)
	}
	checkSilent(t, out.String())
}
