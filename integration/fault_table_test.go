package integration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// faultTable are the rows of doc.go's table, cell by cell.
func faultTable(t *testing.T) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line, in := strings.CutPrefix(line, "//\t")
		if cells := strings.Split(line, "|"); in && len(cells) > 1 {
			for i := range cells {
				if cells[i] = strings.TrimSpace(cells[i]); cells[i] == `"` && i > 0 {
					cells[i] = cells[i-1]
				}
			}
			rows = append(rows, cells)
		}
	}
	return rows
}

// tested is what the tests of this package say: test -> the words in its file,
// the names of its cases among them.
func tested(t *testing.T) (words map[string][]string, files map[string]string) {
	t.Helper()
	names, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	words, files = make(map[string][]string), make(map[string]string)
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		var tests, said []string
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if test, is := strings.CutPrefix(n.Name.Name, "Test"); is && n.Recv == nil {
					tests = append(tests, test)
				}
			case *ast.BasicLit:
				if word, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					said = append(said, word)
				}
			}
			return true
		})
		for _, test := range tests {
			words[test], files[test] = said, name
		}
	}
	return words, files
}

// The table of what is proven where names tests and cases that there are, has no
// empty cell, and none of the tests of trouble is missing in it.
func TestFaultTable(t *testing.T) {
	t.Parallel()
	rows := faultTable(t)
	words, files := tested(t)
	if len(rows) < 20 {
		t.Fatalf("the table has %d rows", len(rows))
	}
	named := make(map[string]bool)
	for _, row := range rows[1:] {
		if len(row) != len(rows[0]) {
			t.Errorf("%s: %d cells, want %d", row[0], len(row), len(rows[0]))
		}
		for i, cell := range row[1:] {
			if why, none := strings.CutPrefix(cell, "none: "); none && why != "" {
				continue
			}
			test, name, one := strings.Cut(cell, "/")
			named[test] = true
			if said, there := words[test]; !there || one && !slices.Contains(said, name) {
				t.Errorf("%s, %s: there is no test %q", row[0], rows[0][i+1], cell)
			}
		}
	}
	for test, file := range files {
		if strings.HasPrefix(file, "fault_") && file != "fault_table_test.go" && !named[test] {
			t.Errorf("%s: Test%s is not in the table of doc.go", file, test)
		}
	}
}
