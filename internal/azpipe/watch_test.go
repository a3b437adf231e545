package azpipe

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/stretchr/testify/require"
)

// watched makes one call to a service and returns what a watcher was told of it.
func watched(ctx context.Context, t *testing.T, method string, answer func(n int, w http.ResponseWriter, r *http.Request)) (begun []Begun, ended []Ended, err error) {
	t.Helper()
	pipeline := newService(t, answer).pipe(t, func(o *Options) {
		o.Watch = func(ctx context.Context, b Begun) (context.Context, func(Ended)) {
			begun = append(begun, b)
			return ctx, func(e Ended) { ended = append(ended, e) }
		}
	})
	req, err := runtime.NewRequest(ctx, method, endpoint+"/api/machines/secret-id?$filter=secret-name")
	require.NoError(t, err)
	req.SetOperationValue(Operation{Endpoint: method + " /api/machines/{id}", Limit: Limit{PerMinute: 100}})
	_, err = pipeline.Do(req) //nolint:bodyclose // it is in memory
	return begun, ended, err
}

func TestAWatcherIsToldOfTheWholeCallOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun, ended, err := watched(t.Context(), t, http.MethodGet, func(n int, w http.ResponseWriter, r *http.Request) {
			require.NotEmpty(t, r.Header.Get("x-ms-client-request-id"))
			w.Header().Set("x-ms-request-id", "service-1")
			if n == 0 {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(http.StatusTooManyRequests)
			}
		})
		require.NoError(t, err)
		require.Equal(t, []Begun{{Endpoint: "GET /api/machines/{id}", Host: "localhost"}}, begun, "neither id nor filter")
		require.Len(t, ended, 1)
		require.Equal(t, http.StatusOK, ended[0].Status)
		require.Equal(t, 2, ended[0].Sends)
		require.Equal(t, 1, ended[0].Throttled)
		require.Equal(t, 7*time.Second, ended[0].Waited.Round(time.Second))
		require.Equal(t, "service-1", ended[0].ServiceRequestID)
		require.Len(t, ended[0].ClientRequestID, 36)
	})
}

func TestAWatcherIsToldThatNothingWasSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_, ended, err := watched(gone, t, http.MethodPost, func(int, http.ResponseWriter, *http.Request) { t.Error("it was sent") })
		require.Error(t, err)
		require.Len(t, ended, 1)
		require.Zero(t, ended[0].Status)
		require.Zero(t, ended[0].Sends)
		require.True(t, NotSent(ended[0].Err))
		require.ErrorIs(t, ended[0].Err, context.Canceled)
	})
}
