package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// nothingClaimed are the points of the threat model that promise nothing, and so
// have nothing to test: how they begin.
var nothingClaimed = []string{"- **Swap.**", "- **Vault's answers are believed.**"}

// Each row and each point of the threat model names a test, and there is each
// test that it names, once: of two with a name nobody could say which is meant.
func TestThreatModelNamesTests(t *testing.T) {
	text, err := os.ReadFile("../docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	there := testNames(t, "..")
	name := regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	for _, m := range name.FindAllStringSubmatch(string(text), -1) {
		if n := there[m[1]]; n != 1 {
			t.Errorf("there are %d tests %s", n, m[1])
		}
	}
	found := claims(string(text))
	if len(found) < 20 {
		t.Errorf("it has %d claims: this test reads them no more", len(found))
	}
	exempt := 0
	for _, claim := range found {
		none := slices.ContainsFunc(nothingClaimed, func(begin string) bool { return strings.HasPrefix(claim, begin) })
		if none {
			exempt++
		}
		if named := name.MatchString(claim); named == none {
			t.Errorf("it names a test: %v, it claims nothing: %v: %s", named, none, claim)
		}
	}
	if exempt != len(nothingClaimed) {
		t.Errorf("%d points claim nothing, not %d", exempt, len(nothingClaimed))
	}
}

// claims are the rows of tables below their head, and the points of lists with
// the lines that continue them.
func claims(text string) []string {
	var out []string
	inRows, inPoint := false, false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "| ---"):
			inRows = true
		case strings.HasPrefix(line, "|") && inRows, strings.HasPrefix(line, "- "):
			out = append(out, line)
			inPoint = line[0] == '-'
		case strings.HasPrefix(line, "  ") && inPoint:
			out[len(out)-1] += line
		default:
			inRows, inPoint = false, false
		}
	}
	return out
}

// testNames are the tests in all files below a directory: name -> how many have it.
func testNames(t *testing.T, dir string) map[string]int {
	t.Helper()
	names := make(map[string]int)
	declared := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(t \*testing\.T\)`)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			names[m[1]]++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
