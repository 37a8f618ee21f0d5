// Package ref has the one grammar in which vaultexec's users name secrets:
//
//	[vault:]PATH[?PARAM=VALUE&...][#KEY[#VERSION]]
//	[vault:]PATH/*[?PARAM=VALUE&...]
//	>>[vault:]PATH[?PARAM=VALUE&...][#KEY][#{JSON}]
//	vault:login[?PARAM=VALUE&...]
//	[vault:]PATH[?PARAM=VALUE&...]#TEMPLATE[#VERSION]
//
// The second form takes every secret below PATH. The third writes the JSON
// object, {} where there is none, and takes the answer: certificates of pki and
// whatever else an engine makes on demand. The fourth is the token of vaultexec's
// own login. In the fifth ${ .field | function } takes the place of a key.
//
// PATH is what a user of the vault command would type. A character that the
// grammar uses itself is written as in a URL: %23 for #, %3F for ?, %26 for &,
// %25 for %, %2A for *. Nothing here knows Vault, and nothing is read.
package ref

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Source is what is read for a reference: references that share a Source
// share the read.
type Source struct {
	Namespace string // Vault namespace; empty means the one of the settings
	Path      string // as the user typed it, without slashes at its ends and without /*
	Below     bool   // PATH/*: not the secret at Path but every secret below it
	Version   int    // of KV v2; 0 means the newest
	Body      string // JSON object to write (>>PATH#KEY#{...}); empty: it is read
	Login     bool   // the token of the login, in the field TokenKey, in place of all that
	View      View   // what of the answer is wanted

	File       string // not Vault is read but this file or directory; nothing of the above is set
	FileFormat string // of File; empty: by its name and content
}

// View is what of an answer to a read is wanted. Views share the read.
type View int

const (
	FieldsOfSecret View = iota // what the secret holds
	WholeAnswer                // request_id, lease_id, lease_duration, renewable, data and warnings, as the API has them
	Names                      // keys: the names below a path, which are listed
)

// TokenKey is the one field of what vault:login names.
const TokenKey = "token"

// String is how messages name a source.
func (s Source) String() string {
	switch {
	case s.Login:
		return Login
	case s.File != "":
		return Escape(s.File)
	case s.Below:
		return Escape(s.Path) + everything + s.where()
	}
	return Escape(s.Path) + s.where()
}

// everything ends a path that stands for every secret below it.
const everything = "/*"

// Member is the secret that has the name below the source's path.
func (s Source) Member(name string) Source {
	s.Path, s.Below = s.Path+"/"+name, false
	return s
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
	Key      string   // field of the secret; empty means all of them, or Template
	Inner    []string // key within the map that Key's value is, and so on; empty: the value itself
	Template string   // Go template of the fields, with ${ and } as delimiters, in place of a key
	Optional bool     // a missing secret or key is no error
	Default  *string  // value to use where the secret or key is missing
	Decode   string   // base64: the value is decoded before it is used

	Refresh  *time.Duration // how often it is read again, 0: never; nil means as the settings say
	OnChange string         // what a change does, as --on-change has it; empty means as the settings say

	// Of a whole secret.
	Prefix *string  // before each name; nil means as the settings say
	Case   Case     // of each name
	Only   []string // globs: the fields to take; empty means all
	Except []string // globs: the fields to leave out

	PathNames bool // of PATH/*: the secret's path below PATH is part of each name

	// Of a file.
	Format string // raw, json, yaml, dotenv, export or properties; empty means by the file's name
	Mode   string // octal permissions
	Owner  string // USER[:GROUP], by name or number
}

// String names the reference in messages, by path and key.
func (r Ref) String() string {
	switch {
	case r.Template != "":
		return Escape(r.Path) + "#" + printable(r.Template) + r.where()
	case r.Key == "" || r.Login:
		return r.Source.String()
	}
	key := Escape(r.Key)
	for _, inner := range r.Inner {
		key += "/" + Escape(inner)
	}
	return Escape(r.Path) + "#" + key + r.where()
}

// IsOne tells whether the reference is to one value, not to all of a secret.
func (r Ref) IsOne() bool { return r.Key != "" || r.Template != "" }

// Use is where a reference stands, which decides what it may say.
type Use int

const (
	Variable Use = iota // one variable: needs a key
	Secret              // variables named by the secret itself
	File                // the content of a file
	From                // variables named by a file or by those in a directory: see ParseFrom
)

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
	if r.Template != "" && use == Secret {
		return r, errors.New("a template in place of the key has no name for its variable: use --env NAME=" + r.String())
	}
	if r.Below && (r.IsOne() || use == Variable || write) {
		return r, errors.New("PATH/* is many secrets: it goes with --secret and with files, and without a key; a star that is part of a name is written %2A")
	}
	if use == Variable && !r.IsOne() {
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
	escaped, r.Below = strings.CutSuffix(strings.TrimRight(escaped, "/"), everything)
	if strings.Contains(escaped, "*") {
		return errors.New("a * stands only at the end of a path, as in MOUNT/PATH/*, for every secret below it; a star that is part of a name is written %2A")
	}
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
	case !strings.Contains(r.Path, "/") && !r.Below: // all of a mount is below it
		return errors.New("the path has no slash: write MOUNT/PATH, as for vault kv get")
	}
	return nil
}

func (r *Ref) setKey(text string, present bool) error {
	if i := strings.Index(text, templateOpen); i >= 0 {
		return r.setTemplate(text)
	}
	if strings.Contains(text, "?") {
		return errors.New("parameters stand before the #, as in PATH?PARAM=VALUE#KEY; a ? in a key is written %3F")
	}
	escaped, version, versioned := strings.Cut(text, "#")
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

// unescape undoes %XX. It never repeats its input: a default may be a secret.
func unescape(s string) (string, error) {
	out, err := url.PathUnescape(s)
	if err != nil {
		return "", errors.New("has a % that is not followed by two hexadecimal digits: write %25 for the sign itself")
	}
	return out, nil
}
