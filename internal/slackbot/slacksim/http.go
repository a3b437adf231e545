package slacksim

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// DefaultSigningSecret is what requests are signed with unless Workspace.SigningSecret says otherwise.
const DefaultSigningSecret = "8f742231b10e8888abcd99yyyzzz85a5"

// RequestURLs are where an app takes what happens, as its manifest says. Empty ones are those of Interactions.
type RequestURLs struct{ Commands, Interactions, Options, Events string }

// SignedRequest is one request as it went out, so that a test can send it again, later, or changed.
type SignedRequest struct {
	URL    string
	Body   string
	Header http.Header
}

// PostTo has everything delivered over signed HTTP from now on, in place of the sockets. An answer has AckDeadline. An event
// that is not answered with 200 comes again at most three times, after none, one and five times RedeliverAfter, which stands
// for Slack's minute; Redeliveries below 0 and the answer's header X-Slack-No-Retry switch that off.
func (w *Workspace) PostTo(urls RequestURLs) {
	st := w.lock()
	defer w.unlock()
	st.posts = &urls
}

// Sent are the requests that went out over HTTP, oldest first.
func (w *Workspace) Sent() []SignedRequest {
	st := w.lock()
	defer w.unlock()
	return append([]SignedRequest(nil), st.sent...)
}

// Sign makes a request as Slack would at that time.
func (w *Workspace) Sign(to, kind, body string, at time.Time) SignedRequest {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(orDefault(w.SigningSecret, DefaultSigningSecret)))
	_, _ = io.WriteString(mac, "v0:"+stamp+":"+body)
	return SignedRequest{URL: to, Body: body, Header: http.Header{
		"Content-Type": {kind}, "User-Agent": {"Slackbot 1.0 (+https://api.slack.com/robots)"},
		"X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {"v0=" + hex.EncodeToString(mac.Sum(nil))},
	}}
}

// Resend sends a request again, or for the first time, and returns status and body. It is what an attacker can do who has read
// one; what was answered is not shown to anybody.
func (w *Workspace) Resend(ctx context.Context, r SignedRequest) (status int, body string, err error) {
	got, err := r.send(ctx)
	return got.status, string(got.body), err
}

// appAnswer is what the app answered.
type appAnswer struct {
	status int
	header http.Header
	body   []byte
}

func (r SignedRequest) send(ctx context.Context) (appAnswer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, strings.NewReader(r.Body))
	if err != nil {
		return appAnswer{}, err
	}
	req.Header = r.Header.Clone()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return appAnswer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	return appAnswer{res.StatusCode, res.Header, raw}, err
}

// VerifyURL asks the app whether it takes events, as Slack does when the address is set: it has to answer with the challenge.
func (w *Workspace) VerifyURL(ctx context.Context) error {
	st := w.lock()
	urls, challenge := st.posts, st.nextID("challenge")
	w.unlock()
	if urls == nil {
		return errors.New("no addresses are set; see PostTo")
	}
	body, err := json.Marshal(Payload{"token": "simulated", "challenge": challenge, "type": "url_verification"})
	if err != nil {
		return err
	}
	got, err := w.Sign(orDefault(urls.Events, urls.Interactions), "application/json", string(body), time.Now()).send(ctx)
	if err != nil {
		return fmt.Errorf("your URL didn't respond: %w", err)
	}
	var answered struct{ Challenge string }
	if json.Unmarshal(got.body, &answered) != nil {
		answered.Challenge = strings.TrimSpace(string(got.body))
	}
	if got.status != http.StatusOK || answered.Challenge != challenge {
		return fmt.Errorf("your URL didn't respond with the value of the challenge parameter: %d %.200s", got.status, got.body)
	}
	return nil
}

// eventPauses are those before Slack delivers an event again, in minutes: at once, then later and later. Commands and
// interactions it delivers once, and the person sees that it failed.
func eventPauses() []time.Duration { return []time.Duration{0, 1, 5} }

// post delivers an envelope over HTTP and returns the answer's body.
func (w *Workspace) post(ctx context.Context, index int, urls RequestURLs) (receipt, error) {
	env := w.envelope(index)
	r, err := urls.request(env)
	if err != nil {
		return receipt{envelope: env}, err
	}
	got, err := w.postOnce(ctx, index, r, nil)
	again := env.Type == EventsAPI && w.Redeliveries >= 0
	for n, pause := range eventPauses() {
		if err == nil || !again || got.header.Get("X-Slack-No-Retry") == "1" {
			break
		}
		if !w.rest(ctx, pause*orDefault(w.RedeliverAfter, defaultRedeliverAfter)) {
			return receipt{envelope: w.envelope(index)}, fmt.Errorf("waiting to deliver again: %w", context.Cause(ctx))
		}
		got, err = w.postOnce(ctx, index, r, http.Header{
			"X-Slack-Retry-Num": {strconv.Itoa(n + 1)}, "X-Slack-Retry-Reason": {retryReason(got, err)},
		})
	}
	if err != nil {
		return receipt{envelope: w.envelope(index)}, err
	}
	payload, err := got.payload(env.Type)
	return receipt{envelope: w.envelope(index), payload: payload}, err
}

// retryReason is why an event is delivered again.
func retryReason(got appAnswer, err error) string {
	switch {
	case errors.Is(err, ErrNotAcknowledged):
		return "http_timeout"
	case got.status == 0:
		return "connection_failed"
	}
	return "http_error"
}

// payload is what the answer would be over a socket: a command may be answered with plain text too.
func (a appAnswer) payload(kind string) (json.RawMessage, error) {
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	switch {
	case len(a.body) == 0:
		return nil, nil
	case kind == SlashCommands && media != "application/json":
		return json.Marshal(Payload{"text": string(a.body)})
	}
	return a.body, nil
}

// rest waits, and reports whether it did to the end.
func (w *Workspace) rest(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// postOnce signs a request anew and sends it.
func (w *Workspace) postOnce(ctx context.Context, index int, r SignedRequest, more http.Header) (appAnswer, error) {
	r = w.Sign(r.URL, r.Header.Get("Content-Type"), r.Body, time.Now())
	maps.Copy(r.Header, more)
	st := w.lock()
	st.sent = append(st.sent, r)
	st.envelopes[index].Deliveries++
	st.notify()
	w.unlock()
	limited, cancel := context.WithTimeout(ctx, orDefault(w.AckDeadline, defaultAckDeadline))
	defer cancel()
	got, err := r.send(limited)
	switch {
	case ctx.Err() != nil:
		return got, fmt.Errorf("waiting for the app's acknowledgement: %w", context.Cause(ctx))
	case errors.Is(err, context.DeadlineExceeded):
		return got, ErrNotAcknowledged
	case err != nil:
		return appAnswer{}, fmt.Errorf("dispatch_failed: %w", err)
	case got.status != http.StatusOK:
		return got, fmt.Errorf("dispatch_failed: the app answered %d: %.200s", got.status, got.body)
	}
	st = w.lock()
	st.envelopes[index].Acks++
	w.unlock()
	return got, nil
}

// request is how an envelope travels over HTTP, not signed yet: commands as a form, interactions as a form with one field,
// events as JSON.
func (u RequestURLs) request(env Envelope) (SignedRequest, error) {
	var fields map[string]any
	if err := json.Unmarshal(env.Payload, &fields); err != nil {
		return SignedRequest{}, fmt.Errorf("the payload is not an object: %w", err)
	}
	unsigned := func(to, kind, body string) (SignedRequest, error) {
		return SignedRequest{URL: orDefault(to, u.Interactions), Body: body, Header: http.Header{"Content-Type": {kind}}}, nil
	}
	const form = "application/x-www-form-urlencoded"
	switch env.Type {
	case EventsAPI:
		return unsigned(u.Events, "application/json", string(env.Payload))
	case SlashCommands:
		values := url.Values{}
		for k, v := range fields {
			values.Set(k, fmt.Sprint(v))
		}
		return unsigned(u.Commands, form, values.Encode())
	}
	to := u.Interactions
	if fields["type"] == "block_suggestion" {
		to = u.Options
	}
	return unsigned(to, form, url.Values{"payload": {string(env.Payload)}}.Encode())
}
