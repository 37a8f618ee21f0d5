package from

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"vaultexec/internal/secret"
)

// parseProperties reads what java.util.Properties.load(Reader) reads, in UTF-8:
// the last of two with one name counts. A line without a separator, which Java
// takes for a name with no value, is an error: it is the rest of something.
// Nothing replaces ${...}: that is Spring's and not the format's.
func parseProperties(text string) (secret.Fields, *syntaxError) {
	if !utf8.ValidString(text) {
		return nil, syntax(lineAt(text, validPrefix(text)), "this is not UTF-8: write other characters as \\uXXXX")
	}
	fields := secret.Fields{}
	lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		number := i + 1
		line := strings.TrimLeft(lines[i], " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		line, more := joined(line, lines[i+1:])
		i += more
		name, value, ok := splitProperty(line)
		if !ok {
			return nil, syntax(number, "this line has no = or : in it, so it is no property")
		}
		key, okKey := unescapeProperty(name)
		plain, okValue := unescapeProperty(value)
		if !okKey || !okValue {
			return nil, syntax(number, "a \\u is not followed by four hexadecimal digits")
		}
		fields[key] = secret.Of(plain)
	}
	return fields, nil
}

// joined is a line with those that it goes on in, and how many they are.
func joined(line string, next []string) (whole string, more int) {
	var b strings.Builder
	for goesOn(line) {
		b.WriteString(line[:len(line)-1])
		if more == len(next) { // nothing follows, and Java leaves the backslash out
			return b.String(), more
		}
		line = strings.TrimLeft(next[more], " \t\f")
		more++
	}
	b.WriteString(line)
	return b.String(), more
}

// goesOn tells whether a line ends in a backslash that is not escaped itself.
func goesOn(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// splitProperty cuts at the first separator that is not escaped.
func splitProperty(line string) (name, value string, ok bool) {
	end := 0
	for end < len(line) && strings.IndexByte("=: \t\f", line[end]) < 0 {
		if line[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(line) {
		return "", "", false
	}
	value = strings.TrimLeft(line[end:], " \t\f")
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], " \t\f")
	}
	return line[:end], value, true
}

// unescapeProperty undoes \t, \n, \r, \f and \uXXXX, whose number is half of a
// character outside the basic plane; before all else a backslash means nothing.
func unescapeProperty(s string) (string, bool) {
	if !strings.Contains(s, `\`) {
		return s, true
	}
	var units []uint16
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		if r != '\\' || i == len(s) {
			if r != '\\' {
				units = utf16.AppendRune(units, r)
			}
			continue
		}
		r, size = utf8.DecodeRuneInString(s[i:])
		i += size
		switch r {
		case 'u':
			if i+4 > len(s) {
				return "", false
			}
			n, err := strconv.ParseUint(s[i:i+4], 16, 16)
			if err != nil {
				return "", false
			}
			units = append(units, uint16(n))
			i += 4
			continue
		case 't':
			r = '\t'
		case 'n':
			r = '\n'
		case 'r':
			r = '\r'
		case 'f':
			r = '\f'
		}
		units = utf16.AppendRune(units, r)
	}
	return string(utf16.Decode(units)), true
}
