//go:build linux

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A crash of vaultexec, even one that asks for a core dump, leaves none with a
// secret in it; the command's own crash does, if its limit says so.
func TestP7NoCoreDump(t *testing.T) {
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.TrimSpace(string(pattern)); strings.ContainsAny(text, "|/") {
		if os.Getenv("CI") != "" {
			t.Fatalf("core dumps do not go to the working directory here but to %q", text)
		}
		t.Skipf("core dumps do not go to the working directory here but to %q", text)
	}
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	start := func(t *testing.T, flags ...string) (*command, string) {
		c := kv.run(t, []string{"app"}, append(flags, "--env", "PASSWORD="+kv.path("app")+"#password")...)
		c.dir = t.TempDir()
		return c.env("GOTRACEBACK=crash"), c.dir
	}
	unlimited := func(t *testing.T) {
		var was syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &was); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{Cur: was.Max, Max: was.Max}); err != nil || was.Max == 0 {
			t.Fatalf("core dumps cannot be allowed: %v, at most %d", err, was.Max)
		}
		t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_CORE, &was) })
	}
	cores := func(dir string) []string {
		found, _ := filepath.Glob(filepath.Join(dir, "core*"))
		return found
	}
	t.Run("vaultexec", func(t *testing.T) {
		unlimited(t)
		for _, flags := range [][]string{{"--mode", "supervise"}, {"--init", "always"}} {
			c, dir := start(t, flags...)
			r := c.child("wait").start()
			r.waitLine("ready")
			child := r.waitChild()
			r.signal(syscall.SIGSEGV)
			r.poll("the end of vaultexec", func() bool { return syscall.Kill(r.pid(), 0) != nil })
			_ = syscall.Kill(child.Pid, syscall.SIGKILL) // without an init nobody else does
			res := r.wait()
			if res.status == 0 {
				t.Errorf("%v: it did not crash", flags)
			}
			if found := cores(dir); found != nil {
				t.Errorf("%v: there is %v", flags, found)
			}
		}
	})
	t.Run("the command", func(t *testing.T) {
		unlimited(t)
		c, dir := start(t, "--mode", "supervise")
		c.exec("/bin/sh", "-c", "kill -SEGV $$").run().exited(128 + int(syscall.SIGSEGV))
		if found := cores(dir); found == nil {
			t.Error("the command's core dump is missing")
		}
	})
}
