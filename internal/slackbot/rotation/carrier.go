package rotation

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// Client is base with the present token put in for the placeholder, in header or form, of what goes to Slack.
func (t *Tokens) Client(base *http.Client) *http.Client {
	c := *base
	next := c.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	c.Transport = &carrier{tokens: t, next: next}
	return &c
}

type carrier struct {
	tokens *Tokens
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper. What Slack refuses because its token has expired was not done, so it is sent once
// more with a new one.
func (c *carrier) RoundTrip(req *http.Request) (*http.Response, error) {
	form, err := formOf(req)
	if err != nil {
		return nil, err
	}
	if !c.wanted(req, form) {
		return c.next.RoundTrip(withForm(req, form))
	}
	token, err := c.tokens.Token(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	res, err := c.next.RoundTrip(dressed(req, form, token))
	if err != nil || !expired(res) || form == nil && req.Body != nil && req.GetBody == nil {
		return res, err
	}
	token, err = c.tokens.Renew(req.Context(), token)
	if err != nil {
		c.tokens.Logger.ErrorContext(req.Context(), "Slack refused an expired bot token", "error", err)
		return res, nil // the refusal itself says it to the caller
	}
	again := req
	if form == nil && req.Body != nil {
		again = req.Clone(req.Context())
		if again.Body, err = req.GetBody(); err != nil {
			return res, nil //nolint:nilerr // the refusal stands
		}
	}
	_ = res.Body.Close()
	return c.next.RoundTrip(dressed(again, form, token))
}

// wanted reports whether a token belongs into a request: the placeholder stands in it, and it goes to Slack.
func (c *carrier) wanted(req *http.Request, form url.Values) bool {
	asked := req.Header.Get("Authorization") == "Bearer "+Placeholder || form.Get("token") == Placeholder
	return asked && c.slacks(req.URL)
}

// slacks reports whether an address is the configured Web API's, or another one of Slack's own, such as for files.
func (c *carrier) slacks(u *url.URL) bool {
	own, err := url.Parse(c.tokens.APIURL)
	if err != nil {
		return false
	}
	return u.Scheme == own.Scheme && u.Host == own.Host || u.Scheme == "https" && strings.HasSuffix(u.Host, ".slack.com")
}

// formOf reads the form of a request; nil when it has none.
func formOf(req *http.Request) (url.Values, error) {
	kind, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if kind != "application/x-www-form-urlencoded" || req.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(req.Body)
	_ = req.Body.Close()
	if err != nil {
		return nil, err
	}
	return url.ParseQuery(string(body))
}

// withForm is the request with a form that was read in its place.
func withForm(req *http.Request, form url.Values) *http.Request {
	if form == nil {
		return req
	}
	out, body := req.Clone(req.Context()), []byte(form.Encode())
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return out
}

// dressed is the request with a token in it.
func dressed(req *http.Request, form url.Values, token string) *http.Request {
	if form.Get("token") == Placeholder {
		form = maps.Clone(form)
		form.Set("token", token)
	}
	out := withForm(req, form)
	if out.Header.Get("Authorization") == "Bearer "+Placeholder {
		out = out.Clone(req.Context())
		out.Header.Set("Authorization", "Bearer "+token)
	}
	return out
}

// expired reports whether Slack refused because the token has expired. The answer can be read as before.
func expired(res *http.Response) bool {
	head, rest := make([]byte, 4096), res.Body // such a refusal is short
	n, err := io.ReadFull(rest, head)
	head = head[:n]
	res.Body = &body{Reader: io.MultiReader(bytes.NewReader(head), rest), Closer: rest}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	var refusal struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	return json.Unmarshal(head, &refusal) == nil && !refusal.OK && refusal.Error == "token_expired"
}

// body is what was read of an answer and the rest of it, which fails again where it failed.
type body struct {
	io.Reader
	io.Closer
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
