package azpipe

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// line records in which order calls got through.
type line struct {
	mu    sync.Mutex
	order []string
	at    map[string]time.Duration
	errs  map[string]error
	start time.Time
	wg    sync.WaitGroup
}

func newLine() *line {
	return &line{at: map[string]time.Duration{}, errs: map[string]error{}, start: time.Now()}
}

// call takes one call in the background and returns when it waits or is done.
func (l *line) call(ctx context.Context, b *Budgets, limit Limit, name string) {
	l.wg.Go(func() {
		err := b.Take(ctx, "app", isolate, limit)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.at[name], l.errs[name] = time.Since(l.start), err
		if err == nil {
			l.order = append(l.order, name)
		}
	})
	synctest.Wait()
}

// of returns when a call ended, and how.
func (l *line) of(name string) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at[name], l.errs[name]
}

func containing(ctx context.Context) context.Context { return WithPriority(ctx, Containment) }

// useUp takes n calls, which must all be free.
func useUp(t *testing.T, b *Budgets, limit Limit, n int) {
	t.Helper()
	for range n {
		require.NoError(t, b.Take(WithoutWaiting(t.Context()), "app", isolate, limit))
	}
}

func TestContainmentGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l, limit := NewBudgets(0), newLine(), Limit{PerMinute: 6}
		useUp(t, b, limit, 6)
		l.call(t.Context(), b, limit, "read 1")
		l.call(t.Context(), b, limit, "read 2")
		time.Sleep(time.Second)
		l.call(containing(t.Context()), b, limit, "isolate 1")
		l.call(t.Context(), b, limit, "read 3")
		l.call(containing(t.Context()), b, limit, "isolate 2")
		l.wg.Wait()
		require.Equal(t, []string{"isolate 1", "isolate 2", "read 1", "read 2", "read 3"}, l.order)
		for i, name := range l.order {
			require.InDelta(t, 10*float64(i+1), l.at[name].Seconds(), 0.01, name)
		}
	})
}

func TestCancelledPlaceIsFreeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l, limit := NewBudgets(0), newLine(), Limit{PerMinute: 6}
		useUp(t, b, limit, 6)
		ctx, cancel := context.WithCancel(t.Context())
		l.call(containing(ctx), b, limit, "gives up")
		l.call(t.Context(), b, limit, "stays")
		time.Sleep(9 * time.Second)
		cancel()
		l.wg.Wait()
		require.ErrorIs(t, l.errs["gives up"], context.Canceled)
		require.True(t, NotSent(l.errs["gives up"]))
		require.Equal(t, []string{"stays"}, l.order)
		require.InDelta(t, 10, l.at["stays"].Seconds(), 0.01, "it moves up into the free place")
		time.Sleep(time.Minute)
		useUp(t, b, limit, 6)
	})
}

func TestWithoutWaitingOvertakesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l, limit := NewBudgets(0), newLine(), Limit{PerMinute: 6}
		useUp(t, b, limit, 6)
		l.call(containing(t.Context()), b, limit, "waiting")
		// The token is there from this moment on, and belongs to the call that has waited for it.
		time.Sleep(10*time.Second - time.Nanosecond)
		err := b.Take(WithoutWaiting(containing(t.Context())), "app", isolate, limit)
		require.InDelta(t, 10, RetryAfterOf(err).Seconds(), 0.01, "it would be second")
		time.Sleep(time.Nanosecond)
		err = b.Take(WithoutWaiting(containing(t.Context())), "app", isolate, limit)
		require.Error(t, err)
		l.wg.Wait()
		require.Equal(t, []string{"waiting"}, l.order)
	})
}

func TestWaitCountsThoseAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l, limit := NewBudgets(0), newLine(), Limit{PerMinute: 2}
		useUp(t, b, limit, 2)
		l.call(t.Context(), b, limit, "30 s")
		l.call(t.Context(), b, limit, "60 s")
		var over *BudgetError
		err := b.Take(t.Context(), "app", isolate, limit)
		require.ErrorAs(t, err, &over)
		require.InDelta(t, 90, over.Wait.Seconds(), 0.01)
		require.ErrorContains(t, err, "1m30s")
		l.wg.Wait()
		require.Equal(t, []string{"30 s", "60 s"}, l.order, "a wait of exactly a minute is not above it")
	})
}

func TestOvertakenTooLongIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l, limit := NewBudgets(0), newLine(), Limit{PerMinute: 2}
		useUp(t, b, limit, 2)
		l.call(t.Context(), b, limit, "read 1")
		l.call(t.Context(), b, limit, "read 2")
		time.Sleep(time.Second)
		l.call(containing(t.Context()), b, limit, "isolate")
		at, err := l.of("read 2")
		require.Equal(t, time.Second, at, "its turn is now after 90 s: it is told at once")
		require.InDelta(t, 89, RetryAfterOf(err).Seconds(), 0.01)
		l.wg.Wait()
		require.Equal(t, []string{"isolate", "read 1"}, l.order)
	})
}

func TestRefusalHoldsTheOthersBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, script(status(429, "Retry-After", "30")))
		shared, op := NewBudgets(0), Operation{Endpoint: "GET /api/machines", Limit: DefaultLimit()}
		p := s.pipe(t, func(o *Options) { o.Budgets = shared })
		var wg sync.WaitGroup
		wg.Go(func() { _, _, _ = send(t.Context(), t, p, "GET", op) })
		synctest.Wait()
		for range 50 {
			wg.Go(func() {
				code, _, err := send(t.Context(), t, p, "GET", op)
				if err != nil || code != 200 {
					t.Errorf("got %d, %v", code, err)
				}
			})
		}
		_, _, err := send(WithoutWaiting(t.Context()), t, p, "POST", Operation{Endpoint: "POST /api/other", Limit: DefaultLimit()})
		require.NoError(t, err, "other endpoints go on")
		wg.Wait()
		require.Equal(t, 53, s.sends(), "one refusal is enough")
		early := slices.DeleteFunc(s.arrived, func(at time.Duration) bool { return at >= 30*time.Second })
		require.Len(t, early, 2)
	})
}

func TestLongPauseIsAnErrorAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, script(status(429, "Retry-After", "3600")))
		op := Operation{Endpoint: isolate} // also where no rate is documented
		p := s.pipe(t, nil)
		code, _, err := send(t.Context(), t, p, "POST", op)
		require.NoError(t, err)
		require.Equal(t, 429, code)
		time.Sleep(10 * time.Minute)
		start := time.Now()
		_, _, err = send(t.Context(), t, p, "POST", op)
		var paused *PauseError
		require.ErrorAs(t, err, &paused)
		require.Equal(t, 50*time.Minute, paused.Wait)
		require.Equal(t, paused.Wait, RetryAfterOf(err))
		require.True(t, NotSent(err))
		require.ErrorContains(t, err, "50m0s")
		require.ErrorContains(t, err, isolate)
		require.Zero(t, time.Since(start))
		require.Equal(t, 1, s.sends())
		time.Sleep(paused.Wait)
		code, _, err = send(t.Context(), t, p, "POST", op)
		require.NoError(t, err)
		require.Equal(t, 200, code)
	})
}

func TestPauseReachesThoseWhoWaitAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l, limit := NewBudgets(0), newLine(), Limit{PerMinute: 6}
		useUp(t, b, limit, 6)
		l.call(containing(t.Context()), b, limit, "waits")
		b.pause("app", isolate, limit, 40*time.Second)
		b.pause("app", isolate, limit, time.Second) // does not shorten it
		l.wg.Wait()
		require.Equal(t, 40*time.Second, l.at["waits"])

		useUp(t, b, limit, 3)
		l.call(containing(t.Context()), b, limit, "refused")
		b.pause("app", isolate, limit, 48*time.Hour)
		l.wg.Wait()
		require.Equal(t, 40*time.Second, l.at["refused"])
		require.Equal(t, maxPause, RetryAfterOf(l.errs["refused"]), "no header can close an endpoint for longer than an hour")
	})
}

func TestPriorityOfCalls(t *testing.T) {
	require.Equal(t, Enrichment, priorityOf(t.Context()))
	require.Equal(t, Containment, priorityOf(containing(t.Context())))
	require.Equal(t, Enrichment, priorityOf(WithPriority(containing(t.Context()), Enrichment)))
	require.Equal(t, Enrichment, priorityOf(WithPriority(t.Context(), 7)), "an unknown one gets no advantage")
	for _, tc := range []struct {
		method string
		reads  bool
		ctx    func(context.Context) context.Context
		first  bool
	}{
		{method: "POST", first: true},
		{method: "PATCH", first: true},
		{method: "DELETE", first: true},
		{method: "POST", reads: true},
		{method: "GET"},
		{method: "GET", ctx: containing, first: true},
		{method: "POST", ctx: func(ctx context.Context) context.Context { return WithPriority(ctx, Enrichment) }, first: true},
	} {
		t.Run(fmt.Sprint(tc.method, tc.reads, tc.ctx != nil), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService(t, script())
				b, limit, l := NewBudgets(0), Limit{PerMinute: 6}, newLine()
				useUp(t, b, limit, 6)
				l.call(t.Context(), b, limit, "read")
				ctx := t.Context()
				if tc.ctx != nil {
					ctx = tc.ctx(ctx)
				}
				start := time.Now()
				_, _, err := send(ctx, t, s.pipe(t, func(o *Options) { o.Budgets, o.Account = b, "app" }),
					tc.method, Operation{Endpoint: isolate, Limit: limit, Reads: tc.reads})
				require.NoError(t, err)
				l.wg.Wait()
				require.Equal(t, tc.first, time.Since(start) < 11*time.Second || l.at["read"] > 11*time.Second)
			})
		})
	}
}

// planned is one call of the property test.
type planned struct {
	after    time.Duration // since the call before
	contain  bool
	noWait   bool
	givesUp  time.Duration // 0 for never
	pause    time.Duration // a 429 arrives just before it
	joined   time.Time
	left     time.Time
	err      error
	finished bool
}

func planCalls(t *rapid.T) []*planned {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *planned {
		p := &planned{
			after:   time.Duration(rapid.IntRange(0, 8000).Draw(t, "after")) * time.Millisecond,
			contain: rapid.Bool().Draw(t, "contain"),
			noWait:  rapid.IntRange(0, 9).Draw(t, "noWait") == 0,
		}
		if rapid.IntRange(0, 4).Draw(t, "cancel") == 0 {
			p.givesUp = time.Duration(rapid.IntRange(1, 50_000).Draw(t, "givesUp")) * time.Millisecond
		}
		if rapid.IntRange(0, 14).Draw(t, "429") == 0 {
			p.pause = time.Duration(rapid.IntRange(0, 90_000).Draw(t, "pause")) * time.Millisecond
		}
		return p
	}), 1, 60).Draw(t, "calls")
}

// TestBudgetProperties runs random crowds through a budget and looks at what must always hold.
func TestBudgetProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := Limit{PerMinute: rapid.IntRange(1, 20).Draw(rt, "minute"), PerHour: rapid.IntRange(0, 200).Draw(rt, "hour")}
		calls := planCalls(rt)
		var left int
		synctest.Test(t, func(t *testing.T) { left = runCalls(t, limit, calls) })
		checkCalls(rt, limit, calls)
		want := limit.PerMinute
		if limit.PerHour > 0 {
			want = min(want, limit.PerHour)
		}
		if left != want {
			rt.Fatalf("%d calls are free after a quiet time, want %d: a call was lost or made up", left, want)
		}
	})
}

// runCalls plays the calls and returns how many are free two hours later.
func runCalls(t *testing.T, limit Limit, calls []*planned) (free int) {
	b := NewBudgets(0)
	var wg sync.WaitGroup
	for _, c := range calls {
		time.Sleep(c.after)
		if c.pause > 0 {
			b.pause("app", isolate, limit, c.pause)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if c.contain {
			ctx = containing(ctx)
		}
		if c.noWait {
			ctx = WithoutWaiting(ctx)
		}
		if c.givesUp > 0 {
			time.AfterFunc(c.givesUp, cancel)
		}
		wg.Go(func() {
			defer cancel()
			c.joined = time.Now()
			c.err = b.Take(ctx, "app", isolate, limit)
			c.left, c.finished = time.Now(), true
		})
		synctest.Wait()
	}
	wg.Wait()
	time.Sleep(2 * time.Hour)
	for b.Take(WithoutWaiting(t.Context()), "app", isolate, limit) == nil {
		free++
	}
	return free
}

// checkCalls looks at the order and the rate of what got through.
func checkCalls(t *rapid.T, limit Limit, calls []*planned) {
	var made []time.Time
	for i, c := range calls {
		waited := c.left.Sub(c.joined)
		switch {
		case !c.finished:
			t.Fatalf("call %d never ended", i)
		case waited > defaultMaxWait:
			t.Fatalf("call %d waited %s", i, waited)
		case c.err != nil && (!NotSent(c.err) || RetryAfterOf(c.err) < 0):
			t.Fatalf("call %d: %v", i, c.err)
		case c.noWait && waited != 0:
			t.Fatalf("call %d slept %s", i, waited)
		}
		if c.err != nil {
			continue
		}
		made = append(made, c.left)
		for j, other := range calls {
			// other waited during the whole of c's last moment, and should have had c's place.
			waiting := other.joined.Before(c.left) && other.left.After(c.left)
			if waiting && (other.contain && !c.contain || other.contain == c.contain && j < i) {
				t.Fatalf("call %d overtook call %d", i, j)
			}
		}
	}
	slices.SortFunc(made, time.Time.Compare)
	for i := range made {
		for j := i; j < len(made); j++ {
			n, span := j-i+1, made[j].Sub(made[i])
			if over(n, span, limit.PerMinute, time.Minute) || over(n, span, limit.PerHour, time.Hour) {
				t.Fatalf("%d calls within %s, with %s", n, span, limit)
			}
		}
	}
}

// over reports whether n calls in a span are more than the full budget and what has come back to it meanwhile.
func over(n int, span time.Duration, calls int, period time.Duration) bool {
	return calls > 0 && float64(n) > float64(calls)*(1+span.Seconds()/period.Seconds())+1e-6
}

func TestEnrichmentCountsContainmentAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, l, limit := NewBudgets(0), newLine(), Limit{PerMinute: 2}
		useUp(t, b, limit, 2)
		l.call(containing(t.Context()), b, limit, "isolate 1")
		l.call(containing(t.Context()), b, limit, "isolate 2")
		err := b.Take(t.Context(), "app", isolate, limit)
		require.InDelta(t, 90, RetryAfterOf(err).Seconds(), 0.01)
		l.wg.Wait()
	})
}

func TestCallGivenToAGoneCallerGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newBucket(bucketKey{limit: Limit{PerMinute: 2}})
		gone, err := k.join(WithoutWaiting(t.Context()), 0)
		require.NoError(t, err)
		require.Nil(t, gone, "the first two are free")
		_, _ = k.join(t.Context(), 0)
		gone, err = k.join(t.Context(), time.Minute)
		require.NoError(t, err)
		next, err := k.join(t.Context(), time.Minute)
		require.NoError(t, err)
		start := time.Now()
		<-gone.done
		// It was served in the moment in which its caller gave up.
		require.ErrorIs(t, k.leave(gone, context.Canceled), context.Canceled)
		<-next.done
		require.NoError(t, next.err)
		require.InDelta(t, 30, time.Since(start).Seconds(), 0.01)
	})
}

func TestCancelledCallUsesUpNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b, limit := NewBudgets(0), Limit{PerHour: 1}
	err := b.Take(ctx, "app", isolate, limit)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, NotSent(err))
	useUp(t, b, limit, 1)
}

func TestManyCallersOfOneBudget(t *testing.T) {
	s := newLine()
	b, limit := NewBudgets(0), Limit{PerMinute: 60_000}
	ctx, cancel := context.WithCancel(t.Context())
	for i := range 2000 {
		s.wg.Go(func() {
			if i%3 == 0 {
				_ = b.Take(ctx, "app", isolate, limit)
				return
			}
			if err := b.Take(containing(t.Context()), "app", isolate, limit); err != nil {
				t.Error(err)
			}
		})
	}
	cancel()
	s.wg.Wait()
}
