package ref

import (
	"fmt"
	"strconv"
	"strings"
)

// Written is the reference as it can be given again, for one more or one less of
// what it says. Values that may be secret are left out: of default=, and what
// >>PATH writes.
func (r Ref) Written() string {
	switch {
	case r.Login:
		return Login + r.query()
	case r.File != "":
		return Escape(r.File) + r.query()
	}
	text := Escape(r.Path)
	if r.Below {
		text += everything
	}
	if r.Body != "" {
		text = ">>" + text
	}
	text += r.query()
	switch {
	case r.Template != "":
		text += "#" + r.Template
	case len(r.Inner) > 0: // which vals has, and we as a template: a list or a map there is printed otherwise
		text += "#${index . " + strconv.Quote(r.Key)
		for _, inner := range r.Inner {
			text += " " + strconv.Quote(inner)
		}
		text += "}"
	case r.Key != "":
		text += "#" + Escape(r.Key)
	}
	return text
}

// query are its parameters, in the order of params.
func (r Ref) query() string {
	var words []string
	add := func(name, value string) {
		if value != "" {
			words = append(words, name+"="+Escape(value))
		}
	}
	if r.Version != 0 {
		add("version", fmt.Sprint(r.Version))
	}
	if r.Optional {
		words = append(words, "optional")
	}
	add("decode", r.Decode)
	add("namespace", r.Namespace)
	if r.Prefix != nil {
		words = append(words, "prefix="+Escape(*r.Prefix))
	}
	add("case", string(r.Case))
	if r.PathNames {
		add("names", "path")
	}
	globs := func(name string, list []string) {
		if len(list) > 0 {
			words = append(words, name+"="+strings.ReplaceAll(Escape(strings.Join(list, ",")), "%2A", "*"))
		}
	}
	globs("only", r.Only)
	globs("except", r.Except)
	switch {
	case r.Refresh == nil:
	case *r.Refresh == 0:
		add("refresh", "never")
	default:
		add("refresh", r.Refresh.String())
	}
	add("on_change", r.OnChange)
	add("format", r.Format+r.FileFormat)
	add("mode", r.Mode)
	add("owner", r.Owner)
	if len(words) == 0 {
		return ""
	}
	return "?" + strings.Join(words, "&")
}
