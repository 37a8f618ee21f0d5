// Command peer has the libraries that vaultexec takes over from say what they make
// of the cases in testdata/peer.json: consul-template and sprig of templates,
// gopkg.in/yaml.v2 of documents. It is in this module because Vault needs the same
// versions of them.
//
//	go -C integration/servers/vault run ./peer           compare with what the files have
//	go -C integration/servers/vault run ./peer -update   write what they make into the files
//
// A new case is a line with its template or text alone, and then -update.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
	"unicode/utf16"

	"gopkg.in/yaml.v2"
)

// internal is where the files are, from the directory of this module.
const internal = "../../../internal/"

func main() {
	update := flag.Bool("update", false, "write the files")
	flag.Parse()
	time.Local = time.UTC // as the tests have it
	if err := errors.Join(
		file[templateCase]{internal + "template/testdata/peer.json", rendered, writeLines}.do(*update),
		file[document]{internal + "yaml/testdata/peer.json", parsed, writeIndented}.do(*update),
	); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

// file is one with cases.
type file[T comparable] struct {
	name  string
	ask   func(T) T // what the peer makes of a case
	write func([]T) ([]byte, error)
}

func (f file[T]) do(update bool) error {
	content, err := os.ReadFile(f.name)
	if err != nil {
		return err
	}
	var cases []T
	if err := json.Unmarshal(content, &cases); err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	var wrong error
	for i, c := range cases {
		if cases[i] = f.ask(c); cases[i] != c && !update {
			wrong = errors.Join(wrong, fmt.Errorf("%s has %+v, and the peer says %+v", f.name, c, cases[i]))
		}
	}
	if wrong != nil || !update {
		return wrong
	}
	if content, err = f.write(cases); err != nil {
		return err
	}
	return os.WriteFile(f.name, content, 0o644)
}

// document is a YAML text, and the Go value that it is.
type document struct{ Text, Want string }

func parsed(d document) document {
	var v any
	if err := yaml.Unmarshal([]byte(d.Text), &v); err != nil {
		return document{d.Text, "error: " + err.Error()}
	}
	return document{d.Text, fmt.Sprintf("%#v", v)}
}

func writeIndented(cases []document) ([]byte, error) {
	content, err := json.MarshalIndent(cases, "", " ")
	return append(content, '\n'), err
}

// writeLines writes a case on each line, in ASCII, so that what differs can be
// seen.
func writeLines(cases []templateCase) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("[\n")
	for i, c := range cases {
		for _, part := range []struct{ before, text string }{{`{"template": `, c.Template}, {`, "want": `, c.Want}} {
			b.WriteString(part.before)
			if err := writeASCII(&b, part.text); err != nil {
				return nil, err
			}
		}
		if c.Fails {
			b.WriteString(`, "fails": true`)
		}
		b.WriteByte('}')
		if i < len(cases)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("]\n")
	return b.Bytes(), nil
}

func writeASCII(b *bytes.Buffer, s string) error {
	var quoted bytes.Buffer
	enc := json.NewEncoder(&quoted)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return err
	}
	for _, r := range string(bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))) {
		if r < 0x7f {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(b, `\u%04x`, unit)
		}
	}
	return nil
}
