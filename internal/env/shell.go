package env

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// encodeExport writes what sh reads with `. FILE`: any value but one with a
// NUL byte, between single quotes, where nothing has a meaning but the quote
// itself (POSIX.1-2024, Shell 2.2.2).
func encodeExport(c content) (string, error) {
	var b strings.Builder
	for _, f := range c.fields {
		value := f.value.Text()
		if strings.Contains(value, "\x00") {
			return "", fmt.Errorf("field %q has a NUL byte in it, which no shell can hold: use format=json", f.field)
		}
		fmt.Fprintf(&b, "export %s=%s\n", f.name, shellQuote(value))
	}
	return b.String(), nil
}

// encodeDotenv writes the part of the many dotenv dialects that they agree on.
// Readers compared: sh, systemd's EnvironmentFile=, Compose, godotenv, and the
// dotenv libraries of Ruby, Node, Python, PHP and Rust; for bare values also
// `docker run --env-file`, which takes quotes for part of the value.
func encodeDotenv(c content) (string, error) {
	var b strings.Builder
	for _, f := range c.fields {
		quoted, ok := dotenvQuote(f.value.Text())
		if !ok {
			return "", fmt.Errorf("field %q has characters that the readers of dotenv files do not agree on (such as a backslash with a quote, or ${): use format=json, or format=export for a shell", f.field)
		}
		b.WriteString(f.name + "=" + quoted + "\n")
	}
	return b.String(), nil
}

// dotenvQuote quotes as little as possible. Single quotes come first: what is
// in them is literal for all, with these exceptions, which go into no dotenv
// file: ${ is expanded by Python's, two backslashes become one there, a
// backslash before the closing quote hides it from Go's, and Node's makes a
// line feed of a carriage return.
func dotenvQuote(value string) (string, bool) {
	switch {
	case !strings.ContainsFunc(value, func(r rune) bool { return !isBare(r) }):
		return value, true
	case !utf8.ValidString(value), strings.ContainsFunc(value, isUnsettled):
		return "", false
	case !strings.ContainsAny(value, `'\`) && !strings.Contains(value, "${"):
		return "'" + value + "'", true
	case !strings.ContainsAny(value, "\"\\$`"):
		return `"` + value + `"`, true
	case !strings.Contains(value, "'") && !strings.Contains(value, "${") &&
		!strings.Contains(value, `\\`) && !strings.HasSuffix(value, `\`):
		return "'" + value + "'", true
	}
	return "", false
}

// isBare tells whether a character needs no quotes anywhere.
func isBare(r rune) bool {
	return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-./:@%+,", r))
}

// isUnsettled are the control characters but for line feed and tab.
func isUnsettled(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
