//go:build linux

package integration

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Files that vaultexec wrote go when the command has ended, however that came.
func TestP11FilesAreRemovedAtExit(t *testing.T) {
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password})
	tests := []struct {
		name   string
		script string
		sig    syscall.Signal
		status int
	}{
		{"the child exits", "exit 3", 0, 3},
		{"the child dies", "kill -KILL $$", 0, 137},
		{"TERM", `trap "exit 4" TERM` + loop, syscall.SIGTERM, 4},
		{"INT", `exec sleep 100`, syscall.SIGINT, 130},
		{"KILL after the stop timeout", `trap "" TERM` + loop, syscall.SIGTERM, 137},
	}
	inEach(t, supervising, func(t *testing.T, p place) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				dir := filepath.Join(t.TempDir(), "run")
				file, copied := filepath.Join(dir, "password"), filepath.Join(t.TempDir(), "copy")
				flags := []string{"--stop-timeout", "300ms", "--file", file + "=" + kv.path("app") + "#password"}
				r := p.start(p.vaultexec(t, flags...).vault(kv.vault.Address).token(kv.token(t, "app")).
					exec("/bin/sh", "-c", "cp "+file+" "+copied+"; echo there; "+test.script))
				r.waitLine("there")
				if test.sig != 0 {
					if strings.Contains(test.script, "ready") {
						r.waitLine("ready")
					} else {
						waitUntil(t, "the child to be sleep", func() bool {
							argv := words(r.childPid(p))
							return len(argv) > 0 && argv[0] == "sleep"
						})
					}
					r.signal(test.sig)
				}
				r.wait().exited(test.status)
				if text, err := os.ReadFile(copied); err != nil || string(text) != password {
					t.Errorf("the child did not get its file whole (%d bytes, %v)", len(text), err)
				}
				nothingLeft(t, dir)
			})
		}
	})
}

// nothingLeft checks that no file is in a directory, temporary ones neither.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s is left behind", e.Name())
	}
}

// A stop at any moment leaves nothing behind, not even a part of a file, and
// while it is written nobody sees a part of it.
func TestP11FilesAreNeverTorn(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	big := strings.Repeat(canary(t, "big"), 30_000) // about a megabyte
	kv.put(t, "app", fields{"big": big})
	token := kv.token(t, "app")
	const runs = 60
	for i := range runs {
		dir := t.TempDir()
		file := filepath.Join(dir, "big")
		c := vaultexec(t, "--file", file+"="+kv.path("app")+"#big").vault(kv.vault.Address).token(token).tally("-")
		c.binary = released(t)
		r := c.start()
		stop := time.NewTimer(time.Duration(i) * time.Millisecond) // what is tested is a moment
		for waiting := true; waiting; {
			if text, err := os.ReadFile(file); err == nil && string(text) != big {
				t.Errorf("run %d: %d of %d bytes were seen", i, len(text), len(big))
			}
			select {
			case <-stop.C:
				waiting = false
			default:
			}
		}
		r.signal(syscall.SIGTERM)
		r.wait()
		nothingLeft(t, dir)
	}
}
