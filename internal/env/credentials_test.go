package env

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestCredentials(t *testing.T) {
	v := vault{"kv/app": `{"user":"u","tls.key":"p"}`, "kv/two": `{"x":"1","y":"2"}`}
	for _, tt := range []struct {
		flags []string
		dir   string // empty: there is none
	}{
		{[]string{"--credentials kv/app"}, "/run/us/credentials.d/..data 755 -1:-1 tls.key=p:400:-1:-1 user=u:400:-1:-1"},
		{[]string{"--credentials kv/app?mode=0440&owner=:7#user", "--credentials kv/two?optional&only=x&prefix=db-"},
			"/run/us/credentials.d/..data 755 -1:7 db-x=1:400:-1:-1 user=u:440:-1:7"},
		{[]string{"--credentials db.password=kv/app#tls.key", "--credentials app.properties=kv/two"},
			"/run/us/credentials.d/..data 755 -1:-1 app.properties=x=1\ny=2\n:400:-1:-1 db.password=p:400:-1:-1"},
		{[]string{"--credentials kv/none?optional", "--credentials a=kv/none?optional#b"}, ""},
		{[]string{"--credentials a=kv/none?optional#b", "--credentials b=kv/none?default=x=y#b"}, "/run/us/credentials.d/..data 755 -1:-1 b=x=y:400:-1:-1"},
	} {
		p, err := plan(t, v, nil, append(tt.flags, "--prefix P_", "--case upper")...) // those are for variables
		if err != nil {
			t.Errorf("%s: %v", tt.flags, err)
			continue
		}
		var dirs, want, environ []string
		for _, planned := range p.Trees {
			if dirs = append(dirs, describe(planned)); !planned.Private {
				t.Errorf("%s: the directory is for everybody", tt.flags)
			}
		}
		if tt.dir != "" {
			want, environ = []string{tt.dir}, []string{"CREDENTIALS_DIRECTORY=/run/us/credentials.d"}
		}
		if !slices.Equal(dirs, want) || !slices.Equal(p.Environ, environ) {
			t.Errorf("%s:\n%q %q\nwant\n%q %q", tt.flags, dirs, p.Environ, want, environ)
		}
	}
}

// The credentials of a service manager are not lost without a word.
func TestCredentialsOfAnother(t *testing.T) {
	v := vault{"kv/app": `{"user":"u"}`}
	const theirs, ours = "CREDENTIALS_DIRECTORY=/theirs", "CREDENTIALS_DIRECTORY=/run/us/credentials.d"
	_, err := plan(t, v, []string{theirs}, "--credentials kv/app")
	checkError(t, err, ClassConflict, "variable CREDENTIALS_DIRECTORY is there already, so --credentials would take the credentials of a service manager away: choose with --on-conflict overwrite or keep, or leave it out with --drop")
	for flag, want := range map[string]string{"--on-conflict keep": theirs, "--on-conflict overwrite": ours, "--drop CRED*": ours} {
		if p, err := plan(t, v, []string{theirs}, "--credentials kv/app", flag); err != nil || !slices.Equal(p.Environ, []string{want}) {
			t.Errorf("%s: %q, %v, want %q", flag, p.Environ, err, want)
		}
	}
}

func TestCredentialErrors(t *testing.T) {
	v := vault{"kv/app": `{"user":"` + canary + `","a/b":"` + canary + `"}`, "kv/two": `{"user":"` + canary + `"}`}
	for _, tt := range []struct {
		name  string
		flags []string
		class string
		want  []string
	}{
		{"twice", []string{"--credentials kv/two", "--credentials user=kv/app#user"}, ClassConflict, []string{
			"--credentials user: user comes from kv/two and user from kv/app#user: leave one out with except=, or rename it with prefix="}},
		{"no name", []string{"--credentials kv/app"}, ClassNotRepresentable, []string{
			`--credentials kv/app: the field "a/b" gives no file's name, it has a slash or a NUL byte in it: leave it out with except=, or write it with --file DEST=kv/app#a/b`}},
		{"missing", []string{"--credentials kv/none", "--credentials a=kv/two#none"}, ClassMissing, []string{
			"--credentials kv/none: kv/none is missing: correct it, or add optional to the reference",
			"--credentials a: kv/two#none is missing: correct it, or add optional or default= to the reference"}},
		{"a format", []string{"--credentials kv/app?format=json"}, ClassConfig, []string{
			"--credentials kv/app: format=json is for one file, and a directory has one for each key: name a file, or remove format="}},
		{"both", []string{"--credentials kv/two", "--env CREDENTIALS_DIRECTORY=kv/two#user"}, ClassConflict, []string{
			"variable CREDENTIALS_DIRECTORY is set by --env CREDENTIALS_DIRECTORY and by --credentials: remove one"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := plan(t, v, nil, tt.flags...)
			checkError(t, err, tt.class, tt.want...)
		})
	}
	for text, want := range map[string]string{
		canary:       "--credentials takes [NAME=]REF: ",
		"..a=kv/a#k": `--credentials "..a": that is no file's name, it is a dot or begins with two`,
		"=kv/a#k":    `--credentials "": that is no file's name, it is empty`,
	} {
		_, err := ParseCredential(text)
		if err == nil || len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		} else {
			checkSilent(t, err.Error())
		}
	}
}

// The directory above is private too, and lets those pass whom the files are for.
func TestP11CredentialsDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	for mode, want := range map[string][2]os.FileMode{"0400": {0o700, 0o700}, "0440": {0o711, 0o755}} { // to be passed, to be listed
		s := sources(t, nil, "--credentials kv/app?mode="+mode)
		s.RuntimeDir = dir
		p, err := NewPlanner(s)
		if err != nil {
			t.Fatal(err)
		}
		planned, err := p.Plan(vault{"kv/app": `{"user":"u"}`}.fetch(t))
		if err != nil {
			t.Fatal(err)
		}
		written, err := Write(planned.Output)
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range []string{dir, filepath.Join(dir, credentialsName)} {
			if info, err := os.Stat(d); err != nil || info.Mode().Perm() != want[i] {
				t.Errorf("mode=%s: %s has %v, %v, want %v", mode, d, info.Mode(), err, want[i])
			}
		}
		if text, err := os.ReadFile(filepath.Join(dir, credentialsName, "user")); err != nil || string(text) != "u" {
			t.Errorf("the file has %q, %v", text, err)
		}
		if err := written.Remove(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(dir); err == nil {
			t.Error("the directory is left")
		}
	}
}
