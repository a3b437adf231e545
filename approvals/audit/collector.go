package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

const (
	tooLarge = http.StatusRequestEntityTooLarge
	tooMany  = http.StatusTooManyRequests
)

// CollectorOptions is what a Collector is made of.
type CollectorOptions struct {
	// URL takes rows by POST as JSON lines (application/x-ndjson): https, or http on this machine.
	URL string
	// Token is sent as a bearer token; empty sends none.
	Token string
	// Store keeps how far the collector has come.
	Store *store.DB
	// Timeout is how long one sending may take, 0 means 30 s. Transport is http.DefaultTransport unless set.
	Timeout   time.Duration
	Transport http.RoundTripper
}

// Collector is a Sink that speaks HTTP.
type Collector struct {
	o      CollectorOptions
	client *http.Client
	name   string // without what may be secret
	reader string // of its cursor
}

// CheckCollector reports what is wrong with the URL of a collector.
func CheckCollector(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return errors.New("the collector's URL can't be understood: it should be https://host/path")
	case u.User != nil:
		return errors.New("the collector's URL holds a user or password: give the token in MDE_AUDIT_EXPORT_TOKEN")
	case u.Fragment != "":
		return errors.New("the collector's URL has a fragment (#…), which is never sent")
	case u.Scheme == "https":
	case u.Scheme == "http" && isLoopback(u.Hostname()):
	default:
		return fmt.Errorf("the collector's URL begins with %q: the audit and its token go by https, or by http to this machine only", u.Scheme+"://")
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// NewCollector makes the sink.
func NewCollector(o CollectorOptions) (*Collector, error) {
	if err := CheckCollector(o.URL); err != nil {
		return nil, err
	}
	if o.Store == nil {
		return nil, errors.New("a collector needs a store for how far it has come")
	}
	if strings.ContainsAny(o.Token, "\r\n") {
		return nil, errors.New("the collector's token has more than one line")
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("the collector's URL can't be understood")
	}
	sum := sha256.Sum256([]byte(o.URL))
	return &Collector{
		o: o, name: u.Scheme + "://" + u.Host + u.Path, reader: "collector " + hex.EncodeToString(sum[:8]),
		client: &http.Client{
			Transport: o.Transport, Timeout: usual(o.Timeout, 30*time.Second),
			// A redirection would carry rows to a host that nobody configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// String implements Sink.
func (c *Collector) String() string { return c.name }

// Position implements Sink: the store's cursor, which moves only after the collector's 2xx.
func (c *Collector) Position(ctx context.Context) (store.Ending, error) {
	return c.o.Store.Cursor(ctx, c.reader)
}

// Send implements Sink.
func (c *Collector) Send(ctx context.Context, from store.Ending, rows []approvals.Event) error {
	body, err := lines(rows)
	if err != nil {
		return err
	}
	if err := c.post(ctx, body); err != nil {
		return err
	}
	before, err := c.Position(ctx)
	if err != nil {
		return err
	}
	if before.Seq != from.Seq && from.Seq != 0 {
		return approvals.Refuse(approvals.KindConflict, nil, "another process exports to %s as well", c.name)
	}
	last := rows[len(rows)-1]
	return c.o.Store.MoveCursor(ctx, c.reader, before, store.Ending{Seq: last.Seq, Hash: last.Hash})
}

// post sends a body. Its errors hold neither the token nor what the URL asks for.
func (c *Collector) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.o.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("no request can be made of the collector's URL")
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("User-Agent", "mde-ops")
	if c.o.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.o.Token)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the URL
		}
		return fmt.Errorf("the collector can't be reached: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxCheckpoint)) // so that the connection serves again
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	return refusal(resp)
}

func refusal(resp *http.Response) error {
	e := &RefusedError{Status: resp.StatusCode}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.After = time.Duration(min(s, 86400)) * time.Second
	}
	switch {
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		e.hint = ": check MDE_AUDIT_EXPORT_TOKEN"
	case e.Status == http.StatusNotFound || e.Status >= 300 && e.Status < 400:
		e.hint = ": check the address in MDE_AUDIT_EXPORT (redirections are not followed)"
	case e.Status == tooLarge:
		e.hint = ": even one row is too large for it"
	}
	return e
}
