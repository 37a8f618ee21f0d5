package from

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"vaultexec/internal/secret"
)

// parseJSON reads one object. The Agent Injector's JSON of a secret of KV version
// 2 has the fields one level down, beside the secret's metadata.
func parseJSON(text string) (secret.Fields, *syntaxError) {
	if !utf8.ValidString(text) {
		return nil, syntax(lineAt(text, validPrefix(text)), "this is not UTF-8, and JSON has to be")
	}
	fields, err := parseObject(text)
	if err != nil {
		return nil, err
	}
	inner, isVersion := versionOf(fields)
	if !isVersion {
		return fields, nil
	}
	if inner == nil {
		return nil, syntax(1, "the secret's version is deleted: it has metadata and no data")
	}
	fields = secret.Fields{}
	for name, v := range inner {
		fields[name] = secret.Of(v)
	}
	return fields, nil
}

func parseObject(text string) (secret.Fields, *syntaxError) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if token, err := dec.Token(); err != nil {
		return nil, broken(text)
	} else if token != json.Delim('{') {
		return nil, syntax(1, "this is JSON but not an object, {\"NAME\": \"VALUE\"}, so nothing in it has a name")
	}
	fields := secret.Fields{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, broken(text)
		}
		name, isText := token.(string)
		if !isText {
			return nil, broken(text)
		}
		if _, twice := fields[name]; twice {
			return nil, syntax(lineAt(text, int(dec.InputOffset())), "the field %q is there twice", name)
		}
		var v any
		if err := dec.Decode(&v); err != nil {
			return nil, broken(text)
		}
		fields[name] = secret.Of(v)
	}
	if _, err := dec.Token(); err != nil {
		return nil, broken(text)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, syntax(lineAt(text, int(dec.InputOffset())), "something follows the JSON object")
	}
	return fields, nil
}

// broken says where a text ends to be JSON. The error of the library has a
// character of the file in it, and a decoder's no place in the whole.
func broken(text string) *syntaxError {
	var v any
	bad := (*json.SyntaxError)(nil)
	if err := json.Unmarshal([]byte(text), &v); !errors.As(err, &bad) {
		return syntax(1, "this is not JSON")
	}
	offset := int(bad.Offset) - 1
	if offset+1 >= len(text) && strings.HasPrefix(bad.Error(), "unexpected end") {
		return syntax(lineAt(text, len(strings.TrimRight(text, "\n"))), "the JSON ends before it is complete")
	}
	return syntax(lineAt(text, offset), "this is not JSON")
}

// versionOf is the secret in an answer of KV version 2: nothing else has just
// these two fields, and that metadata.
func versionOf(fields secret.Fields) (data map[string]any, ok bool) {
	metadata, isObject := fields["metadata"].Any().(map[string]any)
	_, created := metadata["created_time"].(string)
	_, numbered := metadata["version"].(json.Number)
	value, there := fields["data"]
	if len(fields) != 2 || !there || !isObject || !created || !numbered {
		return nil, false
	}
	if value.IsNull() {
		return nil, true
	}
	data, ok = value.Any().(map[string]any)
	return data, ok
}

// validPrefix is how much of a text is UTF-8.
func validPrefix(text string) int {
	for i, r := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && size == 1 {
			return i
		}
	}
	return len(text)
}
