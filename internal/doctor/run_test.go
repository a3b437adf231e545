package doctor

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func finds(f ...Finding) func(context.Context) []Finding {
	return func(context.Context) []Finding { return f }
}

// seen runs checks and returns what was shown, line by line.
func seen(t *testing.T, checks ...Check) (lines []string) {
	t.Helper()
	all := Run(t.Context(), checks, func(f Finding) { lines = append(lines, f.String()) })
	require.Len(t, all, len(lines))
	return lines
}

func TestChecksRunAtOnceAndShowInTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := func(d time.Duration) func(context.Context) []Finding {
			return func(context.Context) []Finding {
				time.Sleep(d)
				return []Finding{good("after %s", d)}
			}
		}
		began := time.Now()
		lines := seen(t, Check{Name: "one", Run: slow(3 * time.Second)}, Check{Name: "two", Run: slow(time.Second)}, Check{Name: "three", Run: slow(2 * time.Second)})
		require.Equal(t, []string{"ok    one: after 3s", "ok    two: after 1s", "ok    three: after 2s"}, lines)
		require.Equal(t, 3*time.Second, time.Since(began))
	})
}

func TestWhatNeedsAFailedCheckIsNotLookedAt(t *testing.T) {
	t.Parallel()
	var ran atomic.Int32
	counts := func(context.Context) []Finding {
		ran.Add(1)
		return []Finding{good("fine")}
	}
	lines := seen(t,
		Check{Name: "last", Needs: []string{"middle"}, Run: counts},
		Check{Name: "first", Run: finds(good("a"), failure("do b", "b"))},
		Check{Name: "middle", Needs: []string{"warned", "first"}, Run: counts},
		Check{Name: "warned", Run: finds(warning("c", "d"))},
		Check{Name: "after a warning", Needs: []string{"warned"}, Run: counts},
		Check{Name: "ended", Run: finds(warning("e", "f").ending())},
		Check{Name: "after an end", Needs: []string{"ended"}, Run: counts},
		Check{Name: "nothing", Needs: []string{"no such check"}, Run: counts})
	require.Equal(t, []string{
		"warn  last: not looked at, because of middle; mend that first",
		"ok    first: a", "fail  first: b; do b",
		"warn  middle: not looked at, because of first; mend that first",
		"warn  warned: d; c", "ok    after a warning: fine",
		"warn  ended: f; e", "warn  after an end: not looked at, because of ended; mend that first",
		"warn  nothing: not looked at, because of no such check; mend that first",
	}, lines)
	require.EqualValues(t, 1, ran.Load())
}

func TestEachCheckHasItsDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lines := seen(t,
			Check{Name: "obeys", Within: time.Second, Run: func(ctx context.Context) []Finding {
				<-ctx.Done()
				return []Finding{failure("", "%v", ctx.Err())}
			}},
			Check{Name: "hangs", Within: time.Second, Run: func(context.Context) []Finding {
				time.Sleep(time.Minute)
				return []Finding{good("too late")}
			}},
			Check{Name: "needs it", Needs: []string{"hangs"}, Run: finds(good("fine"))})
		require.Equal(t, []string{
			"fail  obeys: context deadline exceeded",
			"fail  hangs: no answer within 1s; try again, and look at what it waits for",
			"warn  needs it: not looked at, because of hangs; mend that first",
		}, lines)
		time.Sleep(time.Minute) // until it has ended
	})
}

func TestFindingsAreLines(t *testing.T) {
	t.Parallel()
	lines := seen(t, Check{Name: "x", Run: finds(failure("do\nthis", "two\r\n lines, \x1b[31mred\u202e and\ttabs").about("y\nz"))})
	require.Equal(t, []string{"fail  y z: two lines, �[31mred� and tabs; do this"}, lines)
	b, err := json.Marshal(good("fine"))
	require.NoError(t, err)
	require.JSONEq(t, `{"status":"ok","what":"","found":"fine"}`, string(b))
}
