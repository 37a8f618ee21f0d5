package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/parser"
	"github.com/hashicorp/hcl/hcl/token"
)

// parseHCL reads HCL version 1, the language of Vault's configuration files.
func parseHCL(text []byte) (root node, err error) {
	defer func() {
		// The parser panics on some texts that it does not like, as on a heredoc
		// that ends too early.
		if r := recover(); r != nil {
			err = &syntaxError{0, "is not HCL: a string, number or heredoc in it has no end or is malformed"}
		}
	}()
	file, err := parser.ParseDontErrorOnDuplicateKeys(text) // block knows which may be
	if err != nil {
		return node{}, hclError(err)
	}
	list, ok := file.Node.(*ast.ObjectList)
	if !ok {
		return node{}, &syntaxError{1, "is not HCL"}
	}
	return hclObject(list, 1), nil
}

// hclError keeps the line and leaves out the column, and what the parser quotes
// of the file, which may be a secret.
func hclError(err error) error {
	line, why := 0, err.Error()
	if at := (*parser.PosError)(nil); errors.As(err, &at) {
		line, why = at.Pos.Line, at.Err.Error()
	}
	if i := strings.IndexAny(why, `"'`); i >= 0 {
		why = why[:i]
	}
	return &syntaxError{line, "is not HCL: " + strings.TrimRight(why, " :")}
}

func hclObject(list *ast.ObjectList, line int) node {
	n := node{line: line, kind: objectKind}
	for _, item := range list.Items {
		e := entry{line: item.Pos().Line, value: hclValue(item.Val)}
		for i, key := range item.Keys {
			word := fmt.Sprint(key.Token.Value())
			if i == 0 {
				e.key = word
			} else {
				e.labels = append(e.labels, word)
			}
		}
		n.entries = append(n.entries, e)
	}
	return n
}

func hclValue(v ast.Node) node {
	switch v := v.(type) {
	case *ast.ObjectType:
		return hclObject(v.List, v.Pos().Line)
	case *ast.ListType:
		n := node{line: v.Pos().Line, kind: listKind}
		for _, item := range v.List {
			n.items = append(n.items, hclValue(item))
		}
		return n
	case *ast.LiteralType:
		n := node{line: v.Pos().Line, text: v.Token.Text}
		switch v.Token.Type {
		case token.NUMBER, token.FLOAT:
			n.kind = numberKind
		case token.BOOL:
			n.kind = boolKind
		default:
			n.text = fmt.Sprint(v.Token.Value())
		}
		return n
	}
	panic(fmt.Sprintf("BUG: HCL has a value that is a %T", v))
}
