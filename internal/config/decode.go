package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"vaultexec/internal/nearest"
)

// decoder makes a Config of one file. It goes on after a problem, so that all of
// them are reported.
type decoder struct {
	file     string
	lookup   func(string) (string, bool) // environment variables
	flags    map[string]bool             // keys that are vaultexec's own settings
	config   *Config
	problems *[]string
	within   string // the block that is read, as messages call it; empty: the file itself
}

func (d *decoder) bad(line int, format string, args ...any) {
	*d.problems = append(*d.problems, place(d.file, line)+": "+fmt.Sprintf(format, args...))
}

// field is what may stand under a key.
type field struct {
	read func(e entry)
	many bool // it may be there more than once
	// block: a scalar under the same key is something else.
	block bool
}

type fields map[string]field

// block reads a block whose keys are known. in is how messages call it, as in
// "in auto_auth.method"; empty is the file itself.
func (d *decoder) block(in string, n node, known fields) {
	defer func(outer string) { d.within = outer }(d.within)
	d.within = in
	first := map[string]int{} // key -> line
	for _, e := range n.entries {
		f, ok := known[e.key]
		if !ok {
			d.unknown(in, e, slices.Sorted(maps.Keys(known)))
			continue
		}
		if line, twice := first[e.key]; twice && !f.many {
			d.bad(e.line, "%s is there already, in line %d: remove one", join(in, e.key), line)
			continue
		}
		first[e.key] = e.line
		f.read(e)
	}
}

func (d *decoder) unknown(in string, e entry, known []string) {
	where := ""
	if in != "" {
		where = " in " + in
	}
	if near := nearest.To(e.key, known); len(near) > 0 {
		d.bad(e.line, "there is no key %q%s: did you mean %s?", e.key, where, near[0])
		return
	}
	d.bad(e.line, "there is no key %q%s", e.key, where)
}

func join(in, key string) string {
	if in == "" {
		return key
	}
	return in + "." + key
}

// want checks what kind of value there is.
func (d *decoder) want(e entry, kinds ...kind) bool {
	switch {
	case len(e.labels) > 0:
		d.bad(e.line, "%s takes no label", e.key)
	case slices.Contains(kinds, e.value.kind):
		return true
	case kinds[0] == objectKind:
		d.bad(e.line, "%s is a block: write %s { ... }", e.key, e.key)
	default:
		d.bad(e.line, "%s is %s, not %s", e.key, e.value.kind, kinds[0])
	}
	return false
}

// value gives what stands in a text or number, with the environment put in.
func (d *decoder) value(key string, n node) (string, bool) {
	if n.kind != textKind {
		return n.text, true
	}
	text, err := expand(n.text, d.lookup)
	if err != nil {
		d.bad(n.line, "%s %v", key, err)
		return "", false
	}
	return text, true
}

// parsed is the field of a scalar that parse understands.
func parsed[T any](d *decoder, to *Given[T], parse func(n node, text string) (T, error)) field {
	return field{read: func(e entry) {
		if !d.want(e, textKind, numberKind, boolKind) {
			return
		}
		text, ok := d.value(e.key, e.value)
		if !ok {
			return
		}
		v, err := parse(e.value, text)
		if err != nil {
			d.bad(e.line, "%s %v", e.key, err)
			return
		}
		*to = Given[T]{v, place(d.file, e.line)}
	}}
}

func (d *decoder) text(to *Given[string]) field {
	return parsed(d, to, func(_ node, text string) (string, error) { return text, nil })
}

// raw is text for another language, in which ${ may mean something else.
func (d *decoder) raw(to *Given[string]) field {
	return field{read: func(e entry) {
		if d.want(e, textKind) {
			*to = Given[string]{e.value.text, place(d.file, e.line)}
		}
	}}
}

func (d *decoder) yes(to *Given[bool]) field {
	return parsed(d, to, func(_ node, text string) (bool, error) { return ParseBool(text) })
}

// ParseBool takes what Vault takes: nothing at all is false.
func ParseBool(text string) (bool, error) {
	if text == "" {
		return false, nil
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		return false, errors.New("is either true or false")
	}
	return v, nil
}

func (d *decoder) number(to *Given[int]) field {
	return parsed(d, to, func(_ node, text string) (int, error) {
		v, err := strconv.ParseInt(text, 0, 32) // 0640 is octal in HCL
		if err != nil {
			return 0, errors.New("is not a whole number")
		}
		return int(v), nil
	})
}

func (d *decoder) float(to *Given[float64]) field {
	return parsed(d, to, func(_ node, text string) (float64, error) {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, errors.New("is not a number, such as 0.90")
		}
		return v, nil
	})
}

func (d *decoder) duration(to *Given[time.Duration]) field {
	return parsed(d, to, func(_ node, text string) (time.Duration, error) { return ParseDuration(text) })
}

// ParseDuration takes what Vault takes: Go's durations, a number of days such
// as 2d, or a number of seconds.
func ParseDuration(text string) (time.Duration, error) {
	unit := time.Second
	digits, isDays := strings.CutSuffix(text, "d")
	if isDays {
		unit = 24 * time.Hour
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	v := time.Duration(n) * unit
	if err != nil {
		v, err = time.ParseDuration(text)
	}
	if err != nil || v < 0 {
		return 0, errors.New("is not a duration: write a number and a unit, such as 500ms, 30s or 2m")
	}
	return v, nil
}

// mode reads permissions: text is octal, as "0640"; a number is what the
// language makes of it, so that 0640 is octal in HCL too.
func (d *decoder) mode(to *Given[fs.FileMode]) field {
	return parsed(d, to, func(n node, text string) (fs.FileMode, error) {
		base := 8
		if n.kind == numberKind {
			base = 0
		}
		v, err := strconv.ParseUint(text, base, 32)
		if err != nil || v > 0o777 {
			return 0, errors.New("is not permissions: write them as \"0640\"")
		}
		return fs.FileMode(v), nil
	})
}

// words is a list of texts; one text alone is a list too.
func (d *decoder) words(to *Given[[]string]) field {
	return field{read: func(e entry) { d.readWords(e, to, d.value) }}
}

// rawWords is a list of texts for another language.
func (d *decoder) rawWords(to *Given[[]string]) field {
	return field{read: func(e entry) {
		d.readWords(e, to, func(_ string, n node) (string, bool) { return n.text, true })
	}}
}

func (d *decoder) readWords(e entry, to *Given[[]string], value func(string, node) (string, bool)) {
	if !d.want(e, listKind, textKind, numberKind, boolKind) {
		return
	}
	items := []node{e.value}
	if e.value.kind == listKind {
		items = e.value.items
	}
	words := []string{}
	for _, item := range items {
		if !item.scalar() {
			d.bad(item.line, "%s has %s in it: it is a list of texts", e.key, item.kind)
			return
		}
		word, ok := value(e.key, item)
		if !ok {
			return
		}
		words = append(words, word)
	}
	*to = Given[[]string]{words, place(d.file, e.line)}
}

// one is a block without label that may be there once. A list with one block is
// the same.
func (d *decoder) one(read func(n node)) field {
	return field{block: true, read: func(e entry) {
		if e.value.kind == listKind && e.value.blocks() {
			if len(e.value.items) > 1 {
				d.bad(e.value.items[1].line, "%s is there already, in line %d: remove one", e.key, e.line)
				return
			}
			e.value = e.value.items[0]
		}
		if d.want(e, objectKind) {
			read(e.value)
		}
	}}
}

// labelled is a block that may be there more than once and may have a label,
// which JSON writes as a key around it:
//
//	sink "file" { ... }    {"sink": [{"file": {...}}]}    {"sink": [{"type": "file", ...}]}
//
// own tells the keys of the block itself, which are no labels.
func (d *decoder) labelled(own func(string) bool, read func(label string, n node)) field {
	return field{block: true, many: true, read: func(e entry) {
		if !e.value.blocks() {
			d.bad(e.line, "%s is a block: write %s { ... }", e.key, e.key)
			return
		}
		if len(e.labels) > 1 {
			d.bad(e.line, "%s takes one label at most", e.key)
			return
		}
		list := e.value.items
		if e.value.kind == objectKind {
			list = []node{e.value}
		}
		for _, n := range list {
			switch {
			case len(e.labels) == 1:
				read(e.labels[0], n)
			case n.isLabels(own):
				for _, inner := range n.entries {
					inner.labels = append([]string{inner.key}, inner.labels...)
					inner.key = e.key
					d.labelled(own, read).read(inner)
				}
			default:
				read("", n)
			}
		}
	}}
}

// isLabels tells a block whose keys are labels of blocks.
func (n node) isLabels(own func(string) bool) bool {
	return len(n.entries) > 0 && !slices.ContainsFunc(n.entries, func(e entry) bool {
		return own(e.key) || len(e.labels) > 0 || !e.value.blocks()
	})
}
