package env

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// encodeProperties writes what java.util.Properties.load reads, in ASCII: a
// Reader may take the file for UTF-8, and an InputStream takes it for Latin-1
// (java.util.Properties, load and store). Null fields make no line.
func encodeProperties(c content) (string, error) {
	if err := checkText(c, "a properties file"); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, f := range c.fields {
		if !f.value.IsNull() {
			b.WriteString(propertiesEscape(f.name, true) + "=" + propertiesEscape(f.value.Text(), false) + "\n")
		}
	}
	return b.String(), nil
}

// propertiesEscape escapes what store escapes: every blank in a key, but only
// the leading one in a value.
func propertiesEscape(s string, key bool) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == ' ' && (key || i == 0), strings.ContainsRune(`\=:#!`, r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r > 0x7e:
			for _, unit := range utf16.Encode([]rune{r}) { // chars of Java
				fmt.Fprintf(&b, `\u%04X`, unit)
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
