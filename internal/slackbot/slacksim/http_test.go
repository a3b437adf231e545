package slacksim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// endpoint is an app behind HTTP that checks signatures with slack-go.
type endpoint struct {
	url  string
	mu   sync.Mutex
	seen []*http.Request
	body []string
}

// got are the requests that came with a good signature: path, headers and body.
func (e *endpoint) got() ([]*http.Request, []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]*http.Request{}, e.seen...), append([]string{}, e.body...)
}

// overHTTP makes an app that answer answers for, and has the workspace post to it.
func (d *desk) overHTTP(t *testing.T, answer func(rw http.ResponseWriter, r *http.Request, body string)) *endpoint {
	t.Helper()
	e := &endpoint{}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		check, err := slack.NewSecretsVerifier(r.Header, slacksim.DefaultSigningSecret)
		if err == nil {
			_, _ = check.Write(body)
			err = check.Ensure()
		}
		if err != nil {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		e.mu.Lock()
		e.seen, e.body = append(e.seen, r), append(e.body, string(body))
		e.mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		if answer != nil {
			answer(rw, r, string(body))
		}
	}))
	t.Cleanup(srv.Close)
	e.url = srv.URL
	d.PostTo(slacksim.RequestURLs{Commands: e.url + "/commands", Interactions: e.url + "/interactions", Options: e.url + "/options", Events: e.url + "/events"})
	return e
}

func TestCommandsOverHTTP(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := d.overHTTP(t, func(rw http.ResponseWriter, r *http.Request, _ string) {
		cmd, err := slack.SlashCommandParse(r)
		if err != nil {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		if cmd.Text == "plain" {
			_, _ = io.WriteString(rw, "as plain text")
			return
		}
		rw.Header().Set("Content-Type", "application/json; charset=utf-8")
		_ = json.NewEncoder(rw).Encode(map[string]any{"text": "as JSON for " + cmd.UserID})
	})
	out, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "a & b=c")
	require.NoError(t, err)
	require.Equal(t, "as JSON for "+slacksim.Alice, out.Reply)
	require.Len(t, out.Ephemerals, 1)
	out, err = d.Command(ctxFor(t), "alice", "#security", "/mde", "plain")
	require.NoError(t, err)
	require.Equal(t, "as plain text", out.Reply)
	seen, bodies := e.got()
	require.Equal(t, "/commands", seen[0].URL.Path)
	require.Contains(t, bodies[0], "text=a+%26+b%3Dc")
	require.Contains(t, bodies[0], "is_enterprise_install=false")
	require.Zero(t, d.Calls("apps.connections.open"))
}

func TestInteractionsOverHTTP(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	pick := slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, nil, "pick")
	view := slack.ModalViewRequest{Type: slack.VTModal, Title: plain("Pick"), Submit: plain("Go")}
	view.Blocks.BlockSet = []slack.Block{slack.NewInputBlock("devices", plain("Device"), nil, pick)}
	e := d.overHTTP(t, func(rw http.ResponseWriter, r *http.Request, _ string) {
		var ic slack.InteractionCallback
		if err := json.Unmarshal([]byte(r.FormValue("payload")), &ic); err != nil {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		var out any
		switch ic.Type {
		case slack.InteractionTypeBlockActions:
			_, _ = d.api.OpenViewContext(r.Context(), ic.TriggerID, view)
			return
		case slack.InteractionTypeBlockSuggestion:
			out = map[string]any{"options": []any{rawOption(1)}}
		default:
			out = slack.NewErrorsViewSubmissionResponse(map[string]string{"devices": "not this one"})
		}
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(out)
	})
	m := d.post(t, slack.MsgOptionBlocks(card("please")...))
	out, err := d.Click(ctxFor(t), "bob", "#security", m.TS, "deny")
	require.NoError(t, err)
	require.Len(t, out.Views, 1)
	offered, err := d.Suggest(ctxFor(t), "bob", out.Views[0].ID, "pick", "host")
	require.NoError(t, err)
	require.Equal(t, "v1", offered[0].Value)
	out, err = d.Submit(ctxFor(t), "bob", out.Views[0].ID, map[string]string{"devices": "v1"})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"devices": "not this one"}, out.Errors)
	seen, _ := e.got()
	require.Equal(t, []string{"/interactions", "/options", "/interactions"}, []string{seen[0].URL.Path, seen[1].URL.Path, seen[2].URL.Path})
}

func TestEventsComeAgainOverHTTP(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var refusals atomic.Int64
	refusals.Store(2)
	e := d.overHTTP(t, func(rw http.ResponseWriter, _ *http.Request, _ string) {
		if refusals.Add(-1) >= 0 {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	out, err := d.OpenHome(ctxFor(t), slacksim.Alice)
	require.NoError(t, err)
	require.Equal(t, 3, out.Deliveries)
	seen, bodies := e.got()
	require.Equal(t, "application/json", seen[0].Header.Get("Content-Type"))
	require.Empty(t, seen[0].Header.Get("X-Slack-Retry-Num"))
	require.Equal(t, []string{"2", "http_error"}, []string{seen[2].Header.Get("X-Slack-Retry-Num"), seen[2].Header.Get("X-Slack-Retry-Reason")})
	require.Equal(t, bodies[0], bodies[2], "under the same event_id")

	refusals.Store(100)
	out, err = d.OpenHome(ctxFor(t), slacksim.Alice)
	require.ErrorContains(t, err, "the app answered 503")
	require.Equal(t, 4, out.Deliveries, "three times again, and no more")
	for range 2 { // and nothing else comes again
		_, err = d.Command(ctxFor(t), "alice", "#security", "/mde", "help")
		require.ErrorContains(t, err, "dispatch_failed")
	}
	seen, _ = e.got()
	require.Len(t, seen, 3+4+2)
}

func TestEventsDontComeAgainWhenTheAppSaysSo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.overHTTP(t, func(rw http.ResponseWriter, _ *http.Request, _ string) {
		rw.Header().Set("X-Slack-No-Retry", "1")
		rw.WriteHeader(http.StatusServiceUnavailable)
	})
	out, err := d.OpenHome(ctxFor(t), slacksim.Alice)
	require.Error(t, err)
	require.Equal(t, 1, out.Deliveries)
}

func TestSlowAnswersOverHTTPAreNone(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(w *slacksim.Workspace) { w.AckDeadline = 20 * time.Millisecond })
	end := make(chan struct{})
	e := d.overHTTP(t, func(http.ResponseWriter, *http.Request, string) { <-end })
	t.Cleanup(func() { close(end) })
	_, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "help")
	require.ErrorIs(t, err, slacksim.ErrNotAcknowledged)
	_, err = d.OpenHome(ctxFor(t), slacksim.Alice)
	require.ErrorIs(t, err, slacksim.ErrNotAcknowledged)
	seen, _ := e.got()
	require.Equal(t, "http_timeout", seen[2].Header.Get("X-Slack-Retry-Reason"))

	d.PostTo(slacksim.RequestURLs{Interactions: "http://127.0.0.1:1"})
	_, err = d.OpenHome(ctxFor(t), slacksim.Alice)
	require.ErrorContains(t, err, "dispatch_failed")
	last := d.Sent()[len(d.Sent())-1]
	require.Equal(t, []string{"3", "connection_failed"}, []string{last.Header.Get("X-Slack-Retry-Num"), last.Header.Get("X-Slack-Retry-Reason")})
}

func TestSignaturesAreThoseOfTheBodyTheTimeAndTheSecret(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	e := d.overHTTP(t, nil)
	_, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "help")
	require.NoError(t, err)
	sent := d.Sent()[0]
	kind := sent.Header.Get("Content-Type")
	status := func(r slacksim.SignedRequest) int {
		code, _, err := d.Resend(ctxFor(t), r)
		require.NoError(t, err)
		return code
	}
	require.Equal(t, http.StatusOK, status(sent), "a replay is as good as the first: apps must remember")
	other := sent
	other.Body += "&text=isolate"
	require.Equal(t, http.StatusUnauthorized, status(other))
	require.Equal(t, http.StatusUnauthorized, status(d.Sign(sent.URL, kind, sent.Body, time.Now().Add(-6*time.Minute))))
	require.Equal(t, http.StatusOK, status(d.Sign(sent.URL, kind, sent.Body, time.Now().Add(-4*time.Minute))))
	forger := &slacksim.Workspace{SigningSecret: "guessed"}
	require.Equal(t, http.StatusUnauthorized, status(forger.Sign(sent.URL, kind, sent.Body, time.Now())))
	_, bodies := e.got()
	require.Len(t, bodies, 3)
	require.Len(t, d.Sent(), 1, "what is sent again by hand is not what was sent")
}

func TestSlackAsksWhetherTheAddressIsTheApps(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	require.ErrorContains(t, d.VerifyURL(ctxFor(t)), "PostTo")
	answer := func(rw http.ResponseWriter, body string) {
		var asked struct{ Type, Challenge string }
		if json.Unmarshal([]byte(body), &asked) == nil && asked.Type == "url_verification" {
			_, _ = io.WriteString(rw, asked.Challenge)
		}
	}
	d.overHTTP(t, func(rw http.ResponseWriter, _ *http.Request, body string) { answer(rw, body) })
	require.NoError(t, d.VerifyURL(ctxFor(t)))
	d.overHTTP(t, func(rw http.ResponseWriter, _ *http.Request, _ string) {
		answer(rw, `{"type":"url_verification","challenge":"other"}`)
	})
	require.ErrorContains(t, d.VerifyURL(ctxFor(t)), "challenge")
	d.PostTo(slacksim.RequestURLs{Events: "http://127.0.0.1:1"})
	require.ErrorContains(t, d.VerifyURL(ctxFor(t)), "didn't respond")
}
