package fetch

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	firstBackoff = 100 * time.Millisecond // a restarting listener is back by then
	maxBackoff   = 5 * time.Second        // an unsealed Vault is noticed within this
)

// fullJitter returns a random duration from 0 up to limit.
func fullJitter(limit time.Duration) time.Duration { return rand.N(limit + 1) }

// backoff is how long to wait after the given try (from 1 up) before the next:
// full jitter below a ceiling that doubles (AWS Architecture Blog,
// "Exponential Backoff And Jitter"). Where the server said when to come back,
// never before that, and not all at the same moment.
func backoff(try int, retryAfter time.Duration, jitter func(limit time.Duration) time.Duration) time.Duration {
	ceiling := maxBackoff
	if shift := try - 1; shift < 10 { // beyond that it would overflow in the end
		ceiling = min(maxBackoff, firstBackoff<<shift)
	}
	return retryAfter + jitter(ceiling)
}

// parseRetryAfter reads the header of RFC 9110 section 10.2.3: seconds or an
// HTTP date. Zero means that there is none that makes sense.
func parseRetryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
