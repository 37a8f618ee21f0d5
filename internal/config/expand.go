package config

import (
	"errors"
	"fmt"
	"strings"
)

// expand puts environment variables into a value: ${NAME}, or ${NAME:-TEXT}
// where NAME may be unset or empty. $${ stands for the two characters ${
// themselves. Nothing else is special: $NAME stays what it is.
func expand(text string, lookup func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "${")
		if !found {
			out.WriteString(text)
			return out.String(), nil
		}
		if literal, doubled := strings.CutSuffix(before, "$"); doubled {
			out.WriteString(literal + "${")
			text = after
			continue
		}
		out.WriteString(before)
		inside, rest, closed := strings.Cut(after, "}")
		name, instead, hasDefault := strings.Cut(inside, ":-")
		if !closed || !isName(name) {
			return "", errors.New("has a ${ that is no ${NAME} and no ${NAME:-TEXT}: write $${ for the two characters themselves")
		}
		value, set := lookup(name)
		if hasDefault && value == "" {
			value = instead
		} else if !set {
			return "", fmt.Errorf("needs the environment variable %s, which is not set: set it, or write ${%s:-TEXT}", name, name)
		}
		out.WriteString(value)
		text = rest
	}
}

func isName(s string) bool {
	for i, c := range s {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
