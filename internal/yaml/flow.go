package yaml

import "strings"

// flow reads maps and lists in braces and brackets, which may go over several lines
// (YAML 1.2.2, 7.4).
func (r *reader) flow(s string, parent int) (*Node, error) {
	f := &flowReader{r: r, rest: s, parent: parent}
	node, err := f.node(0)
	if err != nil {
		return nil, err
	}
	if !isComment(f.rest) || f.rest != "" && f.rest[0] == '#' {
		return nil, wrong(r.number(), "something follows the closing bracket or brace")
	}
	r.at++
	return node, r.notFurther(parent)
}

// flowReader goes through the text of a flow collection: rest is what is left of
// the line that r is at.
type flowReader struct {
	r      *reader
	rest   string
	parent int
}

func (f *flowReader) wrong(format string, args ...any) error {
	return wrong(f.r.number(), format, args...)
}

// skip goes to the next character that counts, on a later line too.
func (f *flowReader) skip() error {
	blank := true // a comment may begin
	for {
		trimmed := strings.TrimLeft(f.rest, " \t")
		blank = blank && (trimmed != f.rest || f.rest == "" || f.rest[0] != '#')
		f.rest = trimmed
		if f.rest != "" && (f.rest[0] != '#' || !blank) {
			return nil
		}
		if f.r.at++; f.r.at >= len(f.r.lines) {
			f.r.at = len(f.r.lines) - 1
			return f.wrong("a bracket or a brace is not closed")
		}
		l := f.r.lines[f.r.at]
		if l.text != "" && (l.indent <= f.parent || f.r.atMarker()) {
			return f.wrong("a bracket or a brace is not closed, or this line is not indented as what it belongs to")
		}
		f.rest, blank = l.text, true
	}
}

func (f *flowReader) node(depth int) (*Node, error) {
	if depth > maxDepth {
		return nil, f.wrong("values are nested more than %d deep", maxDepth)
	}
	switch f.rest[0] {
	case '{':
		return f.collection(&Node{Kind: Map, Line: f.r.number()}, '}', depth)
	case '[':
		return f.collection(&Node{Kind: List, Line: f.r.number()}, ']', depth)
	case '"', '\'':
		number := f.r.number()
		text, rest, err := quoted(f.rest, number)
		if err != nil {
			return nil, err
		}
		f.rest = rest
		return &Node{Line: number, Text: text}, nil
	}
	return f.plain()
}

// collection reads to the bracket or brace that closes it.
func (f *flowReader) collection(c *Node, closing byte, depth int) (*Node, error) {
	f.rest = f.rest[1:]
	for {
		if err := f.skip(); err != nil {
			return nil, err
		}
		if f.rest[0] == closing {
			f.rest = f.rest[1:]
			return c, nil
		}
		if err := f.entry(c, depth+1); err != nil {
			return nil, err
		}
		if err := f.skip(); err != nil {
			return nil, err
		}
		switch f.rest[0] {
		case ',':
			f.rest = f.rest[1:]
		case closing:
		default:
			return nil, f.wrong("there is no comma between two values")
		}
	}
}

// entry reads one value, with its key in a map.
func (f *flowReader) entry(c *Node, depth int) error {
	number := f.r.number()
	first, err := f.node(depth)
	if err != nil {
		return err
	}
	if err := f.skip(); err != nil {
		return err
	}
	isKey := f.rest[0] == ':'
	switch {
	case c.Kind == List && isKey:
		return f.wrong("a KEY: VALUE in a list has to be in braces")
	case c.Kind == List:
		c.Items = append(c.Items, first)
		return nil
	case first.Kind != Scalar:
		return f.wrong("a key is a text")
	case first.Plain && first.Text == "<<":
		return f.wrong("merging another map with << is not read here: write its keys")
	case !isKey:
		return f.wrong("a key in braces has a colon behind it")
	case number != f.r.number():
		return f.wrong("the colon stands on the line of its key")
	}
	f.rest = f.rest[1:]
	if first.Plain && f.rest != "" && strings.IndexByte(" \t", f.rest[0]) < 0 {
		return f.wrong("there is no blank behind the colon")
	}
	if err := f.skip(); err != nil {
		return err
	}
	item := &Node{Line: f.r.number(), Plain: true}
	if strings.IndexByte(",}", f.rest[0]) < 0 {
		if item, err = f.node(depth); err != nil {
			return err
		}
	}
	c.Keys, c.Items = append(c.Keys, first), append(c.Items, item)
	return nil
}

// plain reads a plain scalar, which ends before what has a meaning in a collection.
func (f *flowReader) plain() (*Node, error) {
	if !beginsPlain(f.rest) || strings.IndexByte("-?:", f.rest[0]) >= 0 && strings.IndexByte(",[]{}", f.rest[1]) >= 0 {
		return nil, f.wrong("a value cannot begin with %q here: put it in quotes", f.rest[0])
	}
	end := len(f.rest)
	for i := range len(f.rest) {
		c := f.rest[i]
		if strings.IndexByte(",[]{}", c) >= 0 ||
			c == ':' && (i+1 == len(f.rest) || strings.IndexByte(" \t,[]{}", f.rest[i+1]) >= 0) ||
			c == '#' && i > 0 && strings.IndexByte(" \t", f.rest[i-1]) >= 0 {
			end = i
			break
		}
	}
	text := strings.TrimRight(f.rest[:end], " \t")
	node := &Node{Line: f.r.number(), Text: text, Plain: true}
	f.rest = f.rest[len(text):]
	if rest := strings.TrimLeft(f.rest, " \t"); rest == "" || rest[0] == '#' && rest != f.rest {
		// A plain scalar may go on in the next line, where it ends it must say so.
		if err := f.skip(); err != nil {
			return nil, err
		}
		if strings.IndexByte(",]}", f.rest[0]) < 0 {
			return nil, f.wrong("a text of several lines has to be in double quotes, with \\n")
		}
	}
	return node, nil
}
