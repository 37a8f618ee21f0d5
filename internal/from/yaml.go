package from

import (
	"encoding/json"
	"errors"
	"strings"

	"vaultexec/internal/secret"
	"vaultexec/internal/yaml"
)

// parseYAML reads a map. What is read means the same in YAML 1.1 and 1.2, and to
// everybody's parser: a plain scalar is the text that is written there, 0777 and yes
// and 1e3 too, but for null, ~ and nothing at all, which are null. Lists and maps in
// the map become JSON, in which such a scalar would have to be one thing or the
// other: it is an error there.
func parseYAML(text string) (secret.Fields, *syntaxError) {
	root, err := yaml.Parse(text)
	if wrong, ok := errors.AsType[*yaml.Error](err); ok {
		return nil, syntax(wrong.Line, "%v", wrong)
	}
	fields := secret.Fields{}
	switch {
	case root == nil:
		return fields, nil
	case root.Kind != yaml.Map:
		return nil, syntax(root.Line, "only a map has names for variables, and this is none")
	}
	for i, key := range root.Keys {
		if _, twice := fields[key.Text]; twice {
			return nil, syntax(key.Line, "the field %q is there twice", key.Text)
		}
		value, err := yamlValue(root.Items[i])
		if err != nil {
			return nil, err
		}
		fields[key.Text] = value
	}
	return fields, nil
}

func yamlValue(n *yaml.Node) (secret.Value, *syntaxError) {
	switch {
	case n.Kind != yaml.Scalar:
		v, err := yamlJSON(n)
		return secret.Of(v), err
	case n.Plain && n.Value() == nil:
		return secret.Value{}, nil
	}
	return secret.Of(n.Text), nil
}

// yamlJSON is what JSON has for a value.
func yamlJSON(n *yaml.Node) (any, *syntaxError) {
	switch n.Kind {
	case yaml.List:
		list := make([]any, len(n.Items))
		for i, item := range n.Items {
			v, err := yamlJSON(item)
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return list, nil
	case yaml.Map:
		object := make(map[string]any, len(n.Items))
		for i, key := range n.Keys {
			if _, twice := object[key.Text]; twice {
				return nil, syntax(key.Line, "a key is there twice")
			}
			v, err := yamlJSON(n.Items[i])
			if err != nil {
				return nil, err
			}
			object[key.Text] = v
		}
		return object, nil
	}
	switch v := n.Value().(type) {
	case string, nil:
		return v, nil
	case bool:
		if n.Text == "true" || n.Text == "false" {
			return v, nil
		}
	default:
		if json.Valid([]byte(n.Text)) {
			return json.Number(n.Text), nil
		}
	}
	return nil, syntax(n.Line, "this value is a number or a truth value to some and a text to others: put quotes around it, or write it as JSON does")
}

// isDocumentStart tells whether a line begins a document.
func isDocumentStart(line string) bool {
	return line == "---" || strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "---\t")
}
