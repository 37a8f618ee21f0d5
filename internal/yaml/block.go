package yaml

import "strings"

// header is that of a block scalar: | or >, how it ends, how far it is indented.
type header struct {
	folded bool
	chomp  byte // '-' strips the line breaks at the end, '+' keeps them; 0: one stays
	indent int  // beyond the parent's; 0: as the first line
}

func parseHeader(s string, number int) (header, error) {
	h := header{folded: s[0] == '>'}
	rest := s[1:]
	for rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		switch c := rest[0]; {
		case (c == '-' || c == '+') && h.chomp == 0:
			h.chomp = c
		case '1' <= c && c <= '9' && h.indent == 0:
			h.indent = int(c - '0')
		default:
			return h, wrong(number, "behind | or > there is a + or a -, a digit, and no more")
		}
		rest = rest[1:]
	}
	if !isComment(rest) {
		return h, wrong(number, "the text of a block begins on the next line")
	}
	return h, nil
}

// block reads a literal or folded text (YAML 1.2.2, 8.1).
func (r *reader) block(s string, parent int) (*Node, error) {
	node := &Node{Line: r.number()}
	h, err := parseHeader(s, r.number())
	if err != nil {
		return nil, err
	}
	r.at++
	lines, err := r.blockLines(h, max(parent, 0))
	if err != nil {
		return nil, err
	}
	end := len(lines)
	for end > 0 && lines[end-1] == "" {
		end--
	}
	text := strings.Join(lines[:end], "\n")
	if h.folded {
		text = fold(lines[:end])
	}
	// The last line of all may lack its line break.
	broken := end > 0 && (end < len(lines) || r.at < len(r.lines))
	if h.chomp != '-' && broken {
		text += "\n"
	}
	if h.chomp == '+' {
		text += strings.Repeat("\n", len(lines)-end)
	}
	node.Text = text
	return node, r.notFurther(parent)
}

// blockLines takes the lines of a block, without their indentation.
func (r *reader) blockLines(h header, parent int) ([]string, error) {
	indent := parent + h.indent
	if h.indent == 0 {
		indent = -1
	}
	var lines []string
	blank := 0 // most blanks of an empty line before the first text
	for ; r.at < len(r.lines); r.at++ {
		raw := r.lines[r.at].raw
		trimmed := strings.TrimLeft(raw, " ")
		spaces := len(raw) - len(trimmed)
		switch {
		case trimmed == "" && r.at == len(r.lines)-1 && (indent < 0 || spaces <= indent):
			return lines, nil // without its line break it is no line
		case trimmed == "":
			if indent < 0 {
				blank = max(blank, spaces)
			}
			if indent < 0 {
				raw = ""
			}
			lines = append(lines, raw[min(max(indent, 0), len(raw)):])
			continue
		case indent < 0 && spaces > parent:
			if trimmed[0] == '\t' {
				return nil, wrong(r.number(), "the first line of the block begins with a tab: say how far it is indented, as in |2")
			}
			if indent = spaces; blank > indent {
				return nil, wrong(r.number(), "an empty line before this one has more blanks than its indentation")
			}
		case indent < 0, spaces < indent, spaces == 0 && r.atMarker():
			return lines, nil
		}
		lines = append(lines, raw[indent:])
	}
	return lines, nil
}

// fold joins the lines of a folded block: a line break between two lines that are
// not indented further is a blank, and empty lines are line breaks.
func fold(lines []string) string {
	var b strings.Builder
	pending := 0 // empty lines since the last text
	further, any := false, false
	for _, l := range lines {
		if l == "" {
			pending++
			continue
		}
		indented := l[0] == ' ' || l[0] == '\t'
		switch {
		case !any:
			b.WriteString(strings.Repeat("\n", pending))
		case further || indented:
			b.WriteString(strings.Repeat("\n", pending+1))
		case pending > 0:
			b.WriteString(strings.Repeat("\n", pending))
		default:
			b.WriteByte(' ')
		}
		b.WriteString(l)
		pending, further, any = 0, indented, true
	}
	return b.String()
}
