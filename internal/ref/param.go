package ref

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"vaultexec/internal/nearest"
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
	{"optional", []Use{Variable, Secret, File, From}, either, func(r *Ref, v string) error {
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
	{"prefix", []Use{Secret, File, From}, either, func(r *Ref, v string) error { r.Prefix = &v; return nil }},
	{"case", []Use{Secret, File, From}, either, func(r *Ref, v string) error {
		r.Case = Case(v)
		if r.Case != CaseKeep && r.Case != CaseUpper {
			return fmt.Errorf("is keep or upper, not %q", v)
		}
		return nil
	}},
	{"names", []Use{Secret, File}, either, (*Ref).setNames},
	{"only", []Use{Secret, File, From}, onlyWithoutKey, func(r *Ref, v string) error { return addGlobs(&r.Only, v) }},
	{"except", []Use{Secret, File, From}, onlyWithoutKey, func(r *Ref, v string) error { return addGlobs(&r.Except, v) }},
	{"refresh", []Use{Variable, Secret, File, From}, either, (*Ref).setRefresh},
	{"on_change", []Use{Variable, Secret, File, From}, either, (*Ref).setOnChange},
	{"format", []Use{File, From}, either, func(r *Ref, v string) error { r.Format = v; return nil }},
	{"mode", []Use{File}, either, func(r *Ref, v string) error { r.Mode = v; return nil }},
	{"owner", []Use{File}, either, func(r *Ref, v string) error { r.Owner = v; return nil }},
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

func (r *Ref) setNames(v string) error {
	switch {
	case !r.Below:
		return errors.New("goes with all secrets below a path: MOUNT/PATH/*")
	case v != "key" && v != "path":
		return fmt.Errorf("is key or path, not %q", v)
	}
	r.PathNames = v == "path"
	return nil
}

// MinRefresh keeps a slip from flooding Vault.
const MinRefresh = time.Second

func (r *Ref) setOnChange(v string) error {
	r.OnChange = v
	return CheckOnChange(v)
}

// CheckOnChange checks the form of a reaction; the signal's name is checked by
// who knows them.
func CheckOnChange(v string) error {
	kind, argument, hasArgument := strings.Cut(v, ":")
	if (kind == "signal" || kind == "exec") != hasArgument || hasArgument && strings.TrimSpace(argument) == "" ||
		!slices.Contains([]string{"restart", "signal", "exec", "exit", "none"}, kind) {
		return errors.New("is restart, signal:NAME, exec:COMMAND, exit or none")
	}
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
		case r.Below && (name == "version" || p.key == onlyWithKey):
			return fmt.Errorf("parameter %s goes with one secret, not with all below a path: name the secret in place of /*", name)
		case p.key == onlyWithKey && !r.IsOne():
			return fmt.Errorf("parameter %s goes with one key: add #KEY", name)
		case p.key == onlyWithoutKey && r.IsOne():
			return fmt.Errorf("parameter %s goes with a whole secret: remove #%s", name, r.Key+r.Template)
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
