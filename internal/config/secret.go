package config

import "slices"

// secretParams are the keys of a secret block that envconsul does not have: the
// parameters of a reference.
var secretParams = []string{"version", "optional", "namespace", "case", "only", "except", "refresh", "on_change"}

func isSecretKey(key string) bool {
	return slices.Contains(secretParams, key) || slices.Contains([]string{"path", "prefix", "no_prefix", "format", "key"}, key)
}

// secret reads a secret block: envconsul's, whose path may also be its label.
func (d *decoder) secret(label string, n node) {
	s := Secret{Place: place(d.file, n.line)}
	if label != "" {
		path := entry{line: n.line, key: "path", value: node{line: n.line, text: label}}
		d.path(&s.Path).read(path)
	}
	f := fields{
		"path":      d.path(&s.Path),
		"prefix":    d.text(&s.Prefix),
		"no_prefix": d.yes(&s.NoPrefix),
		"format":    d.format(&s.Format),
		"key":       d.labelled(isKeyKey, func(label string, n node) { d.key(&s, label, n) }),
	}
	for _, name := range secretParams {
		f[name] = field{read: func(e entry) {
			var v Given[string]
			d.text(&v).read(e)
			if v.IsSet() {
				v.Value = e.key + "=" + v.Value
				s.Params = append(s.Params, v)
			}
		}}
	}
	d.block("secret", n, f)
	switch {
	case s.Path.Value == "":
		d.bad(n.line, "secret has no path: write secret \"MOUNT/PATH\" { ... }")
	case s.Prefix.IsSet() && s.NoPrefix.Value:
		d.bad(n.line, "secret has prefix and no_prefix: remove one")
	}
	d.config.Secrets = append(d.config.Secrets, s)
}

func isKeyKey(key string) bool { return key == "name" || key == "format" }

func (d *decoder) key(s *Secret, label string, n node) {
	k := Key{Place: place(d.file, n.line)}
	if label != "" {
		k.Name = Given[string]{label, k.Place}
	}
	d.block("secret.key", n, fields{"name": d.text(&k.Name), "format": d.format(&k.Format)})
	if k.Name.Value == "" {
		d.bad(n.line, "secret.key has no name: write key \"NAME\" { ... }")
	}
	s.Keys = append(s.Keys, k)
}

// path is a text that may have environment variables in envconsul's form too.
func (d *decoder) path(to *Given[string]) field {
	return parsed(d, to, func(_ node, text string) (string, error) { return expandPath(text, d.lookup) })
}

// format is the form of a variable's name.
func (d *decoder) format(to *Given[string]) field {
	raw := d.raw(to)
	return field{read: func(e entry) {
		raw.read(e)
		if _, err := ParseFormat(to.Value); err != nil {
			d.bad(e.line, "%s %v", e.key, err)
		}
	}}
}
