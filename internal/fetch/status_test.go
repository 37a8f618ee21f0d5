package fetch

import (
	"testing"
	"testing/synctest"
	"time"

	"vaultexec/internal/fetch/fetchtest"
	"vaultexec/internal/ref"
)

// Of what the command cannot use it has an older value: that is a state of its
// own, and what counts is the end of the value that it has.
func TestStatusOfWhatIsUnusable(t *testing.T) {
	creds := ref.Source{Path: "database/creds/app"}
	watch(t, true, func(v *fetchtest.Server) { v.Dynamic("database/creds/app", fetchtest.Life{TTL: time.Hour}) },
		[]string{"database/creds/app", "kv/app?refresh=never"}, func(w *watching) {
			first := w.begun.Add(time.Hour)
			expect := func(when string, fresh, unusable, past int, expiry time.Time) {
				t.Helper()
				synctest.Wait()
				s := w.Status()
				if s.Fresh != fresh || s.Unusable != unusable || s.Past != past || s.NextExpiry.Sub(expiry).Abs() > time.Second {
					t.Errorf("%s: %d fresh, %d unusable, %d past, the next ends in %s, want %d, %d, %d and %s",
						when, s.Fresh, s.Unusable, s.Past, time.Until(s.NextExpiry), fresh, unusable, past, time.Until(expiry))
				}
			}
			expect("in the beginning", 2, 0, 0, first)
			w.within(41 * time.Minute)
			second := time.Now().Add(time.Hour)
			expect("replaced", 2, 0, 0, second)
			w.Unusable([]ref.Source{creds})
			expect("refused", 1, 1, 0, first)
			time.Sleep(time.Until(first))
			expect("past the end of what the command has", 1, 0, 1, first)
			w.said("a secret is past its life", 1)
			w.within(41 * time.Minute) // another one, which is refused too
			expect("replaced again", 1, 0, 1, first)
			w.Unusable(nil)
			expect("taken", 2, 0, 0, time.Now().Add(time.Hour))
			w.said("a secret was replaced after its life", 1)
		})
}

// What is told before anybody listens, or twice, is as good.
func TestUnusableReplacesWhatWasTold(t *testing.T) {
	app, inner := ref.Source{Path: "kv/app"}, ref.Source{Path: "kv/dir/inner"}
	watch(t, true, nothingMore, []string{"kv/app", "kv/dir/inner"}, func(w *watching) {
		for _, sources := range [][]ref.Source{{app}, {app, inner}, {inner}, {{Path: "kv/none"}, inner}} {
			w.Unusable(sources)
		}
		synctest.Wait()
		if s := w.Status(); s.Fresh != 1 || s.Unusable != 1 {
			t.Errorf("%d fresh, %d unusable, want one of each", s.Fresh, s.Unusable)
		}
	})
}
