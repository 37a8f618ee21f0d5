// Package annotations reads the annotations of a pod, as a volume of the Downward
// API has them in a file, and makes of those of the Agent Injector (vault-k8s
// 1.7.6) what a configuration file would say: the files that the Injector's agent
// would render, the login and the connection. What it makes is a config.Config,
// so that from there on there is one way for both.
//
// Everything that is wrong is reported together, a sentence each with its line. No
// message repeats a value.
package annotations

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"vaultexec/internal/config"
	"vaultexec/internal/smallfile"
)

// prefix begins the names of the Injector's annotations. Others are nobody's
// business here.
const prefix = "vault.hashicorp.com/"

// Error is what is wrong with the annotations, a sentence a line.
type Error struct{ text string }

func (e *Error) Error() string { return e.text }

// Class is how the failure is sorted for whoever reads it by machine.
func (*Error) Class() string { return "config" }

// pod are the annotations that count.
type pod struct {
	file     string
	values   map[string]string // name without the prefix -> value
	lines    map[string]int    // likewise -> line
	config   *config.Config
	problems []string
}

// maxFile is more than Kubernetes takes for the annotations of a pod, 256 KiB, also
// when all of it is escaped.
const maxFile = 2 << 20

// Load reads a file. Where the service account's token of the Injector is, it
// looks there.
func Load(file string) (*config.Config, error) {
	text, err := smallfile.Read(file, maxFile)
	if err != nil {
		return nil, &Error{err.Error()}
	}
	return Parse(file, text, isFile)
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

// Parse reads the text of a file; name stands for it in messages. exists tells
// which files there are.
func Parse(name, text string, exists func(file string) bool) (*config.Config, error) {
	p := &pod{file: name, values: map[string]string{}, lines: map[string]int{}, config: &config.Config{}}
	p.read(text)
	if len(p.problems) == 0 {
		p.server()
		p.login(exists)
		p.templates()
		p.rest()
		p.without()
		p.look()
	}
	if len(p.problems) > 0 {
		return nil, &Error{strings.Join(p.problems, "\n")}
	}
	return p.config, nil
}

// read takes the lines apart: NAME="VALUE", where the value is quoted as Go
// quotes it.
func (p *pod) read(text string) {
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSuffix(line, "\r"); line == "" {
			continue
		}
		name, quoted, ok := strings.Cut(line, "=")
		if !ok || !strings.HasPrefix(quoted, `"`) {
			p.bad(i+1, `is not NAME="VALUE": mount the pod's metadata.annotations with a Downward API volume`)
			return // it is no such file, and each line would say so
		}
		name, ours := strings.CutPrefix(name, prefix)
		if !ours {
			continue
		}
		value, err := strconv.Unquote(quoted)
		switch first, twice := p.lines[name]; {
		case err != nil:
			p.bad(i+1, `%s%s has a value that is not quoted as the Downward API does it, with \n for a line break`, prefix, name)
		case twice:
			p.bad(i+1, "%s%s is there already, in line %d: remove one", prefix, name, first)
		}
		p.values[name], p.lines[name] = value, i+1
	}
}

func (p *pod) at(line int) string {
	if line == 0 {
		return p.file
	}
	return fmt.Sprintf("%s:%d", p.file, line)
}

func (p *pod) bad(line int, format string, args ...any) {
	p.problems = append(p.problems, p.at(line)+": "+fmt.Sprintf(format, args...))
}

// note is about an annotation that has no effect.
func (p *pod) note(name, format string, args ...any) {
	p.config.Notes = append(p.config.Notes, config.Note{Place: p.at(p.lines[name]), Text: prefix + name + " " + fmt.Sprintf(format, args...)})
}

// names are those of all annotations, sorted.
func (p *pod) names() []string { return slices.Sorted(maps.Keys(p.values)) }

// place is how messages call the annotation.
func place(name string) string { return "annotation " + prefix + name }

// text is the value of an annotation. One that is empty says nothing.
func (p *pod) text(name string) config.Given[string] {
	if p.values[name] == "" {
		return config.Given[string]{}
	}
	return config.Given[string]{Value: p.values[name], Place: place(name)}
}

// parsed is a value that parse understands.
func parsed[T any](p *pod, name string, parse func(string) (T, error)) config.Given[T] {
	text := p.text(name)
	if !text.IsSet() {
		return config.Given[T]{}
	}
	v, err := parse(text.Value)
	if err != nil {
		p.bad(p.lines[name], "%s%s %v", prefix, name, err)
		return config.Given[T]{}
	}
	return config.Given[T]{Value: v, Place: text.Place}
}

func (p *pod) yes(name string) config.Given[bool] { return parsed(p, name, config.ParseBool) }

func (p *pod) duration(name string) config.Given[time.Duration] {
	return parsed(p, name, config.ParseDuration)
}

func (p *pod) number(name string) config.Given[int] {
	return parsed(p, name, func(text string) (int, error) {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return 0, errors.New("is not a whole number")
		}
		return int(n), nil
	})
}
