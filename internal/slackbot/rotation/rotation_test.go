package rotation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/internal/slackbot/rotation"
)

const (
	clientID, clientSecret = "1.2", "client-secret"
	firstRefresh           = "xoxe-1-first"
	life                   = 12 * time.Hour
)

// office is Slack as far as tokens go: a refresh token serves once, a token until its end.
type office struct {
	url string

	mu      sync.Mutex
	now     time.Time
	serial  int
	refresh map[string]bool      // unused ones
	tokens  map[string]time.Time // by their end
	renewed int
	asked   []string // the token of each call
	down    bool
	hold    chan struct{} // renewals wait for it
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{now: storetest.Noon(), refresh: map[string]bool{firstRefresh: true}, tokens: map[string]time.Time{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/oauth.v2.access", o.access)
	mux.HandleFunc("POST /api/{method}", o.call)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	o.url = srv.URL + "/api/"
	return o
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *office) pass(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(d)
}

func (o *office) set(change func(*office)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(o)
}

func (o *office) access(rw http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	hold := o.hold
	o.mu.Unlock()
	if hold != nil {
		<-hold
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	answer := map[string]any{"ok": false}
	token := r.PostFormValue("refresh_token")
	switch {
	case o.down:
		rw.WriteHeader(http.StatusBadGateway)
		return
	case r.PostFormValue("client_id") != clientID, r.PostFormValue("client_secret") != clientSecret:
		answer["error"] = "bad_client_secret"
	case r.PostFormValue("grant_type") != "refresh_token" || !o.refresh[token]:
		answer["error"] = "invalid_refresh_token"
	default:
		delete(o.refresh, token)
		o.serial++
		o.renewed++
		fresh, next := fmt.Sprintf("xoxe.xoxb-%d", o.serial), fmt.Sprintf("xoxe-1-%d", o.serial)
		o.refresh[next], o.tokens[fresh] = true, o.now.Add(life)
		answer = map[string]any{"ok": true, "access_token": fresh, "refresh_token": next, "expires_in": int(life.Seconds()), "token_type": "bot"}
	}
	_ = json.NewEncoder(rw).Encode(answer)
}

func (o *office) call(rw http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token == "" {
		token = r.PostFormValue("token")
	}
	o.asked = append(o.asked, token)
	end, known := o.tokens[token]
	answer := map[string]any{"ok": true, "ts": "1.1", "channel": "C1", "team_id": "T1", "view": map[string]any{"id": "V1"}}
	if !known || !o.now.Before(end) {
		answer = map[string]any{"ok": false, "error": map[bool]string{true: "token_expired", false: "invalid_auth"}[known]}
	}
	_ = json.NewEncoder(rw).Encode(answer)
}

func (o *office) renewals() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.renewed
}

// replica is a process with its tokens and a client that uses them.
type replica struct {
	*rotation.Tokens
	slack *slack.Client
	log   *strings.Builder
}

func (o *office) replica(t *testing.T, vault rotation.Vault, change func(*rotation.Options)) replica {
	t.Helper()
	log := &strings.Builder{}
	opts := rotation.Options{
		APIURL: o.url, ClientID: clientID, ClientSecret: clientSecret, RefreshToken: firstRefresh, Vault: vault, Clock: o.clock,
		Logger: slog.New(slog.NewTextHandler(&locked{w: log}, nil)),
	}
	if change != nil {
		change(&opts)
	}
	tokens, err := rotation.New(opts)
	require.NoError(t, err)
	api := slack.New(rotation.Placeholder, slack.OptionAPIURL(o.url), slack.OptionHTTPClient(tokens.Client(&http.Client{Timeout: 10 * time.Second})))
	return replica{tokens, api, log}
}

type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func open(t *testing.T) *store.DB {
	t.Helper()
	return storetest.Open(t, storetest.SQLite(t), store.Options{})
}

// post makes a call with the token in a form, view one with the token in the header.
func (r replica) post(t *testing.T) error {
	t.Helper()
	_, ts, err := r.slack.PostMessageContext(t.Context(), "C1", slack.MsgOptionText("token=xoxb-the-present-token & <more>", false))
	if err == nil {
		require.Equal(t, "1.1", ts)
	}
	return err
}

func (r replica) view(t *testing.T) error {
	t.Helper()
	_, err := r.slack.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: "U1", View: slack.HomeTabViewRequest{Type: slack.VTHomeTab}})
	return err
}

func TestEveryCallCarriesThePresentToken(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	r := o.replica(t, open(t), nil)
	require.NoError(t, r.post(t))
	require.NoError(t, r.view(t))
	require.Equal(t, 1, o.renewals(), "the first pair is asked for with the configured token")
	o.pass(life - life/8 - time.Minute)
	require.NoError(t, r.post(t))
	require.Equal(t, 1, o.renewals())
	o.pass(2 * time.Minute)
	require.NoError(t, r.view(t))
	require.Equal(t, 2, o.renewals(), "before it ends")
	require.Equal(t, []string{"xoxe.xoxb-1", "xoxe.xoxb-1", "xoxe.xoxb-1", "xoxe.xoxb-2"}, o.asked)
	require.NotContains(t, r.log.String(), "xoxe")
}

func TestWhatSlackRefusesAsExpiredIsSentOnceMore(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	r := o.replica(t, open(t), nil)
	for _, call := range []func(*testing.T) error{r.post, r.view} {
		require.NoError(t, call(t))
		o.set(func(o *office) {
			for token := range o.tokens {
				o.tokens[token] = o.now // earlier than was said
			}
			o.asked = nil
		})
		require.NoError(t, call(t))
		require.Len(t, o.asked, 2)
		require.NotEqual(t, o.asked[0], o.asked[1])
	}
	o.set(func(o *office) {
		for token := range o.tokens {
			o.tokens[token] = o.now
		}
		o.refresh, o.asked = nil, nil
	})
	require.ErrorContains(t, r.post(t), "token_expired")
	require.Len(t, o.asked, 1, "with no other token nothing is repeated")
	require.Contains(t, r.log.String(), "install the app again")
}

func TestOneOfSeveralReplicasRenews(t *testing.T) {
	t.Parallel()
	o, db := newOffice(t), open(t)
	hold := make(chan struct{})
	o.set(func(o *office) { o.hold = hold })
	var all sync.WaitGroup
	replicas := make([]replica, 6)
	errs := make(chan error, 60)
	for i := range replicas {
		replicas[i] = o.replica(t, db, nil)
	}
	ask := func() {
		for _, r := range replicas {
			for range 5 {
				all.Go(func() { errs <- r.post(t) })
			}
		}
	}
	ask()
	close(hold)
	all.Wait()
	require.Equal(t, 1, o.renewals())
	o.pass(life + time.Minute) // in the middle of work
	ask()
	all.Wait()
	require.Equal(t, 2, o.renewals())
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	looking := o.replica(t, db, func(o *rotation.Options) { o.Look = true })
	require.NoError(t, looking.post(t))
	restarted := o.replica(t, db, nil)
	require.NoError(t, restarted.post(t))
	require.Equal(t, 2, o.renewals(), "a process that starts takes what is kept")
	o.pass(life + time.Minute)
	require.ErrorContains(t, looking.post(t), "the bot renews it when it starts")
	require.Equal(t, 2, o.renewals())
}

func TestTokensInTheStoreAreSealed(t *testing.T) {
	t.Parallel()
	o, db := newOffice(t), open(t)
	require.NoError(t, o.replica(t, db, nil).post(t))
	kept, err := db.Kept(t.Context(), "slack-token")
	require.NoError(t, err)
	require.NotContains(t, kept.Value, "xox")
	r := struct {
		Seed   string `json:"seed"`
		Sealed []byte `json:"sealed"`
	}{}
	require.NoError(t, json.Unmarshal([]byte(kept.Value), &r))
	r.Sealed[len(r.Sealed)/2] ^= 1
	altered, err := json.Marshal(r)
	require.NoError(t, err)
	require.NoError(t, db.Keep(t.Context(), kept, string(altered)))
	require.ErrorContains(t, o.replica(t, db, nil).post(t), "altered")

	other := o.replica(t, db, func(o *rotation.Options) { o.ClientSecret = "another" })
	require.ErrorContains(t, other.post(t), "MDE_SLACK_CLIENT_SECRET")
	o.set(func(o *office) { o.refresh["xoxe-1-again"] = true })
	again := o.replica(t, db, func(o *rotation.Options) { o.RefreshToken = "xoxe-1-again" })
	require.NoError(t, again.post(t), "another refresh token begins anew")
	require.NoError(t, again.view(t))
}

func TestRenewalThatFailsCostsNothing(t *testing.T) {
	t.Parallel()
	o, db := newOffice(t), open(t)
	r := o.replica(t, db, nil)
	o.set(func(o *office) { o.down = true })
	err := r.post(t)
	require.ErrorContains(t, err, "no Slack bot token that is valid")
	require.NotContains(t, err.Error(), "xoxe")
	o.set(func(o *office) { o.down = false })
	require.NoError(t, r.post(t), "nobody waits for the claim of the one that failed")

	o.pass(life - time.Hour)
	o.set(func(o *office) { o.down = true })
	require.NoError(t, r.post(t), "the present token still serves")
	require.NoError(t, o.replica(t, db, nil).view(t))
	require.Contains(t, r.log.String(), "the present one is used")
	o.set(func(o *office) { o.down = false })
	o.pass(2 * time.Minute)
	require.NoError(t, r.post(t))
	require.Equal(t, 2, o.renewals())
}

// forgetting is a vault that can't be written for a while.
type forgetting struct {
	*store.DB
	mu   sync.Mutex
	fail int // this many writes from the second on
	n    int
}

func (f *forgetting) Keep(ctx context.Context, saw store.Kept, value string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n++; f.n > 1 && f.fail > 0 {
		f.fail--
		return errors.New("the disk is full")
	}
	return f.DB.Keep(ctx, saw, value)
}

func TestPairThatCantBeKeptIsNotLost(t *testing.T) {
	t.Parallel()
	o, db := newOffice(t), open(t)
	v := &forgetting{DB: db, fail: 1}
	r := o.replica(t, v, nil)
	require.NoError(t, r.post(t))
	require.Contains(t, r.log.String(), "could not be kept")
	o.pass(life - time.Hour)
	require.NoError(t, r.post(t))
	require.Equal(t, 2, o.renewals(), "with the refresh token that was not kept")
	require.NoError(t, o.replica(t, db, nil).post(t))
	require.Equal(t, 2, o.renewals(), "and now it is kept")
}

func TestClaimOfADeadProcessIsTakenOver(t *testing.T) {
	t.Parallel()
	o, db := newOffice(t), open(t)
	claim, err := json.Marshal(map[string]any{"claimed": o.clock()})
	require.NoError(t, err)
	require.NoError(t, db.Keep(t.Context(), store.Kept{Name: "slack-token"}, string(claim)))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	r := o.replica(t, db, nil)
	_, err = r.Token(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded, "it may be at work")
	o.pass(31 * time.Second)
	require.NoError(t, r.post(t))
}

func TestWhileAnotherProcessRenewsThePresentTokenServes(t *testing.T) {
	t.Parallel()
	o, db := newOffice(t), open(t)
	require.NoError(t, o.replica(t, db, nil).post(t))
	o.pass(life - time.Hour) // time to renew
	kept, err := db.Kept(t.Context(), "slack-token")
	require.NoError(t, err)
	var r map[string]any
	require.NoError(t, json.Unmarshal([]byte(kept.Value), &r))
	r["claimed"] = o.clock()
	claimed, err := json.Marshal(r)
	require.NoError(t, err)
	require.NoError(t, db.Keep(t.Context(), kept, string(claimed)))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	token, err := o.replica(t, db, nil).Token(ctx)
	require.NoError(t, err)
	require.Equal(t, "xoxe.xoxb-1", token)
	require.Equal(t, 1, o.renewals())
}

func TestTheTokenGoesToSlackOnly(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	r := o.replica(t, open(t), nil)
	var heard []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		heard = append(heard, req.Header.Get("Authorization")+req.PostFormValue("token"))
	}))
	t.Cleanup(elsewhere.Close)
	c := r.Client(http.DefaultClient)
	for _, header := range []http.Header{
		{"Content-Type": {"application/x-www-form-urlencoded"}}, {"Authorization": {"Bearer " + rotation.Placeholder}},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, elsewhere.URL, strings.NewReader("token="+rotation.Placeholder))
		require.NoError(t, err)
		req.Header = header
		res, err := c.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
	}
	require.Equal(t, []string{rotation.Placeholder, "Bearer " + rotation.Placeholder}, heard)
	require.Zero(t, o.renewals())
}

func TestOptionsThatCantWorkAreRefused(t *testing.T) {
	t.Parallel()
	good := rotation.Options{ClientID: "1.2", ClientSecret: "s", RefreshToken: "xoxe-1-x", Vault: open(t)}
	for want, change := range map[string]func(*rotation.Options){
		"client id": func(o *rotation.Options) { o.ClientID = "" }, "client secret": func(o *rotation.Options) { o.ClientSecret = "" },
		"begin with xoxe-": func(o *rotation.Options) { o.RefreshToken = "xoxb-very-secret" }, "no store": func(o *rotation.Options) { o.Vault = nil },
	} {
		o := good
		change(&o)
		_, err := rotation.New(o)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "very-secret")
	}
	_, err := rotation.New(good)
	require.NoError(t, err)
}
