package ref

import (
	"fmt"
	"strings"
)

// Escape writes a path or a key as a user has to type it, so that Parse and
// ParseValue read it back, on one line.
func Escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		rest := text[i:]
		if c := text[i]; c < ' ' || c == 0x7f || strings.IndexByte("%#?&}", c) >= 0 ||
			strings.HasPrefix(rest, "${") || i == 0 && (strings.HasPrefix(rest, "vault:") || strings.HasPrefix(rest, ">>")) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
