package config

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Of envconsul's templates in paths and names these forms have a use:
//
//	{{ env "NAME" }}                   in a path
//	{{ key }}                          in a name
//	{{ key | replaceKey "A" "B" }}     B where the key is A; another may follow
//
// They are read here rather than with text/template: there is no more to them.

var (
	errPathForm = errors.New(`has a {{ that is no {{ env "NAME" }}`)
	errNameForm = errors.New(`has a {{ that is no {{ key }} and no {{ key | replaceKey "A" "B" }}`)
)

// expandPath puts environment variables into envconsul's form of a path.
func expandPath(text string, lookup func(string) (string, bool)) (string, error) {
	parts, err := splitForms(text, errPathForm)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, p := range parts {
		if p.words == nil {
			out.WriteString(p.literal)
			continue
		}
		if len(p.words) != 2 || p.words[0] != "env" {
			return "", errPathForm
		}
		value, set := lookup(p.words[1])
		if !set {
			return "", errors.New("needs the environment variable " + p.words[1] + ", which is not set")
		}
		out.WriteString(value)
	}
	return out.String(), nil
}

// ParseFormat reads the format of a name, and returns what makes a name of a key.
func ParseFormat(text string) (func(key string) string, error) {
	parts, err := splitForms(text, errNameForm)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if p.words != nil && !p.isName() {
			return nil, errNameForm
		}
	}
	return func(key string) string {
		var out strings.Builder
		for _, p := range parts {
			if p.words == nil {
				out.WriteString(p.literal)
			} else {
				out.WriteString(p.name(key))
			}
		}
		return out.String()
	}, nil
}

// isName tells whether the words are key, and then any number of | replaceKey A B.
func (p part) isName() bool {
	if p.words[0] != "key" || len(p.words)%replaceWords != 1 {
		return false
	}
	for words := range slices.Chunk(p.words[1:], replaceWords) {
		if words[0] != "|" || words[1] != "replaceKey" {
			return false
		}
	}
	return true
}

// name is what the words, which isName has seen, make of a key: each replacement
// takes what the one before it has made.
func (p part) name(key string) string {
	for words := range slices.Chunk(p.words[1:], replaceWords) {
		if words[2] == key {
			key = words[3]
		}
	}
	return key
}

// replaceWords are those of a replacement: | replaceKey A B.
const replaceWords = 4

// part is a literal, or the words between {{ and }}.
type part struct {
	literal string
	words   []string // nil: it is a literal
}

func splitForms(text string, malformed error) ([]part, error) {
	var parts []part
	for {
		before, after, found := strings.Cut(text, "{{")
		parts = append(parts, part{literal: before})
		if !found {
			return parts, nil
		}
		inside, rest, closed := strings.Cut(after, "}}")
		words, err := splitWords(inside)
		if !closed || err != nil || len(words) == 0 {
			return nil, malformed
		}
		parts = append(parts, part{words: words})
		text = rest
	}
}

// splitWords splits at blanks; a word may be quoted as Go quotes it.
func splitWords(text string) ([]string, error) {
	var words []string
	for {
		text = strings.TrimLeft(text, " \t\n")
		switch {
		case text == "":
			return words, nil
		case text[0] == '"' || text[0] == '`':
			quoted, err := strconv.QuotedPrefix(text)
			if err != nil {
				return nil, err
			}
			word, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, err
			}
			words, text = append(words, word), text[len(quoted):]
		default:
			end := strings.IndexAny(text, " \t\n\"`")
			if end < 0 {
				end = len(text)
			}
			words, text = append(words, text[:end]), text[end:]
		}
	}
}
