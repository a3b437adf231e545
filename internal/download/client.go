package download

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

const (
	defaultIdle       = 30 * time.Second
	defaultHeader     = 60 * time.Second
	defaultMaxWait    = 60 * time.Second
	defaultMaxRetries = 3
	retryDelay        = 500 * time.Millisecond

	// DefaultMaxBytes is the largest body taken when a Request names no limit.
	DefaultMaxBytes = 4 << 30
	// DefaultMaxExpanded is the largest unpacked content written when a Request names no limit.
	DefaultMaxExpanded = 16 << 30
)

// Options describe a Client. Only CheckLink must be set.
type Options struct {
	// CheckLink judges an issued link before anything is sent to it; an error refuses it.
	CheckLink func(link *url.URL) error
	// Transport describes the HTTP client to make when RoundTripper is nil.
	Transport azpipe.TransportOptions
	// RoundTripper replaces the client's transport, e.g. in tests. It must not add credentials.
	RoundTripper http.RoundTripper
	// Idle limits silence inside a body; 30 s when zero. There is no limit on the whole download: that is the context's.
	Idle time.Duration
	// MaxWait is the longest wait that a 429 or 5xx answer may ask for; 60 s when zero.
	MaxWait time.Duration
	// MaxRetries is how many failures in a row, without progress between them, are tried again; 3 when zero, none when
	// negative.
	MaxRetries int
}

// Client downloads signed links. It is safe for concurrent use.
type Client struct {
	http       *http.Client
	checkLink  func(*url.URL) error
	idle       time.Duration
	header     time.Duration
	maxWait    time.Duration
	maxRetries int
}

// New checks the options and returns a client.
func New(opts Options) (*Client, error) {
	if opts.CheckLink == nil {
		return nil, errors.New("download: CheckLink is missing, so no link could be told from a foreign one")
	}
	client := &http.Client{Transport: opts.RoundTripper, CheckRedirect: azpipe.NoRedirect}
	if opts.RoundTripper == nil {
		made, err := azpipe.NewHTTPClient(opts.Transport)
		if err != nil {
			return nil, fmt.Errorf("the download client cannot be made: %w", err)
		}
		client = made
	}
	c := &Client{
		http: client, checkLink: opts.CheckLink, maxRetries: opts.MaxRetries,
		idle: orDefault(opts.Idle, defaultIdle), header: orDefault(opts.Transport.HeaderTimeout, defaultHeader),
		maxWait: orDefault(opts.MaxWait, defaultMaxWait),
	}
	if c.maxRetries == 0 {
		c.maxRetries = defaultMaxRetries
	}
	return c, nil
}

// orDefault returns value, or fallback when it is not positive.
func orDefault[T ~int64](value, fallback T) T {
	if value <= 0 {
		return fallback
	}
	return value
}

// drain empties and closes a body that nobody will read, so that its connection can be used again.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxErrorBody)
	_ = body.Close()
}

// Close ends the connections that are kept for a next download.
func (c *Client) Close() { c.http.CloseIdleConnections() }
