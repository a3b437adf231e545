package azpipe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/stretchr/testify/require"
)

const uploadSize = 15 << 20

// source makes the same pseudo-random bytes each time it is opened, without keeping them.
type source struct {
	size   int64
	pause  time.Duration // before every read
	opened atomic.Int32
	closed atomic.Int32
	fails  func(nth int32) error
}

func (s *source) open() (io.ReadCloser, error) {
	nth := s.opened.Add(1)
	if s.fails != nil {
		if err := s.fails(nth); err != nil {
			return nil, err
		}
	}
	return &sourceReader{Reader: io.LimitReader(rand.NewChaCha8([32]byte{1}), s.size), source: s}, nil
}

type sourceReader struct {
	io.Reader
	source *source
	once   sync.Once
}

func (r *sourceReader) Read(p []byte) (int, error) {
	time.Sleep(r.source.pause)
	return r.Reader.Read(p)
}

func (r *sourceReader) Close() error {
	r.once.Do(func() { r.source.closed.Add(1) })
	return nil
}

// sum is the hash of what a source gives.
func (s *source) sum() []byte {
	h := sha256.New()
	_, _ = io.Copy(h, io.LimitReader(rand.NewChaCha8([32]byte{1}), s.size))
	return h.Sum(nil)
}

// receiver is a server that hashes uploads; answer decides about the nth one, from 0, and may leave the body unread.
type receiver struct {
	mu   sync.Mutex
	sums [][]byte
	n    int
}

func (r *receiver) serve(answer func(n int, body io.Reader, w http.ResponseWriter, req *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		n := r.n
		r.n++
		r.mu.Unlock()
		h := sha256.New()
		answer(n, io.TeeReader(req.Body, h), w, req)
		r.mu.Lock()
		r.sums = append(r.sums, h.Sum(nil))
		r.mu.Unlock()
	}
}

func (r *receiver) sends() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// upload sends a source and returns status and error.
func upload(ctx context.Context, t *testing.T, p runtime.Pipeline, address string, op Operation) (int, error) {
	t.Helper()
	req, err := runtime.NewRequest(ctx, http.MethodPost, address)
	require.NoError(t, err)
	req.Raw().Header.Set("Content-Type", "multipart/form-data; boundary=b")
	req.SetOperationValue(op)
	resp, err := p.Do(req)
	if err != nil {
		return 0, err
	}
	_ = resp.Body.Close()
	return resp.StatusCode, nil
}

// answerEarly answers after a part of the body, and goes on reading it only then.
func answerEarly(part int64, code int) func(io.Reader, http.ResponseWriter) {
	return func(body io.Reader, w http.ResponseWriter) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		_, _ = io.CopyN(io.Discard, body, part)
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(code)
		_ = control.Flush()
		_, _ = io.Copy(io.Discard, body)
	}
}

// newReceiver starts a receiver in memory.
func newReceiver(t *testing.T, answer func(n int, body io.Reader, w http.ResponseWriter, r *http.Request)) (*receiver, runtime.Pipeline) {
	t.Helper()
	r, m := &receiver{}, &memNet{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: r.serve(answer)}
	go func() { _ = server.Serve(m) }()
	transport := &http.Transport{DialContext: m.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		time.Sleep(time.Second) // net/http lingers on connections whose body it did not read
	})
	p, err := New(Options{Endpoint: endpoint, Scope: "s", Credential: &fixedCred{}, HTTPClient: &http.Client{Transport: transport}})
	require.NoError(t, err)
	return r, p
}

func TestLargeBodyIsSentAnewAfterRefusals(t *testing.T) {
	for name, code := range map[string]int{"429": 429, "401": 401} {
		for _, size := range []int64{uploadSize, 0} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					src := &source{size: uploadSize}
					r, p := newReceiver(t, func(n int, body io.Reader, w http.ResponseWriter, req *http.Request) {
						if n == 0 {
							answerEarly(100<<10, code)(body, w)
							return
						}
						if got := req.Header.Get("Content-Type"); got != "multipart/form-data; boundary=b" || size > 0 && req.ContentLength != size {
							t.Errorf("type %q, length %d", got, req.ContentLength)
						}
						_, _ = io.Copy(io.Discard, body)
					})
					got, err := upload(t.Context(), t, p, endpoint+"/upload", Operation{Body: src.open, BodySize: size, AttemptTimeout: time.Minute})
					require.NoError(t, err)
					require.Equal(t, 200, got)
					synctest.Wait()
					require.Equal(t, 2, r.sends())
					require.Contains(t, r.sums, src.sum(), "the second send must arrive whole")
					require.EqualValues(t, 2, src.opened.Load())
					require.EqualValues(t, 2, src.closed.Load(), "every opened source must be closed")
				})
			})
		}
	}
}

func TestLargeBodyIsSentOnceOtherwise(t *testing.T) {
	for name, answer := range map[string]func(body io.Reader, w http.ResponseWriter){
		"500 early": answerEarly(100<<10, 500),
		"503 late": func(body io.Reader, w http.ResponseWriter) {
			_, _ = io.Copy(io.Discard, body)
			status(503, "Retry-After", "1")(w)
		},
		"cut early": func(body io.Reader, w http.ResponseWriter) { _, _ = io.CopyN(io.Discard, body, 100<<10); cut(w) },
		"cut late":  func(body io.Reader, w http.ResponseWriter) { _, _ = io.Copy(io.Discard, body); cut(w) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &source{size: uploadSize}
				r, p := newReceiver(t, func(_ int, body io.Reader, w http.ResponseWriter, _ *http.Request) { answer(body, w) })
				code, err := upload(t.Context(), t, p, endpoint, Operation{Body: src.open, BodySize: uploadSize})
				require.True(t, code >= 500 || err != nil)
				require.False(t, NotSent(err), "it may have been done")
				synctest.Wait()
				require.Equal(t, 1, r.sends())
				require.EqualValues(t, 1, src.opened.Load())
				require.EqualValues(t, 1, src.closed.Load())
			})
		})
	}
}

func TestSourceThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("the file is gone")
		for nth := range int32(2) {
			src := &source{size: uploadSize, fails: func(n int32) error {
				if n == nth+1 {
					return gone
				}
				return nil
			}}
			r, p := newReceiver(t, func(_ int, body io.Reader, w http.ResponseWriter, _ *http.Request) {
				answerEarly(100<<10, 429)(body, w)
			})
			_, err := upload(t.Context(), t, p, endpoint, Operation{Body: src.open})
			require.ErrorIs(t, err, gone)
			require.ErrorContains(t, err, "cannot be opened")
			require.True(t, NotSent(err), "what was sent before was refused")
			require.EqualValues(t, nth, r.sends())
		}
		for name, broken := range map[string]io.Reader{
			"read error": io.MultiReader(io.LimitReader(rand.NewChaCha8([32]byte{}), 100<<10), errReader{}),
			"too short":  bytes.NewReader(make([]byte, 100<<10)),
		} {
			r, p := newReceiver(t, func(_ int, body io.Reader, _ http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(io.Discard, body) })
			_, err := upload(t.Context(), t, p, endpoint, Operation{
				Body: func() (io.ReadCloser, error) { return io.NopCloser(broken), nil }, BodySize: uploadSize,
			})
			require.Error(t, err, name)
			require.False(t, NotSent(err), "the service had a part of it")
			require.Equal(t, 1, r.sends())
		}
		_, p := newReceiver(t, nil)
		_, err := upload(t.Context(), t, p, endpoint, Operation{Body: func() (io.ReadCloser, error) { return nil, nil }})
		require.True(t, NotSent(err))
	})
}

func TestSlowUploadIsNotCutWhileItMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{size: 4 << 20, pause: 9 * time.Second} // a piece every 9 s
		r, p := newReceiver(t, func(_ int, body io.Reader, w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(io.Discard, body)
			time.Sleep(9 * time.Second)
			w.WriteHeader(http.StatusCreated)
		})
		start := time.Now()
		code, err := upload(t.Context(), t, p, endpoint, Operation{Body: src.open, BodySize: src.size, AttemptTimeout: 10 * time.Second})
		require.NoError(t, err)
		require.Equal(t, 201, code)
		require.Greater(t, time.Since(start), 5*time.Minute)
		require.Equal(t, [][]byte{src.sum()}, r.sums)
	})
}

func TestStuckUploadIsCut(t *testing.T) {
	for name, wait := range map[string]func(body io.Reader){
		"service takes no more":   func(body io.Reader) { _, _ = io.CopyN(io.Discard, body, 100<<10) },
		"service does not answer": func(body io.Reader) { _, _ = io.Copy(io.Discard, body) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &source{size: uploadSize}
				r, p := newReceiver(t, func(_ int, body io.Reader, _ http.ResponseWriter, _ *http.Request) {
					wait(body)
					time.Sleep(time.Hour)
				})
				start := time.Now()
				_, err := upload(t.Context(), t, p, endpoint, Operation{Body: src.open, BodySize: src.size, AttemptTimeout: 10 * time.Second})
				var late *TimeoutError
				require.ErrorAs(t, err, &late)
				require.ErrorContains(t, err, "nothing moved for 10s")
				require.NotErrorIs(t, err, context.Canceled, "the caller has cancelled nothing")
				require.False(t, NotSent(err))
				require.Equal(t, 10*time.Second, time.Since(start))
				require.Equal(t, 1, r.sends())
				time.Sleep(2 * time.Hour)
			})
		})
	}
}

func TestStreamWaitsForItsHeaderOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 0 {
				<-r.Context().Done()
				return
			}
			status(200)(w)
		})
		p := s.pipe(t, func(o *Options) { o.MaxRetries = -1 })
		req, err := runtime.NewRequest(t.Context(), http.MethodGet, endpoint)
		require.NoError(t, err)
		req.SetOperationValue(Operation{Stream: true, AttemptTimeout: 20 * time.Second})
		start := time.Now()
		_, err = p.Do(req) //nolint:bodyclose // there is no answer
		var late *TimeoutError
		require.ErrorAs(t, err, &late)
		require.Equal(t, 20*time.Second, time.Since(start))

		resp := stream(t.Context(), t, p)
		time.Sleep(25 * time.Second)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err, "an answer that has begun has its own clock")
		require.Equal(t, "answer 200", string(body))
		require.NoError(t, resp.Body.Close())
	})
}

// net/http may still read a body when its answer has come and is being copied somewhere.
func TestStoppedClockStaysStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ran := false
		clock := startClock(time.Second, func() { ran = true })
		time.Sleep(time.Second - 1)
		clock.restart()
		time.Sleep(time.Second - 1)
		clock.stop()
		clock.restart()
		time.Sleep(time.Hour)
		require.False(t, ran)
		startClock(0, func() { ran = true }).restart()
		time.Sleep(time.Hour)
		require.False(t, ran)
	})
}

func TestOversizedBodyInMemoryIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, script())
		req, err := runtime.NewRequest(t.Context(), http.MethodPost, endpoint)
		require.NoError(t, err)
		require.NoError(t, req.SetBody(streaming.NopCloser(bytes.NewReader(make([]byte, maxOwnBody+1))), "text/plain"))
		_, err = s.pipe(t, nil).Do(req) //nolint:bodyclose // there is no answer
		require.ErrorContains(t, err, "must come from a source")
		require.True(t, NotSent(err))
		require.Zero(t, s.sends())
	})
}

// An upload must not pass through memory as a whole. What is allocated in total bounds what is held.
func TestLargeBodyNeedsLittleMemory(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	p, err := New(Options{Endpoint: server.URL, Scope: "s", Credential: &fixedCred{}})
	require.NoError(t, err)
	src := &source{size: 64 << 20}
	before := allocated()
	code, err := upload(t.Context(), t, p, server.URL, Operation{Body: src.open, BodySize: src.size})
	require.NoError(t, err)
	require.Equal(t, 200, code)
	require.Less(t, allocated()-before, uint64(8<<20))
}

// allocated is how many bytes were ever allocated.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
