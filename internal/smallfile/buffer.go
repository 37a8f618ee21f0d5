package smallfile

import "io"

// Buffer is for text that may be secret: nothing of it stays in the memory that
// it once had, neither when it grows nor after Wipe. The zero value is empty.
// What is made of it (a string, what a decoder returns) lasts as long as Go
// likes; but it is one copy, not one for each time that a buffer has doubled.
type Buffer struct{ b []byte }

// first is the room that a buffer begins with: more than most credentials take.
// With less than leastRead bytes of it left it grows.
const first, leastRead = 4096, 512

// ReadFrom reads to the end. It makes io.Copy, and so os/exec, read into this
// memory and none of their own.
func (t *Buffer) ReadFrom(r io.Reader) (int64, error) {
	before := len(t.b)
	for {
		t.grow(leastRead)
		n, err := r.Read(t.b[len(t.b):cap(t.b)])
		t.b = t.b[:len(t.b)+n]
		if err == io.EOF {
			err = nil
		} else if err == nil {
			continue
		}
		return int64(len(t.b) - before), err
	}
}

// Write appends; p is the caller's to wipe.
func (t *Buffer) Write(p []byte) (int, error) {
	t.grow(len(p))
	t.b = append(t.b, p...)
	return len(p), nil
}

// grow makes room for n more bytes.
func (t *Buffer) grow(n int) {
	if cap(t.b)-len(t.b) >= n {
		return
	}
	old := t.b
	t.b = append(make([]byte, 0, 2*cap(old)+max(n, first)), old...)
	clear(old[:cap(old)]) // as Wipe
}

// Take gives what is in it, and wipes it.
func (t *Buffer) Take() string {
	defer t.Wipe()
	return string(t.b)
}

// Wipe empties it. All of its memory is overwritten: a reader may have written
// behind what it says that it has read.
func (t *Buffer) Wipe() {
	clear(t.b[:cap(t.b)])
	t.b = nil
}
