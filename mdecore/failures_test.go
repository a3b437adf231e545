package mdecore_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

const refusal = `{"error":{"code":"SomeCode","message":"some text","target":"43f4cb08-8fac-4b65-9db1-745c2ae65f3a"}}`

// cutAfter answers with a header that promises more than comes.
func cutAfter(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(`{"id":"half`))
		_ = http.NewResponseController(w).Flush()
		hangUp(w, nil)
	}
}

// hangUp ends the connection without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = c.Close()
	}
}

// TestEveryMethodFailsWell runs every method through every failure. What counts: one error type with what the service
// said, and writes sent once, except after the refusals 401 and 429.
func TestEveryMethodFailsWell(t *testing.T) {
	t.Parallel()
	type outcome struct{ notSent, refused, uncertain bool }
	var (
		notSent   = outcome{notSent: true}
		refused   = outcome{refused: true}
		uncertain = outcome{uncertain: true}
	)
	tests := map[string]struct {
		answer        http.HandlerFunc
		status        int
		reads, writes int // sends; 0 means "do not count"
		want          outcome
		check         func(*testing.T, *mdecore.Error)
	}{
		"401":        {answer(401, refusal), 401, 2, 2, notSent, nil},
		"403":        {answer(403, refusal), 403, 1, 1, refused, nil},
		"404":        {answer(404, refusal), 404, 1, 1, refused, func(t *testing.T, e *mdecore.Error) { require.True(t, mdecore.IsNotFound(e)) }},
		"400":        {answer(400, refusal), 400, 1, 1, refused, nil},
		"409":        {answer(409, ""), 409, 1, 1, refused, nil},
		"408":        {answer(408, refusal), 408, 4, 1, uncertain, nil},
		"429 short":  {answer(429, refusal, "Retry-After", "0"), 429, 4, 4, notSent, nil},
		"429 long":   {answer(429, refusal, "Retry-After", "3600"), 429, 1, 1, notSent, retryAfter(time.Hour)},
		"429 date":   {lateDate, 429, 1, 1, notSent, retryAfter(2 * time.Hour)},
		"429 bare":   {answer(429, "slow down"), 429, 4, 4, notSent, nil},
		"500":        {answer(500, refusal), 500, 4, 1, uncertain, nil},
		"503 bare":   {answer(503, ""), 503, 4, 1, uncertain, nil},
		"302":        {answer(302, "", "Location", "/login"), 302, 1, 1, uncertain, nil},
		"307":        {answer(307, anything(machineID), "Location", "/login"), 307, 1, 1, uncertain, nil},
		"cut":        {hangUp, 0, 0, 1, uncertain, nil},
		"cut body":   {cutAfter(201), 0, 0, 1, uncertain, nil},
		"not JSON":   {answer(200, "<html>proxy</html>"), 200, 1, 1, uncertain, nil},
		"empty":      {answer(200, ""), 200, 1, 1, uncertain, nil},
		"wrong JSON": {answer(200, `[5]`), 200, 1, 1, uncertain, nil},
	}
	for failure, tc := range tests {
		t.Run(failure, func(t *testing.T) {
			t.Parallel()
			s := newService(t, tc.answer) // one for all methods: each looks at what it sent itself
			for name, op := range operations(t) {
				if op.silent && tc.status == 200 {
					continue // it does not read the answer
				}
				t.Run(name, func(t *testing.T) {
					before := len(s.received())
					err := op.good(t.Context(), s.clientOf(t))
					var failed *mdecore.Error
					require.ErrorAs(t, err, &failed)
					t.Logf("%+v", err) // what a verbose run prints is searched for secrets
					require.Equal(t, tc.status, failed.Status)
					require.NotEmpty(t, failed.Message)
					require.NotEmpty(t, failed.RequestID)
					sent := s.received()[before:]
					if want := tc.reads; !op.write && want > 0 {
						require.Len(t, sent, want)
					}
					if op.write {
						require.Len(t, sent, tc.writes, "sends of a write")
					}
					saysTheRefusal(t, tc.status, failed)
					require.Equal(t, tc.want, outcome{mdecore.NotSent(err), mdecore.Refused(err), mdecore.Uncertain(err)})
					if tc.check != nil {
						tc.check(t, failed)
					}
				})
			}
		})
	}
}

// saysTheRefusal requires that an error has all of the service's refusal, where there was one.
func saysTheRefusal(t *testing.T, status int, failed *mdecore.Error) {
	t.Helper()
	if status < 400 || failed.Code == "" {
		return
	}
	require.Equal(t, "SomeCode", failed.Code)
	require.Equal(t, "some text", failed.Message)
	require.Equal(t, "43f4cb08-8fac-4b65-9db1-745c2ae65f3a", failed.Target)
	require.JSONEq(t, refusal, string(failed.Body))
}

// lateDate answers 429 with a date two hours from now.
func lateDate(w http.ResponseWriter, r *http.Request) {
	answer(429, refusal, "Retry-After", time.Now().Add(2*time.Hour).UTC().Format(http.TimeFormat))(w, r)
}

func retryAfter(want time.Duration) func(*testing.T, *mdecore.Error) {
	return func(t *testing.T, e *mdecore.Error) {
		require.InDelta(t, want.Seconds(), e.RetryAfter.Seconds(), 2)
		require.Equal(t, e.RetryAfter, mdecore.RetryAfter(e))
	}
}

func TestEveryMethodRefusesBadArgumentsUnsent(t *testing.T) {
	t.Parallel()
	for name, op := range operations(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, op.answer)
			client := s.clientOf(t)
			for i, bad := range op.bad {
				err := bad(t.Context(), client)
				var invalid *mdecore.InvalidError
				require.ErrorAs(t, err, &invalid, "bad call %d", i)
				require.True(t, mdecore.NotSent(err))
			}
			require.Empty(t, s.received())
			if len(op.bad) == 0 {
				method, found := reflect.TypeOf(client).MethodByName(name)
				require.True(t, found)
				require.LessOrEqual(t, method.Type.NumIn(), 2, "a method with arguments refuses some of them")
			}
		})
	}
}

func TestEveryMethodStopsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, op := range operations(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arrived := make(chan struct{}, 9)
			s := newService(t, func(_ http.ResponseWriter, r *http.Request) {
				arrived <- struct{}{}
				<-r.Context().Done()
			})
			client := s.clientOf(t)
			before, cancel := context.WithCancel(t.Context())
			cancel()
			err := op.good(before, client)
			require.ErrorIs(t, err, context.Canceled)
			require.True(t, !op.write || mdecore.NotSent(err))
			require.Empty(t, s.received())

			during, cancel := context.WithCancel(t.Context())
			go func() { <-arrived; cancel() }()
			err = op.good(during, client)
			require.ErrorIs(t, err, context.Canceled)
			require.False(t, mdecore.NotSent(err))
			require.Len(t, s.received(), 1)
		})
	}
}

func TestEveryMethodSucceedsAfterOneRefusedToken(t *testing.T) {
	t.Parallel()
	for name, op := range operations(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "Bearer tokena" {
					answer(401, refusal)(w, r)
					return
				}
				op.answer(w, r)
			})
			require.NoError(t, op.good(t.Context(), s.clientOf(t)))
			calls := s.received()
			require.Len(t, calls, 2)
			require.Equal(t, calls[0].body, calls[1].body, "the body must be sent whole again")
		})
	}
}

func TestUnreachableServiceIsNotSent(t *testing.T) {
	t.Parallel()
	// Nothing listens on port 1, and no other test can be given it, as it could the port of a server that was closed.
	s := &service{Server: &httptest.Server{URL: "http://127.0.0.1:1"}}
	for name, op := range operations(t) {
		err := op.good(t.Context(), s.clientOf(t))
		require.Error(t, err, name)
		if op.write {
			require.True(t, mdecore.NotSent(err), name)
			require.ErrorContains(t, err, "nothing was sent")
		}
	}
}

func TestWriteTimeoutIsUncertain(t *testing.T) {
	t.Parallel()
	s := newService(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	c, err := mdecore.New(&fakeCred{}, mdecore.Options{Cloud: mdecore.Custom(s.URL, "", ""), WriteTimeout: 50 * time.Millisecond})
	require.NoError(t, err)
	err = operations(t)["IsolateMachine"].good(t.Context(), c)
	require.True(t, mdecore.Uncertain(err))
	require.ErrorContains(t, err, "within 50ms")
	require.Len(t, s.received(), 1)
}

func TestWithoutWaitingHandsOverAtOnce(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(429, refusal, "Retry-After", "30"))
	for name, op := range operations(t) {
		start := time.Now()
		err := op.good(mdecore.WithoutWaiting(t.Context()), s.clientOf(t))
		require.Equal(t, 30*time.Second, mdecore.RetryAfter(err), name)
		require.Less(t, time.Since(start), 10*time.Second)
	}
	require.Len(t, s.received(), len(operations(t)))
}

func TestUsedUpBudgetIsNotSent(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(201, anything(actionID)))
	c, err := mdecore.New(&fakeCred{}, mdecore.Options{
		Cloud: mdecore.Custom(s.URL, "", ""), Limit: &mdecore.Limit{PerHour: 1}, Budgets: mdecore.NewBudgets(0),
	})
	require.NoError(t, err)
	isolate := operations(t)["IsolateMachine"].good
	require.NoError(t, isolate(t.Context(), c))
	err = isolate(t.Context(), c)
	require.True(t, mdecore.NotSent(err))
	require.InDelta(t, 3600, mdecore.RetryAfter(err).Seconds(), 5)
	require.NoError(t, operations(t)["UnisolateMachine"].good(t.Context(), c), "the release has its own budget")
	require.Len(t, s.received(), 2)
}

func TestErrorText(t *testing.T) {
	cause := errors.New("cause")
	for want, err := range map[string]*mdecore.Error{
		"Op: the service answered 404 ResourceNotFound: Machine 1 was not found [correlation t]": {
			Op: "Op", Status: 404, Code: "ResourceNotFound", Message: "Machine 1 was not found", Target: "t",
		},
		"Op: the service answered 429: slow (try again in 30s)": {Op: "Op", Status: 429, Message: "slow", RetryAfter: 30 * time.Second},
		"Op: nothing was sent: cause":                           {Op: "Op", Message: "nothing was sent", Err: cause},
		"Op: cause":                                             {Op: "Op", Message: "cause", Err: cause},
	} {
		require.EqualError(t, err, want)
	}
	require.False(t, mdecore.Uncertain(nil))
	require.False(t, mdecore.Refused(cause))
	require.False(t, mdecore.IsNotFound(cause))
	require.Zero(t, mdecore.RetryAfter(cause))
}

func TestReadTimeoutCoversTheWholeCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := &memTenant{status: func(int) string { return "Pending" }, latency: time.Hour}
		start := time.Now()
		_, err := tenant.client(t).GetMachineAction(t.Context(), actionID)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 5*time.Minute, time.Since(start))
	})
}
