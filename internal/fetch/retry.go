package fetch

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// retry asks until there is an answer, the trouble is final, or ctx ends. The
// words say what is being done, for messages: "reading kv/app".
//
// It returns nil, context.Canceled, an *Error where waiting did not help, or a
// *failure that is final and that the caller has to put into words.
func (c *Client) retry(ctx context.Context, words, namespace string, do request) error {
	start := time.Now()
	var last *failure
	for try := 1; ; try++ {
		if ctx.Err() != nil {
			return c.ended(ctx, words, time.Since(start), try-1, last)
		}
		f := c.attempt(ctx, namespace, do)
		if f == nil {
			c.log.Debug("vault answered", "while", words, "try", try)
			return nil
		}
		// The reason of a try that was cut short says nothing; the only one there
		// is had all the time that one gets.
		only := ctx.Value(oneTryKey{}) != nil
		if ctx.Err() == context.Canceled || ctx.Err() != nil && !only {
			return c.ended(ctx, words, time.Since(start), try, last)
		}
		if f.broke { // while nothing works yet it is worth the time to ask why
			f = cmp.Or(c.probe(ctx), f)
		}
		last = f
		c.log.Debug("vault did not answer", "while", words, "try", try, "status", f.status, "class", f.class, "reason", f.reason)
		if f.final {
			return f
		}
		if only {
			return c.gaveUp(words, time.Since(start), try, f)
		}
		delay := backoff(try, f.retryAfter, fullJitter)
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < f.retryAfter {
			f.reason += fmt.Sprintf(", and it asks to be left alone for %s, longer than the time left", roundly(f.retryAfter))
			return c.gaveUp(words, time.Since(start), try, f) // waiting could only end in vain
		}
		c.notice.waiting(c.log, c.address, f, time.Now())
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
}

type oneTryKey struct{}

// oneTry makes retry leave the patience to its caller, who has more.
func oneTry(ctx context.Context) context.Context { return context.WithValue(ctx, oneTryKey{}, true) }

// Error makes a final failure an error; what the user sees is put into words
// by whoever asked.
func (f *failure) Error() string { return f.reason }

// fatal is a final failure as the end of the whole undertaking.
func (c *Client) fatal(words string, f *failure) *Error {
	text := fmt.Sprintf("%s at %s: %s", words, c.address, f.reason)
	if f.status != 0 {
		text += fmt.Sprintf(" (HTTP %d)", f.status)
	}
	return &Error{class: f.class, text: text}
}

// ended is the error for a ctx that ended; last is nil if no try got far
// enough to have a reason.
func (c *Client) ended(ctx context.Context, words string, waited time.Duration, tries int, last *failure) error {
	if ctx.Err() == context.Canceled && context.Cause(ctx) != errHopeless {
		return context.Canceled
	}
	if last != nil {
		return c.gaveUp(words, waited, tries, last)
	}
	err := c.gaveUp(words, waited, tries, &failure{class: ClassTimeout, reason: "no answer"})
	err.vague = true
	return err
}

func (c *Client) gaveUp(words string, waited time.Duration, tries int, last *failure) *Error {
	noun := "tries"
	if tries == 1 {
		noun = "try"
	}
	text := fmt.Sprintf("%s at %s: gave up after %s and %d %s: %s", words, c.address, roundly(waited), tries, noun, last.reason)
	if last.status != 0 {
		text += fmt.Sprintf(" (HTTP %d)", last.status)
	}
	return &Error{class: last.class, text: text, cause: context.DeadlineExceeded, retryAfter: last.retryAfter}
}

// roundly rounds to what a person cares for.
func roundly(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}

const firstNoticeInterval = 10 * time.Second

// waitNotice keeps the log quiet while many requests wait for one Vault: a
// line when the waiting begins, then at intervals that double.
type waitNotice struct {
	mu       sync.Mutex
	next     time.Time
	interval time.Duration
}

func (n *waitNotice) waiting(log *slog.Logger, address string, f *failure, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now.Before(n.next) {
		return
	}
	n.interval = max(firstNoticeInterval, 2*n.interval)
	n.next = now.Add(n.interval)
	log.Info("waiting for vault", "address", address, "reason", f.reason, "class", f.class, "status", f.status)
}
