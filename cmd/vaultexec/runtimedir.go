package main

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"vaultexec/internal/settings"
)

// chooseRuntimeDir settles where private files are, if there are to be any. It
// chooses a directory that is not there yet, under a name that nobody can
// guess, unless the user has named one.
func chooseRuntimeDir(s *settings.Settings, environ []string) (chosen bool, err error) {
	if !s.Private() {
		return false, nil
	}
	if s.RuntimeDir != "" {
		s.RuntimeDir, err = filepath.Abs(s.RuntimeDir) // the command may be elsewhere
		return false, err
	}
	base, err := runtimeBase(environ, anotherUser(s))
	s.RuntimeDir = filepath.Join(base, "vaultexec-"+rand.Text())
	return true, err
}

// runtimeBase is a directory in memory: that of the user's session (XDG Base
// Directory Specification), which is private and goes when he logs out, or that
// of POSIX shared memory, which every container has. Ours is closed to another user.
func runtimeBase(environ []string, anotherUser bool) (string, error) {
	var candidates []string
	for _, entry := range environ {
		if dir, ok := strings.CutPrefix(entry, "XDG_RUNTIME_DIR="); ok && filepath.IsAbs(dir) && !anotherUser {
			candidates = append(candidates, dir)
		}
	}
	for _, dir := range append(candidates, memoryDirs()...) {
		if info, err := os.Stat(dir); err == nil && info.IsDir() && unix.Access(dir, unix.W_OK|unix.X_OK) == nil {
			return dir, nil
		}
	}
	return "", errNoRuntimeDir
}

// withRuntimeDir is environ with that setting, which nothing in it has set.
func withRuntimeDir(environ []string, dir string) []string {
	name := settings.EnvName("runtime-dir") + "="
	others := slices.DeleteFunc(slices.Clone(environ), func(entry string) bool { return strings.HasPrefix(entry, name) })
	return append(others, name+dir)
}
