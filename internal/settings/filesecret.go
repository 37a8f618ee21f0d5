package settings

import (
	"slices"
	"strings"

	"vaultexec/internal/config"
	"vaultexec/internal/env"
	"vaultexec/internal/ref"
)

// secret takes over a secret block.
func (l *layer) secret(c *config.Config, secret config.Secret) {
	place := secret.Place + ": secret " + secret.Path.Value
	text := secret.Path.Value
	for _, p := range secret.Params {
		separator := "?"
		if strings.Contains(text, "?") {
			separator = "&"
		}
		name, value, _ := strings.Cut(p.Value, "=")
		text += separator + name + "=" + strings.NewReplacer("%", "%25", "&", "%26", "#", "%23").Replace(value)
	}
	r, err := ref.Parse(text, ref.Secret)
	if err != nil {
		l.bad(secret.Place, "secret: %v", err)
		return
	}
	format, _ := config.ParseFormat("{{ key }}")
	if secret.Format.Value != "" {
		format, err = config.ParseFormat(secret.Format.Value)
	}
	if err != nil {
		panic("BUG: the format was checked when it was read: " + err.Error())
	}
	n := blockNaming{
		prefix: func(path string) string {
			if !r.Below {
				path = secret.Path.Value // as it is written
			}
			return sanitize(path) + "_"
		},
		format:   format,
		upper:    c.Upcase.Value,
		sanitize: c.Sanitize.Value,
	}
	if secret.Prefix.IsSet() || secret.NoPrefix.Value {
		n.prefix = func(string) string { return secret.Prefix.Value }
	}
	if asked := ref.Case(l.settings.Case); r.Case == ref.CaseUpper || r.Case == ref.CaseDefault && asked == ref.CaseUpper {
		n.upper, n.sanitize = true, true
	}
	if secret.Format.Value == "" { // else envconsul leaves them aside
		n.keys = secret.Keys
	}
	for _, k := range n.keys {
		if name := globEscaper.Replace(k.Name.Value); !slices.Contains(r.Only, name) {
			r.Only = append(r.Only, name)
		}
	}
	l.settings.files.Renamed = append(l.settings.files.Renamed, env.Renamed{Ref: r, Place: place, Names: n.names})
}

var globEscaper = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`)

// blockNaming is how envconsul names the variables of a secret: the key, or each
// of its own formats; before it the path; all that in the secret's format.
type blockNaming struct {
	prefix          func(path string) string
	format          func(string) string
	keys            []config.Key // empty: all keys as they are
	upper, sanitize bool
}

func (n blockNaming) names(path, field string) []string {
	names := []string{field}
	if len(n.keys) > 0 {
		names = nil
	}
	for _, k := range n.keys {
		if k.Name.Value != field {
			continue
		}
		name := field
		if k.Format.Value != "" {
			format, err := config.ParseFormat(k.Format.Value)
			if err != nil {
				panic("BUG: the format was checked when it was read: " + err.Error())
			}
			name = format(field)
		}
		names = append(names, name)
	}
	for i, name := range names {
		name = n.format(n.prefix(path) + name)
		if n.sanitize {
			name = sanitize(name)
		}
		if n.upper {
			name = strings.ToUpper(name)
		}
		names[i] = name
	}
	return names
}

// sanitize leaves in a name what every shell takes.
func sanitize(name string) string {
	b := []byte(name)
	for i, c := range b {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			b[i] = '_'
		}
	}
	return string(b)
}
