package azpipe

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter caps what a header may say, so that a nonsensical one cannot overflow a duration.
const maxRetryAfter = 24 * time.Hour

// RetryAfter returns the wait that an answer's Retry-After header asks for, in either of its forms (whole seconds or an
// HTTP date), and whether the header had a meaning at all. A date is measured against the answer's own Date header when
// it has one, because the service's clock and ours may differ.
func RetryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if value == "" {
		return 0, false
	}
	if isDigits(value) {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	if sent, err := http.ParseTime(header.Get("Date")); err == nil {
		now = sent
	}
	return min(max(at.Sub(now), 0), maxRetryAfter), true
}

// isDigits reports whether s consists of ASCII digits only.
func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
