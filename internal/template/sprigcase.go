package template

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// untitle makes the first character of each word small.
func untitle(s string) string {
	first := true
	return strings.Map(func(r rune) rune {
		begins := first
		first = unicode.IsSpace(r)
		if begins && !first {
			return unicode.ToLower(r)
		}
		return r
	}, s)
}

// swapCase makes large letters small and small ones large.
func swapCase(s string) string {
	first := true
	return strings.Map(func(r rune) rune {
		begins := first
		first = unicode.IsSpace(r)
		switch {
		case unicode.IsUpper(r), unicode.IsTitle(r):
			return unicode.ToLower(r)
		case unicode.IsLower(r) && begins:
			return unicode.ToTitle(r)
		case unicode.IsLower(r):
			return unicode.ToUpper(r)
		}
		return r
	}, s)
}

// initials are the first characters of the words. As in sprig each byte is taken
// for a character.
func initials(s string) string {
	var b strings.Builder
	first := true
	for i := range len(s) {
		r := rune(s[i])
		if first && !unicode.IsSpace(r) {
			b.WriteRune(r)
		}
		first = unicode.IsSpace(r)
	}
	return b.String()
}

// connects tells what stands between words: a_b, a-b, a b.
func connects(r rune) bool { return r == '-' || r == '_' || unicode.IsSpace(r) }

// pascalCase joins words, each with a large letter first. Connectors at the
// beginning stay, one of several does, and (as in sprig) the last is there twice
// where there is nothing else.
func pascalCase(s string) string {
	runes := []rune(s)
	start := slices.IndexFunc(runes, func(r rune) bool { return !connects(r) })
	switch {
	case len(runes) == 0:
		return ""
	case start < 0:
		return string(append(runes, runes[len(runes)-1]))
	}
	out := slices.Clone(runes[:start])
	shouts := unicode.IsUpper(runes[start]) // a word that is all large letters
	last := unicode.ToUpper(runes[start])
	for _, r := range runes[start+1:] {
		switch {
		case connects(last) && connects(r):
			out = append(out, last)
		case connects(last):
			shouts = unicode.IsUpper(r)
			r = unicode.ToUpper(r)
		default:
			if shouts = shouts && unicode.IsUpper(r); shouts {
				r = unicode.ToLower(r)
			}
			out = append(out, last)
		}
		last = r
	}
	return string(append(out, last))
}

// wordKind is what a word consists of.
type wordKind int

const (
	noWord         wordKind = iota // behind the end, or bytes that are no characters
	numberWord                     // digits
	upperWord                      // large letters, or one and small ones
	lowerWord                      // small letters, and those without a case
	connectorWord                  // what connects
	punctuation                    // other punctuation
	remainingWords                 // signs, and letters of Chinese, Japanese, Korean
)

type word struct {
	kind wordKind
	text string
}

// character is one with the bytes before it that are none; behind the last one
// such bytes count as that again.
type character struct {
	rune
	text string
}

func characters(s string) []character {
	var list []character
	start := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if i += size; r != utf8.RuneError {
			list = append(list, character{r, s[start:i]})
			start = i
		}
	}
	if start < len(s) && len(list) > 0 {
		list = append(list, character{list[len(list)-1].rune, s[start:]})
	}
	return list
}

// isAlphabetic leaves out letters that are words themselves.
func isAlphabetic(r rune) bool {
	return unicode.IsLetter(r) && (r < 0x3400 || r > 0x4d85 && r < 0x4e00 || r > 0x9fcc && r < 0x20000 || r > 0x2b81d)
}

func kindOfWord(r rune) wordKind {
	switch {
	case connects(r):
		return connectorWord
	case unicode.IsPunct(r):
		return punctuation
	case unicode.IsUpper(r):
		return upperWord
	case isAlphabetic(r):
		return lowerWord
	case unicode.IsNumber(r):
		return numberWord
	}
	return remainingWords
}

// wordsOf are the words that case and kind make: HTTPServer2 is HTTP, Server, 2.
func wordsOf(s string) []word {
	list := characters(s)
	if len(list) == 0 {
		return []word{{noWord, s}}
	}
	var words []word
	for len(list) > 0 {
		kind := kindOfWord(list[0].rune)
		n := run(list, kind)
		if kind == upperWord && n == 1 {
			n += run(list[1:], lowerWord)
		} else if kind == upperWord && n < len(list) && isAlphabetic(list[n].rune) {
			n-- // the last large letter begins the word behind
		}
		var b strings.Builder
		for _, c := range list[:n] {
			b.WriteString(c.text)
		}
		words, list = append(words, word{kind, b.String()}), list[n:]
	}
	return words
}

// run is how many characters of a kind a list begins with; behind other
// punctuation - and _ are that too.
func run(list []character, kind wordKind) int {
	n := slices.IndexFunc(list, func(c character) bool {
		return kindOfWord(c.rune) != kind && !(kind == punctuation && unicode.IsPunct(c.rune))
	})
	if n < 0 {
		return len(list)
	}
	return n
}

// maxIdentifier is how long a text can be that is taken apart into words.
const maxIdentifier = 1 << 20

func identifier(function, s string, separator rune) (string, error) {
	if len(s) > maxIdentifier {
		return "", failf("%s: the text is longer than %d bytes", function, maxIdentifier)
	}
	return separated(s, separator), nil
}

// separated writes words small with a separator between them. A number goes with
// the word before it, unless letters follow: Bld4Floor3rd is bld4_floor_3rd.
func separated(s string, separator rune) string {
	w := &wordWriter{words: wordsOf(s), separator: separator}
	for len(w.words) > 1 {
		before := w.words[0]
		w.write()
		switch next := w.words[0].kind; {
		case before.kind == numberWord:
			for len(w.words) > 0 && (w.words[0].kind == lowerWord || w.words[0].kind == numberWord) {
				w.write() // 2m3s
			}
			w.separate()
		case before.kind == connectorWord, before.kind == punctuation:
		case next != numberWord:
			w.separate()
		case len(w.words) > 1 && w.words[1].kind == lowerWord:
			w.b.WriteRune(separator)
		}
	}
	for len(w.words) > 0 {
		w.write()
	}
	return w.b.String()
}

// wordWriter writes the words of an identifier, one after the other.
type wordWriter struct {
	b         strings.Builder
	words     []word // that are to be written
	separator rune
}

func (w *wordWriter) write() {
	next := w.words[0]
	w.words = w.words[1:]
	if next.kind != upperWord && next.kind != connectorWord {
		w.b.WriteString(next.text)
		return
	}
	for _, r := range next.text {
		if connects(r) {
			r = w.separator
		} else if unicode.IsUpper(r) {
			r = unicode.ToLower(r)
		}
		w.b.WriteRune(r)
	}
}

// separate writes a separator, unless what follows is one.
func (w *wordWriter) separate() {
	if len(w.words) > 0 && w.words[0].kind != connectorWord && w.words[0].kind != punctuation {
		w.b.WriteRune(w.separator)
	}
}
