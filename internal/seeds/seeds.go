// Package seeds has what fuzz targets begin with. Only tests import it.
package seeds

import (
	"os"
	"path/filepath"
	"testing"
)

// Files are the texts of the caller's files in testdata whose names match pattern,
// as they are met in practice. None is a failure of the test.
func Files(f *testing.F, pattern string) []string {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds %s: %v", pattern, err)
	}
	var texts []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}
