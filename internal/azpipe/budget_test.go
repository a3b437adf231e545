package azpipe

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const isolate = "POST /api/machines/{id}/isolate"

func TestBudgetPerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := NewBudgets(0), time.Now()
		for range 100 {
			require.NoError(t, b.Take(t.Context(), "app", isolate, DefaultLimit()))
		}
		require.Zero(t, time.Since(start), "a quiet minute's calls may come at once")
		require.NoError(t, b.Take(t.Context(), "app", isolate, DefaultLimit()))
		require.InDelta(t, 0.6, time.Since(start).Seconds(), 0.01)
		require.NoError(t, b.Take(t.Context(), "app", "GET /api/alerts", DefaultLimit()), "another endpoint has its own budget")
		require.NoError(t, b.Take(t.Context(), "other", isolate, DefaultLimit()), "so has another account")
		require.InDelta(t, 0.6, time.Since(start).Seconds(), 0.01)
	})
}

func TestBudgetPerHourAndLongWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, limit := NewBudgets(0), Limit{PerHour: 20}
		for range 20 {
			require.NoError(t, b.Take(t.Context(), "app", isolate, limit))
		}
		start := time.Now()
		err := b.Take(t.Context(), "app", isolate, limit)
		var over *BudgetError
		require.ErrorAs(t, err, &over)
		require.InDelta(t, 180, over.Wait.Seconds(), 0.1)
		require.Equal(t, over.Wait, RetryAfterOf(err))
		require.True(t, NotSent(err))
		require.ErrorContains(t, err, "3m0s")
		require.ErrorContains(t, err, isolate)
		require.Zero(t, time.Since(start), "a wait above a minute is the caller's to take")
		time.Sleep(over.Wait)
		require.NoError(t, b.Take(t.Context(), "app", isolate, limit), "the refusal must have used up nothing")
	})
}

func TestBudgetWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, limit := NewBudgets(0), Limit{PerMinute: 2}
		for range 2 {
			require.NoError(t, b.Take(t.Context(), "app", isolate, limit))
		}
		start := time.Now()
		err := b.Take(WithoutWaiting(t.Context()), "app", isolate, limit)
		require.InDelta(t, 30, RetryAfterOf(err).Seconds(), 0.1)
		require.Zero(t, time.Since(start), "a job never sleeps")

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		require.Error(t, b.Take(ctx, "app", isolate, limit))
		require.Zero(t, time.Since(start), "waiting into a deadline is pointless")

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		err = b.Take(ctx, "app", isolate, limit)
		require.ErrorIs(t, err, context.Canceled)
		require.True(t, NotSent(err))
		require.Equal(t, 5*time.Second, time.Since(start))

		require.NoError(t, b.Take(t.Context(), "app", isolate, limit))
		require.InDelta(t, 30, time.Since(start).Seconds(), 0.1, "what was given up is free again")
	})
}

func TestBudgetCountsEverySend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, script(status(429, "Retry-After", "0"), status(401)))
		shared, op := NewBudgets(0), Operation{Endpoint: isolate, Limit: Limit{PerMinute: 3}}
		share := func(o *Options) { o.Budgets, o.Account = shared, "app@tenant" }
		code, _, err := send(t.Context(), t, s.pipe(t, share), "POST", op)
		require.NoError(t, err)
		require.Equal(t, 200, code)
		require.Equal(t, 3, s.sends())
		// A second client of the same account finds the budget used up by the first one's re-sends.
		_, _, err = send(WithoutWaiting(t.Context()), t, s.pipe(t, share), "POST", op)
		var over *BudgetError
		require.ErrorAs(t, err, &over)
		require.Equal(t, 3, s.sends())
	})
}

func TestLimitText(t *testing.T) {
	require.Equal(t, "100 calls a minute and 1500 an hour", DefaultLimit().String())
	require.Equal(t, "2 calls a minute", Limit{PerMinute: 2}.String())
	require.Equal(t, "5 calls an hour", Limit{PerHour: 5}.String())
	require.Equal(t, "no limit", Limit{}.String())
	require.NoError(t, NewBudgets(0).Take(t.Context(), "", "", Limit{}))
}
