// Command podapp stands in for an application in a pod: it writes down what it
// was given, as the child of the tests does, and what is in the files that are
// among its arguments.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	report := struct {
		Args  []string
		Env   []string
		UID   int
		Files map[string]string
	}{os.Args, os.Environ(), os.Getuid(), make(map[string]string)}
	files, _ := filepath.Glob(os.Getenv("CREDENTIALS_DIRECTORY") + "/*") // the pattern is fine
	for _, file := range append(os.Args[1:], files...) {
		if text, err := os.ReadFile(file); err == nil {
			report.Files[file] = string(text)
		}
	}
	text, err := json.Marshal(report)
	if err == nil {
		err = os.WriteFile("/report/child.json", text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "podapp:", err)
		os.Exit(1)
	}
}
