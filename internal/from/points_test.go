package from

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vaultexec/internal/notice"
)

// TestFsnotify has the kernel tell, of everything that its manual page lets one
// expect: nobody looks by himself.
func TestFsnotify(t *testing.T) {
	for _, tt := range []struct {
		name, references string
		content          map[string]string
		more             int // looks that directories ask for which only a look has found
		change           func(t *testing.T, dir string)
	}{
		{"written", "DIR/a", map[string]string{"a": "A=1\n"}, 0, func(t *testing.T, dir string) {
			layout(t, dir, map[string]string{"a": "A=2\n"})
		}},
		{"replaced", "DIR/a", map[string]string{"a": "A=1\n", "b": "A=2\n"}, 0, func(t *testing.T, dir string) {
			rename(t, dir+"/b", dir+"/a")
		}},
		{"behind a link", "DIR/a", map[string]string{"a": "->d/b", "d/b": "A=1\n"}, 0, func(t *testing.T, dir string) {
			layout(t, dir, map[string]string{"d/b": "A=2\n"})
		}},
		{"in a directory", "DIR/d", map[string]string{"d/a": "A=1\n"}, 0, func(t *testing.T, dir string) {
			layout(t, dir, map[string]string{"d/a": "A=2\n"})
		}},
		{"deeper", "DIR/d", map[string]string{"d/e/a": "A=1\n"}, 1, func(t *testing.T, dir string) {
			layout(t, dir, map[string]string{"d/e/a": "A=2\n"})
		}},
		{"volume", "DIR/v", map[string]string{"v/..1/A": "1", "v/..2/A": "2", "v/..data": "->..1", "v/A": "->..data/A"}, 0, func(t *testing.T, dir string) {
			layout(t, dir, map[string]string{"v/..tmp": "->..2"})
			rename(t, dir+"/v/..tmp", dir+"/v/..data")
		}},
		{"file in a volume", "DIR/v/A?format=raw", map[string]string{"v/..1/A": "1", "v/..2/A": "2", "v/..data": "->..1", "v/A": "->..data/A"}, 0, func(t *testing.T, dir string) {
			layout(t, dir, map[string]string{"v/..tmp": "->..2"})
			rename(t, dir+"/v/..tmp", dir+"/v/..data")
		}},
		{"directory replaced", "DIR/d", map[string]string{"d/a": "A=1\n", "e/a": "A=2\n"}, 0, func(t *testing.T, dir string) {
			rename(t, dir+"/d", dir+"/old")
			rename(t, dir+"/e", dir+"/d")
		}},
		{"first of two names", "DIR/run/a DIR/varrun/b", map[string]string{"run/a": "A=1\n", "run/b": "B=1\n", "varrun": "->run"}, 0, func(t *testing.T, dir string) {
			layout(t, dir, map[string]string{"run/a": "A=2\n"})
		}},
		{"second of two names", "DIR/varrun/b DIR/run/a", map[string]string{"run/a": "A=1\n", "run/b": "B=1\n", "varrun": "->run"}, 0, func(t *testing.T, dir string) {
			layout(t, dir, map[string]string{"run/a": "A=2\n"})
		}},
		{"below a link", "DIR/run/e/b DIR/d", map[string]string{"run/e/a": "A=1\n", "run/e/b": "B=1\n", "d/link": "->../run/e"}, 1, func(t *testing.T, dir string) {
			layout(t, dir, map[string]string{"run/e/a": "A=2\n"})
		}},
		{"a link up", "DIR/d/e?except=up/e", map[string]string{"d/a": "A=1\n", "d/e/up": "->.."}, 0, func(t *testing.T, dir string) {
			layout(t, dir, map[string]string{"d/a": "A=2\n"})
		}},
		{"relative, and a link that is not", "REL/cfg", map[string]string{"cfg.v1": "A=1\n", "new": "A=2\n", "cfg": "->DIR/cfg.v1"}, 0, func(t *testing.T, dir string) {
			rename(t, dir+"/new", dir+"/cfg.v1")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range tt.content {
				tt.content[name] = strings.ReplaceAll(text, "DIR", dir)
			}
			layout(t, dir, tt.content)
			f := files(t, dir, strings.Fields(strings.ReplaceAll(tt.references, "REL", relative(t, dir)))...)
			f.refresh = time.Hour
			w, _, err := f.Watch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			w.notices = notice.To(slog.New(slog.DiscardHandler))
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			defer wg.Wait()
			defer cancel()
			lookedc := make(chan struct{}, 100)
			w.random = func() float64 { lookedc <- struct{}{}; return 0 } // asked for after each look
			wg.Go(func() { w.Run(ctx) })
			for range len(f.places) + tt.more {
				<-lookedc
			}
			tt.change(t, dir)
			select {
			case secrets := <-w.Updates():
				for source, fields := range secrets {
					if a, there := fields["A"]; there && a.Text() != "2" {
						t.Errorf("%s is %s", source, show(fields))
					}
				}
			case <-time.After(time.Minute):
				t.Error("no update")
			}
		})
	}
}

// relative is a directory as seen from where the tests run.
func relative(t *testing.T, dir string) string {
	t.Helper()
	here, err := os.Getwd()
	if err == nil {
		dir, err = filepath.Rel(here, dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
