// Package yaml reads the YAML that people write into secrets and configuration:
// maps and lists in blocks and in braces, scalars plain, quoted and in blocks,
// comments. What it does not read, anchors, tags, several documents, plain or
// quoted text of several lines, is an error with its line, never a guess: what it
// does read means what it means to everybody's parser.
//
// The well-kept libraries cost every start 30 to 300 us before main, or more than a
// megabyte, for what few containers use.
package yaml

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Kind is what a Node is.
type Kind int

const (
	Scalar Kind = iota
	Map
	List
)

// Node is a value as it was written.
type Node struct {
	Kind  Kind
	Line  int    // from 1
	Text  string // of a Scalar
	Plain bool   // the Scalar has no quotes, and is no block: its text may stand for something else
	Keys  []*Node
	Items []*Node // of a List, or those of a Map, beside Keys
}

// Error is what cannot be read. It repeats nothing of the text.
type Error struct {
	Line int // from 1
	text string
}

func (e *Error) Error() string { return e.text }

func wrong(line int, format string, args ...any) *Error {
	return &Error{line, fmt.Sprintf(format, args...)}
}

// line is one of the text. A list item that begins on the line of its dash is cut
// off from it, and is then indented to where it begins.
type line struct {
	indent int
	text   string // without indentation
	raw    string // as it is
}

// reader goes through the lines.
type reader struct {
	lines []line
	at    int
	depth int
}

// maxDepth is how far values can be nested.
const maxDepth = 100

// Parse reads one document; nil is an empty one.
func Parse(text string) (*Node, error) {
	if err := checkText(text); err != nil {
		return nil, err
	}
	r := &reader{}
	for raw := range strings.SplitSeq(text, "\n") {
		raw = strings.TrimSuffix(raw, "\r")
		trimmed := strings.TrimLeft(raw, " ")
		r.lines = append(r.lines, line{len(raw) - len(trimmed), trimmed, raw})
	}
	if err := r.start(); err != nil {
		return nil, err
	}
	node, err := r.node(-1)
	if err != nil {
		return nil, err
	}
	return node, r.end()
}

// checkText finds what YAML 1.2.2, 5.1 leaves out, and what one of its versions
// takes for the end of a line and the other does not.
func checkText(text string) error {
	number := 1
	for i, c := range text {
		switch {
		case c == '\n':
			number++
		case c == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			return wrong(number, "there is a byte that is not UTF-8")
		case c == '\r' && !strings.HasPrefix(text[i+1:], "\n"):
			return wrong(number, "there is a carriage return inside of a line")
		case c < 0x20 && c != '\t' && c != '\r', 0x7f <= c && c <= 0x9f, c == 0x2028, c == 0x2029, c == 0xfeff, c == 0xfffe, c == 0xffff:
			return wrong(number, "there is a control character, which YAML does not have: write it as an escape between double quotes")
		}
	}
	return nil
}

// number is that of the line at hand.
func (r *reader) number() int { return r.at + 1 }

// next goes to the next line that is neither empty nor a comment, and tells whether
// there is one.
func (r *reader) next() bool {
	for ; r.at < len(r.lines); r.at++ {
		if l := r.lines[r.at]; l.text != "" && l.text[0] != '#' {
			return true
		}
	}
	return false
}

// isComment tells whether nothing but a comment is left.
func isComment(s string) bool {
	s = strings.TrimLeft(s, " \t")
	return s == "" || s[0] == '#'
}

// start skips the beginning of the document.
func (r *reader) start() error {
	if !r.next() {
		return nil
	}
	l := r.lines[r.at]
	switch {
	case strings.HasPrefix(l.raw, "%"):
		return wrong(r.number(), "directives (%%) are not read here")
	case isMarker(l.raw, "---"):
		if !isComment(l.raw[3:]) {
			return wrong(r.number(), "put what follows the --- on a line of its own")
		}
		r.at++
	}
	return nil
}

// end finds what is behind the document.
func (r *reader) end() error {
	if !r.next() {
		return nil
	}
	if isMarker(r.lines[r.at].raw, "...") && isComment(r.lines[r.at].raw[3:]) {
		r.at++
		if !r.next() {
			return nil
		}
	}
	if isMarker(r.lines[r.at].raw, "---") {
		return wrong(r.number(), "a second document begins here, and only one is read")
	}
	return wrong(r.number(), "this line is indented like nothing before it")
}

// isMarker tells whether a line begins or ends a document.
func isMarker(raw, marker string) bool {
	return strings.HasPrefix(raw, marker) && (len(raw) == 3 || raw[3] == ' ' || raw[3] == '\t')
}

// atMarker tells whether the document ends here.
func (r *reader) atMarker() bool {
	raw := r.lines[r.at].raw
	return isMarker(raw, "---") || isMarker(raw, "...")
}

// node reads what is indented further than parent; nil is nothing.
func (r *reader) node(parent int) (*Node, error) {
	if !r.next() || r.lines[r.at].indent <= parent || r.atMarker() {
		return nil, nil
	}
	if r.depth++; r.depth > maxDepth {
		return nil, wrong(r.number(), "values are nested more than %d deep", maxDepth)
	}
	defer func() { r.depth-- }()
	l := r.lines[r.at]
	switch {
	case isDash(l.text):
		return r.list(l.indent)
	case l.text == "?" || strings.HasPrefix(l.text, "? "):
		return nil, wrong(r.number(), "a key with ? before it is not read here: write KEY: VALUE")
	}
	_, _, isKey, err := r.cutKey(l.text)
	if err != nil {
		return nil, err
	}
	if isKey {
		return r.mapping(l.indent)
	}
	return r.value(l.text, parent)
}

func isDash(s string) bool {
	return s == "-" || strings.HasPrefix(s, "- ") || strings.HasPrefix(s, "-\t")
}

// list reads the items that are indented so far.
func (r *reader) list(indent int) (*Node, error) {
	list := &Node{Kind: List, Line: r.number()}
	for r.next() && r.lines[r.at].indent == indent && isDash(r.lines[r.at].text) && !r.atMarker() {
		l := &r.lines[r.at]
		number := r.number()
		rest := strings.TrimLeft(l.text[1:], " ")
		if strings.HasPrefix(rest, "\t") {
			return nil, wrong(number, "there is a tab behind the dash: use blanks")
		}
		if isComment(rest) {
			r.at++
		} else {
			l.indent, l.text = indent+len(l.text)-len(rest), rest
		}
		item, err := r.node(indent)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, orNull(item, number))
	}
	return list, r.notFurther(indent)
}

// orNull is a node that is there: a plain scalar with nothing in it is null.
func orNull(n *Node, line int) *Node {
	if n == nil {
		return &Node{Line: line, Plain: true}
	}
	return n
}

// notFurther finds a line that is indented further than the lines before it allow.
func (r *reader) notFurther(indent int) error {
	if r.next() && r.lines[r.at].indent > indent && !r.atMarker() {
		return wrong(r.number(), "this line is indented further than the one it belongs to: a text of several lines needs | or >, or double quotes with \\n")
	}
	return nil
}

// mapping reads the keys that are indented so far, and their values.
func (r *reader) mapping(indent int) (*Node, error) {
	m := &Node{Kind: Map, Line: r.number()}
	for r.next() && r.lines[r.at].indent == indent && !isDash(r.lines[r.at].text) && !r.atMarker() {
		number := r.number()
		key, rest, isKey, err := r.cutKey(r.lines[r.at].text)
		switch {
		case err != nil:
			return nil, err
		case !isKey:
			return nil, wrong(number, "this is no KEY: VALUE")
		case key.Plain && key.Text == "<<":
			return nil, wrong(number, "merging another map with << is not read here: write its keys")
		}
		var item *Node
		if isComment(rest) {
			r.at++
			item, err = r.below(indent)
		} else {
			item, err = r.value(strings.TrimLeft(rest, " \t"), indent)
		}
		if err != nil {
			return nil, err
		}
		m.Keys, m.Items = append(m.Keys, key), append(m.Items, orNull(item, number))
	}
	return m, r.notFurther(indent)
}

// below reads the value of a key that has none on its line. A list may be indented
// no further than the key.
func (r *reader) below(indent int) (*Node, error) {
	if r.next() && r.lines[r.at].indent == indent && isDash(r.lines[r.at].text) && !r.atMarker() {
		return r.list(indent)
	}
	return r.node(indent)
}
