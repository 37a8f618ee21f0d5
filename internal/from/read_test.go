package from

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// layout makes a directory of name -> content; a content that begins with -> is
// a link.
func layout(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if target, isLink := strings.CutPrefix(content, "->"); isLink {
			_ = os.Remove(path)
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// files are those that the references name; DIR in them is dir.
func files(t *testing.T, dir string, references ...string) *Files {
	t.Helper()
	cfg := Config{Refresh: time.Minute, Log: slog.New(slog.DiscardHandler)}
	for _, text := range references {
		r, err := ref.ParseFrom(strings.ReplaceAll(text, "DIR", dir))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Refs = append(cfg.Refs, r)
	}
	return New(cfg)
}

// volume is what kubelet makes of a Secret.
var volume = map[string]string{
	"..2026_1/password": "p\n", "..2026_1/.dockerconfigjson": "{}", "..2026_1/app.env": "A=b\n", "..2026_1/empty": "", "..2026_1/sub/key": "k",
	"..data": "->..2026_1", "password": "->..data/password", ".dockerconfigjson": "->..data/.dockerconfigjson", "app.env": "->..data/app.env", "empty": "->..data/empty", "sub": "->..data/sub",
}

func TestRead(t *testing.T) {
	big := strings.Repeat("x", maxFileSize+1)
	for _, tt := range []struct {
		name      string
		files     map[string]string
		reference string
		want      string // fields, or what is wrong behind "wrong: "
	}{
		{"file", map[string]string{"config": "export A='b'\n"}, "DIR/config", `A="b"`},
		{"file by its name", map[string]string{"c.yaml": "A: b\n"}, "DIR/c.yaml", `A="b"`},
		{"file as something else", map[string]string{"c.yaml": "A: b # c\n"}, "DIR/c.yaml?format=map", `A="b # c"`},
		{"raw file", map[string]string{"pw": "A=b\n"}, "DIR/pw?format=raw", `pw="A=b"`},
		{"unknown file", map[string]string{"pw": canary}, "DIR/pw", "wrong: malformed DIR/pw:1: this is in no format"},
		{"broken file", map[string]string{"c": "A=b\nB=$(x)\n"}, "DIR/c", "wrong: malformed DIR/c:2: sh would run the command"},
		{"no file", nil, "DIR/c", "wrong: missing DIR/c: there is no such file"},
		{"below a file", map[string]string{"c": "x"}, "DIR/c/d", "wrong: missing DIR/c/d: there is no such file"},
		{"empty file", map[string]string{"c": " \n"}, "DIR/c?format=raw", "wrong: missing DIR/c: there is nothing in it"},
		{"file without fields", map[string]string{"c": "{}"}, "DIR/c", "wrong: missing DIR/c: there is nothing in it"},
		{"large file", map[string]string{"c": big}, "DIR/c", "wrong: malformed DIR/c cannot be read: it has more than the 1048576 bytes"},
		{"device", nil, "/dev/null", "wrong: unreadable /dev/null is neither a file nor a directory"},

		{"directory of the injector", map[string]string{"config": "export A=b\n", "db": "user: u\n", "token": "hvs.x", "tls": "-----BEGIN X-----\nY\n", ".hidden": "x", "2483910274": "half"}, "DIR",
			`A="b" tls="-----BEGIN X-----\nY\n" token="hvs.x" user="u"`},
		{"directories in it", map[string]string{"a/config": "A=b\n", "a/b/pw": "p"}, "DIR", `A="b" a/b/pw="p"`},
		{"broken in it", map[string]string{"config": "A=b\n", "z": "A=`"}, "DIR", "wrong: malformed DIR/z:1: sh would run"},
		{"left out", map[string]string{"config": "A=b\n", "z": "A=`"}, "DIR?except=z", `A="b"`},
		{"twice", map[string]string{"a": "A=1\n", "b": "A=2\n"}, "DIR", `wrong: malformed DIR: the field "A" is in a and in b`},
		{"one is not there yet", map[string]string{"a": "A=1\n", "b": ""}, "DIR", "wrong: missing DIR/b: there is nothing in it"},
		{"one is optional", map[string]string{"a": "A=1\n", "b": ""}, "DIR?optional", `A="1"`},
		{"values", map[string]string{"a": "A=1\n", "b": "B=2"}, "DIR?format=raw", `a="A=1" b="B=2"`},
		{"names that are missing", map[string]string{"a": "A=1\n"}, "DIR?only=A,B", `wrong: missing DIR: there is no field "B" for only=`},
		{"names that are there", map[string]string{"a": "A=1\nB=2\n"}, "DIR?only=A", `A="1" B="2"`}, // whose choice is the plan's
		{"empty directory", map[string]string{".x": ""}, "DIR", "wrong: missing DIR: there is nothing in it"},
		{"link that leads back", map[string]string{"a": "->."}, "DIR", "wrong: malformed DIR/a/a/a/a/a/a/a/a/a: there are more than 8 directories"},
		{"dangling link", map[string]string{"a": "->b"}, "DIR", "wrong: missing DIR/a: there is no such file"},
		{"socket", map[string]string{"a": "->/dev/null"}, "DIR", "wrong: unreadable DIR/a is neither a file nor a directory: leave it out with except=a"},

		{"volume", volume, "DIR", `.dockerconfigjson="{}" app.env="A=b" empty="" password="p" sub/key="k"`},
		{"file in a volume", volume, "DIR/app.env", `A="b"`},
		{"volume of dotenv", volume, "DIR?format=dotenv&except=password,.dockerconfigjson,sub/*,empty", `A="b"`},
		{"volume in the making", map[string]string{"..data": "->..gone", "password": "->..data/password"}, "DIR", "wrong: missing DIR/password: there is no such file"},
	} {
		dir := layout(t, t.TempDir(), tt.files)
		r, err := files(t, dir, tt.reference).places[0].read()
		got := show(r.fields)
		if err != nil {
			got = "wrong: " + err.Class() + " " + strings.ReplaceAll(err.Error(), dir, "DIR")
		}
		if strings.Contains(got, canary) || got != tt.want && !(err != nil && strings.HasPrefix(got, tt.want) && strings.HasPrefix(tt.want, "wrong: ")) {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestReadRefused(t *testing.T) {
	dir := layout(t, t.TempDir(), map[string]string{"a": "A=1\n"})
	if err := syscall.Mkfifo(dir+"/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := files(t, dir, "DIR").places[0].read(); err == nil || !strings.Contains(err.Error(), "/pipe is neither a file nor a directory") {
		t.Errorf("a pipe: %v", err)
	}
	if err := os.Chmod(dir+"/a", 0); err != nil {
		t.Fatal(err)
	}
	_, err := files(t, dir, "DIR/a").places[0].read()
	if os.Getuid() == 0 {
		return // nothing is refused to root
	}
	if err == nil || err.Error() != dir+"/a cannot be read: permission denied" || err.Class() != ClassIO {
		t.Error(err)
	}
}

func TestCredentialsDirectory(t *testing.T) {
	dir := layout(t, t.TempDir(), map[string]string{"password": "A=b", "empty": ""})
	r, err := ref.ParseFrom(dir + "/")
	if err != nil {
		t.Fatal(err)
	}
	f := New(Config{Refs: []ref.Ref{r}, Credentials: dir, Log: slog.New(slog.DiscardHandler)})
	if got, err := f.places[0].read(); err != nil || show(got.fields) != `empty="" password="A=b"` {
		t.Errorf("%s, %v", show(got.fields), err)
	}
}

// A format that was recognized stays: a password that begins to look like an
// assignment is still one value.
func TestFormatStays(t *testing.T) {
	dir := layout(t, t.TempDir(), map[string]string{"pw": "hunter2", "db": "user: u\n"})
	f := files(t, dir, "DIR")
	r, err := f.places[0].read()
	if err != nil {
		t.Fatal(err)
	}
	f.places[0].take(r)
	layout(t, dir, map[string]string{"pw": "A=b", "db": "user: \"u\"\n"})
	if r, err = f.places[0].read(); err != nil || show(r.fields) != `pw="A=b" user="\"u\""` {
		t.Errorf("%s, %v", show(r.fields), err)
	}
}

// Places that references share are read once, and a reference that insists makes
// all of them insist.
func TestShared(t *testing.T) {
	f := files(t, "/d", "DIR?only=A&optional", "DIR/?only=B", "DIR?format=json", "/e?optional")
	if len(f.places) != 3 || len(f.places[0].refs) != 2 || f.places[0].optional || !f.places[2].optional {
		t.Errorf("%d places", len(f.places))
	}
}

// fetched is what Fetch comes to in a time that is not real.
func fetched(t *testing.T, timeout time.Duration, f *Files, meanwhile func()) (string, time.Duration, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	begun := time.Now()
	if meanwhile != nil {
		go meanwhile()
	}
	secrets, err := f.Fetch(ctx)
	all := secret.Fields{}
	for _, fields := range secrets {
		for name, v := range fields {
			all[name] = v
		}
	}
	return show(all), time.Since(begun), err
}

func TestFetch(t *testing.T) {
	const forever = time.Hour
	t.Run("there", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := layout(t, t.TempDir(), map[string]string{"a": "A=1\n"})
			for age, want := range map[time.Duration]time.Duration{settleTime: 0, settleTime - 1: settleTime, -time.Hour: settleTime} {
				at := time.Now().Add(-age)
				if err := os.Chtimes(dir+"/a", at, at); err != nil {
					t.Fatal(err)
				}
				got, took, err := fetched(t, forever, files(t, dir, "DIR", "DIR/none?optional"), nil)
				if got != `A="1"` || took != want || err != nil {
					t.Errorf("written %s ago: %s after %s, %v", age, got, took, err)
				}
			}
		})
	})
	t.Run("a volume is never half", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := layout(t, t.TempDir(), volume)
			if _, took, err := fetched(t, forever, files(t, dir, "DIR"), nil); took != 0 || err != nil {
				t.Errorf("after %s, %v", took, err)
			}
		})
	})
	t.Run("half at first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := layout(t, t.TempDir(), map[string]string{"a": "export A=long"})
			got, took, err := fetched(t, forever, files(t, dir, "DIR/a"), func() {
				time.Sleep(settleTime / 4)
				layout(t, dir, map[string]string{"a": "export A=longvalue\n"})
			})
			if got != `A="longvalue"` || took != 2*settleTime || err != nil {
				t.Errorf("%s after %s, %v", got, took, err)
			}
		})
	})
	t.Run("late and in pieces", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			got, took, err := fetched(t, forever, files(t, dir, "DIR/config", "DIR/b"), func() {
				time.Sleep(time.Minute)
				layout(t, dir, map[string]string{"config": "A=1\n", "b": "B='"})
				time.Sleep(settleTime / 2)
				layout(t, dir, map[string]string{"b": "B='2'\n"})
				time.Sleep(settleTime)
				layout(t, dir, map[string]string{"b": "B='2'\nC=3\n"})
			})
			if got != `A="1" B="2" C="3"` || took > time.Minute+time.Second || err != nil {
				t.Errorf("%s after %s, %v", got, took, err)
			}
		})
	})
	t.Run("never", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			f := files(t, "/nowhere", "DIR/a", "DIR/b?optional", "DIR/c")
			f.log = slog.New(slog.NewTextHandler(&log, nil))
			_, took, err := fetched(t, 2*time.Minute, f, nil)
			const want = "/nowhere/a: there is no such file or directory after 2m0s: correct the path, see to it that something writes it, or add ?optional to it\n" +
				"/nowhere/c: there is no such file or directory after 2m0s: correct the path, see to it that something writes it, or add ?optional to it"
			if err == nil || err.Error() != want || took != 2*time.Minute {
				t.Errorf("after %s: %v\nwant %s", took, err, want)
			}
			if strings.Count(log.String(), "waiting for what others write: /nowhere/a") != 1 {
				t.Errorf("log: %s", log.String())
			}
		})
	})
	t.Run("broken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := layout(t, t.TempDir(), map[string]string{"a": "A=$(x)\n"})
			_, took, err := fetched(t, forever, files(t, dir, "DIR/a?optional", "DIR/none"), nil)
			var missing *MissingError
			if !errors.As(err, &missing) || missing.Class() != ClassMalformed || took < tornPatience || took > 2*tornPatience || len(missing.Findings) != 2 ||
				!strings.Contains(err.Error(), dir+"/none: there is no such file or directory yet: correct") ||
				len(missing.Problems(dir+"/a")) != 1 {
				t.Errorf("after %s: %v", took, err)
			}
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			if _, err := files(t, "/nowhere", "DIR").Fetch(ctx); err != context.Canceled {
				t.Error(err)
			}
		})
	})
}
