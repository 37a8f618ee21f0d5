package env

import (
	"io/fs"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

func TestPlannedFiles(t *testing.T) {
	v := vault{"kv/app": `{"user":"u","nil":null,"n":1.10}`, "kv/raw": `{"pem":"line\n","map":{"b":1,"a":"<"}}`}
	tests := []struct {
		file    string
		dest    string
		content string
		mode    fs.FileMode
		uid     int64 // an int of 32 bits has no room for every one: those above come out negative
		gid     int64
	}{
		{"/f=kv/raw#pem", "/f", "line\n", 0o400, -1, -1},
		{"/f.json=kv/raw#pem", "/f.json", "line\n", 0o400, -1, -1},
		{"/f=kv/raw#map", "/f", `{"a":"<","b":1}`, 0o400, -1, -1},
		{"/f=kv/raw?format=raw#pem", "/f", "line\n", 0o400, -1, -1},
		{"/f=kv/none?default=%00%FF#pem", "/f", "\x00\xff", 0o400, -1, -1},
		{"/a/../b//./f=kv/raw?mode=440#pem", "/b/f", "line\n", 0o440, -1, -1},
		{"rel/f=kv/raw?mode=0664&owner=12#pem", "rel/f", "line\n", 0o664, 12, -1},
		{"f=kv/raw?owner=12:34#pem", "f", "line\n", 0o400, 12, 34},
		{"f=kv/raw?owner=:34#pem", "f", "line\n", 0o400, -1, 34},
		{"f=kv/raw?owner=root:4294967294#pem", "f", "line\n", 0o400, 0, 4294967294},
		{".env=kv/app", ".env", "n=1.10\nuser=u\n", 0o400, -1, -1},
		{"/x.JSON=kv/app?only=n", "/x.JSON", "{\n  \"n\": 1.10\n}\n", 0o400, -1, -1},
		{"/x=kv/app?format=properties&prefix=spring.", "/x", "spring.n=1.10\nspring.user=u\n", 0o400, -1, -1},
		{"/x.json=kv/app?case=upper&except=n", "/x.json", "{\n  \"NIL\": null,\n  \"USER\": \"u\"\n}\n", 0o400, -1, -1},
		{"/x.json=kv/app?except=*", "/x.json", "{}\n", 0o400, -1, -1},
		{"/x.yaml=kv/app?except=*", "/x.yaml", "{}\n", 0o400, -1, -1},
		{"/x.sh=kv/app?except=*", "/x.sh", "", 0o400, -1, -1},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			p, err := plan(t, v, nil, "--file "+tt.file)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Files) != 1 || len(p.Environ) != 0 {
				t.Fatalf("%d files and %d variables", len(p.Files), len(p.Environ))
			}
			got := p.Files[0]
			if got.Dest != tt.dest || got.Mode != tt.mode || uint32(got.UID) != uint32(tt.uid) || uint32(got.GID) != uint32(tt.gid) {
				t.Errorf("got %s %o %d:%d", got.Dest, got.Mode, got.UID, got.GID)
			}
			if got.Content.Text() != tt.content {
				t.Errorf("content %q, want %q", got.Content.Text(), tt.content)
			}
		})
	}
}

// TestFileNames has the settings for names, which are about variables.
func TestFileNames(t *testing.T) {
	v := vault{"kv/app": `{"db-pass":"p"}`}
	for file, want := range map[string]string{
		"/f.env":        "APP_DB_PASS=p\n",
		"/f.sh":         "export APP_DB_PASS='p'\n",
		"/f.yaml":       "\"db-pass\": \"p\"\n",
		"/f.json":       "{\n  \"db-pass\": \"p\"\n}\n",
		"/f.properties": "db-pass=p\n",
	} {
		p, err := plan(t, v, nil, "--prefix app_", "--case upper", "--file "+file+"=kv/app")
		if err != nil || p.Files[0].Content.Text() != want {
			t.Errorf("%s: %q, %v", file, p.Files[0].Content.Text(), err)
		}
	}
}

func TestOptionalFiles(t *testing.T) {
	p, err := plan(t, vault{"kv/app": `{"nil":null}`}, nil,
		"--file /a=kv/none?optional#k", "--file /b=kv/app?optional#nil", "--file /c.json=kv/none?optional", "--file /d.env=kv/none?optional&format=dotenv#k")
	if err != nil || len(p.Files) != 0 {
		t.Errorf("%d files, %v", len(p.Files), err)
	}
}

func TestOwnerByName(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Fatal(err)
	}
	uid, gid, err := parseOwner(me.Username + ":" + group.Name)
	if err != nil || strconv.Itoa(uid) != me.Uid || strconv.Itoa(gid) != me.Gid {
		t.Errorf("got %d:%d, %v, want %s:%s", uid, gid, err, me.Uid, me.Gid)
	}
}

func TestPlannerErrors(t *testing.T) {
	abs, err := filepath.Abs("same")
	if err != nil {
		t.Fatal(err)
	}
	const notName = "cannot begin a variable's name: a name is letters, digits and _, and begins with no digit"
	tests := []struct {
		name      string
		inherited []string
		flags     []string
		class     string
		want      []string
	}{
		{"choices", nil, []string{"--on-conflict kep", "--case uper", "--keep A"}, ClassConfig, []string{
			`--on-conflict is error, keep or overwrite, not "kep": did you mean keep?`,
			`--case is keep or upper, not "uper": did you mean upper?`,
			"--keep says what --pristine leaves, and --pristine is not set: add it, or remove --keep",
		}},
		{"patterns", nil, []string{"--pristine", "--keep [", "--drop a\\", "--pass [", "--pass HOME", "--pass VAUL_*"}, ClassConfig, []string{
			`--keep: pattern "[" is malformed: a [ is not closed, or it ends in a backslash`,
			`--drop: pattern "a\\" is malformed: a [ is not closed, or it ends in a backslash`,
			`--pass: pattern "[" is malformed: a [ is not closed, or it ends in a backslash`,
			`--pass: pattern "HOME": only VAULT_* and VAULTEXEC_* are held back, and this matches neither; other variables are inherited, with --pristine by --keep`,
			`--pass: pattern "VAUL_*": only VAULT_* and VAULTEXEC_* are held back, and this matches neither; other variables are inherited, with --pristine by --keep`,
		}},
		{"prefix of the settings", nil, []string{"--prefix my-", "--secret kv/a"}, ClassConfig, []string{`--prefix "my-" ` + notName}},
		{"prefix of a reference", nil, []string{"--secret kv/a?prefix=1_", "--file /f.sh=kv/a?prefix=a.", "--file /f.json=kv/a?prefix=a."}, ClassConfig, []string{
			`--secret kv/a: prefix "1_" ` + notName, `--file /f.sh: prefix "a." ` + notName,
		}},
		{"names twice", nil, []string{"--env A=kv/a#b", "--env A=kv/c#d", "--env A=kv/a#b"}, ClassConflict, []string{
			"--env A is given twice, with kv/a#b and kv/c#d: remove one", "--env A is given twice, with kv/a#b and kv/a#b: remove one",
		}},
		{"files twice", nil, []string{"--file same=kv/a#b", "--file ./x/../same=kv/c#d", "--file " + abs + "=kv/e#f"}, ClassConflict, []string{
			"--file ./x/../same=kv/c#d and --file same=kv/a#b both write " + abs + ": remove one, or choose another place",
			"--file " + abs + "=kv/e#f and --file same=kv/a#b both write " + abs + ": remove one, or choose another place",
		}},
		{"inherited references", []string{"Z=vault:" + canary + "#k", "A=x" + canary + "${vault:kv/a", "B=vault:kv/a?default=" + canary + "%#k"}, nil, ClassConfig, []string{
			"variable Z: the path has no slash: write MOUNT/PATH, as for vault kv get",
			"variable A: ${vault: is not closed by }",
			"variable B: parameter default has a % that is not followed by two hexadecimal digits: write %25 for the sign itself",
		}},
		{"formats", nil, []string{"--file /a=kv/a", "--file /b.txt=kv/a", "--file /c=kv/a?format=raw", "--file /d=kv/a?format=ymal#k"}, ClassConfig, []string{
			"--file /a: the name does not tell the format of a whole secret: add format=json, yaml, dotenv, export or properties, end the name in .json, .yaml, .yml, .env, .sh or .properties, or take one value with #KEY",
			"--file /b.txt: the name does not tell the format of a whole secret: add format=json, yaml, dotenv, export or properties, end the name in .json, .yaml, .yml, .env, .sh or .properties, or take one value with #KEY",
			"--file /c: format=raw writes one value: add #KEY, or use format=json, yaml, dotenv, export or properties",
			"--file /d: format=ymal is none of raw, json, yaml, dotenv, export, properties: did you mean yaml?",
		}},
		{"modes and owners", nil, []string{"--file /a=kv/a?mode=u%2Br#k", "--file /b=kv/a?mode=1777#k", "--file /c=kv/a?mode=0646#k", "--file /d=kv/a?mode=08&owner=nobody-here#k",
			"--file /e=kv/a?owner=0:nobody-here#k", "--file /f=kv/a?owner=0:#k", "--file /g=kv/a?owner=4294967295#k"}, ClassConfig, []string{
			"--file /a: mode=u+r is no octal number, as in mode=0440",
			"--file /b: mode=1777 has more than permission bits: it is at most 0777",
			"--file /c: mode=0646 lets everybody write the file: take the last 2 off",
			"--file /d: mode=08 is no octal number, as in mode=0440",
			`--file /d: owner=nobody-here: there is no user "nobody-here" here: use a name of this system (the container's own, if in one) or a number`,
			`--file /e: owner=0:nobody-here: there is no group "nobody-here" here: use a name of this system (the container's own, if in one) or a number`,
			"--file /f: owner=0: is not USER, USER:GROUP or :GROUP",
			"--file /g: owner=4294967295: user 4294967295 is too large",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewPlanner(sources(t, tt.inherited, tt.flags...))
			checkError(t, err, tt.class, tt.want...)
		})
	}
}

// TestPlannerErrorsOfCode has what ParseVariable and ParseFile keep out.
func TestPlannerErrorsOfCode(t *testing.T) {
	_, err := NewPlanner(Sources{Variables: []Variable{{Name: "a b"}, {Name: "A"}}, Files: []File{{Dest: ""}}})
	checkError(t, err, ClassConfig,
		`--env "a b": the name has a blank or a control character in it`,
		"--env A: one variable takes one key: add #KEY to ",
		"--file : the destination is empty",
		"--file : the name does not tell the format of a whole secret: add format=json, yaml, dotenv, export or properties, end the name in .json, .yaml, .yml, .env, .sh or .properties, or take one value with #KEY",
	)
}

func TestFlags(t *testing.T) {
	variable := func(s string) error { _, err := ParseVariable(s); return err }
	file := func(s string) error { _, err := ParseFile(s); return err }
	tests := []struct {
		parse func(string) error
		text  string
		want  string
	}{
		{variable, canary, "--env takes NAME=REF, and there is no = in what was given"},
		{variable, "=kv/a#b", `--env "": the name is empty`},
		{variable, "A B=kv/a#b", `--env "A B": the name has a blank or a control character in it`},
		{variable, "A\x00=kv/a#b", `--env "A\x00": the name has a blank or a control character in it`},
		{variable, "A=" + canary, "--env A: the path has no slash: write MOUNT/PATH, as for vault kv get"},
		{variable, "A=kv/a", "--env A: one variable takes one key: add #KEY"},
		{variable, "A=kv/a?defualt=" + canary + "#k", `--env A: unknown parameter "defualt": did you mean default?`},
		{variable, "A=kv/a?default=&canary-hunter2=x#k", "--env A: an unknown parameter follows default=: write %26 for an & in the default"},
		{variable, "A=kv/a?default=x&canary-hunter2#k", "--env A: an unknown parameter follows default=: write %26 for an & in the default"},
		{variable, "A=kv/a?mode=0400#k", "--env A: parameter mode has no meaning here"},
		{file, canary, "--file takes DEST=REF, and there is no = in what was given"},
		{file, "=kv/a#b", `--file "": the destination is empty`},
		{file, "/dir/..=kv/a#b", `--file "/dir/..": the destination is a directory: name a file in it, or end it in a slash for a file for each key`},
		{file, ".=kv/a#b", `--file ".": the destination is a directory: name a file in it, or end it in a slash for a file for each key`},
		{file, "a\x00=kv/a#b", `--file "a\x00": the destination has a NUL byte in it`},
		{file, "/f=" + canary, "--file /f: the path has no slash: write MOUNT/PATH, as for vault kv get"},
	}
	for _, tt := range tests {
		checkError(t, tt.parse(tt.text), ClassUsage, tt.want)
	}
}

// TestRefs has what is fetched, and what is not: what was dropped, and what
// --env certainly replaces.
func TestRefs(t *testing.T) {
	p, err := NewPlanner(sources(t,
		[]string{"Z=vault:kv/z#k", "Y=${vault:kv/y#a}${vault:kv/y#b}", "D=vault:kv/dropped#k", "R=vault:kv/replaced#malformed#", "O=vault:kv/fallback#k"},
		"--env R=kv/explicit#k", "--env O=kv/explicit?optional#o", "--secret kv/s", "--file /f=kv/f#k", "--drop D"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range p.Refs() {
		got = append(got, r.String())
	}
	want := []string{"kv/explicit#k", "kv/explicit#o", "kv/fallback#k", "kv/y#a", "kv/y#b", "kv/z#k", "kv/s", "kv/f#k"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
