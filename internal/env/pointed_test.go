package env

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPointed(t *testing.T) {
	v := vault{"kv/app": `{"user":"u","password":"p"}`}
	p, err := plan(t, v, []string{"A_FILE=vault:kv/none#never-asked-for", "B_FILE=inherited", "C_FILE=inherited"},
		"--fd-env D1=kv/app?mode=0444&owner=12:34#user", "--fd-env D2=kv/app?format=json&only=user",
		"--file-env A=kv/app?mode=0440&owner=:34#password", "--file-env B=kv/app?format=dotenv&case=upper",
		"--file-env C=kv/none?optional#k", "--file-env E=kv/none?default=d#k", "--file /f=kv/app#user", "--env A=kv/app#user")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"A=u", "A_FILE=/run/us/A", "B_FILE=/run/us/B", "C_FILE=inherited", "D1_FILE=/proc/self/fd/100",
		"D2_FILE=/proc/self/fd/101", "E_FILE=/run/us/E"}; !slices.Equal(p.Environ, want) {
		t.Errorf("environment %q, want %q", p.Environ, want)
	}
	type file struct {
		dest, content, place string
		mode                 fs.FileMode
		uid, gid             int
		private              bool
	}
	check := func(got []PlannedFile, want ...file) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%d files, want %d", len(got), len(want))
		}
		for i, g := range got {
			if f := (file{g.Dest, g.Content.Text(), g.Place, g.Mode, g.UID, g.GID, g.Private}); f != want[i] {
				t.Errorf("file %+v, want %+v", f, want[i])
			}
		}
	}
	check(p.Files,
		file{"/run/us/A", "p", "--file-env A", 0o440, -1, 34, true},
		file{"/run/us/B", "PASSWORD=p\nUSER=u\n", "--file-env B", 0o400, -1, -1, true},
		file{"/run/us/E", "d", "--file-env E", 0o400, -1, -1, true},
		file{"/f", "u", "--file /f", 0o400, -1, -1, false})
	var files []PlannedFile
	for i, d := range p.Descriptors {
		if files = append(files, d.File); d.Number != 100+i {
			t.Errorf("descriptor %d has number %d", i, d.Number)
		}
	}
	check(files,
		file{"/proc/self/fd/100", "u", "--fd-env D1", 0o444, 12, 34, true},
		file{"/proc/self/fd/101", "{\n  \"user\": \"u\"\n}\n", "--fd-env D2", 0o400, -1, -1, true})
}

// A changed descriptor is a changed plan, and its number stays.
func TestPointedChanges(t *testing.T) {
	flags := []string{"--fd-env A=kv/a?optional#k", "--fd-env B=kv/b#k"}
	p, err := NewPlanner(sources(t, nil, flags...))
	if err != nil {
		t.Fatal(err)
	}
	before, err := p.Plan(vault{"kv/a": `{"k":"1"}`, "kv/b": `{"k":"1"}`}.fetch(t))
	if err != nil {
		t.Fatal(err)
	}
	for after, same := range map[string]bool{`{"k":"1"}`: true, `{"k":"2"}`: false} {
		got, err := p.Plan(vault{"kv/a": `{"k":"1"}`, "kv/b": after}.fetch(t))
		if err != nil || got.Same(before) != same {
			t.Errorf("%s: the same %v, want %v, error %v", after, got.Same(before), same, err)
		}
	}
	got, err := p.Plan(vault{"kv/b": `{"k":"1"}`}.fetch(t))
	if err != nil || len(got.Descriptors) != 1 || got.Descriptors[0].Number != 101 || !slices.Equal(got.Environ, []string{"B_FILE=/proc/self/fd/101"}) {
		t.Errorf("%d descriptors, %q, %v", len(got.Descriptors), got.Environ, err)
	}
}

func TestPointedErrors(t *testing.T) {
	v := vault{"kv/app": `{"user":"` + canary + `","LD_PRELOAD":"` + canary + `"}`}
	tests := []struct {
		name  string
		flags []string
		class string
		want  []string
	}{
		{"--env has the name", []string{"--env A_FILE=kv/app#user", "--file-env A=kv/app#user"}, ClassConflict, []string{"variable A_FILE is set by --env A_FILE and by --file-env A: remove one"}},
		{"both", []string{"--file-env A=kv/app#user", "--fd-env A=kv/app#user"}, ClassConflict, []string{"variable A_FILE is set by --file-env A and by --fd-env A: remove one"}},
		{"twice", []string{"--fd-env A=kv/app#user", "--fd-env A=kv/app#user"}, ClassConflict, []string{"variable A_FILE is set by --fd-env A and by --fd-env A: remove one"}},
		{"a program", []string{"--fd-env A=kv/app?mode=0500#user"}, ClassConfig, []string{"--fd-env A: mode=0500 makes a program of it, which a descriptor cannot be: leave out what lets it be executed"}},
		{"a mode", []string{"--file-env A=kv/app?mode=0646#user"}, ClassConfig, []string{"--file-env A: mode=0646 lets everybody write the file: take the last 2 off"}},
		{"a prefix", []string{"--file-env A=kv/app?format=dotenv&prefix=-"}, ClassConfig, []string{`--file-env A: prefix "-" cannot begin a variable's name: a name is letters, digits and _, and begins with no digit`}},
		{"a whole secret", []string{"--file-env A=kv/app"}, ClassConfig, []string{"--file-env A: a whole secret needs a format: add format=json, yaml, dotenv, export or properties, or take one value with #KEY"}},
		{"missing", []string{"--file-env A=kv/app#none", "--fd-env B=kv/none#k"}, ClassMissing, []string{
			"--file-env A: kv/app#none is missing: correct it, or add optional or default= to the reference",
			"--fd-env B: kv/none#k is missing: correct it, or add optional or default= to the reference"}},
		{"a reserved name", []string{"--fd-env A=kv/app?format=export"}, ClassConfig, []string{"--fd-env A: LD_PRELOAD decides which programs or libraries run, so no secret sets it by itself: leave it out with except="}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := plan(t, v, nil, tt.flags...)
			checkError(t, err, tt.class, tt.want...)
		})
	}
	for text, want := range map[string]string{
		canary:        "--file-env takes NAME=REF, and there is no = in what was given",
		"a/b=kv/a#k":  `--file-env "a/b": a name is letters, digits and _, and begins with no digit`,
		"=kv/a#k":     `--file-env "": a name is letters, digits and _, and begins with no digit`,
		"A=kv/a?x#k":  `--file-env A: unknown parameter "x": there are version, optional, default, decode, namespace, prefix, case, names, only, except, refresh, on_change, format, mode, owner`,
		"A=kv/a?mod=": `--file-env A: unknown parameter "mod": did you mean mode?`,
	} {
		_, err := ParseFileVariable(text)
		checkError(t, err, ClassUsage, want)
	}
	_, err := ParseDescriptorVariable("A")
	checkError(t, err, ClassUsage, "--fd-env takes NAME=REF, and there is no = in what was given")
}

func private(dest, text string) PlannedFile {
	f := toWrite(dest, text)
	f.Place, f.Private = "--file-env "+filepath.Base(dest), true
	return f
}

// The directory of private files is made for us alone, and as passable as a
// file in it needs.
func TestP11PrivateDirectory(t *testing.T) {
	dir := t.TempDir()
	first, err := writeFiles([]PlannedFile{private(dir+"/us/A", "a")})
	if err != nil {
		t.Fatal(err)
	}
	checkTree(t, dir, "us drwx------", "us/A -r-------- a")
	for range 2 { // once more changes nothing
		shared := private(dir+"/us/B", "b")
		shared.Mode = 0o440
		second, err := writeFiles([]PlannedFile{shared})
		if err != nil {
			t.Fatal(err)
		}
		first.Follow(second)
		checkTree(t, dir, "us drwx--x--x", "us/A -r-------- a", "us/B -r--r----- b")
	}
	if err := first.Remove(); err != nil {
		t.Fatal(err)
	}
	checkTree(t, dir)
}

// A directory that others can write into, or own, gets no secret.
func TestP11PrivateDirectoryOfOthers(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(dir string) error
	}{
		{"everybody writes", func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777)) }},
		{"so does a group", func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o770)) }},
		{"a link to one", func(dir string) error {
			return errors.Join(os.Mkdir(dir+"2", 0o700), os.Chmod(dir+"2", 0o777), os.Symlink(dir+"2", dir))
		}},
		{"another user's", func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 1234, -1)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if strings.HasPrefix(tt.name, "another") && os.Getuid() != 0 {
				t.Skip("it takes root to make another user's directory")
			}
			dir := t.TempDir()
			if err := tt.make(dir + "/us"); err != nil {
				t.Fatal(err)
			}
			before := listing(t, dir)
			_, err := writeFiles([]PlannedFile{private(dir+"/us/A", canary)})
			checkError(t, err, ClassWriteFailed, "--file-env A: "+dir+"/us belongs to another user, or others can write into it: "+
				"let --runtime-dir name a directory that is this user's alone, or one that is not there yet, or use --fd-env, which needs no directory; nothing was changed")
			checkTree(t, dir, before...)
		})
	}
}
