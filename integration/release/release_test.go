//go:build linux

package main

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
)

const testVersion = "v1.2.3-test"

// made is a release of one platform, in a directory of its own.
func made(t *testing.T, source string, p platform, env ...string) string {
	t.Helper()
	r := release{source: source, out: t.TempDir(), version: testVersion, progress: t.Output(), env: env}
	if err := r.write(t.Context(), []platform{p}); err != nil {
		t.Fatal(err)
	}
	return r.out
}

// copied is a copy of the module's source somewhere else.
func copied(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, part := range []string{"cmd", "internal"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join("../..", part))); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"go.mod", "go.sum", license} {
		text, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Somebody else's build, elsewhere and from nothing, gives the same bytes; and
// what it gives is what it says.
func TestReleaseIsReproducible(t *testing.T) {
	p := platform{"linux", runtime.GOARCH}
	one := made(t, "../..", p, "GOAMD64=v3", "GOFLAGS=-tags=other")
	other := made(t, copied(t), p, "GOCACHE="+t.TempDir())
	names := []string{p.file(), p.file() + ".cdx.json", "vaultexec.1", license, sumsFile}
	entries, err := os.ReadDir(one)
	if err != nil || len(entries) != len(names) {
		t.Errorf("there are %v, error %v, want %q", entries, err, names)
	}
	for _, name := range names {
		a, err := os.ReadFile(filepath.Join(one, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(other, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs", name)
		}
	}
	binary := filepath.Join(one, p.file())
	t.Run("static", func(t *testing.T) { isStatic(t, binary) })
	t.Run("version", func(t *testing.T) {
		text, err := exec.Command(binary, "version").Output()
		if err != nil || !strings.HasPrefix(string(text), "vaultexec "+testVersion+" ") {
			t.Errorf("version: %q, error %v", text, err)
		}
	})
	t.Run("checksums", func(t *testing.T) {
		cmd := exec.Command("sha256sum", "--check", "--strict", sumsFile)
		cmd.Dir = one
		if text, err := cmd.CombinedOutput(); err != nil || strings.Count(string(text), ": OK") != 4 {
			t.Errorf("%v\n%s", err, text)
		}
	})
	t.Run("materials", func(t *testing.T) { listsModules(t, binary) })
}

// isStatic checks that a binary asks for no interpreter and no library.
func isStatic(t *testing.T, binary string) {
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // it was only read
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("it has a segment %v", p.Type)
		}
	}
}

// listsModules checks that the SBOM has every module that is in the binary.
func listsModules(t *testing.T, binary string) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(binary + ".cdx.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // it was only read
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(f, cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if bom.Metadata.Component.Version != testVersion {
		t.Errorf("it is of version %q", bom.Metadata.Component.Version)
	}
	there := make(map[string]bool) // name@version of what has a checksum
	for _, c := range *bom.Components {
		if there[c.Name+"@"+c.Version] = c.Hashes != nil && len(*c.Hashes) == 1; strings.ContainsAny(c.PackageURL, "+ ") {
			t.Errorf("the package URL %q is not one", c.PackageURL)
		}
	}
	for _, dep := range info.Deps {
		if !there[dep.Path+"@"+dep.Version] {
			t.Errorf("%s %s is missing, or its checksum", dep.Path, dep.Version)
		}
	}
	if _, ok := there["std@"+strings.TrimPrefix(runtime.Version(), "go")]; !ok || len(info.Deps) == 0 || len(there) != len(info.Deps)+1 {
		t.Errorf("%d components, of %d modules and the standard library", len(there), len(info.Deps))
	}
}
