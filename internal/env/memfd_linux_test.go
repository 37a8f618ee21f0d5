package env

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"vaultexec/internal/secret"
)

func descriptor(text string) PlannedDescriptor {
	return PlannedDescriptor{Number: 100, File: PlannedFile{Dest: "/proc/self/fd/100", Content: secret.Of(text), Mode: 0o400, UID: -1, GID: -1, Place: "--fd-env A"}}
}

// Each opening begins at the beginning, and nobody changes what is in it.
func TestP11Descriptor(t *testing.T) {
	for _, text := range []string{"", "short\x00\n", strings.Repeat("long", 1<<20)} {
		file, err := descriptor(text).Open()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		path := fmt.Sprintf("/proc/self/fd/%d", file.Fd())
		for range 2 {
			if got, err := os.ReadFile(path); err != nil || string(got) != text {
				t.Errorf("%d bytes, %v, want %d", len(got), err, len(text))
			}
		}
		if got, err := io.ReadAll(file); err != nil || string(got) != text {
			t.Errorf("through itself: %d bytes, %v, want %d", len(got), err, len(text))
		}
		again, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil { // of a user who may not write it
			again = file
		}
		for what, err := range map[string]error{
			"writing": func() error { _, err := again.WriteAt([]byte("x"), 0); return err }(),
			"longer":  again.Truncate(int64(len(text)) + 1),
			"shorter": again.Truncate(max(int64(len(text))-1, 0)),
		} {
			if err == nil && !(what == "shorter" && text == "") {
				t.Errorf("%s is possible", what)
			}
		}
		again.Close()
	}
}

func TestP11DescriptorMode(t *testing.T) {
	d := descriptor("x")
	d.File.Mode = 0o440
	if os.Getuid() == 0 {
		d.File.UID, d.File.GID = 1234, 5678
	}
	file, err := d.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	got := info.Sys().(*syscall.Stat_t)
	if info.Mode() != d.File.Mode || os.Getuid() == 0 && (got.Uid != 1234 || got.Gid != 5678) {
		t.Errorf("it is %v of %d:%d", info.Mode(), got.Uid, got.Gid)
	}
}

// What the kernel refuses is said.
func TestP12DescriptorRefused(t *testing.T) {
	t.Run("as nobody", func(t *testing.T) {
		if os.Getuid() == 0 {
			asNobody(t)
		}
		d := descriptor(canary)
		d.File.UID = 0
		_, err := d.Open()
		checkError(t, err, ClassWriteFailed, "--fd-env A: the owner cannot be set, which takes root or CAP_CHOWN: run with it, or remove owner= or --user")
	})
}
