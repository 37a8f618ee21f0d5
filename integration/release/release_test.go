//go:build linux

package main

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
)

const testVersion = "v1.2.3-test"

// made is a release of some platforms, in a directory of its own.
func made(t *testing.T, source string, platforms []platform, env ...string) string {
	t.Helper()
	r := release{source: source, out: t.TempDir(), version: testVersion, progress: t.Output(), env: env}
	if err := r.write(t.Context(), platforms); err != nil {
		t.Fatal(err)
	}
	return r.out
}

// copied is a copy of the module's source somewhere else, at a path of another
// length.
func copied(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "another", "check out")
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

// promised are the platforms of a release, by the names of their binaries.
var promised = map[string]string{ // name -> what the binary says of itself
	"vaultexec-linux-amd64": "linux amd64 v1", "vaultexec-linux-arm64": "linux arm64 v8.0", "vaultexec-linux-armv7": "linux arm 7", "vaultexec-linux-s390x": "linux s390x ",
	"vaultexec-darwin-amd64": "darwin amd64 v1", "vaultexec-darwin-arm64": "darwin arm64 v8.0",
}

// A release has a binary and its bill of materials for every platform, and what
// they share; the checksums are of all of it, and there is nothing else.
// Somebody else's build, elsewhere and from nothing, gives the same bytes: also
// for another machine than the one it is made on. Two platforms are enough for that
// (CONTRIBUTING.md, Releasing).
func TestReleaseIsReproducible(t *testing.T) {
	native := platform{"linux", runtime.GOARCH}
	again := []platform{native, {"linux", "arm"}}
	one := made(t, "../..", platforms, "GOAMD64=v3", "GOFLAGS=-tags=other")
	other := made(t, copied(t), again, "GOCACHE="+t.TempDir())

	names := []string{license, "vaultexec.1"}
	for name := range promised {
		names = append(names, name, name+".cdx.json")
	}
	for _, name := range append(names, sumsFile) {
		t.Run(name, func(t *testing.T) {
			a, err := os.ReadFile(filepath.Join(one, name))
			if err != nil || len(a) == 0 {
				t.Fatalf("%d bytes, %v", len(a), err)
			}
			b, err := os.ReadFile(filepath.Join(other, name))
			if name == sumsFile { // of fewer platforms there
				return
			}
			if err != nil && !isOf(name, again) {
				return
			}
			if err != nil || !bytes.Equal(a, b) {
				t.Errorf("%s differs: %v", name, err)
			}
		})
	}
	entries, err := os.ReadDir(one)
	if err != nil || len(entries) != len(names)+1 {
		t.Errorf("there are %v, error %v, want %q and %s", entries, err, names, sumsFile)
	}
	for name, of := range promised {
		binary := filepath.Join(one, name)
		t.Run(name+" says", func(t *testing.T) { isFor(t, binary, of) })
		if strings.Contains(name, "linux") {
			t.Run(name+" is static", func(t *testing.T) { isStatic(t, binary) })
		}
		t.Run(name+" lists", func(t *testing.T) { listsModules(t, binary) })
	}
	t.Run("version", func(t *testing.T) {
		text, err := exec.Command(filepath.Join(one, native.file()), "version").Output()
		if err != nil || !strings.HasPrefix(string(text), "vaultexec "+testVersion+" ") {
			t.Errorf("version: %q, error %v", text, err)
		}
	})
	t.Run("checksums", func(t *testing.T) {
		cmd := exec.Command("sha256sum", "--check", "--strict", sumsFile)
		cmd.Dir = one
		if text, err := cmd.CombinedOutput(); err != nil || strings.Count(string(text), ": OK") != len(names) {
			t.Errorf("%v\n%s", err, text)
		}
	})
}

// isOf tells whether a file is one of a release of these platforms.
func isOf(name string, platforms []platform) bool {
	own := !strings.HasPrefix(name, "vaultexec-")
	for _, p := range platforms {
		own = own || strings.TrimSuffix(name, ".cdx.json") == p.file()
	}
	return own
}

// isFor checks what a binary says that it is built for: system, architecture and
// instruction set.
func isFor(t *testing.T, binary, want string) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, s := range info.Settings {
		said[s.Key] = s.Value
	}
	arch := said["GOARCH"]
	level := map[string]string{"amd64": "GOAMD64", "arm64": "GOARM64", "arm": "GOARM"}[arch]
	if got := said["GOOS"] + " " + arch + " " + said[level]; got != want || said["CGO_ENABLED"] != "0" || said["-trimpath"] != "true" {
		t.Errorf("it says %s, want %s; %v", got, want, said)
	}
}

// What is released is what the Makefile makes: by this program, of the version
// that git tells.
func TestMakeRelease(t *testing.T) {
	cmd := exec.Command("make", "--dry-run", "--no-print-directory", "release", "VERSION="+testVersion)
	cmd.Dir = "../.."
	text, err := cmd.CombinedOutput()
	if want := "go -C integration run ./release -version '" + testVersion + "' -out ../dist\n"; err != nil || string(text) != want {
		t.Errorf("make release does %q, %v, want %q", text, err, want)
	}
	var files []string
	for _, p := range platforms {
		files = append(files, p.file())
	}
	slices.Sort(files)
	if want := slices.Sorted(maps.Keys(promised)); !slices.Equal(files, want) {
		t.Errorf("a release is of %q, want %q", files, want)
	}
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
