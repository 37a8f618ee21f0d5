package ref

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape writes a path or a key as a user has to type it, so that Parse and
// ParseValue read it back, in characters that can be printed.
func Escape(text string) string {
	var b strings.Builder
	for rest := text; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		own := strings.ContainsRune("%#?&}*", r) || strings.HasPrefix(rest, "${") ||
			len(rest) == len(text) && (strings.HasPrefix(rest, "vault:") || strings.HasPrefix(rest, ">>"))
		if own || !unicode.IsPrint(r) || r == utf8.RuneError && size == 1 {
			for i := range size {
				fmt.Fprintf(&b, "%%%02X", rest[i])
			}
		} else {
			b.WriteString(rest[:size])
		}
		rest = rest[size:]
	}
	return b.String()
}
