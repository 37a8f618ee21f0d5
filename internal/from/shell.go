package from

import (
	"strings"

	"vaultexec/internal/secret"
)

// parseShell reads assignments, with export before them or without, as sh
// would (POSIX.1-2024, Shell 2.2 Quoting, 2.3 Token Recognition): quotes,
// backslashes, comments, lines that go on, several assignments on a line. What
// sh would expand or run is an error: nothing here has a value before the
// command starts, and nothing is run. Where shells differ it is an error too.
func parseShell(text string) (secret.Fields, *syntaxError) {
	s := shell{text: text, line: 1, fields: secret.Fields{}}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return nil, syntax(lineAt(text, i), "there is a NUL byte, which no shell can hold")
	}
	for s.pos < len(s.text) {
		if err := s.command(); err != nil {
			return nil, err
		}
	}
	return s.fields, nil
}

type shell struct {
	text   string
	pos    int
	line   int
	fields secret.Fields
}

// rest is what has not been read.
func (s *shell) rest() string { return s.text[s.pos:] }

// skipBlanks goes to the next word or to the end of the line.
func (s *shell) skipBlanks() {
	for s.pos < len(s.text) {
		switch rest := s.rest(); {
		case rest[0] == ' ', rest[0] == '\t':
			s.pos++
		case strings.HasPrefix(rest, "\\\n"):
			s.pos += 2
			s.line++
		case rest[0] == '#':
			comment, _, _ := strings.Cut(rest, "\n")
			s.pos += len(comment)
			return
		default:
			return
		}
	}
}

// command reads up to a line break or a semicolon.
func (s *shell) command() *syntaxError {
	words, export := 0, false
	for {
		s.skipBlanks()
		if s.pos == len(s.text) {
			return s.complete(words, export)
		}
		switch c := s.text[s.pos]; {
		case c == '\n':
			err := s.complete(words, export)
			s.pos++
			s.line++
			return err
		case c == ';' && words > 0:
			s.pos++
			return s.complete(words, export)
		}
		word := s.word()
		name, isAssignment := assigned(word)
		switch {
		case isAssignment:
			s.pos += len(name) + 1
			value, err := s.value(export)
			if err != nil {
				return err
			}
			s.fields[name] = secret.Of(value)
		case words == 0 && word == "export":
			s.pos += len(word)
			export = true
		case export && isName(word):
			if _, there := s.fields[word]; !there {
				// Not repeated: it may be the second word of a value.
				return syntax(s.line, "a name is exported here that has no value in this file, and nothing is taken from elsewhere: put quotes around a value that has blanks, or leave the name out")
			}
			s.pos += len(word)
		default:
			return s.notAssignment(word)
		}
		words++
	}
}

// complete looks at a command that has been read.
func (s *shell) complete(words int, export bool) *syntaxError {
	if export && words == 1 {
		return syntax(s.line, "export names nothing here")
	}
	return nil
}

// assigned is the name of the assignment that a word begins.
func assigned(word string) (name string, ok bool) {
	name, _, ok = strings.Cut(word, "=")
	return name, ok && isName(name)
}

// word is the text up to the next blank or operator, quotes and all.
func (s *shell) word() string {
	rest := s.rest()
	if i := strings.IndexAny(rest, " \t\r\n;&|<>()"); i >= 0 {
		return rest[:i]
	}
	return rest
}

// notAssignment says why what is here is none, without repeating it: it may be
// part of a value that lacks its quotes.
func (s *shell) notAssignment(word string) *syntaxError {
	switch {
	case word == "" && s.text[s.pos] == '\r':
		return s.carriageReturn()
	case word == "":
		return s.operator()
	case strings.HasPrefix(word, "$"), strings.HasPrefix(word, "`"):
		return syntax(s.line, "sh would run what the variable or the command before it says, and nothing is expanded or run here: only NAME=VALUE lines, with export or without, can be read")
	}
	return syntax(s.line, "this is no assignment, so sh would run it as a command, and nothing is run here: put quotes around a value that has blanks, or leave the line out")
}

// value reads the value of an assignment, to the blank or operator behind it.
func (s *shell) value(export bool) (string, *syntaxError) {
	var b strings.Builder
	tilde := true // here a ~ would be expanded
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		switch c {
		case ' ', '\t', '\n', ';':
			return b.String(), nil
		case '\r':
			return "", s.carriageReturn()
		case '&', '|', '<', '>', '(', ')':
			return "", s.operator()
		case '{':
			if export { // bash makes several words of {a,b}
				return "", syntax(s.line, "shells do not agree on a { behind export: put single quotes around the value")
			}
		case '~':
			if tilde {
				return "", syntax(s.line, "sh would expand the ~, and nothing is expanded here: put single quotes around the value if it is meant as it is, else write the directory")
			}
		}
		var err *syntaxError
		before := b.Len()
		switch c {
		case '\'':
			err = s.singleQuoted(&b)
		case '"':
			err = s.doubleQuoted(&b)
		case '\\':
			if s.pos+1 == len(s.text) {
				return "", syntax(s.line, "the file ends in a backslash, and shells do not agree on what that is")
			}
			s.escaped(&b)
		case '$':
			if err = s.dollar(`'"[\`); err == nil {
				b.WriteByte(c)
				s.pos++
			}
		case '`':
			err = s.substitution()
		default:
			b.WriteByte(c)
			s.pos++
		}
		if err != nil {
			return "", err
		}
		if b.Len() > before { // else it was a line that goes on, or quotes with nothing in them
			tilde = c == ':'
		}
	}
	return b.String(), nil
}

// singleQuoted reads what is literal to the next quote.
func (s *shell) singleQuoted(b *strings.Builder) *syntaxError {
	text, _, closed := strings.Cut(s.text[s.pos+1:], "'")
	if !closed {
		return s.unclosed("single", s.line)
	}
	b.WriteString(text)
	s.pos += len(text) + 2
	s.line += strings.Count(text, "\n")
	return nil
}

// doubleQuoted reads what has a meaning in $ and ` and, before some characters,
// in a backslash (2.2.3).
func (s *shell) doubleQuoted(b *strings.Builder) *syntaxError {
	opened := s.line
	for s.pos++; s.pos < len(s.text); {
		switch c := s.text[s.pos]; c {
		case '"':
			s.pos++
			return nil
		case '`':
			return s.substitution()
		case '$':
			if err := s.dollar(`[\`); err != nil {
				return err
			}
			b.WriteByte(c)
		case '\\':
			if s.pos+1 < len(s.text) && strings.IndexByte("$`\"\\\n", s.text[s.pos+1]) >= 0 {
				s.escaped(b)
				continue
			}
			b.WriteByte(c)
		case '\n':
			s.line++
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
		s.pos++
	}
	return s.unclosed("double", opened)
}

// escaped reads a backslash and what it makes literal; a line break that it
// hides is not there at all.
func (s *shell) escaped(b *strings.Builder) {
	if c := s.text[s.pos+1]; c == '\n' {
		s.line++
	} else {
		b.WriteByte(c)
	}
	s.pos += 2
}

// dollar refuses an expansion; a $ before anything else is literal. Before the
// characters in unsettled shells do not agree.
func (s *shell) dollar(unsettled string) *syntaxError {
	if s.pos+1 == len(s.text) {
		return nil
	}
	next := s.text[s.pos+1]
	switch {
	case next == '(':
		return s.substitution()
	case isNameByte(next), strings.IndexByte("{@*#?-$!", next) >= 0:
		return syntax(s.line, "sh would expand a variable after the $, and nothing is expanded here: put single quotes around the value if the $ is part of it")
	case strings.IndexByte(unsettled, next) >= 0:
		return syntax(s.line, "shells do not agree on the $ before a quote, a bracket or a backslash: write \\$ if it is part of the value")
	}
	return nil
}

func (s *shell) substitution() *syntaxError {
	return syntax(s.line, "sh would run the command in $(...) or between backquotes, and nothing is run here: put single quotes around the value if it is part of it")
}

func (s *shell) operator() *syntaxError {
	return syntax(s.line, "%q is an operator of the shell, and only assignments can be read: put quotes around the value if it is part of it", s.text[s.pos])
}

func (s *shell) carriageReturn() *syntaxError {
	return syntax(s.line, "there is a carriage return, which sh takes for part of the value: save the file with the line ends of Unix, or put the value in quotes")
}

func (s *shell) unclosed(kind string, line int) *syntaxError {
	return syntax(line, "the %s quote that is opened here is never closed", kind)
}

func isNameByte(c byte) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isName tells whether sh takes a text for a variable's name.
func isName(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i]) || i == 0 && '0' <= s[i] && s[i] <= '9' {
			return false
		}
	}
	return s != ""
}
