//go:build linux

package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// hangOver puts a file system over a directory that answers nothing: one in user
// space (fuse(4)) whose server never reads a request. What has asked it waits
// until the server is gone and cannot be interrupted but by KILL, as with a dead
// NFS server. What it returns makes all of them fail, and gives the directory
// back.
func hangOver(t *testing.T, dir string) (end func()) {
	t.Helper()
	server, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err == nil {
		options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", server.Fd())
		err = syscall.Mount("vaultexec-test", dir, "fuse", 0, options)
	}
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("no hanging file system can be made here, and CI must test one: %v", err)
	default:
		t.Skipf("no hanging file system can be made here: %v", err)
	}
	ended := false
	end = func() {
		if !ended {
			ended = true
			mustDo(t, server.Close())
			mustDo(t, syscall.Unmount(dir, syscall.MNT_DETACH))
		}
	}
	t.Cleanup(end)
	return end
}

// hanging is a run whose file is on a file system that hangs while a change is
// to be written there.
func hanging(t *testing.T, p place, status string) (l *life, kv *kv, dir string, end func()) {
	t.Helper()
	kv, dir = kvMount(t, 2), t.TempDir()
	kv.put(t, "app", fields{"v": "1"})
	proxy := newProxy(t, kv.vault.Address)
	flags := append(append(p.flags, quick...), "--restart", "on-failure",
		"--env", "V="+kv.path("app")+"#v", "--file", filepath.Join(dir, "v")+"="+kv.path("app")+"#v")
	l = kv.run(t, []string{"app"}, flags...).vault(proxy.address).env("LIVE_STATUS=" + status).live()
	l.starts(1, "V", "1")
	end = hangOver(t, dir)
	kv.put(t, "app", fields{"v": "2"})
	l.more(proxy, 3, http.MethodGet, kv.data("app"))
	return l, kv, dir, end
}

// A file system that hangs while a change is written there is no reason to let
// the command wait: it goes on, its end is noticed and it is started anew as it
// was. When the file system answers again, the change arrives.
func TestP2FileSystemHangs(t *testing.T) {
	t.Parallel()
	l, kv, dir, end := hanging(t, oneProcess, "0")
	l.signal(syscall.SIGUSR1)
	l.nth(1, "got user defined signal 1")
	l.waitLog("still not in place")
	mustDo(t, syscall.Kill(l.nth(1, "start").Pid, syscall.SIGKILL))
	l.starts(2, "V", "1")
	kv.put(t, "app", fields{"v": "3"})
	end()
	l.poll("a child with the last value", func() bool { // one with what hung may come before
		last := l.events("start")
		return last[len(last)-1].lookup("V") == "3"
	})
	if text, err := os.ReadFile(filepath.Join(dir, "v")); err != nil || string(text) != "3" {
		t.Errorf("the file has %q, %v, want 3", text, err)
	}
	res := l.stop().says("does their file system answer?")
	if n := said(res.stderr, "still not in place"); n != 1 {
		t.Errorf("said %d times that the files are not in place", n)
	}
	nothingLeft(t, dir)
}

// TERM while it hangs stops the command as ever. What is on the file system is
// left behind, which is said, and nothing waits for it for long.
func TestP4StopWhileTheFileSystemHangs(t *testing.T) {
	t.Parallel()
	for _, p := range []place{oneProcess, outsideInit} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			l, _, _, _ := hanging(t, p, "4")
			began := time.Now()
			l.signal(syscall.SIGTERM)
			l.nth(1, "stop")
			l.wait().exited(4).says("files may be left behind")
			if lasted := time.Since(began); lasted > waitLimit/2 {
				t.Errorf("it took %v", lasted)
			}
		})
	}
}
