package from

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// quietKernel tells nothing but what a test says.
type quietKernel struct {
	mu   sync.Mutex
	dirs []string
	err  error
	hook func(dir string) // what happens when it is asked
}

func (k *quietKernel) Add(dir string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.hook != nil {
		k.hook(dir)
	}
	if !slices.Contains(k.dirs, dir) {
		k.dirs = append(k.dirs, dir)
	}
	return k.err
}

// say sets what it answers from now on, and what happens then.
func (k *quietKernel) say(err error, hook func(dir string)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err, k.hook = err, hook
}

func (k *quietKernel) Remove(dir string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dirs = slices.DeleteFunc(k.dirs, func(d string) bool { return d == dir })
	return nil
}

func (*quietKernel) Close() error { return nil }

// bench is a watcher in a bubble of time that is not real.
type bench struct {
	t      *testing.T
	dir    string
	w      *Watcher
	kernel *quietKernel
	eventc chan fsnotify.Event
	log    strings.Builder
	first  map[ref.Source]secret.Fields
}

// watching starts one of what references name, below a directory with the files.
func watching(t *testing.T, content map[string]string, references ...string) *bench {
	t.Helper()
	b := &bench{t: t, dir: layout(t, canonical(t.TempDir()), content), kernel: &quietKernel{}, eventc: make(chan fsnotify.Event)}
	f := files(t, b.dir, references...)
	f.log = slog.New(slog.NewTextHandler(&b.log, nil))
	var err error
	if b.w, b.first, err = f.Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.w.kernel, b.w.eventc, b.w.random = b.kernel, b.eventc, func() float64 { return 0 }
	ctx, cancel := context.WithCancel(t.Context())
	donec := make(chan struct{})
	go func() { b.w.Run(ctx); close(donec) }()
	t.Cleanup(func() { cancel(); <-donec })
	synctest.Wait()
	return b
}

// update is what is published within a time, all fields of all places, or
// "nothing".
func (b *bench) update(within time.Duration) string {
	b.t.Helper()
	time.Sleep(within)
	synctest.Wait()
	select {
	case secrets := <-b.w.Updates():
		all := secret.Fields{}
		for _, fields := range secrets {
			for name, v := range fields {
				all[name] = v
			}
		}
		return show(all)
	default:
		return "nothing"
	}
}

func (b *bench) expect(what, want string, within time.Duration) {
	b.t.Helper()
	if got := b.update(within); got != want {
		b.t.Errorf("%s: %s, want %s\n%s", what, got, want, b.log.String())
	}
}

// said counts the lines of the log with a text.
func (b *bench) said(text string) int { return strings.Count(b.log.String(), text) }

const soon = 3 * settleTime

func TestWatchByLooking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watching(t, map[string]string{"a": "A=1\n", "b": "B=1\n"}, "DIR/a", "DIR/b?refresh=10s", "DIR/c?optional")
		b.expect("nothing has changed", "nothing", time.Hour)
		layout(t, b.dir, map[string]string{"a": "A=2\n", "b": "B=2\n", "c": "C=1\n"})
		b.expect("the shorter interval", `A="1" B="2"`, 11*time.Second)
		b.expect("the longer one", `A="2" B="2" C="1"`, time.Minute)
		layout(t, b.dir, map[string]string{"a": "A=2 # the same\n"})
		b.expect("the same value", "nothing", time.Hour)
		if s := b.w.Status(); s != (Status{Fresh: 3}) || b.log.Len() > 0 {
			t.Errorf("%+v, log %s", s, b.log.String())
		}
	})
}

func TestWatchByTheKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watching(t, map[string]string{"a": "A=1\n", "d/b": "B=1\n"}, "DIR/a?refresh=never", "DIR/d?refresh=never")
		layout(t, b.dir, map[string]string{"a": "A=2\n", "d/b": "B=2\n"})
		b.expect("never is never", "nothing", 24*time.Hour)
		b.eventc <- fsnotify.Event{Name: b.dir + "/other"}
		b.expect("another file", "nothing", soon)
		b.eventc <- fsnotify.Event{Name: b.dir + "/a"}
		b.expect("the file", `A="2" B="1"`, soon)
		b.eventc <- fsnotify.Event{Name: b.dir + "/d/b"}
		b.expect("in the directory", `A="2" B="2"`, soon)
		if want := []string{b.dir, b.dir + "/d"}; !slices.Equal(slices.Sorted(slices.Values(b.kernel.dirs)), want) {
			t.Errorf("watched are %q, want %q", b.kernel.dirs, want)
		}

		// A directory in it, and what comes into that before anybody watches.
		b.kernel.say(nil, func(dir string) {
			if dir == b.dir+"/d/e" {
				layout(t, b.dir, map[string]string{"d/e/f": "F=1\n"})
			}
		})
		layout(t, b.dir, map[string]string{"d/e/.hidden": ""})
		b.eventc <- fsnotify.Event{Name: b.dir + "/d/e"}
		b.expect("a directory", `A="2" B="2" F="1"`, 2*soon)
		if !slices.Contains(b.kernel.dirs, b.dir+"/d/e") {
			t.Errorf("watched are %q", b.kernel.dirs)
		}
	})
}

// What is being written is not taken for written.
func TestWatchInPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watching(t, map[string]string{"a": "A=1\nB=1\n"}, "DIR/a")
		write := func(text string) {
			layout(t, b.dir, map[string]string{"a": text})
			b.eventc <- fsnotify.Event{Name: b.dir + "/a"}
		}
		write("")
		b.expect("truncated", "nothing", settleTime/2)
		write("A=2\n")
		b.expect("half", "nothing", settleTime)
		write("A=2\nB='")
		b.expect("torn", "nothing", settleTime)
		write("A=2\nB='2'\n")
		b.expect("whole", `A="2" B="2"`, soon)
		b.expect("once", "nothing", time.Hour)
		if b.log.Len() > 0 {
			t.Errorf("log: %s", b.log.String())
		}
	})
}

// A first line that was cut is no value, however long its rest takes. A value
// that is another one is.
func TestWatchCutAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watching(t, map[string]string{"config": "expo", "pw": "hunter2"}, "DIR")
		b.expect("a cut", "nothing", time.Hour)
		layout(t, b.dir, map[string]string{"config": "export"})
		b.expect("more of it", `config="export" pw="hunter2"`, time.Minute+soon)
		layout(t, b.dir, map[string]string{"config": "export A=1\n", "pw": "B=2"})
		b.expect("all of it", `A="1" pw="B=2"`, time.Minute+soon)
		layout(t, b.dir, map[string]string{"config": "export A=1\nB=2\n", "pw": "B=2\nC=3\n"})
		b.expect("more lines", `A="1" B="2" pw="B=2\nC=3\n"`, time.Minute+soon)
	})
}

// Whatever becomes of a file, its last values stay, and that is said: not for
// what passes, and not at each look.
func TestP2WatchKeepsLastValues(t *testing.T) {
	for name, spoil := range map[string]func(file string) error{
		"deleted":    os.Remove,
		"empty":      func(file string) error { return os.Truncate(file, 0) },
		"malformed":  func(file string) error { return os.WriteFile(file, []byte("A="+canary+"$(id)"), 0o600) },
		"directory":  func(file string) error { return errors.Join(os.Remove(file), os.Mkdir(file, 0o700)) },
		"link":       func(file string) error { return errors.Join(os.Remove(file), os.Symlink(file, file)) },
		"all of it":  func(file string) error { return os.RemoveAll(filepath.Dir(file)) },
		"no pattern": func(file string) error { return os.WriteFile(file, []byte("C=1"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := watching(t, map[string]string{"d/a": "A=1\n"}, "DIR/d/a?only=A")
				if err := spoil(b.dir + "/d/a"); err != nil {
					t.Fatal(err)
				}
				b.expect("spoiled", "nothing", time.Minute+time.Second)
				b.expect("spoiled", "nothing", 24*time.Hour)
				if n := b.said("the command keeps its last values"); n < 20 || n > 40 || strings.Contains(b.log.String(), canary) {
					t.Errorf("said %d times: %s", n, b.log.String())
				}
				if s := b.w.Status(); s != (Status{Stale: 1}) {
					t.Errorf("%+v", s)
				}
				if err := os.RemoveAll(b.dir + "/d"); err != nil {
					t.Fatal(err)
				}
				layout(t, b.dir, map[string]string{"d/a": "A=2\n"})
				b.expect("mended", `A="2"`, lastPause+soon)
				if b.said("can be used again") != 1 || b.w.Status() != (Status{Fresh: 1}) {
					t.Errorf("%+v, %s", b.w.Status(), b.log.String())
				}
			})
		})
	}
}

// In a directory one bad file holds up no other, and what is gone stays.
func TestP8WatchOneBadFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watching(t, map[string]string{"a": "A=1\n", "b": "B=1\n", "c": "C=1\n"}, "DIR")
		layout(t, b.dir, map[string]string{"a": "A=2\n", "b": "B=`", "new": ""})
		if err := os.Remove(b.dir + "/c"); err != nil {
			t.Fatal(err)
		}
		b.expect("a changed", `A="2" B="1" C="1"`, time.Minute+soon)
		layout(t, b.dir, map[string]string{"b": "B=3\n", "new": "N=1\n"})
		b.expect("b again", `A="2" B="3" C="1" N="1"`, time.Minute+soon)
		b.expect("nothing more", "nothing", time.Hour)
		layout(t, b.dir, map[string]string{"c": "C=4\n"})
		b.expect("c is back", `A="2" B="3" C="4" N="1"`, time.Minute+soon)
	})
}

// A volume changes as a whole: what is not in its new version is gone.
func TestWatchVolume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watching(t, map[string]string{"v/..1/a": "1", "v/..1/b": "1", "v/..2/a": "2", "v/..data": "->..1", "v/a": "->..data/a", "v/b": "->..data/b"}, "DIR/v?refresh=never")
		layout(t, b.dir, map[string]string{"v/..data": "->..2"})
		b.eventc <- fsnotify.Event{Name: b.dir + "/v/..data"}
		b.expect("flipped", `a="2"`, soon)
		layout(t, b.dir, map[string]string{"v/..data": "->..3"})
		b.eventc <- fsnotify.Event{Name: b.dir + "/v/..data"}
		b.expect("into nothing", "nothing", time.Hour)
	})
}

// What did not change is the same map: the plan goes by that.
func TestWatchSharesWhatIsSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watching(t, map[string]string{"a": "A=1\n", "b": "B=1\n"}, "DIR/a", "DIR/b")
		layout(t, b.dir, map[string]string{"a": "A=2\n"})
		time.Sleep(2 * time.Minute)
		second := <-b.w.Updates()
		unchanged := ref.Source{File: b.dir + "/b"}
		if reflect.ValueOf(second[unchanged]).Pointer() != reflect.ValueOf(b.first[unchanged]).Pointer() {
			t.Error("another map of the same fields")
		}
	})
}

// Without the kernel's word there is looking, and a line that says so.
func TestWatchWithoutKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := watching(t, map[string]string{"a": "A=1\n"}, "DIR/a")
		b.kernel.say(errors.New("no space left on device"), nil)
		layout(t, b.dir, map[string]string{"a": "A=2\n"})
		b.expect("by looking", `A="2"`, time.Minute+soon)
		if b.said("are found every --refresh: no space left on device") != 1 {
			t.Errorf("log: %s", b.log.String())
		}
	})
}
