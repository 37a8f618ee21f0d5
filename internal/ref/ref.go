// Package ref has the one grammar in which vaultexec's users name secrets:
//
//	[vault:]PATH[?PARAM=VALUE&...][#KEY[#VERSION]]
//	>>[vault:]PATH[?PARAM=VALUE&...][#KEY][#{JSON}]
//	vault:login[?PARAM=VALUE&...]
//
// The second form writes the JSON object, {} where there is none, and takes the
// answer: certificates of pki and whatever else an engine makes on demand. The
// third is the token of vaultexec's own login.
//
// PATH is what a user of the vault command would type. A character that the
// grammar uses itself is written as in a URL: %23 for #, %3F for ?, %26 for &,
// %25 for %. Nothing here knows Vault, and nothing is read.
package ref

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"vaultexec/internal/nearest"
)

// Source is what is read for a reference: references that share a Source
// share the read.
type Source struct {
	Namespace string // Vault namespace; empty means the one of the settings
	Path      string // as the user typed it, without slashes at its ends
	Version   int    // of KV v2; 0 means the newest
	Body      string // JSON object to write (>>PATH#KEY#{...}); empty: it is read
	Login     bool   // the token of the login, in the field TokenKey, in place of all that
}

// TokenKey is the one field of what vault:login names.
const TokenKey = "token"

// String is how messages name a source.
func (s Source) String() string {
	if s.Login {
		return Login
	}
	return Escape(s.Path) + s.where()
}

func (s Source) where() string {
	if s.Namespace != "" {
		return " in namespace " + Escape(s.Namespace)
	}
	return ""
}

// Case is how a variable's name is made of a field's name.
type Case string

const (
	CaseDefault Case = ""      // as the settings say
	CaseKeep    Case = "keep"  // as it is in Vault
	CaseUpper   Case = "upper" // upper case, and _ for what no shell takes in a name
)

// Ref is one parsed reference.
type Ref struct {
	Source
	Key      string  // field of the secret; empty means all of them
	Optional bool    // a missing secret or key is no error
	Default  *string // value to use where the secret or key is missing
	Decode   string  // base64: the value is decoded before it is used

	Refresh  *time.Duration // how often it is read again, 0: never; nil means as the settings say
	OnChange string         // what a change does, as --on-change has it; empty means as the settings say

	// Of a whole secret.
	Prefix *string  // before each name; nil means as the settings say
	Case   Case     // of each name
	Only   []string // globs: the fields to take; empty means all
	Except []string // globs: the fields to leave out

	// Of a file.
	Format string // raw, json, yaml, dotenv, export or properties; empty means by the file's name
	Mode   string // octal permissions
	Owner  string // USER[:GROUP], by name or number
}

// String names the reference in messages, by path and key.
func (r Ref) String() string {
	if r.Key == "" || r.Login {
		return r.Source.String()
	}
	return Escape(r.Path) + "#" + Escape(r.Key) + r.where()
}

// Use is where a reference stands, which decides what it may say.
type Use int

const (
	Variable Use = iota // one variable: needs a key
	Secret              // variables named by the secret itself
	File                // the content of a file
)

// param is one word that may follow the question mark.
type param struct {
	name  string
	uses  []Use
	key   rule // does it go with #KEY
	apply func(r *Ref, value string) error
}

type rule int

const (
	either rule = iota
	onlyWithKey
	onlyWithoutKey
)

var params = []param{
	{"version", []Use{Variable, Secret, File}, either, (*Ref).setVersion},
	{"optional", []Use{Variable, Secret, File}, either, func(r *Ref, v string) error {
		on, err := strconv.ParseBool(cmp.Or(v, "true"))
		if err != nil {
			return errors.New("is either there or not: optional, optional=true or optional=false")
		}
		r.Optional = on
		return nil
	}},
	{"default", []Use{Variable, Secret, File}, onlyWithKey, func(r *Ref, v string) error { r.Default = &v; return nil }},
	{"decode", []Use{Variable, File}, onlyWithKey, func(r *Ref, v string) error {
		r.Decode = v
		if v != "base64" {
			return fmt.Errorf("is base64, not %q", v)
		}
		return nil
	}},
	{"namespace", []Use{Variable, Secret, File}, either, (*Ref).setNamespace},
	{"prefix", []Use{Secret, File}, either, func(r *Ref, v string) error { r.Prefix = &v; return nil }},
	{"case", []Use{Secret, File}, either, func(r *Ref, v string) error {
		r.Case = Case(v)
		if r.Case != CaseKeep && r.Case != CaseUpper {
			return fmt.Errorf("is keep or upper, not %q", v)
		}
		return nil
	}},
	{"only", []Use{Secret, File}, onlyWithoutKey, func(r *Ref, v string) error { return addGlobs(&r.Only, v) }},
	{"except", []Use{Secret, File}, onlyWithoutKey, func(r *Ref, v string) error { return addGlobs(&r.Except, v) }},
	{"refresh", []Use{Variable, Secret, File}, either, (*Ref).setRefresh},
	{"on_change", []Use{Variable, Secret, File}, either, (*Ref).setOnChange},
	{"format", []Use{File}, either, func(r *Ref, v string) error { r.Format = v; return nil }},
	{"mode", []Use{File}, either, func(r *Ref, v string) error { r.Mode = v; return nil }},
	{"owner", []Use{File}, either, func(r *Ref, v string) error { r.Owner = v; return nil }},
}

// Parse reads one reference for the use it is put to. Its errors say what is
// wrong but not where: the caller knows the flag or the variable. They never
// repeat a parameter's value that could be a secret.
func Parse(text string, use Use) (Ref, error) {
	var r Ref
	if own, query, hasQuery := strings.Cut(text, "?"); own == Login {
		return parseLogin(query, hasQuery, use)
	}
	text, write := strings.CutPrefix(text, ">>")
	text = strings.TrimPrefix(text, "vault:")
	if write {
		var err error
		if text, r.Body, err = cutBody(text); err != nil {
			return r, err
		}
	}
	location, keys, _ := strings.Cut(text, "#")
	path, query, hasQuery := strings.Cut(location, "?")
	if err := r.setPath(path); err != nil {
		return r, err
	}
	if err := r.setKey(keys, strings.Contains(text, "#")); err != nil {
		return r, err
	}
	if use == Variable && r.Key == "" {
		return r, errors.New("one variable takes one key: add #KEY")
	}
	if hasQuery {
		if err := r.setParams(query, use); err != nil {
			return r, err
		}
	}
	if write && r.Version != 0 {
		return r, errors.New("what is written has no version to ask for")
	}
	if r.Optional && r.Default != nil {
		return r, errors.New("optional and default exclude each other: a default is never missing")
	}
	return r, nil
}

// Login is the reference to the token of the login, as vault-env has it.
const Login = "vault:login"

func parseLogin(query string, hasQuery bool, use Use) (Ref, error) {
	r := Ref{Source: Source{Login: true}, Key: TokenKey}
	if use == Secret {
		return r, errors.New("the token of the login is one value: give it a name with --env NAME=vault:login, or a file with --file DEST=vault:login")
	}
	if !hasQuery {
		return r, nil
	}
	err := r.setParams(query, use)
	if err == nil && r.Source != (Source{Login: true}) {
		err = errors.New("the token of the login has neither a version nor a namespace")
	}
	return r, err
}

// cutBody takes the JSON object off the end of a write. Its errors do not repeat
// it. Two ways to write the same object are one body.
func cutBody(text string) (rest, body string, err error) {
	rest, object, found := strings.Cut(text, "#{")
	if !found {
		return text, "{}", nil
	}
	dec := json.NewDecoder(strings.NewReader("{" + object))
	dec.UseNumber()
	var fields map[string]any
	if err := dec.Decode(&fields); err != nil || dec.More() {
		return "", "", errors.New("what is to be written is not one JSON object, as in >>PATH#KEY#{\"name\": \"value\"}")
	}
	return rest, string(mustMarshal(fields)), nil
}

// mustMarshal writes what was read as JSON before, or is text.
func mustMarshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("BUG: JSON that cannot be written: " + err.Error())
	}
	return text
}

func (r *Ref) setPath(escaped string) error {
	path, err := unescape(escaped)
	if err != nil {
		return fmt.Errorf("the path: %v", err)
	}
	r.Path = strings.Trim(path, "/")
	switch {
	case r.Path == "":
		return errors.New("the path is empty")
	case strings.ContainsFunc(r.Path, unicode.IsControl):
		return errors.New("the path has a control character in it")
	case slices.ContainsFunc(strings.Split(r.Path, "/"), func(e string) bool { return e == "" || e == "." || e == ".." }):
		return errors.New("the path has an empty, . or .. element")
	case strings.HasSuffix(r.Path, "/*"):
		return errors.New("the path ends in /*: name each secret, all below a path is not supported")
	case !strings.Contains(r.Path, "/"):
		return errors.New("the path has no slash: write MOUNT/PATH, as for vault kv get")
	}
	return nil
}

func (r *Ref) setKey(text string, present bool) error {
	if strings.Contains(text, "?") {
		return errors.New("parameters stand before the #, as in PATH?PARAM=VALUE#KEY; a ? in a key is written %3F")
	}
	escaped, version, versioned := strings.Cut(text, "#")
	if strings.Contains(escaped, "${") {
		return errors.New("a template in place of the key (${...}) is not supported")
	}
	key, err := unescape(escaped)
	if err != nil {
		return fmt.Errorf("the key: %v", err)
	}
	if present && key == "" {
		return errors.New("there is no key after #")
	}
	r.Key = key
	if !versioned {
		return nil
	}
	if err := r.setVersion(version); err != nil {
		return fmt.Errorf("the version after the second #: %v", err)
	}
	return nil
}

func (r *Ref) setVersion(v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return errors.New("is a number from 1 up")
	}
	if r.Version != 0 && r.Version != n {
		return errors.New("is given twice")
	}
	r.Version = n
	return nil
}

func (r *Ref) setRefresh(v string) error {
	d, err := time.ParseDuration(v)
	if v == "never" {
		d, err = 0, nil
	}
	if err != nil || d < 0 || d > 0 && d < MinRefresh {
		return fmt.Errorf("is a time from %s up, such as 30s or 5m, or never", MinRefresh)
	}
	r.Refresh = &d
	return nil
}

// MinRefresh keeps a slip from flooding Vault.
const MinRefresh = time.Second

// setOnChange checks the form; the signal's name is checked by who knows them.
func (r *Ref) setOnChange(v string) error {
	kind, argument, hasArgument := strings.Cut(v, ":")
	if (kind == "signal" || kind == "exec") != hasArgument || hasArgument && strings.TrimSpace(argument) == "" ||
		!slices.Contains([]string{"restart", "signal", "exec", "exit", "none"}, kind) {
		return errors.New("is restart, signal:NAME, exec:COMMAND, exit or none")
	}
	r.OnChange = v
	return nil
}

func (r *Ref) setNamespace(v string) error {
	if strings.ContainsFunc(v, unicode.IsControl) {
		return errors.New("has a control character in it")
	}
	r.Namespace = strings.Trim(v, "/")
	return nil
}

func (r *Ref) setParams(query string, use Use) error {
	given := map[string]bool{}
	for _, word := range strings.Split(query, "&") {
		name, escaped, _ := strings.Cut(word, "=")
		i := slices.IndexFunc(params, func(p param) bool { return p.name == name })
		if i < 0 && given["default"] {
			return errors.New("an unknown parameter follows default=: write %26 for an & in the default") // it may be half a secret
		}
		if i < 0 {
			return unknownParam(name, use)
		}
		p := params[i]
		switch {
		case given[name] && name != "only" && name != "except": // those add up
			return fmt.Errorf("parameter %s is given twice", name)
		case !slices.Contains(p.uses, use):
			return fmt.Errorf("parameter %s has no meaning here", name)
		case p.key == onlyWithKey && r.Key == "":
			return fmt.Errorf("parameter %s goes with one key: add #KEY", name)
		case p.key == onlyWithoutKey && r.Key != "":
			return fmt.Errorf("parameter %s goes with a whole secret: remove #%s", name, r.Key)
		}
		value, err := unescape(escaped)
		if err == nil {
			err = p.apply(r, value)
		}
		if err != nil {
			return fmt.Errorf("parameter %s %v", name, err)
		}
		given[name] = true
	}
	return nil
}

func unknownParam(name string, use Use) error {
	var known []string
	for _, p := range params {
		if slices.Contains(p.uses, use) {
			known = append(known, p.name)
		}
	}
	if near := nearest.To(name, known); len(near) > 0 {
		return fmt.Errorf("unknown parameter %q: did you mean %s?", name, near[0])
	}
	return fmt.Errorf("unknown parameter %q: there are %s", name, strings.Join(known, ", "))
}

func addGlobs(to *[]string, commaSeparated string) error {
	for _, g := range strings.Split(commaSeparated, ",") {
		if g == "" {
			return errors.New("has an empty name in it")
		}
		if err := CheckGlob(g); err != nil {
			return err
		}
		*to = append(*to, g)
	}
	return nil
}

// unescape undoes %XX. It never repeats its input: a default may be a secret.
func unescape(s string) (string, error) {
	out, err := url.PathUnescape(s)
	if err != nil {
		return "", errors.New("has a % that is not followed by two hexadecimal digits: write %25 for the sign itself")
	}
	return out, nil
}
