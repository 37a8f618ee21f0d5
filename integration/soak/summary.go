package main

import (
	"context"
	"fmt"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// summary is what the app has written.
type summary struct {
	starts, queries int
	failed          []string
	excused         int           // failed because the user was revoked
	longest         time.Duration // that a child lived on with such a user
	number          string        // of the last start
}

func (s *stage) summary() (sum summary, err error) {
	s.mu.Lock()
	revoked := slices.Clone(s.revoked)
	s.mu.Unlock()
	text, err := os.ReadFile(s.log)
	users := make(map[string]string) // pid -> the user it was started with last
	for line := range lines(string(text)) {
		switch {
		case line[0] == "start" && len(line) >= 5:
			sum.starts++
			sum.number = line[2]
			users[line[1]] = line[3]
			if line[4] != "ok" {
				sum.number = "" // its static password is not the newest
			}
		case line[0] == "ok":
			sum.queries++
		case line[0] == "failed" && len(line) >= 3:
			at, parseErr := time.Parse(time.RFC3339Nano, line[2])
			if since, ok := gone(revoked, users[line[1]], at); ok && parseErr == nil {
				sum.excused++
				sum.longest = max(sum.longest, since)
				continue
			}
			sum.failed = append(sum.failed, strings.Join(line[1:], " "))
		}
	}
	return sum, err
}

// moveLimit is how long the app may live on with a user that is gone: until
// the next request shows that the token is dead, for a login, the credentials
// and a restart, and for a fault that comes between.
const moveLimit = 30 * time.Second

// gone tells whether a user had been revoked when a query failed, not too long
// before.
func gone(revoked []revocation, user string, at time.Time) (since time.Duration, ok bool) {
	for _, r := range revoked {
		since := at.Sub(r.at)
		if since >= 0 && since <= moveLimit && slices.Contains(r.users, user) {
			return since, true
		}
	}
	return 0, false
}

func lines(text string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for line := range strings.Lines(text) {
			if words := strings.Fields(line); len(words) > 0 && !yield(words) {
				return
			}
		}
	}
}

// startLimit is what a rotation may take to arrive: the refresh interval,
// debounce and minimum interval, and all the rest for a slow machine.
const startLimit = 2 * time.Minute

// started waits for an app that was started with the secret's number and with
// a static password that is good.
func (s *stage) started(ctx context.Context, number int) error {
	limit := time.Now().Add(startLimit)
	for {
		sum, err := s.summary()
		if err != nil {
			return err
		}
		if sum.number == strconv.Itoa(number) {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("the app has number %q and not %d after %v", sum.number, number, startLimit)
		}
		if err := s.pass(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}
