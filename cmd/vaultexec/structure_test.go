package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDesignParts holds docs/design.md against the tree: it names each package,
// and those that it says do not import each other do not.
func TestDesignParts(t *testing.T) {
	text, err := os.ReadFile("../../docs/design.md")
	if err != nil {
		t.Fatal(err)
	}
	var named, there []string
	for _, part := range regexp.MustCompile(`(?m)^    internal/(\w+) `).FindAllSubmatch(text, -1) {
		named = append(named, string(part[1]))
	}
	dirs, err := os.ReadDir("../../internal")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		there = append(there, d.Name())
	}
	if slices.Sort(named); !slices.Equal(named, there) {
		t.Errorf("docs/design.md names %v, there are %v", named, there)
	}

	sentence := regexp.MustCompile(`(?m)^(.*) and (\w+) do not import each other`).FindSubmatch(text)
	if sentence == nil {
		t.Fatal("docs/design.md does not say which packages do not import each other")
	}
	apart := append(strings.Split(string(sentence[1]), ", "), string(sentence[2]))
	for _, name := range apart {
		for _, imported := range imports(t, "../../internal/"+name) {
			if other, ours := strings.CutPrefix(imported, "vaultexec/internal/"); ours && slices.Contains(apart, other) {
				t.Errorf("internal/%s imports internal/%s", name, other)
			}
		}
	}
}

// imports are what the files of a package import, its tests left out.
func imports(t *testing.T, dir string) (paths []string) {
	t.Helper()
	files, err := filepath.Glob(dir + "/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files are in %s: %v", dir, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
		}
	}
	return paths
}
