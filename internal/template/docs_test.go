package template

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tableNames are the names in backquotes in the first column of the table behind a
// line of docs/templates.md, sorted.
func tableNames(t *testing.T, after string) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/templates.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), after+"\n\n")
	if !found {
		t.Fatalf("docs/templates.md has no line %q", after)
	}
	var names []string
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(strings.Split(line, "|")[1], -1) {
			names = append(names, strings.Fields(m[1])...)
		}
	}
	slices.Sort(names)
	return names
}

// TestDocsNameWhatIsRefused: whoever brings a template sees on the page whether it
// can be used.
func TestDocsNameWhatIsRefused(t *testing.T) {
	for after, refused := range map[string]map[string]string{
		"These of consul-template are errors that say so:":      unsupported(),
		"Refused, with a message that says what to do instead:": sprigRefused(),
	} {
		want := slices.Sorted(maps.Keys(refused))
		if got := tableNames(t, after); !slices.Equal(got, want) {
			t.Errorf("%s\nthe page has %v\nthe code has %v", after, got, want)
		}
	}
}
