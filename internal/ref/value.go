package ref

import (
	"encoding/json"
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
//	>>vault:PATH#KEY[#{JSON}]              the same, of the answer to a write
//	postgres://app:${vault:PATH#KEY}@db    inline, any number of them, written ones too
//	vault:PATH#${.field | function}        a template in place of KEY, in all of these
//
//	vault:login                            the token of vaultexec's own login
//	ref+vault://PATH[?PARAM=VALUE&...]#/KEY   the form of vals
//
//	bao:PATH#KEY, >>bao:..., ${bao:...}    secret-init's words for the same in OpenBao
//
// It returns nil for a value without any. A text that merely looks similar
// (vault:8200, an image name, vault:v1:... of the transit engine) has no #KEY
// and is left alone.
func ParseValue(value string) ([]Segment, error) {
	if rest, ok := strings.CutPrefix(value, valsScheme); ok {
		r, err := parseVals(rest)
		if err != nil {
			return nil, err
		}
		return []Segment{{Ref: &r}}, nil
	}
	value = ofVault(value)
	if value == Login {
		return []Segment{{Ref: &Ref{Source: Source{Login: true}, Key: TokenKey}}}, nil
	}
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

// ofVault writes as one to Vault what secret-init calls a reference to OpenBao,
// whose API is Vault's.
func ofVault(text string) string {
	if rest, ok := strings.CutPrefix(text, "bao:"); ok {
		return "vault:" + rest
	}
	if rest, ok := strings.CutPrefix(text, ">>bao:"); ok {
		return ">>vault:" + rest
	}
	return text
}

// inlineOpeners are what an inline reference begins with.
var inlineOpeners = [...]string{"${vault:", "${>>vault:", "${bao:", "${>>bao:"}

// cutOpener splits a text before its first inline reference.
func cutOpener(text string) (literal, rest string, found bool) {
	first := -1
	for _, opener := range inlineOpeners {
		if at := strings.Index(text, opener); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	if first < 0 {
		return text, "", false
	}
	return text[:first], text[first:], true
}

func parseInline(value string) ([]Segment, error) {
	var segments []Segment
	rest := value
	for {
		literal, reference, found := cutOpener(rest)
		if !found {
			break
		}
		inner, tail, closed := cutInline(reference[len("${"):])
		if !closed {
			return nil, errors.New(reference[:strings.IndexByte(reference, ':')+1] + " is not closed by }")
		}
		r, err := Parse(ofVault(inner), Variable)
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

// keyTemplate is where the template begins that an inline reference has in place
// of its key, or -1.
func keyTemplate(text string) int {
	if strings.HasPrefix(text, ">>") {
		text, _, _ = strings.Cut(text, "#{") // what is written is its own business
	}
	_, key, _ := strings.Cut(text, "#")
	if i := strings.Index(key, templateOpen); i >= 0 {
		return len(text) - len(key) + i
	}
	return -1
}

// cutInline splits at the brace that closes an inline reference; the JSON object
// of a write has braces of its own, and so have the actions of a template.
func cutInline(text string) (inner, tail string, closed bool) {
	end := strings.IndexByte(text, '}')
	for at := keyTemplate(text); at >= 0 && at < end; {
		_, rest, err := cutAction(text[at:])
		if err != nil {
			return "", "", false
		}
		begin := len(text) - len(rest)
		if end = strings.IndexByte(rest, '}'); end >= 0 {
			end += begin
		}
		if at = strings.Index(rest, templateOpen); at >= 0 {
			at += begin
		}
	}
	if at := strings.Index(text, "#{"); strings.HasPrefix(text, ">>") && at >= 0 && at < end {
		dec := json.NewDecoder(strings.NewReader(text[at+1:]))
		var object json.RawMessage
		if dec.Decode(&object) == nil {
			end = at + 1 + int(dec.InputOffset())
		}
	}
	if end < 0 || end >= len(text) || text[end] != '}' {
		return "", "", false
	}
	return text[:end], text[end+1:], true
}
