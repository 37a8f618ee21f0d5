package template

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	text "text/template"
	"unicode"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// Secret is what the function secret gives, with the fields of consul-template.
type Secret struct {
	RequestID     string
	LeaseID       string
	LeaseDuration int // seconds
	Renewable     bool
	Data          map[string]any // of KV version 2: data and metadata
	Warnings      []string

	Auth, WrapInfo *withheld
}

// withheld is what would hold a token. A pointer to it is always nil; executeError
// knows the type by its name.
type withheld struct{}

// Certificate is what pkiCert gives: PEM, each with its line break.
type Certificate struct {
	Cert, Key, CA string
	CAChain       []string
}

func (e *execution) vaultFunctions() text.FuncMap {
	return text.FuncMap{"secret": e.secret, "secrets": e.secrets, "pkiCert": e.certificate}
}

// secret reads, or with NAME=VALUE pairs writes, and gives the whole answer.
func (e *execution) secret(args ...string) (any, error) {
	if len(args) == 0 {
		return nil, nil
	}
	s, err := e.target("secret", args)
	if err != nil {
		return nil, err
	}
	s.View = ref.WholeAnswer
	fields, there := e.ask(s)
	if !there {
		return nil, nil
	}
	if e.answers[s] == nil {
		if e.answers == nil {
			e.answers = map[ref.Source]*Secret{}
		}
		e.answers[s] = answerOf(fields)
	}
	return e.answers[s], nil
}

// answerOf makes the struct of the fields of a whole answer.
func answerOf(fields secret.Fields) *Secret {
	a := &Secret{}
	a.RequestID, _ = fields["request_id"].Any().(string)
	a.LeaseID, _ = fields["lease_id"].Any().(string)
	if n, ok := fields["lease_duration"].Any().(json.Number); ok {
		seconds, _ := n.Int64()
		a.LeaseDuration = int(seconds)
	}
	a.Renewable, _ = fields["renewable"].Any().(bool)
	a.Data, _ = copied(fields["data"].Any()).(map[string]any)
	list, _ := fields["warnings"].Any().([]any)
	for _, w := range list {
		if s, ok := w.(string); ok {
			a.Warnings = append(a.Warnings, s)
		}
	}
	return a
}

// copied keeps from the snapshot what a template does: sprig_set and mergeMap
// change what they are given.
func copied(v any) any {
	switch x := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(x))
		for k, v := range x {
			m[k] = copied(v)
		}
		return m
	case []any:
		list := make([]any, len(x))
		for i, v := range x {
			list[i] = copied(v)
		}
		return list
	}
	return v
}

// secrets lists the names below a path.
func (e *execution) secrets(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	path = strings.Trim(strings.TrimSpace(path), "/") // a mount alone will do
	if path == "" || strings.ContainsFunc(path, unicode.IsControl) {
		return nil, failf("secrets: the path is empty, or has a control character in it")
	}
	s := ref.Source{Path: path, View: ref.Names}
	fields, _ := e.ask(s)
	list, _ := fields["keys"].Any().([]any)
	names := make([]string, 0, len(list))
	for _, n := range list {
		if name, ok := n.(string); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// certificate issues one, and takes its parts from one answer.
func (e *execution) certificate(args ...string) (any, error) {
	if len(args) == 0 {
		return nil, nil
	}
	s, err := e.target("pkiCert", args)
	if err != nil {
		return nil, err
	}
	if s.Body == "" {
		s.Body = "{}"
	}
	fields, there := e.ask(s)
	if !there {
		return nil, nil
	}
	pem := func(name string) string {
		if text := strings.TrimSpace(fields[name].Text()); text != "" {
			return text + "\n"
		}
		return ""
	}
	c := Certificate{Cert: pem("certificate"), Key: pem("private_key"), CA: pem("issuing_ca")}
	chain, _ := fields["ca_chain"].Any().([]any)
	for _, link := range chain {
		if text, ok := link.(string); ok {
			c.CAChain = append(c.CAChain, strings.TrimSpace(text)+"\n")
		}
	}
	if c.CAChain == nil && c.CA != "" {
		c.CAChain = []string{c.CA}
	}
	return c, nil
}

// target is what PATH[?version=N] and NAME=VALUE pairs ask for.
func (e *execution) target(function string, args []string) (ref.Source, error) {
	s, err := target(function, args)
	if err != nil && !e.isLiteral(args[0]) {
		return s, failf("%s: the path, which the template makes, is none, or what it writes is not NAME=VALUE", function)
	}
	return s, err
}

// isLiteral tells whether a text stands in quotes in the template itself. Only
// such names are repeated in errors: others may be values of secrets.
func (e *execution) isLiteral(s string) bool {
	return strings.Contains(e.source, strconv.Quote(s)) || strings.Contains(e.source, "`"+s+"`")
}

// name is one for an error.
func (e *execution) name(s string) string {
	if e.isLiteral(s) {
		return strconv.Quote(s)
	}
	return "with the name that the template makes"
}

func target(function string, args []string) (ref.Source, error) {
	path, query, _ := strings.Cut(strings.TrimSpace(args[0]), "?")
	text := ref.Escape(strings.Trim(path, "/"))
	if query != "" {
		version, ok := strings.CutPrefix(query, "version=")
		if !ok {
			return ref.Source{}, failf("%s %q: the only parameter of a path is version", function, path)
		}
		text += "?version=" + version
	}
	r, err := ref.Parse(text, ref.Secret)
	if err != nil {
		return ref.Source{}, failf("%s %q: %v", function, path, err)
	}
	if len(args) == 1 {
		return r.Source, nil
	}
	body := map[string]string{}
	for _, pair := range args[1:] {
		if pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return ref.Source{}, failf("%s %q: what is to be written is NAME=VALUE, and one argument has no = in it", function, path)
		}
		body[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		panic("BUG: a map of strings is not JSON")
	}
	r.Body = string(encoded)
	return r.Source, nil
}

// ownFunctions depend on where the template is executed.
func (e *execution) ownFunctions() text.FuncMap {
	return text.FuncMap{
		"env":          func(name string) string { value, _ := e.env(name); return value },
		"mustEnv":      e.mustEnv,
		"envOrDefault": e.envOrDefault,
		"file":         e.file,
		"scratch":      func() *scratch { return &e.scratch },
		"loop":         e.loop,

		"executeTemplate": e.executeTemplate,
	}
}

func (e *execution) env(name string) (string, bool) {
	if e.data.Env == nil {
		return "", false
	}
	return e.data.Env(name)
}

func (e *execution) mustEnv(name string) (string, error) {
	value, _ := e.env(name)
	if value == "" {
		return "", failf("mustEnv: the variable %s is not set or empty", e.name(name))
	}
	return value, nil
}

// envOrDefault takes the default for a variable that is not set at all.
func (e *execution) envOrDefault(name, fallback string) string {
	if value, ok := e.env(name); ok {
		return value
	}
	return fallback
}

// maxFile keeps a slip from filling memory.
const maxFile = 16 << 20

// file reads a file, anew at each execution. With a sandbox it has to be in
// there, by its real path.
func (e *execution) file(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", e.fileFailure(name, err)
	}
	if e.options.Sandbox != "" {
		root, err := filepath.EvalSymlinks(e.options.Sandbox)
		if err != nil {
			return "", e.fileFailure(name, err)
		}
		if real != root && !strings.HasPrefix(real, strings.TrimSuffix(root, "/")+"/") {
			return "", failf("file %s: is outside of the sandbox %s", e.name(name), e.options.Sandbox)
		}
	}
	info, err := os.Stat(real)
	switch {
	case err != nil:
		return "", e.fileFailure(name, err)
	case !info.Mode().IsRegular():
		return "", failf("file %s: is no regular file", e.name(name))
	case info.Size() > maxFile:
		return "", failf("file %s: is larger than %d bytes", e.name(name), maxFile)
	}
	content, err := os.ReadFile(real)
	if err != nil {
		return "", e.fileFailure(name, err)
	}
	return string(content), nil
}

func (e *execution) fileFailure(name string, err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	return failf("file %s: cannot be read: %v", e.name(name), err)
}

// maxDepth is how deep executeTemplate can go: more is a template that calls itself.
const maxDepth = 100

// executeTemplate renders a template that {{ define }} made.
func (e *execution) executeTemplate(name string, dot ...any) (string, error) {
	if len(dot) > 1 {
		return "", failf("executeTemplate: takes a name and at most one value")
	}
	var data any
	if len(dot) == 1 {
		data = dot[0]
	}
	if e.template.Lookup(name) == nil {
		return "", failf("executeTemplate: there is no template %s", e.name(name))
	}
	if e.depth++; e.depth > maxDepth {
		return "", failf("executeTemplate: more than %d are within one another", maxDepth)
	}
	defer func() { e.depth-- }()
	var out limited
	err := e.template.ExecuteTemplate(&out, name, data)
	return out.String(), err
}
