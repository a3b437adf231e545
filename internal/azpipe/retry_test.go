package azpipe

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// script answers with one function after the other, then 200.
func script(answers ...func(http.ResponseWriter)) func(int, http.ResponseWriter, *http.Request) {
	return func(n int, w http.ResponseWriter, _ *http.Request) {
		if n < len(answers) {
			answers[n](w)
			return
		}
		status(200)(w)
	}
}

func shortBody(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "100")
	_, _ = w.Write([]byte("only this"))
	_ = http.NewResponseController(w).Flush()
	cut(w)
}

func TestRetry(t *testing.T) {
	date := func(in time.Duration) string { return time.Now().Add(in).UTC().Format(http.TimeFormat) }
	many := func(n int, f func(http.ResponseWriter)) (all []func(http.ResponseWriter)) {
		for range n {
			all = append(all, f)
		}
		return all
	}
	tests := map[string]struct {
		method  string
		answers func() []func(http.ResponseWriter)
		sends   int
		status  int
		min     time.Duration // total time, at least
		max     time.Duration
	}{
		"POST 429 in seconds": {"POST", func() []func(http.ResponseWriter) { return many(1, status(429, "Retry-After", "7")) }, 2, 200, 7 * time.Second, 7 * time.Second},
		"POST 429 as date":    {"POST", func() []func(http.ResponseWriter) { return many(1, status(429, "Retry-After", date(30*time.Second))) }, 2, 200, 30 * time.Second, 30 * time.Second},
		"POST 429 bare":       {"POST", func() []func(http.ResponseWriter) { return many(1, status(429)) }, 2, 200, 400 * time.Millisecond, 600 * time.Millisecond},
		"POST 429 for ever":   {"POST", func() []func(http.ResponseWriter) { return many(9, status(429, "Retry-After", "1")) }, 4, 429, 3 * time.Second, 3 * time.Second},
		"POST 429 too long":   {"POST", func() []func(http.ResponseWriter) { return many(9, status(429, "Retry-After", "61")) }, 1, 429, 0, 0},
		"GET 429 too long":    {"GET", func() []func(http.ResponseWriter) { return many(9, status(429, "Retry-After", "3600")) }, 1, 429, 0, 0},
		"POST 408":            {"POST", func() []func(http.ResponseWriter) { return many(1, status(408)) }, 1, 408, 0, 0},
		"POST 500":            {"POST", func() []func(http.ResponseWriter) { return many(1, status(500)) }, 1, 500, 0, 0},
		"POST 503 with hint":  {"POST", func() []func(http.ResponseWriter) { return many(1, status(503, "Retry-After", "1")) }, 1, 503, 0, 0},
		"POST 504":            {"POST", func() []func(http.ResponseWriter) { return many(1, status(504)) }, 1, 504, 0, 0},
		"POST cut":            {"POST", func() []func(http.ResponseWriter) { return many(1, cut) }, 1, 0, 0, 0},
		"POST body cut":       {"POST", func() []func(http.ResponseWriter) { return many(1, shortBody) }, 1, 0, 0, 0},
		"POST 307":            {"POST", func() []func(http.ResponseWriter) { return many(1, status(307, "Location", "/elsewhere")) }, 1, 307, 0, 0},
		"PATCH 502":           {"PATCH", func() []func(http.ResponseWriter) { return many(1, status(502)) }, 1, 502, 0, 0},
		"DELETE cut":          {"DELETE", func() []func(http.ResponseWriter) { return many(1, cut) }, 1, 0, 0, 0},
		"GET 500 twice":       {"GET", func() []func(http.ResponseWriter) { return many(2, status(500)) }, 3, 200, 1200 * time.Millisecond, 1800 * time.Millisecond},
		"GET 503 with hint":   {"GET", func() []func(http.ResponseWriter) { return many(1, status(503, "Retry-After", "9")) }, 2, 200, 9 * time.Second, 9 * time.Second},
		"GET 500 for ever":    {"GET", func() []func(http.ResponseWriter) { return many(9, status(500)) }, 4, 500, 2800 * time.Millisecond, 4200 * time.Millisecond},
		"GET cut":             {"GET", func() []func(http.ResponseWriter) { return many(1, cut) }, -1, 200, 0, time.Second},
		"GET body cut":        {"GET", func() []func(http.ResponseWriter) { return many(1, shortBody) }, 2, 200, 400 * time.Millisecond, 600 * time.Millisecond},
		"GET 404":             {"GET", func() []func(http.ResponseWriter) { return many(1, status(404)) }, 1, 404, 0, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService(t, script(tc.answers()...))
				start := time.Now()
				code, _, err := send(t.Context(), t, s.pipe(t, nil), tc.method, Operation{})
				took := time.Since(start)
				if tc.sends >= 0 { // net/http itself may repeat a cut GET
					require.Equal(t, tc.sends, s.sends())
				}
				require.Equal(t, tc.status, code)
				require.Equal(t, tc.status == 0, err != nil, "error: %v", err)
				require.GreaterOrEqual(t, took, tc.min)
				require.LessOrEqual(t, took, tc.max)
				if tc.status == 0 {
					require.False(t, NotSent(err), "a lost write must count as possibly done")
				}
				for _, body := range s.bodies {
					require.Equal(t, tc.method == "POST", body == "the body", "a body must be sent whole again")
				}
			})
		})
	}
}

func TestRetryWithoutWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, answer := range []func(http.ResponseWriter){status(429, "Retry-After", "2"), status(429), status(500), cut} {
			s := newService(t, script(answer, answer, answer, answer))
			start := time.Now()
			code, _, err := send(WithoutWaiting(t.Context()), t, s.pipe(t, nil), "GET", Operation{})
			require.Zero(t, time.Since(start))
			require.LessOrEqual(t, s.sends(), 1)
			require.True(t, code >= 429 || err != nil)
		}
	})
}

func TestRetryNeverSleepsIntoADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, script(status(429, "Retry-After", "30")))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		start := time.Now()
		code, _, err := send(ctx, t, s.pipe(t, nil), "POST", Operation{})
		require.NoError(t, err)
		require.Equal(t, 429, code, "the caller must learn of the 429, not of a deadline")
		require.Zero(t, time.Since(start))
	})
}

func TestRetryCancelledWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, script(status(429, "Retry-After", "30")))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		start := time.Now()
		_, _, err := send(ctx, t, s.pipe(t, nil), "POST", Operation{})
		require.ErrorIs(t, err, context.Canceled)
		require.True(t, NotSent(err), "everything sent so far was refused")
		require.Equal(t, 5*time.Second, time.Since(start))
		require.Equal(t, 1, s.sends())
	})
}

func TestRetryAfterForms(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		value, date string
		want        time.Duration
		ok          bool
	}{
		"none":            {"", "", 0, false},
		"seconds":         {"12", "", 12 * time.Second, true},
		"spaces":          {" 12 ", "", 12 * time.Second, true},
		"zero":            {"0", "", 0, true},
		"huge":            {"99999999999999999999", "", 24 * time.Hour, true},
		"negative":        {"-3", "", 0, false},
		"fraction":        {"1.5", "", 0, false},
		"date":            {"Sun, 22 Nov 2026 10:00:42 GMT", "", 42 * time.Second, true},
		"date of service": {"Sun, 22 Nov 2026 12:00:42 GMT", "Sun, 22 Nov 2026 12:00:00 GMT", 42 * time.Second, true},
		"past date":       {"Sun, 22 Nov 2026 09:00:00 GMT", "", 0, true},
		"old date form":   {"Sunday, 22-Nov-26 10:01:00 GMT", "", time.Minute, true},
		"far date":        {"Sun, 22 Nov 2099 09:00:00 GMT", "", 24 * time.Hour, true},
		"words":           {"soon", "", 0, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			h.Set("Retry-After", tc.value)
			h.Set("Date", tc.date)
			got, ok := RetryAfter(h, now)
			require.Equal(t, tc.ok, ok)
			require.Equal(t, tc.want, got)
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, v := range []string{"", "1", "-1", "99999999999999999999", "Sun, 22 Nov 2026 10:00:42 GMT", "x", "1e9", "٣", "0x1", "+5", "1_0", " 007 "} {
		f.Add(v, "")
		f.Add("5", v)
	}
	now := time.Unix(1e9, 0)
	f.Fuzz(func(t *testing.T, value, date string) {
		header := http.Header{"Retry-After": {value}, "Date": {date}}
		wait, ok := RetryAfter(header, now)
		require.True(t, wait >= 0 && wait <= maxRetryAfter)
		require.True(t, ok || wait == 0)
		again, _ := RetryAfter(http.Header{"Retry-After": {" " + value + "\t"}, "Date": {date}}, now)
		require.Equal(t, wait, again, "blanks around it mean nothing")
		text := strings.TrimSpace(value)
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			require.True(t, ok)
			require.Equal(t, min(n, 24*60*60), uint64(wait/time.Second))
		} else if at, err := http.ParseTime(text); err == nil && ok {
			if _, err := http.ParseTime(date); err != nil {
				require.Equal(t, min(max(at.Sub(now), 0), maxRetryAfter), wait, "without a date of the service ours counts")
			}
		} else {
			require.True(t, !ok || isDigits(text), "%q has no meaning", value)
		}
	})
}
