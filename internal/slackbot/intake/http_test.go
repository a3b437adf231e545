package intake_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
)

const secret = "8f742231b10e8888abcd99yyyzzz85a5"

// memory is what replicas share; broken, it answers nobody.
type memory struct {
	mu     sync.Mutex
	seen   map[string]bool
	broken bool
}

func (m *memory) FirstTime(_ context.Context, scope, key string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken {
		return false, errors.New("the store is not there")
	}
	if m.seen == nil {
		m.seen = map[string]bool{}
	}
	first := !m.seen[scope+key]
	m.seen[scope+key] = true
	return first, nil
}

// post is an office that takes what is signed, and a record of what it took.
type post struct {
	url   string
	taken chan intake.Delivery
	in    *intake.HTTP
	end   func() error
}

// open listens on a free port. Every delivery is answered by answer, which may be nil for a handler that never answers.
func open(t testing.TB, seen intake.Memory, answer func(intake.Delivery)) *post {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &post{url: "http://" + ln.Addr().String(), taken: make(chan intake.Delivery, 64)}
	p.in, err = intake.NewHTTP(intake.HTTPOptions{
		Listener: ln, SigningSecret: secret, Seen: seen, Again: map[string]string{"text": "again"}, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- p.in.Listen(ctx, func(d intake.Delivery) bool {
			p.taken <- d
			go answer(d)
			return true
		})
	}()
	p.end = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		p.in.Close()
		return err
	})
	t.Cleanup(func() { require.NoError(t, p.end()) })
	require.Eventually(t, p.in.Connected, 5*time.Second, time.Millisecond)
	return p
}

// say answers every delivery with a payload.
func say(payload any) func(intake.Delivery) {
	return func(d intake.Delivery) {
		defer d.Release()
		_ = d.Ack(context.Background(), payload)
	}
}

// letter is a request as Slack makes it, until something of it is changed.
type letter struct {
	method, path, kind, body string
	at                       time.Time
	header                   http.Header
}

func form(path string, values url.Values) letter {
	return letter{method: http.MethodPost, path: path, kind: "application/x-www-form-urlencoded", body: values.Encode(), at: time.Now()}
}

func command(text string) letter {
	return form(intake.PathCommands, url.Values{
		"command": {"/mde"}, "text": {text}, "team_id": {"T1"}, "user_id": {"U1"}, "channel_id": {"C1"}, "trigger_id": {"1.2"},
	})
}

func interaction(path, payload string) letter { return form(path, url.Values{"payload": {payload}}) }

func event(body string) letter {
	return letter{method: http.MethodPost, path: intake.PathEvents, kind: "application/json", body: body, at: time.Now()}
}

func homeOpened(id string) letter {
	return event(`{"type":"event_callback","team_id":"T1","event_id":"` + id + `","event":{"type":"app_home_opened","user":"U1","tab":"home"}}`)
}

func sign(key string, at time.Time, body string) (stamp, signature string) {
	stamp = strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
	return stamp, "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// signed puts the headers on.
func (l letter) signed(key string) letter {
	stamp, signature := sign(key, l.at, l.body)
	l.header = http.Header{"Content-Type": {l.kind}, "X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {signature}}
	return l
}

func (l letter) send(t *testing.T, to string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), l.method, to+l.path, strings.NewReader(l.body))
	require.NoError(t, err)
	req.Header = l.header.Clone()
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, strings.TrimSpace(string(body))
}

func TestWhatIsSignedArrives(t *testing.T) {
	t.Parallel()
	p := open(t, &memory{}, say(map[string]string{"text": "done"}))
	for _, c := range []struct {
		letter letter
		kind   intake.Kind
		check  func(data any) bool
	}{
		{command("device host01"), intake.Command, func(d any) bool { return d.(slack.SlashCommand).Text == "device host01" }},
		{interaction(intake.PathInteractions, `{"type":"block_actions","team":{"id":"T1"}}`), intake.Interaction, func(d any) bool {
			return d.(slack.InteractionCallback).Team.ID == "T1"
		}},
		{interaction(intake.PathInteractions, `{"type":"view_submission","view":{"callback_id":"x"}}`), intake.Interaction, func(d any) bool {
			return d.(slack.InteractionCallback).View.CallbackID == "x"
		}},
		{interaction(intake.PathOptions, `{"type":"block_suggestion","value":"ho"}`), intake.Options, func(d any) bool {
			return d.(slack.InteractionCallback).Value == "ho"
		}},
		{homeOpened("Ev1"), intake.Event, func(d any) bool {
			return d.(slackevents.EventsAPIEvent).InnerEvent.Data.(*slackevents.AppHomeOpenedEvent).User == "U1"
		}},
	} {
		l := c.letter.signed(secret)
		status, body := l.send(t, p.url)
		require.Equal(t, http.StatusOK, status, body)
		require.JSONEq(t, `{"text":"done"}`, body)
		d := <-p.taken
		require.Equal(t, c.kind, d.Kind)
		require.True(t, c.check(d.Data), "%+v", d.Data)
		require.Equal(t, l.header.Get("X-Slack-Signature"), d.ID, "its name is what was signed")
	}
}

func TestWhatIsNotSignedJustNowIsRefused(t *testing.T) {
	t.Parallel()
	p := open(t, &memory{}, say(nil))
	good := command("isolate host01")
	later := func(d time.Duration) letter {
		l := good
		l.at = l.at.Add(d)
		return l.signed(secret)
	}
	with := func(change func(*letter)) letter {
		l := good.signed(secret)
		change(&l)
		return l
	}
	for name, c := range map[string]struct {
		letter letter
		status int
	}{
		"late":           {later(-5*time.Minute - 2*time.Second), http.StatusUnauthorized},
		"early":          {later(5*time.Minute + 2*time.Second), http.StatusUnauthorized},
		"wrong secret":   {good.signed("another"), http.StatusUnauthorized},
		"no signature":   {with(func(l *letter) { l.header.Del("X-Slack-Signature") }), http.StatusUnauthorized},
		"no time":        {with(func(l *letter) { l.header.Del("X-Slack-Request-Timestamp") }), http.StatusUnauthorized},
		"two signatures": {with(func(l *letter) { l.header.Add("X-Slack-Signature", "v0="+strings.Repeat("0", 64)) }), http.StatusUnauthorized},
		"other time":     {with(func(l *letter) { l.header.Set("X-Slack-Request-Timestamp", fmt.Sprint(l.at.Unix()+1)) }), http.StatusUnauthorized},
		"signed time": {with(func(l *letter) {
			l.header["X-Slack-Request-Timestamp"][0] = "+" + l.header["X-Slack-Request-Timestamp"][0]
		}), http.StatusUnauthorized},
		"no v0=":             {with(func(l *letter) { cutV0(l.header) }), http.StatusUnauthorized},
		"capitals":           {with(func(l *letter) { l.header.Set("X-Slack-Signature", capitals(l.header.Get("X-Slack-Signature"))) }), http.StatusUnauthorized},
		"other body":         {with(func(l *letter) { l.body = strings.Replace(l.body, "host01", "host02", 1) }), http.StatusUnauthorized},
		"nothing":            {with(func(l *letter) { l.body = "" }), http.StatusBadRequest},
		"in the address":     {with(func(l *letter) { l.path += "?" + l.body }), http.StatusBadRequest},
		"GET":                {with(func(l *letter) { l.method = http.MethodGet }), http.StatusMethodNotAllowed},
		"JSON for a form":    {with(func(l *letter) { l.header.Set("Content-Type", "application/json") }), http.StatusUnsupportedMediaType},
		"packed":             {with(func(l *letter) { l.header.Set("Content-Encoding", "gzip") }), http.StatusUnsupportedMediaType},
		"over 1 MB":          {form(intake.PathCommands, url.Values{"text": {strings.Repeat("x", 1<<20)}}).signed(secret), http.StatusRequestEntityTooLarge},
		"elsewhere":          {with(func(l *letter) { l.path = "/slack" }), http.StatusNotFound},
		"twice the command":  {letter{http.MethodPost, intake.PathCommands, good.kind, good.body + "&text=isolate+host02", good.at, nil}.signed(secret), http.StatusBadRequest},
		"no command":         {form(intake.PathCommands, url.Values{"payload": {"{}"}}).signed(secret), http.StatusBadRequest},
		"no interaction":     {form(intake.PathInteractions, url.Values{"command": {"/mde"}}).signed(secret), http.StatusBadRequest},
		"options to presses": {interaction(intake.PathInteractions, `{"type":"block_suggestion"}`).signed(secret), http.StatusBadRequest},
		"presses to options": {interaction(intake.PathOptions, `{"type":"block_actions"}`).signed(secret), http.StatusBadRequest},
		"no event":           {event(`[1,2]`).signed(secret), http.StatusBadRequest},
		"no form":            {letter{http.MethodPost, intake.PathCommands, good.kind, "%zz", good.at, nil}.signed(secret), http.StatusBadRequest},
	} {
		status, body := c.letter.send(t, p.url)
		require.Equal(t, c.status, status, "%s: %s", name, body)
		require.NotContains(t, body, secret, name)
		require.Empty(t, p.taken, name)
	}
	status, _ := good.signed(secret).send(t, p.url)
	require.Equal(t, http.StatusOK, status, "and the good one is taken")
	for name, l := range map[string]letter{"nearly late": later(-4*time.Minute - 50*time.Second), "nearly early": later(4*time.Minute + 50*time.Second)} {
		status, body := l.send(t, p.url)
		require.Equal(t, http.StatusOK, status, "%s: %s", name, body)
	}
}

func cutV0(h http.Header) {
	h.Set("X-Slack-Signature", strings.TrimPrefix(h.Get("X-Slack-Signature"), "v0="))
}

func capitals(signature string) string {
	return "v0=" + strings.ToUpper(strings.TrimPrefix(signature, "v0="))
}

func TestReplayIsTakenOnceWhicheverReplicaItReaches(t *testing.T) {
	t.Parallel()
	shared := &memory{}
	one, two := open(t, shared, say(nil)), open(t, shared, say(nil))
	typed, press := command("isolate host01").signed(secret), interaction(intake.PathInteractions, `{"type":"block_actions"}`).signed(secret)
	for _, l := range []letter{typed, press} {
		status, _ := l.send(t, one.url)
		require.Equal(t, http.StatusOK, status)
	}
	for _, p := range []*post{one, two} {
		status, body := typed.send(t, p.url)
		require.Equal(t, http.StatusOK, status)
		require.JSONEq(t, `{"text":"again"}`, body)
		status, _ = press.send(t, p.url)
		require.Equal(t, http.StatusConflict, status)
	}
	require.Len(t, one.taken, 2)
	require.Empty(t, two.taken)
}

func TestWithoutMemoryNothingIsTaken(t *testing.T) {
	t.Parallel()
	m := &memory{broken: true}
	p := open(t, m, say(nil))
	l := command("isolate host01").signed(secret)
	status, _ := l.send(t, p.url)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Empty(t, p.taken)
	m.mu.Lock()
	m.broken = false
	m.mu.Unlock()
	status, _ = l.send(t, p.url)
	require.Equal(t, http.StatusOK, status, "it was not taken for seen")
}

func TestAnswersAreThoseOfTheHandler(t *testing.T) {
	t.Parallel()
	given := make(chan error, 3)
	var act func(intake.Delivery)
	p := open(t, &memory{}, func(d intake.Delivery) { act(d) })
	act = func(d intake.Delivery) {
		given <- d.Ack(context.Background(), nil)
		given <- d.Ack(context.Background(), "a second one")
		d.Release()
	}
	status, body := command("one").signed(secret).send(t, p.url)
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, body, "an acknowledgement alone has no body")
	require.NoError(t, <-given)
	require.ErrorContains(t, <-given, "acknowledged before")

	act = func(d intake.Delivery) { d.Release() } // as after a panic
	status, _ = command("two").signed(secret).send(t, p.url)
	require.Equal(t, http.StatusInternalServerError, status, "Slack must not believe that it was handled")

	gone := make(chan struct{})
	act = func(d intake.Delivery) {
		<-gone
		given <- d.Ack(context.Background(), nil)
		given <- d.Due.Err()
		d.Release()
	}
	began := time.Now()
	status, _ = command("three").signed(secret).send(t, p.url)
	require.Equal(t, http.StatusInternalServerError, status)
	require.Less(t, time.Since(began), 3*time.Second, "Slack waits no longer")
	close(gone)
	require.ErrorContains(t, <-given, "nobody waits")
	require.ErrorIs(t, <-given, context.DeadlineExceeded, "it was told when the answer was due")
}

func TestSlackMayAskWhetherTheAddressIsOurs(t *testing.T) {
	t.Parallel()
	p := open(t, &memory{}, say(nil))
	l := event(`{"type":"url_verification","challenge":"3eZbrw1aB10\u0026"}`)
	status, body := l.signed(secret).send(t, p.url)
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"challenge":"3eZbrw1aB10&"}`, body)
	status, _ = l.signed("another").send(t, p.url)
	require.Equal(t, http.StatusUnauthorized, status)
	for _, quiet := range []letter{form(intake.PathCommands, url.Values{"ssl_check": {"1"}}), event(`{"type":"app_rate_limited"}`)} {
		status, body = quiet.signed(secret).send(t, p.url)
		require.Equal(t, http.StatusOK, status)
		require.Empty(t, body)
	}
	require.Empty(t, p.taken)
}

func TestStoppingFinishesWhatWasTakenAndTakesNothingMore(t *testing.T) {
	t.Parallel()
	taken, finish := make(chan struct{}), make(chan struct{})
	p := open(t, &memory{}, func(d intake.Delivery) {
		close(taken)
		<-finish
		say(map[string]string{"text": "finished"})(d)
	})
	got := make(chan string, 1)
	l := command("one").signed(secret)
	go func() {
		_, body := l.send(t, p.url)
		got <- body
	}()
	<-taken
	ended := make(chan error, 1)
	go func() { ended <- p.end() }()
	require.Eventually(t, func() bool { return !p.in.Connected() }, 5*time.Second, time.Millisecond)
	close(finish)
	require.JSONEq(t, `{"text":"finished"}`, <-got)
	require.NoError(t, <-ended)
	require.Len(t, p.taken, 1)
}

// The window is reckoned by the given clock too, and not by the machine's alone.
func TestTheWindowIsThatOfTheClock(t *testing.T) {
	t.Parallel()
	for _, apart := range []time.Duration{-6 * time.Minute, 6 * time.Minute} {
		in, err := intake.NewHTTP(intake.HTTPOptions{
			Addr: "127.0.0.1:0", SigningSecret: secret, Seen: &memory{}, Logger: slog.New(slog.DiscardHandler),
			Clock: func() time.Time { return time.Now().Add(apart) },
		})
		require.NoError(t, err)
		l := command("help").signed(secret)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.path, strings.NewReader(l.body))
		require.NoError(t, err)
		req.Header = l.header
		rec := httptest.NewRecorder()
		in.ServeHTTP(rec, req)
		require.Equal(t, http.StatusUnauthorized, rec.Code)
	}
}

func TestOptionsThatCantBeSafeAreRefused(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]intake.HTTPOptions{
		"signing secret":       {Addr: "127.0.0.1:0", Seen: &memory{}},
		"memory of signatures": {Addr: "127.0.0.1:0", SigningSecret: secret},
		"no address":           {SigningSecret: secret, Seen: &memory{}},
	} {
		_, err := intake.NewHTTP(o)
		require.ErrorContains(t, err, want)
	}
	in, err := intake.NewHTTP(intake.HTTPOptions{Addr: "203.0.113.1:1", SigningSecret: secret, Seen: &memory{}})
	require.NoError(t, err)
	require.ErrorContains(t, in.Listen(t.Context(), nil), "203.0.113.1:1")
}

// FuzzSignedBodies gives every path bodies that are signed and otherwise anything: nothing may be taken but what the path is for.
func FuzzSignedBodies(f *testing.F) {
	for _, l := range []letter{
		command("isolate host01"), interaction(intake.PathInteractions, `{"type":"block_actions","actions":[{"block_id":"b","action_id":"a"}]}`),
		interaction(intake.PathOptions, `{"type":"block_suggestion"}`), homeOpened("Ev1"),
		interaction(intake.PathInteractions, `{"type":"view_submission","view":{"state":{"values":{"b":{"a":{"type":"plain_text_input","value":"x"}}}}}}`),
	} {
		f.Add(l.path, []byte(l.body))
	}
	p := open(f, forgetful{}, say(nil))
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		kinds := map[string]intake.Kind{
			intake.PathCommands: intake.Command, intake.PathInteractions: intake.Interaction, intake.PathOptions: intake.Options, intake.PathEvents: intake.Event,
		}
		if kinds[path] == "" {
			return
		}
		l := letter{path: path, kind: "application/x-www-form-urlencoded", body: string(body), at: time.Now()}
		if path == intake.PathEvents {
			l.kind = "application/json"
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body))
		require.NoError(t, err)
		req.Header = l.signed(secret).header
		rec := httptest.NewRecorder()
		p.in.ServeHTTP(rec, req)
		require.NotEqual(t, http.StatusInternalServerError, rec.Code)
		select {
		case d := <-p.taken:
			require.Equal(t, kinds[path], d.Kind)
			require.Equal(t, http.StatusOK, rec.Code)
		default: // nothing was taken
		}
	})
}

// forgetful takes everything for new.
type forgetful struct{}

func (forgetful) FirstTime(context.Context, string, string) (bool, error) { return true, nil }
