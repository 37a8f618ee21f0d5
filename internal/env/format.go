package env

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"vaultexec/internal/ref"
)

// format is one way of writing fields into a file.
type format struct {
	name       string
	extensions []string
	variables  bool                          // names are those of variables, by their rules
	nests      bool                          // has structure: the secrets of PATH/* are nested by their paths
	encode     func(content) (string, error) // nil for raw; errors name the field, never its value
}

// content is what a file in a format holds.
type content struct {
	fields []named // by name
	single bool    // the one field of #KEY: where there is structure, its value alone
}

var formats = []format{
	{name: "raw"},
	{name: "json", extensions: []string{".json"}, nests: true, encode: encodeJSON},
	{name: "yaml", extensions: []string{".yaml", ".yml"}, nests: true, encode: encodeYAML},
	{name: "dotenv", extensions: []string{".env"}, variables: true, encode: encodeDotenv},
	{name: "export", extensions: []string{".sh"}, variables: true, encode: encodeExport},
	{name: "properties", extensions: []string{".properties"}, encode: encodeProperties},
}

// chooseFormat goes by format=; without it one key is written raw, whatever
// the file is called, and a whole secret by the file's extension.
func chooseFormat(dest string, r ref.Ref) (format, error) {
	var names []string
	for _, f := range formats {
		if f.name == r.Format {
			if f.encode == nil && r.Below {
				return format{}, errors.New("format=raw writes one value, and PATH/* is many secrets: use format=json, yaml, dotenv, export or properties")
			}
			if f.encode == nil && !r.IsOne() {
				return format{}, errors.New("format=raw writes one value: add #KEY, or use format=json, yaml, dotenv, export or properties")
			}
			return f, nil
		}
		names = append(names, f.name)
	}
	if r.Format != "" {
		return format{}, fmt.Errorf("format=%s is none of %s%s", r.Format, strings.Join(names, ", "), didYouMean(r.Format, names))
	}
	if r.IsOne() {
		return formats[0], nil
	}
	for _, f := range formats {
		if slices.Contains(f.extensions, strings.ToLower(filepath.Ext(dest))) {
			return f, nil
		}
	}
	text := "the name does not tell the format of a whole secret: add format=json, yaml, dotenv, export or properties, end the name in .json, .yaml, .yml, .env, .sh or .properties"
	if !r.Below {
		text += ", or take one value with #KEY"
	}
	return format{}, errors.New(text)
}

// tree is the content as structure.
func (c content) tree() any {
	if c.single {
		return c.fields[0].value.Any()
	}
	object := map[string]any{}
	for _, f := range c.fields {
		object[f.name] = f.value.Any()
	}
	return object
}

// encodeJSON writes an object, or the value of the one key.
func encodeJSON(c content) (string, error) {
	if err := checkText(c, "JSON"); err != nil {
		return "", err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // it is for a program, not for a page
	enc.SetIndent("", "  ")
	if err := enc.Encode(c.tree()); err != nil {
		panic("BUG: a secret holds what is not JSON") // err would show the value
	}
	return b.String(), nil
}

// checkText finds text that is not UTF-8, which JSON, YAML and properties
// cannot hold. Vault cannot send it, but a default= can.
func checkText(c content, format string) error {
	for _, f := range c.fields {
		if !isText(f.name) || !isText(f.value.Any()) {
			return fmt.Errorf("field %q is not UTF-8, which %s cannot hold: write it by itself with #KEY, or store it in base64", f.field, format)
		}
	}
	return nil
}

func isText(v any) bool {
	switch x := v.(type) {
	case string:
		return utf8.ValidString(x)
	case []any:
		return !slices.ContainsFunc(x, func(e any) bool { return !isText(e) })
	case map[string]any:
		for k, e := range x {
			if !isText(k) || !isText(e) {
				return false
			}
		}
	}
	return true
}
