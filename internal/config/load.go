package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"vaultexec/internal/smallfile"
)

// Options are what a file is read with.
type Options struct {
	// Lookup finds environment variables, for ${NAME}.
	Lookup func(name string) (value string, set bool)
	// Flags are the names of vaultexec's own settings, as --stop-timeout is
	// called stop-timeout.
	Flags []string
}

// Error is what is wrong with the files, a sentence a line.
type Error struct{ text string }

func (e *Error) Error() string { return e.text }

// Class is how the failure is sorted for whoever reads it by machine.
func (*Error) Class() string { return "config" }

// Load reads files, and the .hcl and .json files of directories, in the order
// of their names. A directory may be a volume of Kubernetes: what begins with a
// dot is not looked at, and what else is there is noted. A file may add templates
// and secrets to those of an earlier one; any other block replaces the earlier one
// whole.
func Load(paths []string, opt Options) (*Config, error) {
	var problems []string
	merged := &Config{}
	for _, path := range paths {
		files, others, err := filesAt(path)
		if err != nil {
			problems = append(problems, err.Error())
		}
		for _, file := range files {
			text, err := smallfile.Read(file, maxFile)
			if err != nil {
				problems = append(problems, err.Error())
				continue
			}
			merged.merge(parse(file, []byte(text), opt, &problems))
			// A template's source or a CA's certificate may lie beside it.
			others = slices.DeleteFunc(others, func(name string) bool { return strings.Contains(text, "/"+name) })
		}
		if len(others) > 0 {
			merged.Notes = append(merged.Notes, Note{path, strings.Join(others, ", ") + ": not read, because of a directory only its own .hcl and .json files are: name it with a --config of its own, or remove it"})
		}
	}
	merged.checkTwice(&problems)
	if len(problems) > 0 {
		return nil, &Error{strings.Join(problems, "\n")}
	}
	return merged, nil
}

// Parse reads the text of one file; name stands for it in places.
func Parse(name string, text []byte, opt Options) (*Config, error) {
	var problems []string
	c := parse(name, text, opt, &problems)
	c.checkTwice(&problems)
	if len(problems) > 0 {
		return nil, &Error{strings.Join(problems, "\n")}
	}
	return c, nil
}

func parse(file string, text []byte, opt Options, problems *[]string) *Config {
	c := &Config{}
	root, err := parseText(text)
	if malformed := (*syntaxError)(nil); errors.As(err, &malformed) {
		*problems = append(*problems, place(file, malformed.line)+": "+malformed.why)
		return c
	}
	d := &decoder{file: file, lookup: opt.Lookup, flags: map[string]bool{}, config: c, problems: problems}
	for _, name := range opt.Flags {
		d.flags[strings.ReplaceAll(name, "-", "_")] = true
	}
	d.top(root)
	return c
}

// parseText tells JSON from HCL as HCL's own reader does: by a brace at the start.
func parseText(text []byte) (node, error) {
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	if tooDeep(text) {
		return node{}, &syntaxError{0, "is nested too deeply to be a configuration"}
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return parseJSON(text)
	}
	return parseHCL(text)
}

// maxDepth is more than any configuration has, brackets in texts included. Both
// parsers call themselves for each level, and HCL's takes a time that grows with
// the square of them.
const maxDepth = 500

func tooDeep(text []byte) bool {
	depth := 0
	for _, c := range text {
		switch c {
		case '{', '[':
			if depth++; depth > maxDepth {
				return true
			}
		case '}', ']':
			depth = max(0, depth-1)
		}
	}
	return false
}

// maxFile is what a ConfigMap can hold at most.
const maxFile = 1 << 20

// filesAt gives a file itself, and of a directory those that are configuration and
// the names of what else is there. envconsul reads all of that, directories too;
// the agent does not.
func filesAt(path string) (files, others []string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, &smallfile.Error{Path: path, Err: err}
	}
	if !info.IsDir() {
		return []string{path}, nil, nil
	}
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return nil, nil, &smallfile.Error{Path: path, Err: err}
	}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		file := filepath.Join(path, name)
		info, err := os.Stat(file) // behind the link: a Kubernetes volume has nothing but links
		isDir := err == nil && info.IsDir()
		if isDir || !strings.HasSuffix(name, ".hcl") && !strings.HasSuffix(name, ".json") {
			others = append(others, name)
			continue
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil, nil, fmt.Errorf("%s has no .hcl and no .json file in it", path)
	}
	return files, others, nil
}
