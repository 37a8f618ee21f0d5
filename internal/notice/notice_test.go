package notice

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

// told collects lines without their time and level.
type told struct{ bytes.Buffer }

func (b *told) lines() []string {
	text := strings.TrimSuffix(b.String(), "\n")
	b.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func telling() (*Notices, *told) {
	var out told
	noTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	return To(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: noTime}))), &out
}

func TestGrowingIntervals(t *testing.T) {
	n, out := telling()
	start := time.Unix(1_700_000_000, 0)
	var at []string
	for after := time.Duration(0); after < 5*time.Hour; after += 10 * time.Second {
		n.Say("x", start.Add(after), "trouble")
		if len(out.lines()) > 0 {
			at = append(at, after.String())
		}
	}
	want := []string{"0s", "1m0s", "3m0s", "7m0s", "15m0s", "31m0s", "1h3m0s", "2h3m0s", "3h3m0s", "4h3m0s"}
	if !slices.Equal(at, want) {
		t.Errorf("said at %q, want %q", at, want)
	}
}

func TestEachKindAndItsEnd(t *testing.T) {
	n, out := telling()
	at := func(after time.Duration) time.Time { return time.Unix(1_700_000_000, 0).Add(after) }
	n.Say("x", at(0), "no x", "k", "v")
	n.Say("x", at(time.Second), "no x")
	n.Say("y", at(time.Second), "no y")
	n.SayAfter(time.Minute, "z", at(time.Second), "no z")
	n.Over("z", at(2*time.Second), "z again") // nobody was told
	n.Over("x", at(90*time.Second), "x again", "k", "v")
	n.Over("x", at(90*time.Second), "x again")
	n.Over("y", at(90*time.Second), "")
	n.Say("x", at(2*time.Minute), "no x")
	n.SayAfter(time.Minute, "z", at(3*time.Minute), "no z")
	n.SayAfter(time.Minute, "z", at(4*time.Minute), "no z")
	want := []string{
		`level=WARN msg="no x" k=v`, `level=WARN msg="no y"`, `level=INFO msg="x again" k=v after=1m30s`,
		`level=WARN msg="no x"`, `level=WARN msg="no z" for=1m0s`,
	}
	if got := out.lines(); !slices.Equal(got, want) {
		t.Errorf("said\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
