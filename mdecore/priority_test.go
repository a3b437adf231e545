package mdecore_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// inMemory answers requests without a network, so that time is virtual inside a synctest bubble.
type inMemory struct {
	mu    sync.Mutex
	asked []string
	first func() *http.Response
}

func (m *inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	m.asked = append(m.asked, id[:1])
	if len(m.asked) == 1 && m.first != nil {
		return m.first(), nil
	}
	return plainAnswer(200, `{"id":"`+id+`"}`), nil
}

func plainAnswer(code int, body string) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

func (m *inMemory) client(t *testing.T, limit mdecore.Limit) *mdecore.Client {
	t.Helper()
	c, err := mdecore.New(&fakeCred{}, mdecore.Options{
		Cloud: mdecore.Custom("http://localhost", "", ""), HTTPClient: &http.Client{Transport: m}, Limit: &limit, MaxRetries: -1,
	})
	require.NoError(t, err)
	return c
}

// ask looks a machine up in the background; the letter makes its id.
func ask(ctx context.Context, c *mdecore.Client, letter string, done func(error)) {
	go func() {
		_, err := c.GetMachine(ctx, strings.Repeat(letter, 40))
		done(err)
	}()
	synctest.Wait()
}

func TestContainmentReadsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &inMemory{}
		c := m.client(t, mdecore.Limit{PerMinute: 6})
		var wg sync.WaitGroup
		done := func(err error) {
			if err != nil {
				t.Error(err)
			}
			wg.Done()
		}
		wg.Add(9)
		for range 6 {
			ask(t.Context(), c, "0", done)
		}
		ask(t.Context(), c, "a", done)
		ask(t.Context(), c, "b", done)
		ask(mdecore.WithPriority(t.Context(), mdecore.Containment), c, "c", done)
		wg.Wait()
		require.Equal(t, "000000cab", strings.Join(m.asked, ""))
	})
}

func TestRefusalOfOneHoldsAllBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &inMemory{first: func() *http.Response {
			r := plainAnswer(429, `{"error":{"code":"TooManyRequests","message":"API calls quota exceeded"}}`)
			r.Header.Set("Retry-After", "1800")
			return r
		}}
		c := m.client(t, mdecore.Limit{})
		_, err := c.GetMachine(t.Context(), strings.Repeat("a", 40))
		require.Equal(t, 30*time.Minute, mdecore.RetryAfter(err))
		time.Sleep(10 * time.Minute)
		_, err = c.GetMachine(t.Context(), strings.Repeat("b", 40))
		var paused *mdecore.PauseError
		require.ErrorAs(t, err, &paused)
		require.True(t, mdecore.NotSent(err))
		require.Equal(t, 20*time.Minute, mdecore.RetryAfter(err))
		require.ErrorContains(t, err, "20m0s")
		require.Len(t, m.asked, 1)
		time.Sleep(20 * time.Minute)
		_, err = c.GetMachine(t.Context(), strings.Repeat("c", 40))
		require.NoError(t, err)
	})
}
