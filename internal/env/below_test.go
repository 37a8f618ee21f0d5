package env

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

var belowVault = vault{
	"kv/app/*": `{"db":{"user":"u","db-password":"p"},"team/x":{"key":"k","nil":null},"empty":{},"1/a":{"token":{"b":"<"}}}`,
	"kv/two/*": `{"a":{"password":"` + canary + `1"},"b":{"password":"` + canary + `2","only-b":"x"}}`,
	"kv/c":     `{"password":"` + canary + `3"}`,
}

func TestVariablesBelow(t *testing.T) {
	for flags, want := range map[string]string{
		"--secret kv/app/*?only=user,key,token":                                                `key=k token={"b":"<"} user=u`,
		"--secret kv/app/*?case=upper":                                                         `DB_PASSWORD=p KEY=k TOKEN={"b":"<"} USER=u`,
		"--secret kv/app/*?case=upper&names=path":                                              `DB_DB_PASSWORD=p DB_USER=u TEAM_X_KEY=k _1_A_TOKEN={"b":"<"}`,
		"--secret kv/app/*?case=upper&names=path&prefix=my_":                                   `MY_1_A_TOKEN={"b":"<"} MY_DB_DB_PASSWORD=p MY_DB_USER=u MY_TEAM_X_KEY=k`,
		"--secret kv/app/*?except=db-password,1/*/*&names=path --prefix P_":                    `P_db_user=u P_team_x_key=k`,
		"--secret kv/app/*?only=team/*/*":                                                      `key=k`,
		"--secret kv/app/*?only=nothing*":                                                      ``,
		"--secret kv/app/*?only=nothing&optional":                                              ``,
		"--secret kv/none/*?optional":                                                          ``,
		"--secret kv/two/*?except=a/password&only=password":                                    "password=" + canary + "2",
		"--secret kv/two/*?only=password --on-conflict keep":                                   "password=" + canary + "1",
		"--secret kv/two/*?only=password --on-conflict overwrite":                              "password=" + canary + "2",
		"--secret kv/two/*?only=password --secret kv/c --on-conflict overwrite":                "password=" + canary + "3",
		"--secret kv/c --secret kv/two/*?only=password --on-conflict keep":                     "password=" + canary + "3",
		"--secret kv/two/*?only=password --env password=kv/c#password":                         "password=" + canary + "3",
		"--secret kv/two/*?only=password&names=path --secret kv/c --secret kv/none/*?optional": "a_password=" + canary + "1 b_password=" + canary + "2 password=" + canary + "3",
	} {
		t.Run(flags, func(t *testing.T) {
			p, err := plan(t, belowVault, nil, splitFlags(flags)...)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(p.Environ, " "); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// splitFlags makes of one line what plan takes.
func splitFlags(line string) []string {
	var flags []string
	for word := range strings.FieldsSeq(line) {
		if strings.HasPrefix(word, "--") {
			flags = append(flags, word)
		} else {
			flags[len(flags)-1] += " " + word
		}
	}
	return flags
}

func TestFilesBelow(t *testing.T) {
	both := vault{"kv/app/*": `{"db":{"user":"u"},"db/replica":{"user":"r"},"team/x":{"n":1.10,"nil":null},"empty":{}}`}
	for file, want := range map[string]string{
		"/f.json=kv/app/*":                                  `{"db":{"replica":{"user":"r"},"user":"u"},"empty":{},"team":{"x":{"n":1.10,"nil":null}}}`,
		"/f.json=kv/app/*?only=user&prefix=a.":              `{"db":{"a.user":"u","replica":{"a.user":"r"}},"empty":{}}`,
		"/f.yaml=kv/app/*":                                  "db:\n  replica:\n    user: \"r\"\n  user: \"u\"\nempty: {}\nteam:\n  x:\n    \"n\": 1.10\n    nil: null\n",
		"/f.env=kv/app/*?only=db/user,n":                    "n=1.10\nuser=u\n",
		"/f.env=kv/app/*?names=path":                        "db_replica_user=r\ndb_user=u\nteam_x_n=1.10\n",
		"/f.sh=kv/app/*?names=path&case=upper":              "export DB_REPLICA_USER='r'\nexport DB_USER='u'\nexport TEAM_X_N='1.10'\n",
		"/f.properties=kv/app/*?names=path":                 "db.replica.user=r\ndb.user=u\nteam.x.n=1.10\n",
		"/f.properties=kv/app/*?only=n,nil":                 "n=1.10\n",
		"/f.properties=kv/app/*?prefix=p.&names=path":       "p.db.replica.user=r\np.db.user=u\np.team.x.n=1.10\n",
		"/f.json=kv/app/*?except=*":                         `{"empty":{}}`,
		"/f.env=kv/app/*?only=user --on-conflict keep":      "user=u\n",
		"/f.env=kv/app/*?only=user --on-conflict overwrite": "user=r\n",
	} {
		t.Run(file, func(t *testing.T) {
			p, err := plan(t, both, nil, splitFlags("--file "+file)...)
			if err != nil {
				t.Fatal(err)
			}
			got := p.Files[0].Content.Text()
			if strings.Contains(file, ".json") {
				got = strings.NewReplacer(" ", "", "\n", "").Replace(got)
			}
			if got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
	p, err := plan(t, both, nil, "--file-env F=kv/app/*?format=properties&only=n", "--fd-env D=kv/app/*?format=json&only=n")
	if err != nil || len(p.Files) != 1 || p.Files[0].Content.Text() != "n=1.10\n" || len(p.Descriptors) != 1 || !strings.Contains(p.Descriptors[0].File.Content.Text(), `"team"`) {
		t.Errorf("%d files and %d descriptors that variables point to, %v", len(p.Files), len(p.Descriptors), err)
	}
	if p, err := plan(t, both, nil, "--file /f.json=kv/none/*?optional"); err != nil || len(p.Files) != 0 {
		t.Errorf("%d files of what is not there, %v", len(p.Files), err)
	}
}

// In a directory the secrets are directories.
func TestDirectoriesBelow(t *testing.T) {
	dir := t.TempDir() + "/d"
	both := vault{"kv/app/*": `{"db":{"user":"u","nil":null},"db/replica":{"user":"r"},"team/x":{"n":1.10},"empty":{}}`}
	p, err := plan(t, both, nil, "--file "+dir+"/=kv/app/*?case=upper&mode=0440")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := describe(p.Trees[0]), dir+"/..data 755 -1:-1 db/USER=u:440:-1:-1 db/replica/USER=r:440:-1:-1 team/x/N=1.10:440:-1:-1"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := Write(Output{Trees: p.Trees}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"db/USER": "u", "db/replica/USER": "r", "team/x/N": "1.10"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}

// What is nested is made anew: what was fetched stays as it is.
func TestNestingLeavesTheSecretsAlone(t *testing.T) {
	fetched := vault{"kv/app/*": `{"db":{"x":{"a":"1"}},"db/y":{"b":"2"}}`}.fetch(t)
	p, err := NewPlanner(sources(t, nil, "--file /f.json=kv/app/*"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := p.Plan(fetched); err != nil {
			t.Fatal(err)
		}
	}
	if got := fetched[ref.Source{Path: "kv/app", Below: true}]["db"].Text(); got != `{"x":{"a":"1"}}` {
		t.Errorf("the fetched secret has become %s", got)
	}
}

func TestErrorsBelow(t *testing.T) {
	v := vault{
		"kv/two/*":  belowVault["kv/two/*"],
		"kv/bad/*":  `{"a":{"LD_PRELOAD":"` + canary + `"},"b":{"a-b":"` + canary + `","nul":"` + canary + `\u0000"}}`,
		"kv/same/*": `{"a":{"x-y":"` + canary + `","x_y":"` + canary + `"}}`,
		"kv/fold/*": `{"db":{"replica":"` + canary + `"},"db/replica":{"user":"` + canary + `"}}`,
		"kv/dots/*": `{"..a/b":{"k":"` + canary + `"},"c":{"x/y":"` + canary + `"}}`,
		"kv/env/*":  `{"a/b":{"v":"` + canary + `\\'"}}`,
	}
	tests := []struct {
		flags string
		class string
		lines []string
	}{
		{"--secret kv/none/*", ClassMissing, []string{"--secret kv/none/*: kv/none/* is missing: correct it, or add optional to the reference"}},
		{"--secret kv/two/*?only=pasword", ClassMissing, []string{`--secret kv/two/*: there is no field "pasword" for only=: did you mean password?`}},
		{"--secret kv/two/*?only=password", ClassConflict, []string{
			"variable password comes from --secret kv/two/* (kv/two/a) and from --secret kv/two/* (kv/two/b): leave it out with except=, put the secret's path before it with names=path, choose with --on-conflict keep or overwrite, or set it with --env password=REF"}},
		{"--secret kv/two/*?only=a/password&prefix=x_ --secret kv/two/*?only=a/*&names=path&prefix=x_ --secret kv/two/*?only=a/*&names=path&prefix=x_", ClassConflict, []string{
			"variable x_a_password comes from --secret kv/two/* (kv/two/a) and from --secret kv/two/* (kv/two/a): leave it out with except=, rename it with prefix=, choose with --on-conflict keep or overwrite, or set it with --env x_a_password=REF"}},
		{"--secret kv/bad/*", ClassNotRepresentable, []string{
			`--secret kv/bad/* (kv/bad/b): the field "a-b" gives no variable's name: use case=upper, or leave it out with except= and name it with --env 'NAME=kv/bad/b#a-b'`,
			"--secret kv/bad/* (kv/bad/a): LD_PRELOAD decides which programs or libraries run, so no secret sets it by itself: leave it out with except=, or set it with --env LD_PRELOAD=REF",
			"--secret kv/bad/* (kv/bad/b): the value of variable nul has a NUL byte in it, which no environment can hold: use --file, or leave it out with except="}},
		{"--secret kv/same/*?case=upper", ClassConflict, []string{
			`--secret kv/same/* (kv/same/a): the fields "x-y" and "x_y" both become X_Y: leave one out with except=, or use case=keep`}},
		{"--file /f.env=kv/two/*?only=password", ClassConflict, []string{
			"--file /f.env: password comes from kv/two/a and from kv/two/b: leave one out with except=b/password, tell them apart with names=path, or choose with --on-conflict keep or overwrite"}},
		{"--file /f.properties=kv/two/*?only=password", ClassConflict, []string{
			"--file /f.properties: password comes from kv/two/a and from kv/two/b: leave one out with except=b/password, tell them apart with names=path, or choose with --on-conflict keep or overwrite"}},
		{"--file /f.sh=kv/bad/*?only=LD_*", ClassConfig, []string{
			"--file /f.sh: LD_PRELOAD decides which programs or libraries run, so no secret sets it by itself: leave it out with except="}},
		{"--file /f.json=kv/fold/*", ClassConflict, []string{
			`--file /f.json: "replica" is a key of the secret db, and db/replica has more below it: leave the key out with except=db/replica`}},
		{"--file /f.env=kv/env/*", ClassNotRepresentable, []string{
			`--file /f.env: field "a/b/v" has characters that the readers of dotenv files do not agree on (such as a backslash with a quote, or ${): use format=json, or format=export for a shell`}},
		{"--file /f=kv/two/*", ClassConfig, []string{
			"--file /f: the name does not tell the format of a whole secret: add format=json, yaml, dotenv, export or properties, end the name in .json, .yaml, .yml, .env, .sh or .properties"}},
		{"--file /f=kv/two/*?format=raw", ClassConfig, []string{
			"--file /f: format=raw writes one value, and PATH/* is many secrets: use format=json, yaml, dotenv, export or properties"}},
		{"--file /d/=kv/two/*?names=path", ClassConfig, []string{
			"--file /d/: names=path has no meaning in a directory, where the secrets of PATH/* are directories: remove it"}},
		{"--file /d/=kv/fold/*", ClassConflict, []string{
			"--file /d/: db/replica comes from kv/fold/* and db/replica/user from kv/fold/*: leave one out with except=, or rename it with prefix="}},
		{"--file /d/=kv/dots/*", ClassNotRepresentable, []string{
			`--file /d/ (kv/dots/..a/b): its path gives no directory's name, it is a dot or begins with two: leave it out with except=..a/b/*, or write it with --file DEST=kv/dots/..a/b#k`,
			`--file /d/ (kv/dots/c): the field "x/y" gives no file's name, it has a slash or a NUL byte in it: leave it out with except=, or write it with --file DEST=kv/dots/c#x/y`}},
		{"--file /f.json=kv/two/*?names=path", ClassConfig, []string{
			"--file /f.json: names=path has no meaning in json, where the secrets are nested by their paths: remove it"}},
	}
	for _, tt := range tests {
		t.Run(tt.flags, func(t *testing.T) {
			_, err := plan(t, v, nil, splitFlags(tt.flags)...)
			checkError(t, err, tt.class, tt.lines...)
		})
	}
}

// A member that comes, goes or changes is a change of the reference; one of
// which nothing is taken is none.
func TestChangedBelow(t *testing.T) {
	planner, err := NewPlanner(sources(t, nil, "--secret kv/app/*?only=db/*,x", "--secret kv/other"))
	if err != nil {
		t.Fatal(err)
	}
	source := ref.Source{Path: "kv/app", Below: true}
	of := func(text string) map[ref.Source]secret.Fields {
		return map[ref.Source]secret.Fields{source: fields(t, text)}
	}
	before := of(`{"db":{"user":"u"},"api":{"key":"k","x":"1"}}`)
	for text, want := range map[string]bool{
		`{"db":{"user":"u"},"api":{"key":"k","x":"1"}}`:          false,
		`{"db":{"user":"u"},"api":{"key":"l","x":"1"}}`:          false,
		`{"db":{"user":"u"},"api":{"x":"1"},"new":{"y":"z"}}`:    false,
		`{"db":{"user":"v"},"api":{"key":"k","x":"1"}}`:          true,
		`{"db":{"user":"u","pw":"p"},"api":{"key":"k","x":"1"}}`: true,
		`{"db":{"user":"u"}}`:                                    true,
		`{"db":{"user":"u"},"api":{"x":"1"},"new":{"x":"1"}}`:    true,
		`{"db":{"user":"u"},"api":{"x":"1"},"empty":{}}`:         true,
	} {
		changed := planner.Changed(before, of(text))
		if got := slices.ContainsFunc(changed, func(r ref.Ref) bool { return r.Below }); got != want || len(changed) > 1 {
			t.Errorf("%s: changed %v, want %v", text, changed, want)
		}
	}
}
