package config

import (
	"fmt"
	"strconv"
)

// kind is what a value in a file is.
type kind int

const (
	textKind kind = iota
	numberKind
	boolKind
	nullKind
	listKind
	objectKind
)

func (k kind) String() string {
	return [...]string{"text", "a number", "true or false", "null", "a list", "a block"}[k]
}

// node is a value of a file, HCL or JSON alike.
type node struct {
	line    int
	kind    kind
	text    string  // of text; of a number as it is written; true or false
	items   []node  // of a list
	entries []entry // of a block, in the order of the file
}

// entry is one key of a block with its value. What HCL writes as
//
//	sink "file" { ... }
//
// is the key sink, the label file and a block.
type entry struct {
	line   int
	key    string
	labels []string
	value  node
}

// scalar tells text, numbers and booleans from the rest.
func (n node) scalar() bool { return n.kind <= boolKind }

// blocks tells whether an entry is one block, or a list of nothing but blocks.
func (n node) blocks() bool {
	if n.kind == objectKind {
		return true
	}
	for _, item := range n.items {
		if item.kind != objectKind {
			return false
		}
	}
	return n.kind == listKind && len(n.items) > 0
}

// syntaxError is a file that is neither HCL nor JSON.
type syntaxError struct {
	line int
	why  string
}

func (e *syntaxError) Error() string { return e.why }

// place is how messages and origins name a line of a file.
func place(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%s", file, strconv.Itoa(line))
}
