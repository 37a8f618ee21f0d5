package ref

import (
	"fmt"
	"strings"
)

// Escape writes a path or a key so that Parse reads it as that, wherever a
// reference may stand.
func Escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == 0x7f || strings.IndexByte("%#?&:>${}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
