package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sort"
	"strconv"
)

// parseJSON reads the JSON form of the same language. The HCL parser reads JSON
// too, but knows no lines there.
func parseJSON(text []byte) (node, error) {
	p := jsonParser{dec: json.NewDecoder(bytes.NewReader(text)), text: text}
	p.dec.UseNumber()
	for i, c := range text {
		if c == '\n' {
			p.breaks = append(p.breaks, i)
		}
	}
	root, err := p.value()
	if err == nil {
		if _, more := p.dec.Token(); more != io.EOF {
			err = &syntaxError{p.line(), "is not JSON: there is more after its end"}
		}
	}
	return root, err
}

type jsonParser struct {
	dec    *json.Decoder
	text   []byte
	breaks []int // offsets of the line breaks
}

// line is that of the token that was read last.
func (p *jsonParser) line() int {
	return 1 + sort.SearchInts(p.breaks, int(p.dec.InputOffset())-1)
}

// next reads a token.
func (p *jsonParser) next() (json.Token, error) {
	t, err := p.dec.Token()
	if err == nil {
		return t, nil
	}
	if malformed := (*json.SyntaxError)(nil); errors.As(err, &malformed) {
		line := 1 + sort.SearchInts(p.breaks, int(malformed.Offset)-1)
		return nil, &syntaxError{line, "is not JSON"} // the reason quotes the file
	}
	return nil, &syntaxError{1 + len(p.breaks), "is not JSON: it ends too early"}
}

func (p *jsonParser) value() (node, error) {
	t, err := p.next()
	if err != nil {
		return node{}, err
	}
	n := node{line: p.line()}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return p.object(n)
		}
		return p.list(n)
	case string:
		n.text = t
	case json.Number:
		n.kind, n.text = numberKind, t.String()
	case bool:
		n.kind, n.text = boolKind, strconv.FormatBool(t)
	case nil:
		n.kind = nullKind
	}
	return n, nil
}

func (p *jsonParser) object(n node) (node, error) {
	n.kind = objectKind
	for p.dec.More() {
		t, err := p.next()
		if err != nil {
			return n, err
		}
		e := entry{line: p.line(), key: t.(string)} // Decoder takes no other key
		if e.value, err = p.value(); err != nil {
			return n, err
		}
		n.entries = append(n.entries, e)
	}
	_, err := p.next()
	return n, err
}

func (p *jsonParser) list(n node) (node, error) {
	n.kind = listKind
	for p.dec.More() {
		item, err := p.value()
		if err != nil {
			return n, err
		}
		n.items = append(n.items, item)
	}
	_, err := p.next()
	return n, err
}
