package smallfile

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"
)

// keeper is a reader that keeps all memory that it has ever written to.
type keeper struct {
	io.Reader
	kept [][]byte
}

func (k *keeper) Read(p []byte) (int, error) {
	k.kept = append(k.kept, p[:cap(p)])
	return k.Reader.Read(p)
}

// scribbler leaves something behind what it says that it has read.
type scribbler struct{ io.Reader }

func (s scribbler) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	copy(p[n:], "secret")
	return n, err
}

// left tells whether there is anything in it.
func (k *keeper) left() bool {
	for _, p := range k.kept {
		if !bytes.Equal(p, make([]byte, len(p))) {
			return true
		}
	}
	return false
}

// Nothing stays of what was read but what was taken: not in the memory that the
// buffer had before it grew, and not after an error.
func TestBufferWipes(t *testing.T) {
	long := strings.Repeat("secret ", 10_000)
	broken := errors.New("broken")
	for name, r := range map[string]io.Reader{
		"short":          strings.NewReader("secret"),
		"byte by byte":   iotest.OneByteReader(strings.NewReader(long[:20_000])),
		"scribbled":      scribbler{strings.NewReader("secret")},
		"long":           strings.NewReader(long),
		"with its end":   iotest.DataErrReader(strings.NewReader(long)),
		"half and error": io.MultiReader(strings.NewReader(long), iotest.ErrReader(broken)),
	} {
		k := &keeper{Reader: r}
		var text Buffer
		n, err := text.ReadFrom(k)
		if (err != nil) != (name == "half and error") {
			t.Errorf("%s: %v", name, err)
		}
		if !k.left() {
			t.Errorf("%s: the test sees no memory", name)
		}
		got := text.Take()
		if !strings.HasPrefix(long, got) || len(got) != int(n) || n < 6 {
			t.Errorf("%s: %d bytes, said to be %d", name, len(got), n)
		}
		if k.left() {
			t.Errorf("%s: something is left", name)
		}
	}
}

// What is written goes where it was read, and away with it.
func TestBufferWrite(t *testing.T) {
	var text Buffer
	var seen [][]byte
	for range 3000 {
		if n, err := io.WriteString(&text, "secret"); n != 6 || err != nil {
			t.Fatal(n, err)
		}
		seen = append(seen, text.b)
	}
	if got := text.Take(); got != strings.Repeat("secret", 3000) {
		t.Errorf("%d bytes", len(got))
	}
	for _, p := range seen {
		if !bytes.Equal(p, make([]byte, len(p))) {
			t.Fatal("something is left")
		}
	}
	if text.Take() != "" {
		t.Error("it is there a second time")
	}
}

// noWriter is a buffer that is not to be written to.
type noWriter struct {
	Buffer
	t *testing.T
}

func (w *noWriter) Write(p []byte) (int, error) {
	w.t.Error("there was another buffer in between")
	return len(p), nil
}

// Of a program's output os/exec has no copy of its own.
func TestBufferOfProgram(t *testing.T) {
	w := &noWriter{t: t}
	cmd := exec.Command("echo", "secret")
	cmd.Stdout = w
	if err := cmd.Run(); err != nil || w.Take() != "secret\n" {
		t.Error(err)
	}
}
