package env

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// describe shows a planned directory: its files with their modes and owners.
func describe(t PlannedTree) string {
	var files []string
	for _, f := range t.Files {
		files = append(files, fmt.Sprintf("%s=%s:%o:%d:%d", f.Dest, f.Content.Text(), f.Mode, f.UID, f.GID))
	}
	return fmt.Sprintf("%s/%s %o %d:%d %s", t.Dest, t.Link, t.Mode, t.UID, t.GID, strings.Join(files, " "))
}

func TestPlannedTrees(t *testing.T) {
	v := vault{"kv/app": `{"user":"u","tls.key":"pem\n","nil":null,"n":1.10,"map":{"b":[]}}`, "kv/two": `{"x":"1"}`}
	for _, tt := range []struct {
		flags []string
		want  []string
	}{
		{[]string{"/d/=kv/app"}, []string{`/d/..data 755 -1:-1 map={"b":[]}:400:-1:-1 n=1.10:400:-1:-1 tls.key=pem` + "\n:400:-1:-1 user=u:400:-1:-1"}},
		{[]string{"/d//=kv/app?only=user&mode=0440&owner=1:2&prefix=db-&case=keep"}, []string{`/d/..data 755 1:2 db-user=u:440:1:2`}},
		{[]string{"d/=kv/app?only=user&case=upper&format=raw"}, []string{`d/..data 755 -1:-1 USER=u:400:-1:-1`}},
		{[]string{"./=kv/app#user"}, []string{`./..data 755 -1:-1 user=u:400:-1:-1`}},
		{[]string{"/d/=kv/none?default=x&mode=0444#key"}, []string{`/d/..data 755 -1:-1 key=x:444:-1:-1`}},
		{[]string{"/d/=kv/app?except=*"}, []string{`/d/..data 755 -1:-1 `}},
		{[]string{"/d/=kv/none?optional"}, nil},
		{[]string{"/d/=kv/two?mode=0440", "/e/=kv/two", "/x/../d/=kv/app?only=user", "/d/=kv/none?optional"}, []string{
			`/d/..data 755 -1:-1 user=u:400:-1:-1 x=1:440:-1:-1`, `/e/..data 755 -1:-1 x=1:400:-1:-1`}},
	} {
		var flags []string
		for _, f := range tt.flags {
			flags = append(flags, "--file "+f)
		}
		p, err := plan(t, v, nil, append(flags, "--prefix P_", "--case upper")...) // those are for variables
		if err != nil {
			t.Errorf("%s: %v", tt.flags, err)
			continue
		}
		var got []string
		for _, planned := range p.Trees {
			got = append(got, describe(planned))
		}
		if !slices.Equal(got, tt.want) || len(p.Files) != 0 {
			t.Errorf("%s:\n%q, %d files\nwant\n%q", tt.flags, got, len(p.Files), tt.want)
		}
	}
}

func TestTreeErrors(t *testing.T) {
	v := vault{"kv/app": `{"user":"` + canary + `","a/b":"` + canary + `","..x":"` + canary + `","` + strings.Repeat("n", 256) + `":"` + canary + `"}`, "kv/two": `{"user":"x","USER":"y"}`}
	long := strings.Repeat("n", 256)
	for _, tt := range []struct {
		name  string
		flags []string
		class string
		want  []string
	}{
		{"the root", []string{"/=kv/app"}, ClassConfig, []string{"--file /: the root directory is no place for secrets: name a directory in it"}},
		{"a format", []string{"/d/=kv/app?format=json"}, ClassConfig, []string{"--file /d/: format=json is for one file, and a directory has one for each key: name a file, or remove format="}},
		{"mode and owner", []string{"/d/=kv/app?mode=9&owner="}, ClassConfig, []string{"--file /d/: mode=9 is no octal number, as in mode=0440"}},
		{"twice", []string{"/d/=kv/app", "/d//=kv/app"}, ClassConflict, []string{"--file /d// is given twice with kv/app: remove one"}},
		{"names", []string{"/d/=kv/app"}, ClassNotRepresentable, []string{
			`--file /d/: the field "..x" gives no file's name, it is a dot or begins with two: leave it out with except=, or write it with --file DEST=kv/app#..x`,
			`--file /d/: the field "a/b" gives no file's name, it has a slash or a NUL byte in it: leave it out with except=, or write it with --file DEST=kv/app#a/b`,
			`--file /d/: the field "` + long + `" gives no file's name, it is longer than 255 bytes: leave it out with except=, or write it with --file DEST=kv/app#` + long}},
		{"two secrets", []string{"/d/=kv/app?only=user", "/d/=kv/two?only=user"}, ClassConflict, []string{
			"--file /d/: user comes from kv/app and user from kv/two: leave one out with except=, or rename it with prefix="}},
		{"two keys", []string{"/d/=kv/two?case=upper"}, ClassConflict, []string{`--file /d/: the fields "USER" and "user" both become USER: leave one out with except=, or use case=keep`}},
		{"missing", []string{"/d/=kv/none", "/d/=kv/app?only=usr", "/d/=kv/two#none"}, ClassMissing, []string{
			"--file /d/: kv/none is missing: correct it, or add optional to the reference",
			`--file /d/: there is no field "usr" for only=: did you mean user?`,
			"--file /d/: kv/two#none is missing: correct it, or add optional or default= to the reference"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var flags []string
			for _, f := range tt.flags {
				flags = append(flags, "--file "+f)
			}
			_, err := plan(t, v, nil, flags...)
			checkError(t, err, tt.class, tt.want...)
		})
	}
}

func TestVersionNames(t *testing.T) {
	ours := "..2026_11_24_10_32_02.ABCDEFGHIJKLMNOPQRSTUVWX27"
	if !isVersion(ours) || !isVersion(versionName(time.Now())) {
		t.Error("it does not know its own versions")
	}
	for _, name := range []string{"", "..data", "..2026_11_24_10_32_02.123456789", ours + "A", ours[1:] + "A", strings.ToLower(ours), "..2026-11-24_10_32_02" + ours[21:], "..2026_11_24_10_32_02_" + ours[22:]} {
		if isVersion(name) {
			t.Errorf("%q is taken for a version", name)
		}
	}
}
