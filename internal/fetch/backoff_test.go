package fetch

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	most := func(limit time.Duration) time.Duration { return limit }
	least := func(time.Duration) time.Duration { return 0 }
	tests := []struct {
		try              int
		retryAfter       time.Duration
		shortest, widest time.Duration
	}{
		{1, 0, 0, 100 * time.Millisecond},
		{2, 0, 0, 200 * time.Millisecond},
		{6, 0, 0, 3200 * time.Millisecond},
		{7, 0, 0, 5 * time.Second},
		{1000, 0, 0, 5 * time.Second},
		{1, 7 * time.Second, 7 * time.Second, 7100 * time.Millisecond},
		{1000, time.Hour, time.Hour, time.Hour + 5*time.Second},
	}
	for _, test := range tests {
		if got := backoff(test.try, test.retryAfter, least); got != test.shortest {
			t.Errorf("try %d, retry after %s: at the least %s, want %s", test.try, test.retryAfter, got, test.shortest)
		}
		if got := backoff(test.try, test.retryAfter, most); got != test.widest {
			t.Errorf("try %d, retry after %s: at the most %s, want %s", test.try, test.retryAfter, got, test.widest)
		}
	}
	for range 1000 {
		if got := fullJitter(5); got < 0 || got > 5 {
			t.Fatalf("jitter of up to 5ns is %s", got)
		}
	}
}

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)
	tests := []struct {
		value string
		want  time.Duration
	}{
		{"", 0},
		{"0", 0},
		{"3", 3 * time.Second},
		{"2147483647", 2147483647 * time.Second},
		{"99999999999999999999", 0},
		{"-3", 0},
		{"soon", 0},
		{"Sun, 22 Nov 2026 13:00:05 GMT", 5 * time.Second},
		{"Sun, 22 Nov 2026 12:59:55 GMT", 0},
	}
	for _, test := range tests {
		if got := parseRetryAfter(test.value, now); got != test.want {
			t.Errorf("%q: %s, want %s", test.value, got, test.want)
		}
	}
}
