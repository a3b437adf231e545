package telemetry

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// sender posts spans to a collector. What it can't send is dropped, counted, and said in the log once until it works again:
// traces must never be what keeps a program from its work.
type sender struct {
	to      *destination
	client  *http.Client
	log     *slog.Logger
	dropped Counter
	failing atomic.Bool
}

func newSender(to *destination, log *slog.Logger, m *Metrics) *sender {
	return &sender{
		to: to, log: log,
		dropped: m.Counter("mde_trace_spans_dropped_total", "Spans that no collector took."),
		client: &http.Client{
			Timeout:       to.limit,
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: to.tls, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2, IdleConnTimeout: 90 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the headers may hold a key
		},
	}
}

// ExportSpans implements the SDK's exporter. It returns no error, because the SDK would print it past the log.
func (s *sender) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	err := s.deliver(ctx, encodeSpans(spans))
	if err != nil {
		s.dropped.Add(float64(len(spans)))
	}
	switch was := s.failing.Swap(err != nil); {
	case err != nil && !was:
		s.log.WarnContext(ctx, "traces can't be sent; they are dropped until that works again", "error", err)
	case err == nil && was:
		s.log.InfoContext(ctx, "traces are sent again")
	}
	return nil
}

// Shutdown implements the SDK's exporter.
func (s *sender) Shutdown(context.Context) error {
	s.client.CloseIdleConnections()
	return nil
}

const (
	// tries is how often one batch is sent where the collector asks to wait, or can't be reached.
	tries     = 3
	firstWait = 500 * time.Millisecond
	longest   = 5 * time.Second
)

func (s *sender) deliver(ctx context.Context, body []byte) error {
	body, err := s.packed(body)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		wait, err := s.post(ctx, body)
		if err == nil || wait < 0 || try == tries {
			return err
		}
		if wait == 0 {
			wait = time.Duration(float64(firstWait<<try) * (0.5 + rand.Float64()/2))
		}
		timer := time.NewTimer(min(wait, longest))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

func (s *sender) packed(body []byte) ([]byte, error) {
	if !s.to.gzip {
		return body, nil
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(body)
	err = errors.Join(err, w.Close()) // it writes the rest
	return b.Bytes(), err
}

// post sends a batch once. A negative wait says that the same would come of it again.
func (s *sender) post(ctx context.Context, body []byte) (wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.to.url, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	req.Header = s.to.headers.Clone()
	req.Header.Set("Content-Type", "application/x-protobuf")
	if s.to.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, plainly(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	if resp.StatusCode/100 == 2 {
		return 0, nil
	}
	err = fmt.Errorf("the collector answered %s", resp.Status)
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return time.Duration(max(seconds, 0)) * time.Second, err
	}
	return -1, err
}

// plainly is an error of the client without the address, which may hold a key.
func plainly(err error) error {
	var asURL *url.Error
	if errors.As(err, &asURL) {
		return fmt.Errorf("the collector can't be reached: %w", asURL.Err)
	}
	return err
}
