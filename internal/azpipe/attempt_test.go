package azpipe

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/stretchr/testify/require"
)

func TestWriteTimesOutOnceAndMayBeDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		start := time.Now()
		_, _, err := send(t.Context(), t, s.pipe(t, nil), "POST", Operation{AttemptTimeout: 20 * time.Second})
		require.Equal(t, 20*time.Second, time.Since(start))
		var late *TimeoutError
		require.ErrorAs(t, err, &late)
		require.False(t, NotSent(err), "the service had the request")
		require.Equal(t, 1, s.sends())
		require.NotContains(t, err.Error(), "c2VjcmV0")
	})
}

func TestEachSendOfAWriteHasItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, script(status(429, "Retry-After", "30")))
		code, _, err := send(t.Context(), t, s.pipe(t, nil), "POST", Operation{AttemptTimeout: 20 * time.Second})
		require.NoError(t, err)
		require.Equal(t, 200, code, "waiting for Retry-After must not use up the time to send")
	})
}

func TestWriteThatNeverConnectedWasNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, script())
		require.NoError(t, s.net.Close())
		_, _, err := send(t.Context(), t, s.pipe(t, nil), "POST", Operation{AttemptTimeout: time.Second})
		require.Error(t, err)
		require.True(t, NotSent(err))
		require.Zero(t, s.sends())
	})
}

func TestCancelledCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		before, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err := send(before, t, s.pipe(t, nil), "POST", Operation{})
		require.ErrorIs(t, err, context.Canceled)
		require.True(t, NotSent(err))
		require.Zero(t, s.sends())

		during, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, _, err = send(during, t, s.pipe(t, nil), "POST", Operation{})
		require.ErrorIs(t, err, context.Canceled)
		require.False(t, NotSent(err))
		require.Equal(t, 1, s.sends())
	})
}

// stream opens a streamed answer.
func stream(ctx context.Context, t *testing.T, p runtime.Pipeline) *http.Response {
	t.Helper()
	req, err := runtime.NewRequest(ctx, http.MethodGet, endpoint+"/file")
	require.NoError(t, err)
	req.SetOperationValue(Operation{Stream: true, AttemptTimeout: 20 * time.Second})
	resp, err := p.Do(req)
	require.NoError(t, err)
	return resp
}

func TestStreamIsCutBySilenceOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			for range 30 { // ten minutes of a slow download
				_, _ = io.WriteString(w, "chunk")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(20 * time.Second)
			}
			<-r.Context().Done() // then silence
		})
		resp := stream(t.Context(), t, s.pipe(t, func(o *Options) { o.MaxBody = 10 }))
		start := time.Now()
		body, err := io.ReadAll(resp.Body)
		require.Len(t, body, 30*len("chunk"))
		var late *TimeoutError
		require.ErrorAs(t, err, &late, "silence must end it")
		require.Equal(t, 29*20*time.Second+defaultIdleTimeout, time.Since(start))
		require.NoError(t, resp.Body.Close())
	})
}

func TestBufferedBodyHasALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, announced := range []bool{true, false} {
			s := newService(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
				if !announced {
					_ = http.NewResponseController(w).Flush()
				}
				_, _ = w.Write(make([]byte, 101))
			})
			_, _, err := send(t.Context(), t, s.pipe(t, func(o *Options) { o.MaxBody = 100 }), "GET", Operation{})
			var large *BodyTooLargeError
			require.ErrorAs(t, err, &large)
			require.Equal(t, 1, s.sends(), "the same answer would come again")
			_, body, err := send(t.Context(), t, s.pipe(t, func(o *Options) { o.MaxBody = 101 }), "GET", Operation{})
			require.NoError(t, err)
			require.Len(t, body, 101)
		}
	})
}

func TestBytesReadsForeignBodiesToo(t *testing.T) {
	resp := &http.Response{Body: io.NopCloser(errReader{})}
	_, err := Bytes(resp)
	require.Error(t, err)
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("broken") }
