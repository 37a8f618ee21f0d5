package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// markdownLink is the target of a link, without what is behind a #.
var markdownLink = regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)

// Every link of the documentation to a file of ours leads to one.
func TestLinks(t *testing.T) {
	t.Parallel()
	var pages []string
	for _, glob := range []string{"../*.md", "../docs/*.md", "../docs/*/*.md", "../examples/*.md"} {
		found, err := filepath.Glob(glob)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	links := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range markdownLink.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
	if links == 0 {
		t.Errorf("no links in %q: this test reads them no more", pages)
	}
}
