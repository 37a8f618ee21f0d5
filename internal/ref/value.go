package ref

import (
	"errors"
	"strings"
)

// Segment is a piece of a variable's value: literal text, or a reference whose
// value stands in its place.
type Segment struct {
	Literal string
	Ref     *Ref // nil for literal text
}

// ParseValue reads the value of an environment variable that may contain
// references in the forms that vault-env gave them:
//
//	vault:PATH#KEY[#VERSION]               the whole value
//	postgres://app:${vault:PATH#KEY}@db    inline, any number of them
//
// It returns nil for a value without any. A text that merely looks similar
// (vault:8200, an image name, vault:v1:... of the transit engine) has no #KEY
// and is left alone.
func ParseValue(value string) ([]Segment, error) {
	if strings.HasPrefix(value, "vault:") || strings.HasPrefix(value, ">>vault:") {
		if !strings.Contains(value, "#") {
			return nil, nil
		}
		r, err := Parse(value, Variable)
		if err != nil {
			return nil, err
		}
		return []Segment{{Ref: &r}}, nil
	}
	return parseInline(value)
}

const (
	inlineOpen  = "${vault:"
	inlineWrite = "${>>vault:"
)

func parseInline(value string) ([]Segment, error) {
	var segments []Segment
	rest := value
	for {
		if strings.Contains(rest, inlineWrite) {
			return nil, errors.New("writes (${>>vault:...}) are not supported; a reference reads")
		}
		literal, after, found := strings.Cut(rest, inlineOpen)
		if !found {
			break
		}
		inner, tail, closed := strings.Cut(after, "}")
		if !closed {
			return nil, errors.New("${vault: is not closed by }")
		}
		r, err := Parse(inner, Variable)
		if err != nil {
			return nil, err
		}
		if literal != "" {
			segments = append(segments, Segment{Literal: literal})
		}
		segments = append(segments, Segment{Ref: &r})
		rest = tail
	}
	if segments != nil && rest != "" {
		segments = append(segments, Segment{Literal: rest})
	}
	return segments, nil
}
